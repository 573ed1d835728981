"""The ear that listens to the logs of all tests hears what it must, and nothing else."""

import logging

import pytest

from tests.wordless import EAR, Ear, personal_in, personal_lines


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("2026-11-24 10:00:00,123 WARNING web - failed phone=13800138000", "phone"),
        ("caller +8613800138000", "phone"),
        ("id=11010519491231002X", "id_number"),
        ("failed text=漏水", "words"),
        (r'{"event": "failed", "text": "\u6f0f\u6c34"}', "words"),
        ("request id=5d41402abc4b2a76 route=/api/chat status=200 milliseconds=12", None),
        ("key=GM2611230000017 digest=a13800138000f delivery=1764100000000", None),
    ],
)
def test_what_is_personal_is_known(line, kind):
    assert personal_in(line) == kind


def test_a_record_with_words_is_heard_and_one_without_is_not():
    ear, logger = Ear(), logging.Logger("web")
    logger.addHandler(ear)
    logger.warning("failed id=%s", "a1b2")
    try:
        raise ValueError("漏水")
    except ValueError:
        logger.exception("failed id=%s", "a1b2")
    assert ear.heard == []
    logger.warning("failed text=%s", "漏水")
    assert len(ear.heard) == 1
    assert "漏水" not in ear.heard[0]


def test_the_ear_is_at_the_root_of_all_loggers():
    logging.getLogger("anything.at.all").warning("said=%s", "漏水")
    heard = EAR.heard.copy()
    EAR.heard.clear()
    assert len(heard) == 1


def test_files_are_read_line_by_line(tmp_path):
    (tmp_path / "web.log").write_text("fine\nphone=13800138000\n", encoding="utf-8")
    (tmp_path / "rasa.log.1").write_text("漏水\n", encoding="utf-8")
    assert personal_lines(tmp_path) == ["rasa.log.1:1 words", "web.log:2 phone"]
