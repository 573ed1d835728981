import pytest

from suqiutong.rasa import STEP, bot_environment


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("INFO rasa.engine.training.hooks - Starting to train component 'RulePolicy'.", "RulePolicy"),
        ("INFO rasa.cli.train - Started validating domain and data...", "Started validating domain and data"),
        ("INFO rasa.engine.training.hooks - Restored component 'RulePolicy' from cache.", "RulePolicy"),
        ("INFO rasa.engine.training.hooks - Finished training component 'RulePolicy'.", None),
    ],
)
def test_steps_of_the_training_are_reported(line, step):
    found = STEP.search(line)
    assert (next(filter(None, found.groups())) if found else None) == step


def test_rasa_reports_nothing_to_its_makers():
    assert bot_environment()["RASA_TELEMETRY_ENABLED"] == "false"
