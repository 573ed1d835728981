"""The desk's conversations over HTTP: who may take them, what each sees, and that nothing is lost on the way."""

import asyncio
import json
import re

import pytest
from sqlalchemy import select

from channels import store as transcript
from channels.handover import board
from channels.handover.model import Handover, HandoverEvent
from channels.handover.store import call, message, type_now
from channels.store import ChatMessage
from desk import live as live_module
from desk.accounts import Role
from desk.app import create_app
from desk.entry import COOKIE
from desk.live import Live
from petitions import Actor, Petition
from tests.integration.cases import HALL
from tests.unit.desk.fakes import Browser, desk_on

SAID = "我叫陈大文，电话13800138000，碧眼社区工地半夜施工太吵"


@pytest.fixture
def services(engine):
    services = desk_on(engine)
    services.add("张三", Role.OPERATOR, HALL)
    services.add("李四", Role.SUPERVISOR, HALL)
    return services


@pytest.fixture
def browser(services):
    application = create_app(services)

    def browser(name):
        client = Browser(application)
        client.cookies.set(COOKIE, services.cookie(name), domain="desk.test")
        return client

    return browser


def called(services, conversation="talk", reason="asked"):
    """A conversation into which a person was called; the id of its hand-over."""
    with services.sessions() as session:
        for text, reply in ((SAID, message("no_answer", "没有查到")), ("转人工", message("handoff", "正在呼叫"))):
            number = transcript.receive(session, conversation, text, None, now=services.now).number
            session.flush()
            transcript.record_replies(session, conversation, number, [reply], now=services.now)
        session.flush()
        handover_id = call(session, conversation, reason, number, now=services.now).id
        session.commit()
    return handover_id


def said(services):
    with services.sessions() as session:
        rows = session.scalars(select(ChatMessage).order_by(ChatMessage.id)).all()
        return [row.payload["text"] for row in rows]


def state(services, handover_id):
    with services.sessions() as session:
        return session.get(Handover, handover_id).state


def test_the_list_shows_who_waits_and_why_with_personal_data_masked(services, browser):
    first = called(services)
    second = called(services, "other", "crisis")
    services.pass_time(minutes=7)
    page = browser("张三").get("/conversations")
    assert page.status_code == 200
    assert page.text.index(f'id="take-{second}"') < page.text.index(f'id="take-{first}"')
    assert "7 分钟" in page.text
    assert "有人轻生" in page.text
    assert "13800138000" not in page.text
    assert 'href="/conversations" aria-current="page">会话' in page.text
    # The number stands in the navigation of every page, and asks for itself.
    for path in ("/tickets", "/conversations/count"):
        assert '<span class="count">2<span class="hidden"> 等待人工' in browser("张三").get(path).text


@pytest.mark.parametrize("role", [Role.HANDLER, Role.EDITOR, Role.ADMIN])
def test_others_do_not_enter(services, browser, role):
    handover_id = called(services)
    client = browser(services.add("别人", role, HALL))
    assert client.get("/conversations").status_code == 403
    assert client.get("/conversations/count").status_code == 403
    assert 'id="waiting"' not in client.get("/account").text
    assert client.get(f"/conversations/{handover_id}").status_code == 403
    assert client.post(f"/conversations/{handover_id}/take").status_code == 403
    assert state(services, handover_id) == "waiting"


def test_one_takes_it_the_other_sees_who_has_it(services, browser):
    handover_id = called(services)
    anna, bo = browser("张三"), browser("李四")
    before = bo.get(f"/conversations/{handover_id}").text
    assert "13800138000" not in before
    assert "陈大文" not in before
    assert "接管后才显示完整的姓名和电话" in before
    assert anna.post(f"/conversations/{handover_id}/take").headers["Location"] == f"/conversations/{handover_id}"
    late = bo.post(f"/conversations/{handover_id}/take")
    assert late.status_code == 409
    assert "晚了一步：张三已经在接待" in late.text
    mine, theirs = (client.get(f"/conversations/{handover_id}").text for client in (anna, bo))
    assert "13800138000" in mine
    assert 'id="write"' in mine
    assert "13800138000" not in theirs
    assert 'id="write"' not in theirs
    assert "张三正在接待" in theirs
    # Once more by the same person is no fault.
    assert anna.post(f"/conversations/{handover_id}/take").status_code == 303


def test_a_reply_reaches_the_transcript_once_and_is_kept_when_it_could_not(services, browser):
    handover_id = called(services)
    anna, bo = browser("张三"), browser("李四")
    anna.post(f"/conversations/{handover_id}/take")
    key = re.search(r'name="key" value="([^"]+)"', anna.get(f"/conversations/{handover_id}").text)[1]
    for _ in range(2):
        sent = anna.post(f"/conversations/{handover_id}/write", data={"text": "  请问哪个工地？\u200b", "key": key})
        assert sent.status_code == 303
    assert said(services).count("请问哪个工地？") == 1
    refused = bo.post(f"/conversations/{handover_id}/write", data={"text": "写了一半的话", "key": "x"})
    assert refused.status_code == 409
    assert "写了一半的话" in refused.text
    assert anna.post(f"/conversations/{handover_id}/write", data={"text": " "}).status_code == 409
    long = anna.post(f"/conversations/{handover_id}/write", data={"text": "长" * 2001})
    assert "最多 2000 个字" in long.text
    assert "写了一半的话" not in said(services)
    with services.sessions() as session:
        steps = session.execute(select(HandoverEvent.step, HandoverEvent.actor)).all()
    assert [tuple(step) for step in steps] == [("call_asked", "system"), ("take", "张三"), ("write", "张三")]


