"""Parts that fail: what residents get, what waits, what is answered later, once, in order, and never untrue."""

import asyncio
import json
import re
import sqlite3
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from channels import late, store, waiting
from channels.store import ChatMessage
from channels.texts import say
from channels.waiting import ChatWaiting, Seal
from petitions import Draft, Petition, file_petition
from petitions.numbers import query_code, shown_code
from storage import Base
from storage.switches import turn_off, turn_on
from suqiutong.database import _begin_sqlite
from tests.integration.cases import route
from tests.integration.test_chat_api import JSON, SAME_SITE, chat, run, until
from tests.integration.wechat import Clocked, world
from tests.unit.channels.fakes import ANSWER, CODE, FakeRasa, FakeServices, FakeSettings

NUMBERS = ("110", "119", "120", "12345")
A = "o-resident-a"
BEFORE = "我要反映一件事"


class FailingRasa(FakeRasa):
    """Rasa that fails in one way, for all texts or for one; remembers what it was asked all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: str | None = None
        self.only: str | None = None
        self.asked: list[str] = []
        working = self._answer

        async def answer(request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content)
            if body["sender"] != "warm-up":
                self.asked.append(body["message"])
            if self.fault is None or self.only not in {None, body["message"]}:
                return await working(request)
            return await self.fail(request)

        self.transport = httpx.MockTransport(answer)

    async def fail(self, request: httpx.Request) -> httpx.Response:
        match self.fault:
            case "down":
                raise httpx.ConnectError("refused", request=request)
            case "slow":
                await asyncio.sleep(1)
                return httpx.Response(200, json=[])
            case "empty":
                return httpx.Response(200, json=[])
            case "error":
                return httpx.Response(500, json={"message": "boom"})
            case "garbage":
                return httpx.Response(200, content=b"<html>\xff")
            case _:
                return httpx.Response(200, json={"status": "failure"})


@pytest.fixture
def services(engine):
    settings = FakeSettings(rasa_timeout_seconds=0.3)
    return Clocked(sessions=sessionmaker(engine, expire_on_commit=False), settings=settings)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(late, "EVERY_SECONDS", 0.05)


def answered(services, text):
    """What was replied to a text; None while nothing was."""
    with services.sessions() as session:
        rows = session.scalars(select(ChatMessage).order_by(ChatMessage.number)).all()
    numbers = [row.number for row in rows if row.kind == "resident" and row.payload["text"] == text]
    replies = [row.payload["text"] for row in rows if row.answers in numbers]
    return replies or None


def waiting_count(services):
    with services.sessions() as session:
        return waiting.count_waiting(session)


async def begun(client, rasa):
    """A conversation in which something was said before."""
    await until(lambda: rasa.received)
    return (await chat(client, BEFORE)).json()["session"]


FAULTS = ["down", "slow", "empty", "error", "garbage", "object"]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_fails_gives_numbers_and_form_and_is_answered_later_in_order_once(services, fault):
    async def scenario(client, rasa):
        session = await begun(client, rasa)
        rasa.fault = fault
        for text in ("第一件", "第二件"):
            reply = await chat(client, text, session=session, message_id=text.encode().hex())
            assert (reply.status_code, reply.json()["error"]["code"]) == (503, "understanding_down")
            sentence = reply.json()["error"]["message"]
            assert all(number in sentence for number in NUMBERS)
            assert "https://example.test/petition" in sentence
        assert (await chat(client, "家里有煤气味", session=session)).json()["messages"][0]["kind"] == "emergency"
        assert waiting_count(services) == 2
        rasa.fault = None
        # What was tried in vain several times is tried again after a while only.
        services.ahead += timedelta(minutes=2)
        async with asyncio.timeout(15):
            while waiting_count(services):
                await asyncio.sleep(0.05)
        assert answered(services, "第一件") == ["收到：第一件"]
        assert answered(services, "第二件") == ["收到：第二件"]
        said = [text for text in rasa.messages if text in {"第一件", "第二件"}]
        assert said == ["第一件", "第二件"]
        again = await chat(client, "第一件", session=session, message_id="第一件".encode().hex())
        assert again.json()["messages"][0]["text"] == "收到：第一件"
        assert [text for text in rasa.messages if text == "第一件"] == ["第一件"]

    run(scenario, services=services, rasa=FailingRasa())


def test_a_newer_message_is_answered_after_those_that_wait(services, monkeypatch):
    monkeypatch.setattr(late, "EVERY_SECONDS", 60)

    async def scenario(client, rasa):
        session = await begun(client, rasa)
        rasa.fault = "down"
        assert (await chat(client, "第一件", session=session)).status_code == 503
        rasa.fault = None
        newer = await chat(client, "第二件", session=session)
        assert [message["text"] for message in newer.json()["messages"]] == ["收到：第二件"]
        assert rasa.messages == [BEFORE, "第一件", "第二件"]
        assert waiting_count(services) == 0

    run(scenario, services=services, rasa=FailingRasa())


def test_a_first_message_that_fails_begins_the_conversation_in_which_it_is_answered(services):
    async def scenario(client, rasa):
        await until(lambda: rasa.received)
        rasa.fault = "down"
        failed = await client.post("/", data={"text": "第一件", "message_id": "id-1"}, headers=SAME_SITE)
        assert failed.status_code == 503
        assert say("page.waiting") in failed.text
        scripted = await client.post("/", data={"text": "第二件", "message_id": "id-2"}, headers=SAME_SITE | JSON)
        assert set(scripted.json()) == {"error", "session"}
        program = await chat(client, "第三件")
        rasa.fault = None
        await until(lambda: waiting_count(services) == 0)
        page = (await client.get("/")).text
        assert page.index("收到：第一件") < page.index("收到：第二件")
        assert say("page.waiting") not in page
        assert (await chat(client, "第四件", session=program.json()["session"])).status_code == 200
        with services.sessions() as session:
            talks = session.scalars(select(ChatMessage.conversation).distinct()).all()
        assert len(talks) == 2

    run(scenario, services=services, rasa=FailingRasa())


def test_what_waited_too_long_is_not_answered_any_more(services):
    async def scenario(client, rasa):
        session = await begun(client, rasa)
        rasa.fault = "down"
        await chat(client, "第一件", session=session, message_id="id-1")
        services.ahead += timedelta(minutes=61)
        rasa.fault = None
        await until(lambda: waiting_count(services) == 0)
        assert answered(services, "第一件") == [say("waiting.say_again")]
        assert rasa.messages == [BEFORE]

    run(scenario, services=services, rasa=FailingRasa())


def test_said_again_under_its_id_it_counts_as_said_now(services, monkeypatch):
    monkeypatch.setattr(late, "EVERY_SECONDS", 60)

    async def scenario(client, rasa):
        session = await begun(client, rasa)
        rasa.fault = "down"
        await chat(client, "第一件", session=session, message_id="id-1")
        services.ahead += timedelta(minutes=61)
        rasa.fault = None
        again = await chat(client, "第一件", session=session, message_id="id-1")
        assert again.json()["messages"][0]["text"] == "收到：第一件"
        assert waiting_count(services) == 0

    run(scenario, services=services, rasa=FailingRasa())


def test_one_message_that_cannot_be_answered_holds_up_no_other(services, monkeypatch):
    monkeypatch.setattr(late, "EVERY_SECONDS", 60)

    async def scenario(client, rasa):
        session = await begun(client, rasa)
        rasa.fault, rasa.only = "empty", "答不了"
        assert (await chat(client, "答不了", session=session)).status_code == 503
        newer = await chat(client, "答得了", session=session)
        assert newer.json()["messages"][0]["text"] == "收到：答得了"
        assert answered(services, "答不了") == [say("waiting.say_again")]
        assert waiting_count(services) == 0

    run(scenario, services=services, rasa=FailingRasa())


def test_what_was_kept_while_the_clock_was_ahead_is_due_after_its_correction(engine):
    with Session(engine) as session:
        seal, now = Seal(b"secret"), Clocked(sessions=None).clock()
        waiting.keep(session, seal, "now", 1, "第一件", now=now)
        waiting.keep(session, seal, "ahead", 1, "第一件", now=now + timedelta(hours=3))
        assert waiting.due_conversations(session, now=now) == (["ahead"], True)
        assert waiting.claim(session, "ahead", now=now)
        assert waiting.due_conversations(session, now=now) == ([], True)


def test_a_message_that_fails_again_and_again_is_tried_less_and_less(engine):
    with Session(engine) as session:
        seal, now = Seal(b"secret"), Clocked(sessions=None).clock()
        waiting.keep(session, seal, "talk", 1, "第一件", now=now)
        spans = []
        for _ in range(7):
            waiting.postpone(session, "talk", 1, now=now)
            spans.append(session.scalar(select(ChatWaiting.next_at)) - now)
        assert [span.total_seconds() / 60 for span in spans] == [0, 0, 1, 5, 15, 15, 15]


def test_what_a_process_left_behind_is_answered_once_by_the_next_ones(services):
    seal = Seal(services.secret)
    with services.sessions() as session:
        received = store.receive(session, "talk", "第一件", None, now=services.clock())
        waiting.keep(session, seal, "talk", received.number, "第一件", now=services.clock())
        session.commit()
    services.ahead += waiting.LEASE

    async def first(_client, rasa):
        async def second(_client, other):
            await until(lambda: waiting_count(services) == 0)
            return other.messages

        return await asyncio.to_thread(run, second, services=services) + rasa.messages

    assert run(first, services=services) == ["第一件"]
    assert answered(services, "第一件") == ["收到：第一件"]


def test_words_that_wait_are_sealed_and_a_typed_code_is_understood_later(services):
    code = "QRHH-3ETQ"
    typed = f"查进度 GM202611230001 {code}"

    async def scenario(client, rasa):
        session = await begun(client, rasa)
        rasa.fault = "down"
        await chat(client, typed, session=session)
        with services.sessions() as stored:
            assert code not in str(stored.scalars(select(ChatMessage.payload)).all())
            assert code not in str(stored.scalars(select(ChatWaiting.text)).all())
        rasa.fault = None
        await until(lambda: waiting_count(services) == 0)
        assert typed in rasa.messages

    run(scenario, services=services, rasa=FailingRasa())


def test_the_code_of_a_ticket_that_comes_late_is_shown_on_the_page_and_to_a_repeat(services):
    async def first(client, rasa):
        await client.post("/", data={"text": BEFORE}, headers=SAME_SITE)
        rasa.fault = "down"
        await client.post("/", data={"text": "确认提交", "message_id": "id-1"}, headers=SAME_SITE)
        rasa.fault = None
        await until(lambda: waiting_count(services) == 0)
        return client.cookies["conversation"]

    async def second(client, rasa):
        client.cookies.set("conversation", cookie)
        assert f"<code>{CODE}</code>" in (await client.get("/")).text
        await client.post("/", data={"text": "确认提交", "message_id": "id-1"}, headers=SAME_SITE)
        assert rasa.messages == []

    cookie = run(first, services=services, rasa=FailingRasa())
    run(second, services=services, rasa=FailingRasa())
    with services.sessions() as session:
        assert CODE not in str(session.scalars(select(ChatMessage.payload)).all())
        assert CODE not in str(session.scalars(select(ChatWaiting.replies)).all())
    with services.sessions() as session:
        assert waiting.purge(session, services.clock() + timedelta(hours=11)) == 0
        assert waiting.purge(session, services.clock() + timedelta(hours=13)) == 1


def test_a_petition_that_was_filed_without_a_word_is_told_with_its_code_and_not_filed_again(services, monkeypatch):
    monkeypatch.setattr(late, "EVERY_SECONDS", 60)

    async def scenario(client, rasa):
        session = await begun(client, rasa)
        conversation = rasa.received[-1][0]
        # Rasa files it, but is so slow that nobody hears of it.
        rasa.fault = "slow"
        assert (await chat(client, "确认提交", session=session, message_id="id-1")).status_code == 503
        with services.sessions() as stored:
            filed = file_petition(
                stored, Draft(matter="路灯坏了", is_anonymous=True), route(), form_key="chat:k",
                conversation=conversation, channel="chat", secret=services.secret, keyring=services.keyring,
                now=services.clock(),
            )  # fmt: skip
            stored.commit()
        rasa.fault = None
        (message,) = (await chat(client, "确认提交", session=session, message_id="id-1")).json()["messages"]
        assert message["kind"] == "ticket"
        assert message["ticket"]["number"] == filed.number
        code = shown_code(query_code(services.secret, "chat:k"))
        assert code in message["text"]
        assert "确认提交" not in rasa.messages
        # Told once, the next message is an ordinary one.
        rasa.fault = "slow"
        await chat(client, "谢谢", session=session, message_id="id-2")
        rasa.fault = None
        thanks = await chat(client, "谢谢", session=session, message_id="id-2")
        assert thanks.json()["messages"][0]["kind"] == "smalltalk"
        with services.sessions() as stored:
            assert stored.scalar(select(func.count()).select_from(Petition)) == 1
            assert code not in str(stored.scalars(select(ChatMessage.payload)).all())

    run(scenario, services=services, rasa=FailingRasa())


def test_while_the_chat_is_off_nothing_is_answered_late(services):
    async def scenario(client, rasa):
        session = await begun(client, rasa)
        rasa.fault = "down"
        await chat(client, "第一件", session=session)
        with services.sessions() as stored:
            turn_off(stored, "chat", reason="核对", by="王管理", now=services.clock())
            stored.commit()
        rasa.fault = None
        probes = len(rasa.received)
        async with asyncio.timeout(10):
            while len(rasa.received) == probes:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        assert rasa.messages == [BEFORE]
        with services.sessions() as stored:
            turn_on(stored, "chat", by="王管理", now=services.clock())
            stored.commit()
        await until(lambda: waiting_count(services) == 0)
        assert answered(services, "第一件") == ["收到：第一件"]

    run(scenario, services=services, rasa=FailingRasa())


# The database


class Sessions:
    """Makes sessions as long as the database is there."""

    def __init__(self, sessions):
        self.sessions = sessions
        self.is_gone = False

    def __call__(self):
        if self.is_gone:
            raise OperationalError("SELECT", {}, Exception("down"))
        return self.sessions()


def test_an_answer_that_cannot_be_stored_is_given_and_stored_later_without_asking_again(services):
    services.sessions = Sessions(services.sessions)

    class Leaving(FailingRasa):
        async def _answer(self, request):
            response = await super()._answer(request)
            if json.loads(request.content)["message"] == "第一件":
                services.sessions.is_gone = True
            return response

    async def scenario(client, rasa):
        session = await begun(client, rasa)
        reply = await chat(client, "第一件", session=session, message_id="id-1")
        assert reply.json()["messages"][0]["text"] == "收到：第一件"
        lost = await chat(client, "第二件", session=session)
        assert (lost.status_code, lost.json()["error"]["code"]) == (503, "not_stored")
        services.sessions.is_gone = False
        assert answered(services, "第一件") is None
        services.ahead += waiting.LEASE
        await until(lambda: waiting_count(services) == 0)
        assert answered(services, "第一件") == ["收到：第一件"]
        again = await chat(client, "第一件", session=session, message_id="id-1")
        assert again.json()["messages"][0]["text"] == "收到：第一件"
        assert rasa.messages == [BEFORE, "第一件"]

    run(scenario, services=services, rasa=Leaving())


def test_a_locked_database_is_said_so_and_safety_advice_still_goes_out(tmp_path):
    path = tmp_path / "locked.db"
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.2})
    event.listen(engine, "connect", lambda connection, _entry: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", _begin_sqlite)
    Base.metadata.create_all(engine)
    services = FakeServices(sessions=sessionmaker(engine))
    other = sqlite3.connect(path, isolation_level=None)

    async def scenario(client, rasa):
        other.execute("BEGIN EXCLUSIVE")
        danger = await chat(client, "家里有煤气味")
        assert danger.json()["messages"][0]["kind"] == "emergency"
        refused = await chat(client, "你好")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_stored")
        other.execute("COMMIT")
        assert (await chat(client, "你好")).status_code == 200
        assert rasa.messages == ["你好"]

    run(scenario, services=services)
    other.close()
    engine.dispose()


def test_safety_advice_needs_neither_database_nor_understanding_on_the_web():
    def broken():
        raise OperationalError("SELECT", {}, Exception("down"))

    async def scenario(client, rasa):
        rasa.fault = "down"
        for text, kind in (("家里有煤气味", "emergency"), ("我不想活了", "crisis")):
            (message,) = (await chat(client, text)).json()["messages"]
            assert message["kind"] == kind
        page = await client.post("/", data={"text": "家里有煤气味"}, headers=SAME_SITE | JSON)
        assert "可能是燃气泄漏" in page.json()["loose"]

    run(scenario, services=FakeServices(sessions=broken), rasa=FailingRasa())


def test_safety_advice_needs_neither_database_nor_understanding_on_wechat(engine):
    async def scenario(one):
        one.rasa.is_down = True
        working, gone = one.services.sessions, Sessions(one.services.sessions)
        gone.is_gone = True
        one.services.sessions = gone
        await one.simulator.write(A, "家里有煤气味")
        assert "可能是燃气泄漏" in one.seen(A)[0]
        one.services.sessions = working

    async def started():
        async with world(engine) as one:
            await scenario(one)

    asyncio.run(started())


# An action server that says untrue things


UNTRUE = "去年举办了**999**场招聘会。"


@pytest.mark.parametrize(
    ("item", "kinds"),
    [
        (ANSWER | {"text": UNTRUE}, ["no_answer"]),
        ({"kind": "answer", "text": UNTRUE}, ["no_answer"]),
        ({"kind": "no_answer", "text": UNTRUE}, ["no_answer"]),
        ({"kind": "clarify", "text": UNTRUE}, ["no_answer"]),
        (ANSWER | {"text": UNTRUE, "citations": [{"document": "x", "section": "y"}, 5, None]}, ["no_answer"]),
        (ANSWER | {"text": UNTRUE, "citations": "去年举办了999场"}, ["no_answer"]),
        (ANSWER | {"text": UNTRUE.replace("999", "９９９")}, ["no_answer"]),
        ({"kind": "gossip", "text": UNTRUE}, ["notice"]),
        ({"kind": ["answer"], "text": UNTRUE}, ["notice"]),
        ({"kind": "answer", "text": {"a": UNTRUE}}, ["notice"]),
        (UNTRUE, ["notice"]),
        (None, ["notice"]),
        (ANSWER, ["answer"]),
    ],
)
def test_no_untrue_figure_of_an_action_server_goes_out(item, kinds):
    async def scenario(client, rasa):
        rasa.replies["问一下"] = [item]
        messages = (await chat(client, "问一下")).json()["messages"]
        assert [message["kind"] for message in messages] == kinds
        assert not re.search("999|９９９", str(messages))

    run(scenario)


@pytest.mark.parametrize("ticket", ["GM1", 5, [], None])
def test_a_ticket_of_no_known_shape_is_left_out(ticket):
    async def scenario(client, rasa):
        rasa.replies["问一下"] = [{"kind": "ticket_status", "text": "办理中", "ticket": ticket}]
        (message,) = (await chat(client, "问一下")).json()["messages"]
        assert "ticket" not in message

    run(scenario)


def test_an_erased_conversation_waits_no_more(services):
    with services.sessions() as session:
        waiting.keep(session, Seal(b"s"), "talk", 1, "第一件", now=services.clock())
        store.forget(session, ["talk"])
        assert waiting.count_waiting(session) == 0


# Who runs the product


@pytest.mark.parametrize(
    ("address", "headers", "token", "is_trusted"),
    [
        ("127.0.0.1", {}, "", True),
        ("::1", {}, "", True),
        ("10.1.2.3", {}, "", True),
        ("::ffff:192.168.1.5", {}, "", True),
        ("8.8.8.8", {}, "", False),
        ("::ffff:8.8.8.8", {}, "", False),
        ("127.0.0.1", {"X-Forwarded-For": "8.8.8.8"}, "", False),
        ("10.1.2.3", {"Forwarded": "for=10.9.9.9"}, "", False),
        ("nowhere", {}, "", False),
        ("127.0.0.1", {}, "secret", True),
        ("10.1.2.3", {}, "secret", False),
        ("8.8.8.8", {"Authorization": "Bearer secret"}, "secret", True),
        ("8.8.8.8", {"Authorization": "Bearer secret", "X-Forwarded-For": "8.8.8.8"}, "secret", True),
        ("8.8.8.8", {"Authorization": "Bearer wrong"}, "secret", False),
        ("8.8.8.8", {"Authorization": "Bearer "}, "", False),
    ],
)
def test_metrics_and_details_are_for_those_who_run_the_product(address, headers, token, is_trusted):
    services = FakeServices(settings=FakeSettings(monitor_token=token))

    async def scenario(_client, rasa):
        await until(lambda: rasa.received)
        await asyncio.sleep(0.05)
        transport = httpx.ASGITransport(_client._transport.app, client=(address, 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            assert (await client.get("/healthz")).json() == {"status": "ok"}
            metrics = await client.get("/metrics")
            ready = await client.get("/readyz")
        assert metrics.status_code == (200 if is_trusted else 404)
        assert ready.status_code == 200
        parts = {"database", "understanding", "knowledge"} if is_trusted else {"understanding"}
        assert set(ready.json()) == {"status"} | parts

    run(scenario, services=services)
