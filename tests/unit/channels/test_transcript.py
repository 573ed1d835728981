"""What is stored of a conversation, and what is not."""

import time
from datetime import timedelta

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from channels import store
from channels.errors import ChannelError
from channels.handover.model import Handover, HandoverEvent
from channels.texts import say
from channels.tokens import Tokens
from petitions.privacy import own_privacy
from tests.unit.channels.fakes import CODE, NOW, REPLIES, own_sessions

SECRET = b"a secret of thirty-two bytes long"


@pytest.fixture
def session():
    with own_sessions()() as session:
        yield session


def test_messages_are_numbered_by_conversation(session):
    assert store.receive(session, "a", "一", None, now=NOW).number == 1
    store.record_replies(session, "a", 1, [{"kind": "notice", "text": "好"}], now=NOW)
    assert store.receive(session, "a", "二", None, now=NOW).number == 3
    assert store.receive(session, "b", "一", None, now=NOW).number == 1
    rows = store.transcript(session, "a")
    assert [(row.number, row.kind, row.payload["text"]) for row in rows] == [
        (1, "resident", "一"),
        (2, "notice", "好"),
        (3, "resident", "二"),
    ]
    assert rows[0].created_at == NOW


def test_the_same_id_finds_the_stored_reply(session):
    first = store.receive(session, "a", "一", "id-1", now=NOW)
    store.record_replies(session, "a", first.number, [{"kind": "notice", "text": "好"}], now=NOW)
    again = store.receive(session, "a", "一", "id-1", now=NOW)
    assert again == store.Received(1, ({"kind": "notice", "text": "好"},), is_repeat=True)
    assert store.receive(session, "b", "一", "id-1", now=NOW).replies == ()
    assert len(store.transcript(session, "a")) == 2


def test_the_transcript_is_the_end_of_a_long_conversation(session):
    for number in range(10):
        store.receive(session, "a", str(number), None, now=NOW)
    assert [row.payload["text"] for row in store.transcript(session, "a", limit=3)] == ["7", "8", "9"]


def test_what_was_said_long_ago_is_deleted_before_anything_of_a_ticket_is(session):
    store.receive(session, "a", "一", None, now=NOW)
    store.receive(session, "a", "二", None, now=NOW + timedelta(days=1))
    for conversation, ended_at in (("a", NOW), ("b", None)):
        called = Handover(
            conversation=conversation, state="ended", reason="asked", number=1, began_at=NOW, ended_at=ended_at
        )
        session.add(called)
        session.flush()
        session.add(
            HandoverEvent(handover_id=called.id, at=NOW, step="end", actor="张三", role="operator", note="备注")
        )
    session.flush()
    assert store.purge_transcripts(session, NOW) == 0
    assert store.purge_transcripts(session, NOW + timedelta(hours=1)) == 1
    assert [row.payload["text"] for row in store.transcript(session, "a")] == ["二"]
    assert session.scalars(select(Handover.conversation)).all() == ["b"]
    assert len(session.scalars(select(HandoverEvent)).all()) == 1
    assert timedelta(days=min(own_privacy().retention.values())) >= store.TRANSCRIPT_RETENTION


def test_a_query_code_is_not_stored(session):
    first = store.receive(session, "a", "确认提交", None, now=NOW)
    store.record_replies(session, "a", first.number, REPLIES["确认提交"], now=NOW)
    stored = store.transcript(session, "a")[-1].payload
    assert CODE not in str(stored)
    assert "GM202611230001" in stored["text"]


@pytest.mark.parametrize("typed", ["K7QF-39XM", "k7qf39xm", "Ｋ７ＱＦ－３９ＸＭ", "k7qf 39xm", "K7QF—39XM"])
def test_a_code_that_a_resident_types_is_not_stored(session, typed):
    store.receive(session, "a", f"工单号GM2，查询码{typed}，谢谢", None, now=NOW)
    assert store.transcript(session, "a")[0].payload["text"] == "工单号GM2,查询码••••-••••,谢谢"


def test_a_text_without_code_is_stored_as_typed(session):
    store.receive(session, "a", "路灯坏了，Ａ栋", None, now=NOW)
    assert store.transcript(session, "a")[0].payload["text"] == "路灯坏了，Ａ栋"


def test_a_token_is_read_by_its_own_purpose_and_key_only():
    tokens = Tokens(SECRET, "conversation", hours=1)
    token = tokens.sign("abc")
    assert tokens.read(token) == "abc"
    assert Tokens(SECRET, "form", hours=1).read(token) is None
    assert Tokens(b"another secret", "conversation", hours=1).read(token) is None
    assert tokens.read(token[:-1]) is None


def test_an_expired_token_is_nothing():
    tokens = Tokens(SECRET, "conversation", hours=-1)
    assert tokens.read(tokens.sign("abc")) is None


def test_a_token_signed_while_the_clock_was_ahead_is_read_after_its_correction(monkeypatch):
    tokens, now = Tokens(SECRET, "conversation", hours=1), time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 3 * 3600)
    token = tokens.sign("abc")
    monkeypatch.undo()
    assert tokens.read(token) == "abc"


@pytest.mark.parametrize("token", [None, "", "abc", "a.b.c", "\ud800", "对话", "." * 5000])
def test_a_bad_token_is_nothing(token):
    assert Tokens(SECRET, "conversation", hours=1).read(token) is None


def test_a_signed_value_that_is_no_string_is_nothing():
    token = URLSafeTimedSerializer(SECRET, salt="channels.conversation").dumps(["abc"])
    assert Tokens(SECRET, "conversation", hours=1).read(token) is None


def test_every_error_has_a_sentence_and_a_status():
    fields = {"limit": 2000, "help": "请拨打 12345。", "sentence": "不行。"}
    errors = [ChannelError(code, **fields) for code in ChannelError.codes()]
    assert len(errors) > 10
    assert all(error.sentence and 400 <= error.status < 600 for error in errors)


def test_a_missing_sentence_is_an_error():
    with pytest.raises(KeyError):
        say("notices.unheard_of")
