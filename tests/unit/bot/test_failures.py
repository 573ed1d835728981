"""A message that Rasa cannot keep, in the environment of the bot."""

from pathlib import Path

from tests.unit.bot.running import run_in_bot


def test_a_message_whose_conversation_cannot_be_kept_gets_no_answer():
    found = run_in_bot(Path(__file__).with_name("check_failures.py"))
    assert found == {"said": {"works": ["已登记"], "fails": []}, "raised": {"fails": True}, "is_bare": True}