def test_given_back_with_a_note_that_colleagues_find(services, browser):
    handover_id = called(services)
    anna, bo = browser("张三"), browser("李四")
    anna.post(f"/conversations/{handover_id}/take")
    assert bo.post(f"/conversations/{handover_id}/finish", data={"step": "give_back"}).status_code == 409
    given = anna.post(f"/conversations/{handover_id}/finish", data={"step": "give_back", "note": "已电话说明施工许可"})
    assert given.headers["Location"] == "/conversations"
    assert state(services, handover_id) == "given_back"
    assert "已电话说明施工许可" in bo.get("/conversations").text
    assert "已电话说明施工许可" in bo.get(f"/conversations/{handover_id}").text
    assert "已电话说明施工许可" not in "".join(said(services))
    # The next call of the same conversation shows what came before.
    again = called(services)
    assert "已电话说明施工许可" in bo.get(f"/conversations/{again}").text


def test_it_becomes_a_ticket_that_the_resident_gets_and_the_desk_finds(services, browser):
    handover_id = called(services)
    anna, bo = browser("张三"), browser("李四")
    assert bo.post(f"/conversations/{handover_id}/finish", data={"step": "file"}).status_code == 409
    anna.post(f"/conversations/{handover_id}/take")
    assert (
        anna.post(f"/conversations/{handover_id}/finish", data={"step": "file", "note": "请社区核实"}).status_code
        == 303
    )
    assert anna.post(f"/conversations/{handover_id}/finish", data={"step": "file"}).status_code == 409
    with services.sessions() as session:
        (petition,) = session.scalars(select(Petition)).all()
    assert petition.class_ == "咨询"
    assert petition.number in said(services)[-1]
    page = anna.get(f"/conversations/{handover_id}").text
    assert f'href="/tickets/{petition.number}"' in page
    assert "已登记成工单" in page
    assert state(services, handover_id) == "ticketed"


def test_a_conversation_of_the_assistant_is_taken_by_an_operator(services, browser):
    with services.sessions() as session:
        transcript.receive(session, "quiet", SAID, None, now=services.now)
        session.commit()
        row = session.scalars(select(ChatMessage)).one().id
    anna, bo = browser("张三"), browser("李四")
    assert f'id="start-{row}"' in anna.get("/conversations").text
    taken = anna.post("/conversations/start", data={"message": str(row)})
    assert anna.get(taken.headers["Location"]).status_code == 200
    assert bo.post("/conversations/start", data={"message": str(row)}).status_code == 409
    assert bo.post("/conversations/start", data={"message": "x"}).status_code == 409


def test_the_proposal_and_the_draft_are_made_of_the_residents_words(services, browser):
    handover_id = called(services)
    page = browser("张三").get(f"/conversations/{handover_id}").text
    assert "噪音污染" in page
    assert "碧眼社区群众诉求服务大厅" in page
    assert "居民说了 2 句" in page
    assert "没答上来" in page
    # What the page asks by itself makes no proposal anew.
    part = browser("张三").get(f"/conversations/{handover_id}", headers={"HX-Request": "true"}).text
    assert "噪音污染" not in part


def test_typing_is_shown_to_the_desk_and_only_the_holder_types(services, browser):
    handover_id = called(services)
    anna, bo = browser("张三"), browser("李四")
    anna.post(f"/conversations/{handover_id}/take")
    assert bo.post(f"/conversations/{handover_id}/typing").status_code == 204
    with services.sessions() as session:
        marks = board.marks(session, now=services.now)
    anna.post(f"/conversations/{handover_id}/typing")
    with services.sessions() as session:
        assert board.marks(session, now=services.now) != marks
        session.rollback()
        type_now(session, handover_id, "resident", now=services.now)
        session.commit()
    assert "居民正在输入" in anna.get(f"/conversations/{handover_id}").text
    services.pass_time(seconds=30)
    assert "居民正在输入" not in anna.get(f"/conversations/{handover_id}").text


@pytest.mark.parametrize("number", ["999", "x", "1" * 12])
def test_what_does_not_exist_is_not_found(browser, number):
    client = browser("张三")
    assert client.get(f"/conversations/{number}").status_code == 404
    assert client.post(f"/conversations/{number}/take").status_code == 404
    assert client.post(f"/conversations/{number}/write", data={"text": "您好"}).status_code == 404


def test_a_form_of_another_site_is_refused(services, browser):
    handover_id = called(services)
    client = browser("张三")
    for path in (f"/{handover_id}/take", f"/{handover_id}/write", f"/{handover_id}/finish", "/start"):
        assert client.post(f"/conversations{path}", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert state(services, handover_id) == "waiting"


def test_the_stream_tells_operators_of_conversations_and_nobody_else(services, monkeypatch):
    monkeypatch.setattr(live_module, "EVERY_SECONDS", 0.05)

    async def scenario():
        live = Live(services)
        operator, handler = (live.changes(Actor("x", role, HALL)) for role in ("operator", "handler"))
        async with live.running():
            told, untold = (asyncio.create_task(anext(stream)) for stream in (operator, handler))
            async with asyncio.timeout(10):
                while len(live._readers) < 2:
                    await asyncio.sleep(0.01)
            # Nobody has looked since: what happens right after a stream begins is told too.
            handover_id = await asyncio.to_thread(called, services)
            event = await asyncio.wait_for(told, 10)
        assert event["event"] == "conversations"
        assert handover_id in json.loads(event["data"])
        assert not untold.done()
        untold.cancel()

    asyncio.run(scenario())
