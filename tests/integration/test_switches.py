"""Kill switches: flipped by few, known everywhere within seconds, danger untouched, what was typed kept."""

import asyncio
import os
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from channels.fallback import help_words, off_words
from channels.store import ChatMessage
from channels.wechat.store import WeChatInbox
from desk import audit
from desk.accounts import PERSONS, Role
from desk.app import create_app
from desk.entry import COOKIE
from storage.switches import NAMES, SwitchError, Switches, SwitchFlip, flips, switched_off, turn_off, turn_on
from suqiutong.database import make_engine
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.conftest import run_command
from tests.integration.cases import HALL
from tests.integration.test_chat_api import SAME_SITE, chat, run
from tests.integration.test_commands import failure
from tests.integration.wechat import world
from tests.unit.channels.fakes import NOW, FakeServices
from tests.unit.desk.fakes import Browser, desk_on

A = "o-resident-a"
NUMBERS = ("110", "119", "120", "12345")
WHY = "数据有误，正在核对"


@pytest.fixture
def services(engine):
    return FakeServices(sessions=sessionmaker(engine, expire_on_commit=False))


def flip(services, name, *, is_off=True, **fields):
    with services.sessions() as session:
        if is_off:
            turn_off(session, name, **{"reason": WHY, "by": "王管理", "now": services.clock()} | fields)
        else:
            turn_on(session, name, by="王管理", now=services.clock())
        session.commit()


def test_the_newest_flip_counts_and_all_stay(engine):
    with Session(engine) as session:
        turn_off(session, "chat", reason="  第一个\n理由 ", by="王管理", now=NOW)
        turn_off(session, "chat", reason="第二个理由", by="李管理", now=NOW + timedelta(minutes=1), is_public=True)
        turn_off(session, "answers", reason="第三个理由", by="王管理", now=NOW, until=NOW + timedelta(hours=1))
        later = NOW + timedelta(minutes=2)
        off = switched_off(session, now=later)
        assert [(one.name, one.reason, one.by, one.is_public) for one in off] == [
            ("chat", "第二个理由", "李管理", True),
            ("answers", "第三个理由", "王管理", False),
        ]
        turn_on(session, "chat", by="王管理", now=later)
        assert [one.name for one in switched_off(session, now=later)] == ["answers"]
        assert switched_off(session, now=NOW + timedelta(hours=1)) == []
        assert [row.reason for row in flips(session)] == ["", "第三个理由", "第二个理由", "第一个 理由"]


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("nothing", {}, "unknown"),
        ("chat", {"reason": " \n"}, "reason"),
        ("chat", {"reason": "长" * 201}, "reason"),
        ("chat", {"until": NOW}, "until"),
    ],
)
def test_a_flip_without_reason_or_sense_is_refused(engine, name, fields, code):
    with Session(engine) as session:
        with pytest.raises(SwitchError) as raised:
            turn_off(session, name, **{"reason": WHY, "by": "王管理", "now": NOW} | fields)
        assert raised.value.code == code
        with pytest.raises(SwitchError):
            turn_on(session, name, by="王管理", now=NOW)
        assert session.scalar(select(func.count()).select_from(SwitchFlip)) == 0


def test_a_process_asks_the_database_once_in_a_while_and_remembers_while_it_is_gone(services):
    asked, is_gone = [], []

    def sessions():
        asked.append(1)
        if is_gone:
            raise OperationalError("SELECT", {}, Exception("down"))
        return services.sessions()

    flip(services, "chat", until=NOW + timedelta(minutes=1))
    switches = Switches(sessions, services.clock, every_seconds=60.0)
    assert all(switches.off("chat") is not None for _ in range(100))
    assert len(asked) == 1
    is_gone.append(1)
    switches.read_anew()
    assert switches.off("chat").reason == WHY
    assert len(asked) == 2
    switches._clock = lambda: NOW + timedelta(minutes=1)
    assert switches.off("chat") is None


