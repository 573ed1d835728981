"""Whatever Rasa sends, only messages of the contract pass."""

import json
import re

import pytest

from channels.rasa import RasaError, command, contract_message, contract_messages

COMPLETE = {"kind": "answer", "text": "好", "citations": [], "facts": [], "buttons": []}


def test_absent_lists_are_filled():
    assert contract_message({"custom": {"kind": "answer", "text": "好"}}) == COMPLETE


@pytest.mark.parametrize(
    "item",
    [
        None,
        "text",
        {"text": "不是合同消息"},
        {"custom": "text"},
        {"custom": {"kind": "joke", "text": "好"}},
        {"custom": {"kind": ["answer"], "text": "好"}},
        {"custom": {"kind": "answer"}},
        {"custom": {"kind": "answer", "text": "  "}},
        {"custom": {"kind": "answer", "text": 5}},
    ],
)
def test_unknown_shapes_become_one_notice(item):
    messages = contract_messages([item, {"custom": {"kind": "answer", "text": "好"}}, item], "c")
    assert [message["kind"] for message in messages] == ["answer", "notice"]


def test_lists_and_buttons_of_wrong_content_are_dropped():
    custom = {
        "kind": "clarify",
        "text": "哪里？",
        "citations": "x",
        "facts": [1, {"indicator": "a"}],
        "buttons": [{"title": "甲", "text": "甲"}, {"title": "乙"}, {"title": None, "text": "丙"}, "丁"],
        "ticket": [],
    }
    message = contract_message({"custom": custom})
    assert message["citations"] == []
    assert message["facts"] == []
    assert message["buttons"] == [{"title": "甲", "text": "甲"}]
    assert "ticket" not in message


def test_danger_comes_first_and_no_question_follows():
    kinds = ["smalltalk", "prompt", "emergency", "prompt"]
    items = [{"custom": {"kind": kind, "text": "好"}} for kind in kinds]
    assert [message["kind"] for message in contract_messages(items, "c")] == ["emergency", "smalltalk"]
    without_danger = [item for item in items if item["custom"]["kind"] != "emergency"]
    assert [message["kind"] for message in contract_messages(without_danger, "c")] == ["smalltalk", "prompt", "prompt"]


def test_an_empty_reply_is_a_failure():
    with pytest.raises(RasaError) as raised:
        contract_messages([], "c")
    assert raised.value.retryable


@pytest.mark.parametrize("text", ['煤气"}/restart{"', "第一行\n第二行", "}{@0.1", "反斜杠\\"])
def test_a_command_keeps_any_text_as_one_entity(text):
    # The pattern with which Rasa 3.6.21 takes a command apart.
    found = re.match(
        r"^/(?P<intent>[^{@]+)(?P<confidence>@[0-9.]+)?(?P<entities>{.+})?(?P<rest>.*)",
        command("emergency", danger_text=text),
    )
    assert found["intent"] == "emergency"
    assert found["rest"] == ""
    assert json.loads(found["entities"]) == {"danger_text": text}
