"""What residents say stands sealed in the database, also what was said before it was."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from channels.store import ChatMessage, receive, record_replies, seal_transcripts, transcript
from storage import seal_with
from storage.sealed import UNREADABLE
from suqiutong.database import make_engine
from suqiutong.settings import Settings
from suqiutong.wiring import Services

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SECRET, WORDS = b"s" * 32, "我叫王小红，电话13800138000"
REPLY = {"kind": "confirm", "text": "诉求人：王小红 13800138000", "buttons": [{"title": "对", "text": "对"}]}


def talk(session):
    number = receive(session, "a", WORDS, None, now=NOW).number
    record_replies(session, "a", number, [REPLY], now=NOW)
    session.commit()


def stored(engine):
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT * FROM chat_message")).all())


def said(session):
    return [row.payload for row in transcript(session, "a")]


def test_a_conversation_is_sealed_and_read_again(engine):
    seal_with(engine, SECRET)
    with Session(engine) as session:
        talk(session)
    assert "sealed" in stored(engine)
    assert not [word for word in ("王小红", "13800138000", "738b", "confirm}") if word in stored(engine)]
    with Session(engine) as session:
        assert said(session) == [{"text": WORDS}, REPLY]


def test_what_was_said_before_is_sealed_in_pieces(engine):
    with Session(engine) as session:
        talk(session)
    assert "13800138000" in stored(engine)
    seal_with(engine, SECRET)
    with Session(engine) as session:
        assert said(session) == [{"text": WORDS}, REPLY]
    for count in (1, 1, 0):
        with Session(engine) as session:
            assert seal_transcripts(session, limit=1) == count
            session.commit()
    assert "13800138000" not in stored(engine)
    with Session(engine) as session:
        assert said(session) == [{"text": WORDS}, REPLY]


def test_without_the_key_or_with_another_nothing_is_read(database_url):
    sealing, keyless, other = (make_engine(database_url) for _ in range(3))
    seal_with(sealing, SECRET)
    seal_with(other, b"o" * 32)
    with Session(sealing) as session:
        talk(session)
    with Session(keyless) as session, pytest.raises(LookupError):
        session.get(ChatMessage, 1)
    with Session(other) as session:
        assert said(session) == [UNREADABLE, UNREADABLE]
    for engine in (sealing, keyless, other):
        engine.dispose()


def test_the_product_seals(database_url, tmp_path):
    services = Services(Settings(data=tmp_path, database_url=database_url))
    with services.sessions() as session:
        talk(session)
    assert "13800138000" not in stored(services.engine)
    assert services.protect() == 0
    services.engine.dispose()