def test_a_flip_on_the_command_line_is_known_to_another_process_within_seconds(database_url, tmp_path):
    engine = make_engine(database_url)
    environment = os.environ | {"SUQIUTONG_DATA": str(tmp_path), "SUQIUTONG_DATABASE_URL": database_url}
    others = [Services(Settings(data=tmp_path, database_url=database_url)) for _ in range(2)]
    assert [other.switches.all_off() for other in others] == [[], []]
    command = ("switch", "off", "answers", "--reason", WHY, "--until", "2099-01-01T08:00", "--public")
    result = run_command(*command, environment=environment)
    assert result.returncode == 0, result.stderr
    deadline = time.monotonic() + 5
    while not all(other.switches.off("answers") for other in others):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    listed = run_command("switch", "list", environment=environment).stdout.splitlines()
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in listed}
    assert list(rows) == list(NAMES)
    assert rows["chat"] == ["on"]
    state, _, by, until, reason = rows["answers"]
    assert (state, until, reason) == ("off", "2099-01-01 08:00", WHY)
    assert by.endswith("(command line)")
    assert run_command("switch", "on", "answers", environment=environment).returncode == 0
    with Session(engine) as session:
        entries = audit.entries(session)
        assert [(one.action, one.subject, one.role) for one in entries] == [
            ("switch_on", "自动问答", "system"),
            ("switch_off", "自动问答", "system"),
        ]
        assert entries[1].data == {"reason": WHY, "is_public": "是", "switch_until": "2099-01-01 08:00"}
    engine.dispose()
    for other in others:
        other.engine.dispose()


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("off", "chat"), "--reason"),
        (("off", "chat", "--reason", " "), "a reason of 1 to 200 characters is needed"),
        (("off", "phone", "--reason", WHY), "there is no switch 'phone': chat, wechat, open311, form, answers"),
        (("off", "chat", "--reason", WHY, "--until", "2001-01-01T08:00"), "the end lies in the past"),
        (("on", "chat"), "chat is on"),
        (("on", "phone"), "there is no switch 'phone'"),
    ],
)
def test_errors_of_the_command_are_one_line(database_url, tmp_path, words, cause):
    environment = os.environ | {"SUQIUTONG_DATA": str(tmp_path), "SUQIUTONG_DATABASE_URL": database_url}
    result = run_command("switch", *words, environment=environment)
    if cause == "--reason":
        assert result.returncode == 2
        assert "Missing option '--reason'" in result.stderr
    else:
        assert cause in failure(result)


# What residents get


@pytest.mark.parametrize("is_public", [True, False])
def test_who_writes_to_a_chat_that_is_off_gets_the_notice_and_loses_nothing(services, is_public):
    async def scenario(client, rasa):
        before = (await chat(client, "我要反映一件事")).json()
        flip(services, "chat", is_public=is_public, until=NOW + timedelta(hours=3))
        reply = await chat(client, "楼下垃圾没人清", session=before["session"])
        assert reply.status_code == 200
        (message,) = reply.json()["messages"]
        assert message["kind"] == "notice"
        assert all(number in message["text"] for number in NUMBERS)
        assert "https://example.test/petition" in message["text"]
        assert (WHY in message["text"]) == is_public
        assert "预计11月23日13:00恢复" in message["text"]
        assert rasa.messages == ["我要反映一件事"]
        danger = (await chat(client, "家里有煤气味", session=before["session"])).json()["messages"]
        assert [one["kind"] for one in danger] == ["emergency"]
        assert (await client.get("/petition")).status_code == 200
        flip(services, "chat", is_off=False)
        again = await chat(client, "楼下垃圾没人清", session=before["session"])
        assert again.json()["messages"][0]["text"] == "收到：楼下垃圾没人清"
        with services.sessions() as session:
            said = session.scalars(select(ChatMessage).where(ChatMessage.kind == "resident")).all()
        assert "楼下垃圾没人清" in [row.payload["text"] for row in said]

    run(scenario, services=services)


