"""A person takes over, over HTTP and on real databases: the bot is silent, nothing is lost, one ticket at most."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from channels.app import create_app
from channels.handover import board
from channels.handover.filing import file, settle
from channels.handover.model import Handover, HandoverEvent
from channels.handover.rules import own_rules
from channels.handover.store import open_of
from channels.store import ChatMessage, forget
from channels.turns import note_understood
from channels.wechat.store import Box, WeChatInbox, WeChatOutgoing, WeChatPerson
from petitions import Actor, Draft, Petition, find_ticket, read_message
from petitions.clocks import SHANGHAI
from tests.integration.cases import STATION, route
from tests.unit.channels.fakes import FakeJurisdiction, FakeRasa, FakeServices
from tests.unit.desk.fakes import own_jurisdiction

ANNA, BO = Actor("张三", "operator"), Actor("李四", "supervisor")
OPEN_AT = datetime(2026, 11, 26, 10, 0, tzinfo=SHANGHAI)
NIGHT_AT = datetime(2026, 11, 27, 21, 0, tzinfo=SHANGHAI)
ASKS = {"kind": "handoff", "text": "人工服务请拨 12345"}
NOTHING = {"kind": "no_answer", "text": "没有查到"}


@dataclass
class Local(FakeJurisdiction):
    accusation: str = "检举控告"


@dataclass
class Services(FakeServices):
    """A product on a real database; its clock stands until it is moved."""

    jurisdiction: Any = field(default_factory=Local)
    now: datetime = OPEN_AT

    def clock(self) -> datetime:
        return self.now

    def triage(self, text: str) -> Any:  # noqa: ARG002
        return route(STATION)

    def read_draft(self, text: str) -> Draft:
        return read_message(Draft(), text, None, own_jurisdiction())


@pytest.fixture
def services(engine):
    return Services(sessions=sessionmaker(engine, expire_on_commit=False))


@asynccontextmanager
async def serving(services):
    rasa = FakeRasa()
    rasa.replies |= {"转人工": [ASKS], "问一": [NOTHING], "问二": [NOTHING]}
    app = create_app(services, rasa_transport=rasa.transport)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
        ) as http,
    ):
        yield Resident(http, rasa)


class Resident:
    """Somebody who talks through the interface of the chat."""

    def __init__(self, http, rasa):
        self.http, self.rasa, self.session = http, rasa, None

    async def say(self, text, **more):
        reply = await self.http.post("/api/chat", json={"text": text, "session": self.session} | more)
        assert reply.status_code == 200, reply.text
        self.session = reply.json()["session"]
        return reply.json()["messages"]

    async def get(self, path, **more):
        self.http.cookies.set("conversation", self.session)
        return await self.http.get(path, **more)


def talk(services, scenario):
    async def run():
        async with serving(services) as resident:
            return await scenario(resident)

    return asyncio.run(run())


def the_handover(services):
    with services.sessions() as session:
        return session.scalars(select(Handover).order_by(Handover.id.desc())).first()


def do(services, work, *arguments, **more):
    with services.sessions() as session:
        done = work(session, *arguments, now=services.now, **more)
        session.commit()
        return done


def take(services, actor=ANNA):
    return do(services, board.take, services.secret, the_handover(services).id, actor)


def texts_of(services):
    with services.sessions() as session:
        rows = session.scalars(select(ChatMessage).order_by(ChatMessage.number)).all()
        return [(row.kind, row.payload["text"]) for row in rows]


def called(services):
    """A resident who has asked for a person."""

    async def scenario(resident):
        await resident.say("楼上漏水没人管，我叫陈大文，电话13800138000")
        (message,) = await resident.say("转人工")
        assert message["kind"] == "handoff"
        return resident.session

    return talk(services, scenario)


def together(work, arguments):
    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(work, arguments))


def test_two_operators_press_at_once_and_one_has_the_conversation(services):
    called(services)
    done = together(lambda actor: take(services, actor), [ANNA, BO, Actor("王五", "operator")])
    assert sorted(done) == [False, False, True]
    row = the_handover(services)
    assert row.state == "held"
    with services.sessions() as session:
        takes = session.scalars(select(HandoverEvent).where(HandoverEvent.step == "take")).all()
        assert [event.actor for event in takes] == [row.held_by]
    assert [text for _, text in texts_of(services)].count("工作人员已接入，下面由工作人员和您对话。") == 1


def test_a_conversation_has_one_open_hand_over_whatever_the_code_does(services):
    called(services)
    row = the_handover(services)
    second = Handover(conversation=row.conversation, state="waiting", reason="asked", number=1, began_at=services.now)
    with services.sessions() as session:
        session.add(second)
        with pytest.raises(IntegrityError):
            session.flush()


def test_while_a_person_holds_it_the_bot_is_silent_and_afterwards_it_goes_on(services):
    async def scenario(resident):
        await resident.say("转人工")
        handover_id = the_handover(services).id
        assert take(services)
        heard = list(resident.rasa.messages)
        assert await resident.say("楼上漏水", message_id="m1") == []
        assert await resident.say("楼上漏水", message_id="m1") == []
        assert do(services, board.write, services.secret, handover_id, ANNA, "请问哪一栋？", key="k")
        assert resident.rasa.messages == heard
        assert do(services, board.give_back, services.secret, handover_id, ANNA, "已告知物业电话")
        # What was said to the person stays with them; what comes now is the assistant's.
        await resident.say("楼上漏水", message_id="m1")
        assert resident.rasa.messages == heard
        assert (await resident.say("谢谢"))[0]["text"] == "收到：谢谢"
        assert resident.rasa.messages == [*heard, "谢谢"]
        page = (await resident.get("/", headers={"Accept": "text/html"})).text
        assert "请问哪一栋？" in page
        assert "工作人员：" in page

    talk(services, scenario)
    kinds = [kind for kind, _ in texts_of(services)]
    assert kinds == [
        *("resident", "handoff", "handoff", "resident", "handoff", "notice", "resident", "smalltalk"),
    ]
    with services.sessions() as session:
        note = session.scalar(select(HandoverEvent.note).where(HandoverEvent.step == "give_back"))
    assert note == "已告知物业电话"


def test_danger_is_answered_while_a_person_holds_it_and_rasa_hears_nothing(services):
    async def scenario(resident):
        await resident.say("转人工")
        assert take(services)
        heard = list(resident.rasa.messages)
        (message,) = await resident.say("家里有煤气味")
        assert message["kind"] == "emergency"
        assert resident.rasa.messages == heard

    talk(services, scenario)
    assert the_handover(services).state == "held"


def test_what_is_said_while_it_is_taken_is_numbered_once(services):
    """The web and the desk number messages of one conversation from different processes."""
    called(services)
    assert take(services)
    row = the_handover(services)

    def write(number):
        return do(services, board.write, services.secret, row.id, ANNA, f"话{number}", key=str(number))

    assert together(write, range(8)) == [True] * 8
    with services.sessions() as session:
        numbers = session.scalars(select(ChatMessage.number).order_by(ChatMessage.number)).all()
    assert numbers == list(range(1, len(numbers) + 1))


def test_outside_office_hours_it_becomes_one_ticket_even_of_two_workers(services):
    services.now = NIGHT_AT
    token = called(services)
    assert settle(services) == 0
    services.now += timedelta(minutes=own_rules().quiet_minutes)
    assert sum(together(settle, [services] * 3)) == 1
    assert settle(services) == 0
    with services.sessions() as session:
        (petition,) = session.scalars(select(Petition)).all()
        assert petition.class_ == "咨询"
        assert "漏水" in petition.matter
        assert "13800138000" not in petition.matter
        assert not petition.petitioner.is_anonymous
        assert "2026" not in petition.route["reasons"][-1]
        assert "11月30日 15:00" in petition.route["reasons"][-1]
    row = the_handover(services)
    assert (row.state, row.ticket) == ("ticketed", petition.number)
    assert row.promised_at == datetime(2026, 11, 30, 15, 0, tzinfo=SHANGHAI)

    async def scenario(resident):
        resident.session = token
        page = (await resident.get("/", headers={"Accept": "text/html"})).text
        assert petition.number in page
        code = re.search(r"<code>(\w{4}-\w{4})</code>", page)[1]
        with services.sessions() as session:
            found = find_ticket(session, petition.number, code, secret=services.secret)
            assert found.id == petition.id
        (last,) = (text for kind, text in texts_of(services) if kind == "ticket")
        assert code not in last
        # The assistant goes on.
        assert (await resident.say("谢谢"))[0]["text"] == "收到：谢谢"

    talk(services, scenario)


def test_nobody_comes_in_office_hours_and_it_becomes_a_ticket(services):
    called(services)
    services.now += timedelta(minutes=own_rules().wait_minutes - 1)
    assert settle(services) == 0
    services.now += timedelta(minutes=1)
    assert settle(services) == 1
    assert the_handover(services).state == "ticketed"
    assert "没有等到工作人员接听" in texts_of(services)[-1][1]


def test_one_that_cannot_be_filed_does_not_stop_the_others(services, monkeypatch):
    called(services)
    called(services)
    first = [True]

    def triage(text):
        if first.pop() if first else False:
            raise ValueError(text)
        return route(STATION)

    monkeypatch.setattr(services, "triage", triage)
    services.now += timedelta(minutes=own_rules().wait_minutes)
    assert settle(services) == 1
    assert settle(services) == 1


def test_who_has_filed_meanwhile_gets_no_second_ticket(services):
    async def scenario(resident):
        await resident.say("转人工")
        await resident.say("确认提交")

    talk(services, scenario)
    services.now += timedelta(minutes=own_rules().wait_minutes)
    assert settle(services) == 0
    assert the_handover(services).state == "ended"
    with services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Petition)) == 0


def test_taken_just_before_it_would_be_filed_it_is_not(services):
    called(services)
    services.now += timedelta(minutes=own_rules().wait_minutes)
    assert take(services)
    assert settle(services) == 0
    assert file(services, the_handover(services).id, BO) is None
    filed = file(services, the_handover(services).id, ANNA, "请社区上门看")
    assert filed.is_new
    assert file(services, the_handover(services).id, ANNA) is None
    assert the_handover(services).ticket == filed.number


def test_a_conversation_that_its_holder_left_goes_back_once(services):
    called(services)
    assert take(services)
    services.now += timedelta(minutes=own_rules().idle_minutes)
    assert sum(together(settle, [services] * 2)) == 1
    assert the_handover(services).state == "given_back"
    assert texts_of(services)[-1][0] == "notice"


def test_two_answers_that_help_nobody_call_a_person(services):
    async def scenario(resident):
        assert [one["kind"] for one in await resident.say("问一")] == ["no_answer"]
        assert [one["kind"] for one in await resident.say("问二")] == ["no_answer", "handoff"]

    talk(services, scenario)
    assert the_handover(services).reason == "failed"


def test_understanding_that_stays_down_calls_a_person_and_nothing_is_lost(services):
    async def scenario(resident):
        await resident.say("你好")
        resident.rasa.is_down = True
        refused = await resident.http.post("/api/chat", json={"text": "漏水了", "session": resident.session})
        assert refused.status_code == 503
        services.now += timedelta(minutes=own_rules().down_minutes)
        (message,) = await resident.say("还在漏")
        assert message["kind"] == "handoff"
        assert "没有丢" in message["text"]
        resident.rasa.is_down = False
        assert (await resident.say("好了吗"))[0]["kind"] == "smalltalk"
        # What waited is answered first; what a person was called for is theirs.
        assert resident.rasa.messages == ["你好", "漏水了", "好了吗"]

    talk(services, scenario)
    assert the_handover(services).reason == "error"
    with services.sessions() as session:
        assert open_of(session, the_handover(services).conversation).state == "waiting"
    assert [text for kind, text in texts_of(services) if kind == "resident"] == ["你好", "漏水了", "还在漏", "好了吗"]


def test_when_understanding_has_been_down_for_longer_the_first_message_calls_a_person(services):
    async def scenario(resident):
        resident.rasa.is_down = True
        refused = await resident.http.post("/api/chat", json={"text": "你好"})
        assert refused.status_code == 503
        services.now += timedelta(minutes=own_rules().down_minutes)
        (message,) = await resident.say("漏水了")
        assert message["kind"] == "handoff"

    talk(services, scenario)
    assert the_handover(services).reason == "error"


def test_what_had_got_no_reply_is_for_whoever_takes_the_conversation(services):
    async def scenario(resident):
        await resident.say("你好", message_id="m0")
        resident.rasa.is_down = True
        body = {"text": "漏水了", "session": resident.session, "message_id": "m1"}
        assert (await resident.http.post("/api/chat", json=body)).status_code == 503
        resident.rasa.is_down = False
        with services.sessions() as session:
            (row,) = board.lists(session, now=services.now).active
        handover_id = do(services, board.start, services.secret, row.id, ANNA)
        assert do(services, board.write, services.secret, handover_id, ANNA, "哪一栋？", key="k")
        # A reply that was lost on the way is there still; what was not answered is not the assistant's any more.
        assert [one["kind"] for one in await resident.say("你好", message_id="m0")] == ["smalltalk"]
        assert do(services, board.give_back, services.secret, handover_id, ANNA, "")
        assert await resident.say("漏水了", message_id="m1") == []
        assert resident.rasa.messages == ["你好"]

    talk(services, scenario)


def test_any_error_of_the_machine_calls_a_person(services, monkeypatch):
    failures = iter([True])

    def fail_once(*arguments):
        if next(failures, False):
            raise ValueError("broken")
        return note_understood(*arguments)

    monkeypatch.setattr("channels.late.note_understood", fail_once)

    async def scenario(resident):
        messages = await resident.say("你好")
        # What the assistant had said already is said as well.
        assert [one["kind"] for one in messages] == ["smalltalk", "handoff"]

    talk(services, scenario)
    assert the_handover(services).reason == "error"


def test_a_crisis_at_the_door_calls_a_person(services):
    async def scenario(resident):
        (message,) = await resident.say("我不想活了")
        assert message["kind"] == "crisis"
        await asyncio.sleep(0)
        return resident.session

    talk(services, scenario)
    assert the_handover(services).reason == "crisis"
    services.now += timedelta(days=1)
    assert settle(services) == 0
    assert the_handover(services).state == "waiting"


def test_an_operator_decides_to_take_a_conversation(services):
    async def scenario(resident):
        await resident.say("楼上漏水，我电话13800138000")
        with services.sessions() as session:
            (row,) = board.lists(session, now=services.now).active
        assert "13800138000" not in row.words
        handover_id = do(services, board.start, services.secret, row.id, ANNA)
        assert do(services, board.start, services.secret, row.id, BO) is None
        assert await resident.say("喂") == []
        standing = (await resident.get("/chat/person")).json()
        assert (standing["state"], standing["text"]) == ("held", "工作人员正在和您对话。")
        do(services, board.type_now, handover_id, BO)
        assert not (await resident.get("/chat/person")).json()["is_typing"]
        do(services, board.type_now, handover_id, ANNA)
        assert (await resident.get("/chat/person")).json()["text"] == "工作人员正在输入…"
        assert (await resident.http.post("/chat/typing")).status_code == 204
        with services.sessions() as session:
            assert board.conversation(session, handover_id, now=services.now).is_typing

    talk(services, scenario)
    assert the_handover(services).reason == "decided"


def test_a_stranger_learns_nothing_and_a_page_elsewhere_may_not_type(services):
    async def scenario(resident):
        await resident.say("转人工")
        assert (await resident.http.get("/chat/person")).json()["state"] == "none"
        assert (await resident.get("/chat/person")).json() == {
            "state": "waiting", "place": 1, "is_typing": False, "text": "正在为您呼叫工作人员，您排在第 1 位。",
        }  # fmt: skip
        refused = await resident.http.post("/chat/typing", headers={"Sec-Fetch-Site": "cross-site"})
        assert refused.status_code == 403

    talk(services, scenario)


def test_the_marks_change_with_what_the_desk_must_show(services):
    def marks():
        with services.sessions() as session:
            return dict(board.marks(session, now=services.now))

    empty = marks()
    called(services)
    waiting = marks()
    assert waiting[0] != empty[0]
    take(services)
    held = marks()
    row = the_handover(services)
    assert held[row.id] != waiting[row.id]
    do(services, board.write, services.secret, row.id, ANNA, "您好", key="k")
    written = marks()
    assert written[row.id] != held[row.id]
    do(services, board.type_now, row.id, ANNA)
    assert marks()[row.id] != written[row.id]


def test_on_wechat_the_words_wait_to_be_sent_in_order(services):
    async def scenario(resident):
        await resident.say("转人工")

    talk(services, scenario)
    row = the_handover(services)
    box = Box(services.secret)
    with services.sessions() as session:
        person = WeChatPerson(
            digest="d", openid=box.seal("o"), conversation=row.conversation, quota=5,
            window_until=services.now + timedelta(hours=1),
        )  # fmt: skip
        session.add(person)
        session.flush()
        session.add(
            WeChatInbox(
                key="k", person_id=person.id, kind="text", payload=None, received_at=services.now, deliveries=1,
                attempts=0, next_at=services.now, answered_at=services.now,
            )
        )  # fmt: skip
        session.commit()
    take(services)
    do(services, board.write, services.secret, row.id, ANNA, "您好", key="k1")
    do(services, board.write, services.secret, row.id, ANNA, "您好", key="k1")
    filed = file(services, row.id, ANNA)
    with services.sessions() as session:
        texts = [box.open(one.text) for one in session.scalars(select(WeChatOutgoing).order_by(WeChatOutgoing.id))]
    assert texts[0].startswith("工作人员已接入")
    assert texts[1] == "工作人员：您好"
    assert filed.code in texts[2]
    assert len(texts) == 3


def test_what_must_be_forgotten_takes_the_hand_over_with_it(services):
    called(services)
    take(services)
    row = the_handover(services)
    do(services, board.type_now, row.id, ANNA)
    with services.sessions() as session:
        forget(session, [row.conversation])
        session.commit()
    with Session(services.sessions.kw["bind"]) as session:
        for table in (Handover, HandoverEvent, ChatMessage):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_the_board_shows_the_most_urgent_first_and_what_was_said(services):
    async def scenario(resident):
        await resident.say("问一")
        resident.rasa.understood = {"intent": "handoff", "confidence": 0.9}
        await resident.say("转人工")
        resident.session = None
        await resident.say("我不想活了")

    talk(services, scenario)
    with services.sessions() as session:
        shown = board.lists(session, now=services.now)
        assert [(row.reason, row.words) for row in shown.waiting] == [("crisis", "我不想活了"), ("asked", "问一")]
        seen = board.conversation(session, shown.waiting[1].id, now=services.now)
    assert [(line.side, line.text) for line in seen.lines][:2] == [("resident", "问一"), ("assistant", "没有查到")]
    assert seen.summary.unanswered == ["问一"]
    assert seen.words == "问一"
    assert [step.step for step in seen.steps] == ["call_asked"]
