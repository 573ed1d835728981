import pytest

from suqiutong.supervise import LOUD


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-02 08:00:00,000 WARNING channels.rasa - timeout",
        "2026-11-02 08:00:00 ERROR    rasa.core.processor  - no answer",
        "2026-11-02 08:00:00 [warning  ] processor.message.parse.skip",
        "Traceback (most recent call last):",
    ],
)
def test_warnings_reach_the_screen(line):
    assert LOUD.search(line)


@pytest.mark.parametrize(
    "line", ["2026-11-02 08:00:00,000 INFO channels - understood", "  Traceback later", "no ERRORS"]
)
def test_the_rest_stays_in_the_log(line):
    assert not LOUD.search(line)