def test_the_page_of_a_chat_that_is_off_says_so_in_the_conversation(services):
    async def scenario(client, rasa):
        flip(services, "chat")
        await client.post("/", data={"text": "你好"}, headers=SAME_SITE)
        page = (await client.get("/")).text
        assert "网上对话现在暂停服务" in page
        assert "12345" in page
        assert rasa.messages == []

    run(scenario, services=services)


def test_a_form_that_is_off_keeps_what_was_typed_and_warns_of_danger(services):
    async def scenario(client, _rasa):
        flip(services, "form")
        empty = await client.get("/petition")
        assert (empty.status_code, 'name="matter"' in empty.text) == (503, False)
        assert all(f'href="tel:{number}"' in empty.text for number in NUMBERS)
        typed = {"matter": "楼道里一股煤气味，物业不管", "place": "白花社区", "step": "file"}
        sent = await client.post("/petition", data=typed, headers=SAME_SITE)
        assert sent.status_code == 503
        assert ">楼道里一股煤气味，物业不管</textarea>" in sent.text
        assert "可能是燃气泄漏" in sent.text
        assert (await client.get("/my")).status_code == 200
        flip(services, "chat")
        notice = (await chat(client, "你好")).json()["messages"][0]["text"]
        assert "/petition" not in notice
        assert "12345" in notice

    run(scenario, services=services)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_open311_that_is_off_says_so_in_the_form_of_the_standard(services, form):
    async def scenario(client, _rasa):
        assert (await client.get(f"/open311/v2/services.{form}")).status_code == 200
        flip(services, "open311")
        for method, path in (("GET", "services"), ("GET", "requests/GM202611230001"), ("POST", "requests")):
            reply = await client.request(method, f"/open311/v2/{path}.{form}")
            assert reply.status_code == 503
            assert "switched off" in reply.text
            assert all(number in reply.text for number in NUMBERS)
            assert WHY not in reply.text

    run(scenario, services=services)


def test_wechat_that_is_off_tells_once_keeps_what_was_typed_and_answers_later(engine):
    async def scenario(one):
        assert await one.ask(A, "你好") == "收到：你好"
        flip(one.services, "wechat")
        told = await one.ask(A, "路灯坏了")
        assert all(number in told for number in NUMBERS)
        assert "恢复后再回复您" in told
        await one.simulator.write(A, "在白花社区")
        await one.simulator.write(A, "已经三天")
        assert one.seen(A)[1:] == [told]
        assert "可能是燃气泄漏" in await one.ask(A, "家里有煤气味")
        await one.catch_up(timedelta(minutes=5))
        assert [text for _, text in one.rasa.received if not text.startswith("/")] == ["你好"]
        flip(one.services, "wechat", is_off=False)
        await one.catch_up(timedelta(minutes=1))
        assert one.seen(A)[3:] == ["收到：路灯坏了", "收到：在白花社区", "收到：已经三天"]

    asyncio.run(within(engine, scenario))


def test_what_waited_too_long_on_wechat_is_asked_for_once(engine):
    async def scenario(one):
        flip(one.services, "wechat")
        await one.ask(A, "路灯坏了")
        await one.simulator.write(A, "在白花社区")
        flip(one.services, "wechat", is_off=False)
        await one.catch_up(timedelta(hours=3))
        assert len(one.seen(A)) == 2
        assert "请再说一次" in one.seen(A)[1]
        assert one.rasa.received == []
        with Session(engine) as session:
            assert session.scalar(select(func.count()).where(WeChatInbox.answered_at.is_(None))) == 0

    asyncio.run(within(engine, scenario))


