"""What is understood of a message is kept beside it; what is doubtful or disliked waits for a look, masked."""

import pytest
import yaml
from sqlalchemy import select

from channels import store
from channels.rasa import Said, Understood, contract_messages, understood_of
from channels.store import ChatMessage, TurnLabel
from channels.turns import (
    LABEL_RETENTION,
    doubt_of,
    label_turn,
    note_understood,
    purge_labels,
    rate,
    training_examples,
    waiting_count,
    waiting_turns,
)
from tests.unit.channels.fakes import NOW, own_sessions

TOLD = {"understood": {"intent": "ask_knowledge", "confidence": 0.4}}


@pytest.fixture
def session():
    with own_sessions()() as session:
        yield session


def talk(session, text, kind="answer", understood=None, conversation="a", message_id=None, reply="好"):
    """One turn; the number of the resident's message."""
    number = store.receive(session, conversation, text, message_id, now=NOW).number
    said = Said([{"kind": kind, "text": reply}], understood or Understood("ask_knowledge", 0.9, 0.8))
    store.record_replies(session, conversation, number, said.messages, now=NOW)
    note_understood(session, conversation, number, said)
    session.flush()
    return number


def test_what_rasa_tells_of_a_message_is_no_reply():
    items = [TOLD, {"custom": {"kind": "answer", "text": "好", "chance": 0.45}}]
    (message,) = contract_messages(items, "a")
    assert "chance" not in message
    assert understood_of(items) == Understood("ask_knowledge", 0.4, 0.45)


@pytest.mark.parametrize(
    "told", [None, [], "x", {"intent": 5, "confidence": "sure"}, {"intent": None, "confidence": 7}, {"confidence": -1}]
)
def test_what_rasa_tells_in_another_shape_is_nothing(told):
    assert understood_of([{"understood": told}, None, {"custom": {"chance": "high"}}]) == Understood()


@pytest.mark.parametrize(
    ("understood", "kinds", "doubt"),
    [
        (Understood("nlu_fallback", 0.9), ["clarify"], "fallback"),
        (Understood("greet", 0.44), ["smalltalk"], "unsure"),
        (Understood("greet", 0.45), ["smalltalk"], None),
        (Understood("ask_knowledge", 0.9, 0.49), ["answer"], "near"),
        (Understood("ask_knowledge", 0.9, 0.5), ["answer"], None),
        (Understood("ask_knowledge", 0.9, 0.2), ["no_answer"], None),
        (Understood(), ["answer"], None),
    ],
)
def test_why_a_reply_is_doubtful(understood, kinds, doubt):
    assert doubt_of(understood, kinds) == doubt


def test_a_doubtful_turn_waits_masked(session):
    talk(session, "张经理电话13800138000怎么样", reply="请拨 13900139000", understood=Understood("nlu_fallback", 0.2))
    talk(session, "公园几点开门")
    (turn,) = waiting_turns(session)
    assert (turn.intent, turn.confidence, turn.doubt, turn.rating) == ("nlu_fallback", 0.2, "fallback", None)
    assert "138" not in turn.text
    assert "张经理" not in turn.text
    assert "139" not in turn.replies[0]
    assert waiting_count(session) == 1


@pytest.mark.parametrize("kind", sorted(store_kind for store_kind in ("prompt", "confirm", "ticket", "ticket_status")))
def test_no_turn_of_a_petition_waits(session, kind):
    unsure = Understood("file_petition", 0.2)
    talk(session, "楼下王五家太吵", kind=kind, understood=unsure, message_id="one")
    talk(session, "我是李强", kind="notice", understood=unsure)
    assert waiting_turns(session) == []
    assert not rate(session, "a", "one", "unhelpful", now=NOW)


def test_a_rating_is_one_and_may_change(session):
    talk(session, "公园几点开门", message_id="one")
    assert rate(session, "a", "one", "unhelpful", now=NOW)
    assert [turn.rating for turn in waiting_turns(session)] == ["unhelpful"]
    assert rate(session, "a", "one", "helpful", now=NOW)
    assert waiting_turns(session) == []
    assert session.scalars(select(ChatMessage.rating).where(ChatMessage.kind == "resident")).all() == ["helpful"]
    assert not rate(session, "b", "one", "helpful", now=NOW)
    assert not rate(session, "a", "two", "helpful", now=NOW)


def test_what_is_doubtful_stays_so_however_it_is_rated(session):
    talk(session, "公园几点开门", message_id="one", understood=Understood("ask_knowledge", 0.3))
    rate(session, "a", "one", "helpful", now=NOW)
    assert [turn.rating for turn in waiting_turns(session)] == ["helpful"]


def test_a_turn_is_labelled_once(session):
    talk(session, "公园几点开门 13800138000", message_id="one", understood=Understood("greet", 0.3))
    (turn,) = waiting_turns(session)
    label = label_turn(session, turn.id, "wrong", "乙", intent="ask_knowledge", now=NOW)
    assert (label.text, label.intent, label.right_intent, label.by) == (turn.text, "greet", "ask_knowledge", "乙")
    assert label_turn(session, turn.id, "right", "丙", now=NOW) is None
    assert label_turn(session, 999, "right", "丙", now=NOW) is None
    rate(session, "a", "one", "unhelpful", now=NOW)
    assert waiting_turns(session) == []


def test_older_turns_are_on_the_next_page(session):
    for place in range(3):
        talk(session, f"第{place}个", understood=Understood("greet", 0.3))
    first = waiting_turns(session, limit=2)
    assert [turn.text for turn in first] == ["第2个", "第1个"]
    assert [turn.text for turn in waiting_turns(session, before=first[-1].id)] == ["第0个"]


def test_labels_become_examples_to_merge(session):
    texts = {
        "公园几点开门": ("right", None),
        "要[投诉](x){y}\n第二行": ("wrong", "file_petition"),
        "不知道": ("right", None),
        "别家的": ("elsewhere", None),
    }
    for text, (verdict, intent) in texts.items():
        understood = Understood("nlu_fallback" if text == "不知道" else "ask_knowledge", 0.3)
        talk(session, text, understood=understood)
        label_turn(session, waiting_turns(session)[0].id, verdict, "乙", intent=intent, now=NOW)
    text = training_examples(session)
    assert yaml.safe_load(text) == {
        "version": "3.1",
        "nlu": [
            {"intent": "ask_knowledge", "examples": "- 公园几点开门\n"},
            {"intent": "file_petition", "examples": "- 要（投诉）(x)（y） 第二行\n"},
        ],
    }
    assert "examples: |\n" in text


def test_labels_go_with_the_conversation_and_with_their_year(session):
    for conversation in "ab":
        talk(session, "公园几点开门", understood=Understood("greet", 0.3), conversation=conversation)
        label_turn(session, waiting_turns(session)[0].id, "right", "乙", now=NOW)
    store.forget(session, ["a"])
    assert len(session.scalars(select(TurnLabel)).all()) == 1
    assert purge_labels(session, NOW) == 0
    assert purge_labels(session, NOW + LABEL_RETENTION) == 1
