"""Two processes that serve residents on one database: a conversation is answered by one of them at a time."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import sessionmaker

from channels import late, store, waiting
from channels.app import create_app
from channels.locks import ConversationLocks
from channels.store import ChatMessage
from channels.waiting import ChatWaiting
from storage import SharedLocks
from tests.integration.test_chat_api import SAME_SITE, chat, run, until
from tests.integration.wechat import Clocked
from tests.unit.channels.fakes import CODE, REPLIES, FakeRasa, FakeServices


@pytest.fixture
def sessions(engine):
    return sessionmaker(engine, expire_on_commit=False)


def is_shared(engine):
    """SQLite has one web process."""
    return engine.dialect.name == "postgresql"


def test_a_lock_that_another_process_holds_is_not_had(engine, sessions):
    one, other = SharedLocks(sessions), SharedLocks(sessions)
    assert one.take("a")
    assert other.take("a") is not is_shared(engine)
    assert other.take("b")
    one.give_back("a")
    assert other.take("a")
    # A process that ends lets go of all.
    other.close()
    assert one.take("a")
    assert one.take("b")
    one.close()


def test_a_server_that_was_started_anew_costs_nobody_a_message(engine, sessions):
    lock = SharedLocks(sessions)
    lock.take("a")
    if is_shared(engine):
        with engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            connection.execute(text(f"{others} AND datname = current_database()"))
    lock.give_back("a")
    assert lock.take("a")
    lock.close()


def test_the_lock_of_transactions_is_another(engine, sessions):
    if not is_shared(engine):
        assert SharedLocks(sessions).take("a")
        return
    held = SharedLocks(sessions)
    held.take("a")
    with sessions() as session:
        free = "SELECT pg_try_advisory_xact_lock(hashtextextended('a', 0))"
        assert session.scalar(text(free))
    held.close()


def test_who_holds_a_conversation_without_end_does_not_keep_it(sessions, monkeypatch, caplog):
    monkeypatch.setattr("channels.locks.ELSEWHERE_SECONDS", 0.1)
    stuck = SharedLocks(sessions)
    stuck.take("a")
    mine = SharedLocks(sessions)

    async def scenario():
        async with asyncio.timeout(5), ConversationLocks(mine).hold("a"):
            return True

    assert asyncio.run(scenario())
    assert stuck.take("b")
    stuck.close()
    mine.close()
    assert {record.message.split()[0] for record in caplog.records} <= {"conversation_held_elsewhere"}


def test_messages_of_a_conversation_through_two_processes_are_answered_one_at_a_time(engine, sessions, monkeypatch):
    monkeypatch.setattr(late, "EVERY_SECONDS", 0.05)
    rasa = FakeRasa()
    count = 2 if is_shared(engine) else 1

    async def scenario():
        async with AsyncExitStack() as stack:
            clients = []
            for _ in range(count):
                app = create_app(FakeServices(sessions=sessions), rasa_transport=rasa.transport)
                await stack.enter_async_context(app.router.lifespan_context(app))
                transport = httpx.ASGITransport(app)
                clients.append(
                    await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://a.test"))
                )
            await until(lambda: len(rasa.received) >= count)
            session = (await chat(clients[0], "开始")).json()["session"]
            rasa.pause_seconds, rasa.most_at_once = 0.1, 0
            said = [
                chat(clients[number % count], f"第{number}句", session=session, message_id=f"id-{number}")
                for number in range(8)
            ]
            # Each message once more, as a client does whose connection broke, through the other process.
            again = [
                chat(clients[(number + 1) % count], f"第{number}句", session=session, message_id=f"id-{number}")
                for number in range(8)
            ]
            replies = await asyncio.gather(*said, *again)
            for number, reply in enumerate(replies):
                assert [one["text"] for one in reply.json()["messages"]] == [f"收到：第{number % 8}句"]

    asyncio.run(scenario())
    assert rasa.most_at_once == 1
    assert sorted(rasa.messages) == sorted(["开始", *(f"第{number}句" for number in range(8))])
    with sessions() as session:
        rows = session.scalars(select(ChatMessage).order_by(ChatMessage.number)).all()
    assert [row.number for row in rows] == list(range(1, 19))
    # Every message with its answer below it.
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    assert all(reply.payload["text"] == f"收到：{said.payload['text']}" for said, reply in pairs)
    assert all(reply.answers == said.number for said, reply in pairs)


def test_a_query_code_whose_reply_was_lost_is_told_by_another_process_for_a_while(sessions):
    services = Clocked(sessions=sessions)
    lost = {"text": "确认提交", "message_id": "id-1"}

    async def say(client, rasa):
        await until(lambda: rasa.received)
        reply = await client.post("/api/chat", json=lost)
        lost["session"] = reply.json()["session"]
        return reply.json()["messages"][0]["text"], rasa.messages

    assert run(say, services=services) == (REPLIES["确认提交"][0]["text"], ["确认提交"])
    assert run(say, services=services) == (REPLIES["确认提交"][0]["text"], [])
    with sessions() as session:
        assert CODE not in str(session.scalars(select(ChatWaiting.replies)).all())
    services.ahead += late.FRESH
    text, _ = run(say, services=services)
    assert CODE not in text
    with sessions() as session:
        assert waiting.purge(session, services.clock() + late.FRESH) == 1


def test_a_cleared_device_shows_no_query_code_any_more(sessions):
    services = FakeServices(sessions=sessions)

    async def scenario(client, _rasa):
        await client.post("/", data={"text": "确认提交", "message_id": "id-1"}, headers=SAME_SITE)
        cookie = client.cookies["conversation"]
        assert CODE in (await client.get("/")).text
        await client.post("/clear", headers=SAME_SITE)
        client.cookies.set("conversation", cookie)
        assert CODE not in (await client.get("/")).text

    run(scenario, services=services)


def test_a_reply_that_could_not_be_stored_is_stored_at_once_by_whoever_gave_it(sessions, monkeypatch):
    monkeypatch.setattr(late, "EVERY_SECONDS", 0.05)
    working, failures = store.record_replies, [OperationalError("INSERT", {}, Exception("gone"))] * 2

    def record(*arguments, **options):
        if failures:
            raise failures.pop()
        working(*arguments, **options)

    monkeypatch.setattr(store, "record_replies", record)
    services = Clocked(sessions=sessions)

    def stored():
        with sessions() as session:
            return [row.payload["text"] for row in session.scalars(select(ChatMessage).order_by(ChatMessage.number))]

    async def scenario(client, rasa):
        await until(lambda: rasa.received)
        assert (await chat(client, "第一件")).json()["messages"][0]["text"] == "收到：第一件"
        # The lease of its message, after which any process may answer it, has not run out.
        await until(lambda: len(stored()) == 2)
        assert rasa.messages == ["第一件"]
        assert not failures

    run(scenario, services=services)
    assert stored() == ["第一件", "收到：第一件"]