def test_a_greeting_on_wechat_that_is_off_is_the_notice(engine):
    async def scenario(one):
        flip(one.services, "wechat")
        await one.simulator.touch(A, "subscribe")
        assert "暂停服务" in (await one.until_seen(A, 1))[0]
        flip(one.services, "wechat", is_off=False)
        await one.catch_up(timedelta(minutes=1))
        assert len(one.seen(A)) == 1

    asyncio.run(within(engine, scenario))


async def within(engine, scenario):
    async with world(engine) as one:
        await scenario(one)


def test_words_name_no_form_that_is_off(services):
    assert "/petition" in help_words(services)
    flip(services, "form")
    assert "/petition" not in help_words(services)
    assert WHY not in off_words(services.switches.off("form"))


def test_metrics_tell_what_is_off(services):
    async def scenario(client, _rasa):
        flip(services, "form")
        text = (await client.get("/metrics")).text
        assert 'suqiutong_switch_off{name="form"} 1.0' in text
        assert 'suqiutong_switch_off{name="chat"} 0.0' in text

    run(scenario, services=services)


# The desk


@pytest.fixture
def desk(engine):
    return desk_on(engine)


@pytest.fixture
def browser(desk):
    application = create_app(desk)

    def browser(name, role=Role.ADMIN):
        client = Browser(application)
        client.cookies.set(COOKIE, desk.cookie(desk.add(name, role, HALL)), domain="desk.test")
        return client

    return browser


def off_form(**change):
    return {"step": "off", "name": "answers", "reason": WHY, "until": "", "is_public": ""} | change


@pytest.mark.parametrize("role", PERSONS)
def test_administrators_flip_and_supervisors_look(browser, desk, role):
    client = browser("某人", role)
    assert client.get("/switches").status_code == (200 if role in {Role.ADMIN, Role.SUPERVISOR} else 403)
    sent = client.post("/switches", data=off_form())
    assert sent.status_code == (303 if role == Role.ADMIN else 403)
    with desk.sessions() as session:
        assert bool(switched_off(session, now=desk.clock())) == (role == Role.ADMIN)


def test_a_flip_at_the_desk_has_its_reason_its_banner_and_its_entry_in_the_log(browser, desk):
    client, operator = browser("王管理"), browser("坐席", Role.OPERATOR)
    assert 'class="off"' not in client.get("/switches").text
    assert client.post("/switches", data=off_form(until="2026-03-03T09:30", is_public="1")).status_code == 303
    page = client.get("/switches").text
    assert WHY in page
    assert "2026-03-03 09:30 自动恢复" in page
    banner = operator.get("/tickets").text
    assert "现在关闭：自动问答。" in banner
    assert "查看开关" not in banner
    log = client.get("/audit").text
    assert "自动问答" in log
    assert f"理由 {WHY}" in log
    desk.pass_time(days=2)
    assert "现在关闭" not in browser("李管理").get("/switches").text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reason": " "}, "请写明理由"),
        ({"name": "phone"}, "没有这个开关"),
        ({"until": "2020-01-01T00:00"}, "恢复时间要晚于现在"),
        ({"until": "soon"}, "看不懂这个时间"),
        ({"step": "on"}, "这个开关已经恢复"),
    ],
)
def test_a_form_that_is_wrong_says_so_and_keeps_what_was_typed(browser, desk, change, sentence):
    answer = browser("王管理").post("/switches", data=off_form(**change))
    assert answer.status_code == 422
    assert sentence in answer.text
    if "until" in change:
        assert f'value="{WHY}"' in answer.text
    with desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(SwitchFlip)) == 0
        assert audit.entries(session) == []


def test_a_switch_that_is_off_goes_on_again(browser, desk):
    client = browser("王管理")
    client.post("/switches", data=off_form())
    assert client.post("/switches", data={"step": "on", "name": "answers"}).status_code == 303
    page = client.get("/switches").text
    assert 'class="off"' not in page
    assert page.count("王管理") >= 2
    with desk.sessions() as session:
        assert [entry.action for entry in audit.entries(session)] == ["switch_on", "switch_off"]
