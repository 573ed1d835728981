"""The knowledge desk over HTTP: questions become entries, entries are approved by two, turns are labelled."""

import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from channels import store
from channels.rasa import Said, Understood
from channels.store import TurnLabel
from channels.turns import note_understood
from desk.accounts import PERSONS, Role
from desk.app import create_app
from desk.entry import COOKIE
from knowledge import Reply, curated, refusal
from knowledge.build import DocumentRow, Problem
from knowledge.curated import CuratedEntry, CuratedVersion
from knowledge.question import Lexicon
from knowledge.serving import Answers, CuratedAnswers
from knowledge.unanswered import UnansweredQuestion, dismiss, record_unanswered
from storage import begin_writing
from tests.integration.cases import HALL
from tests.unit.desk.fakes import NOW, Browser, desk_on
from tests.unit.knowledge.conftest import SameEncoder

TYPED = {
    "id": "gas-phone",
    "variants": "燃气公司电话是多少\n燃气公司怎么联系",
    "answer": "拨 0755-25199999。",
    "source": "服务电话公告",
    "reference": "",
    "source_on": "2026-03-01",
    "owner": "城市建设办",
    "valid_from": "2026-03-01",
    "valid_until": "",
}


@pytest.fixture
def services(engine):
    services = desk_on(engine)
    services.encoder, services.knowledge = SameEncoder(), None
    services.add("甲编辑", Role.EDITOR, HALL)
    services.add("乙编辑", Role.EDITOR, HALL)
    return services


@pytest.fixture
def browser(services):
    application = create_app(services)

    def browser(name):
        client = Browser(application)
        client.cookies.set(COOKIE, services.cookie(name), domain="desk.test")
        return client

    return browser


@pytest.fixture
def session(engine):
    with Session(engine, expire_on_commit=False) as session:
        yield session


def ask(session, *texts, now=NOW):
    for text in texts:
        record_unanswered(session, text, kind="no_answer", channel="chat", now=now)
    session.commit()


def entry_of(session, entry_id="gas-phone"):
    session.rollback()
    return session.get(CuratedEntry, entry_id)


def version_of(page):
    return re.search(r'name="version" value="(\d+)"', page.text)[1]


def write(client, **change):
    answer = client.post("/knowledge/entries", data=TYPED | change)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def step(client, path, action, **fields):
    return client.post(f"{path}/{action}", data={"version": version_of(client.get(path))} | fields)


@pytest.mark.parametrize("role", PERSONS)
def test_only_editors_and_administrators_enter(services, browser, role):
    write(browser("甲编辑"))
    client = browser(services.add("某人", role, HALL))
    paths = ("/knowledge", *(f"/knowledge/{part}" for part in ("entries", "entries/new", "turns", "documents")))
    wanted = 200 if role in {Role.EDITOR, Role.ADMIN} else 403
    assert {client.get(path).status_code for path in (*paths, "/knowledge/entries/gas-phone")} == {wanted}
    assert (client.post("/knowledge/entries/gas-phone/retire", data={"version": "1"}).status_code == 403) == (
        wanted == 403
    )


def test_a_group_of_questions_becomes_an_entry(browser, session):
    ask(session, "小学学位怎么申请，我电话13800138000", "小学学位怎么申请", "公园几点关门")
    ask(session, "小学学位怎么申请", now=NOW + timedelta(days=1))
    client = browser("甲编辑")
    page = client.get("/knowledge").text
    assert "13800138000" not in page
    assert page.index("小学学位怎么申请") < page.index("公园几点关门")
    assert "问过 3 次" in page
    link = re.search(r'href="(/knowledge/entries/new\?questions=[\d,]+)"', page)[1]
    form = client.get(link).text
    assert ">小学学位怎么申请" in form
    ids = re.search(r'name="questions" value="([\d,]+)"', form)[1]
    write(client, questions=ids, id="school", variants="小学学位怎么申请")
    rows = session.scalars(select(UnansweredQuestion).where(UnansweredQuestion.entry_id == "school")).all()
    assert sorted(str(row.id) for row in rows) == sorted(ids.split(","))
    assert {row.closed_by for row in rows} == {"甲编辑"}
    assert entry_of(session, "school").state(NOW.date()) == "draft"
    assert link not in client.get("/knowledge").text


def test_the_list_is_made_once_for_each_state(services, browser, session):
    ask(session, "小学学位怎么申请", "公园几点关门")
    client = browser("甲编辑")
    client.get("/knowledge")
    read = len(services.encoder.encoded)
    assert read == 2
    assert "公园几点关门" in client.get("/knowledge").text
    assert len(services.encoder.encoded) == read
    ask(session, "公园几点关门")
    assert "问过 2 次" in client.get("/knowledge").text
    assert len(services.encoder.encoded) == 2 * read


def test_a_list_that_is_being_made_says_so(services, browser, session, monkeypatch):
    ask(session, "小学学位怎么申请")
    monkeypatch.setattr(services.work_list, "get", lambda: None)
    page = browser("甲编辑").get("/knowledge").text
    assert "正在整理问题" in page
    assert 'hx-trigger="load delay:2s"' in page


def test_while_groups_are_made_anew_the_open_ones_stay(services, session):
    ask(session, "小学学位怎么申请", "公园几点关门")
    assert len(services.work_list.get(30)) == 2
    session.rollback()
    begin_writing(session)
    dismiss(session, [1], "甲编辑", "不归街道", NOW)
    session.commit()
    assert [one.question for one in services.work_list._still_open()] == ["公园几点关门"]


def test_a_group_is_set_aside_with_a_reason_or_linked(browser, session):
    ask(session, "小学学位怎么申请", "公园几点关门")
    client = browser("甲编辑")
    assert client.post("/knowledge/unanswered/dismiss", data={"ids": "1", "reason": " "}).status_code == 422
    assert client.post("/knowledge/unanswered/dismiss", data={"ids": "1", "reason": "不归街道"}).status_code == 303
    again = client.post("/knowledge/unanswered/dismiss", data={"ids": "1", "reason": "不归街道"})
    assert (again.status_code, "可能已有人处理" in again.text) == (422, True)
    write(client)
    assert client.post("/knowledge/unanswered/link", data={"ids": "2", "entry": "nothing"}).status_code == 422
    assert client.post("/knowledge/unanswered/link", data={"ids": "2", "entry": ""}).status_code == 422
    assert client.post("/knowledge/unanswered/link", data={"ids": "2", "entry": "gas-phone"}).status_code == 303
    rows = session.scalars(select(UnansweredQuestion).order_by(UnansweredQuestion.id)).all()
    assert [(row.state, row.reason, row.entry_id) for row in rows] == [
        ("dismissed", "不归街道", None),
        ("answered", None, "gas-phone"),
    ]


def test_an_entry_is_approved_by_another_person(browser, session):
    author, other = browser("甲编辑"), browser("乙编辑")
    path = write(author)
    assert "要由另一个人批准" in author.get(path).text
    own = step(author, path, "approve")
    assert (own.status_code, "要由另一个人批准" in own.text) == (422, True)
    assert step(other, path, "approve").status_code == 303
    assert (entry_of(session).state(NOW.date()), entry_of(session).approved_by) == ("live", "乙编辑")


def test_a_draft_is_returned_with_a_reason_and_written_anew(browser, session):
    author, other = browser("甲编辑"), browser("乙编辑")
    path = write(author)
    assert step(other, path, "return", reason=" ").status_code == 422
    assert step(other, path, "return", reason="请写 24 小时").status_code == 303
    assert entry_of(session).state(NOW.date()) == "returned"
    assert "已退回：请写 24 小时" in author.get(path).text
    version = version_of(author.get(path))
    refused = other.post(f"{path}/approve", data={"version": version})
    assert (refused.status_code, entry_of(session).approved_by) == (422, None)
    edit = TYPED | {"version": version, "answer": "拨 0755-25199999，24 小时。"}
    assert author.post(f"{path}/edit", data=edit).status_code == 303
    assert entry_of(session).state(NOW.date()) == "draft"
    versions = session.scalars(select(CuratedVersion).order_by(CuratedVersion.version)).all()
    assert [(one.step, one.by, one.reason) for one in versions] == [
        ("written", "甲编辑", None),
        ("returned", "乙编辑", "请写 24 小时"),
        ("written", "甲编辑", None),
    ]
    page = author.get(path).text
    assert "<del>拨 0755-25199999。</del>" in page
    assert "<ins>拨 0755-25199999，24 小时。</ins>" in page


def test_an_entry_is_retired_and_brought_back_as_a_draft(browser, session):
    author, other = browser("甲编辑"), browser("乙编辑")
    path = write(author)
    step(other, path, "approve")
    assert step(author, path, "retire").status_code == 303
    assert entry_of(session).state(NOW.date()) == "retired"
    assert step(other, path, "revert", to="9").status_code == 404
    assert step(other, path, "revert", to="1").status_code == 303
    entry = entry_of(session)
    assert (entry.state(NOW.date()), entry.written_by) == ("draft", "乙编辑")
    assert step(other, path, "approve").status_code == 422
    assert step(author, path, "approve").status_code == 303


def test_a_stale_form_shows_both_and_loses_nothing(browser, session):
    first, second = browser("甲编辑"), browser("乙编辑")
    path = write(first)
    seen = version_of(first.get(f"{path}/edit"))
    second.post(f"{path}/edit", data=TYPED | {"version": seen, "owner": "应急办"})
    late = first.post(f"{path}/edit", data=TYPED | {"version": seen, "answer": "拨 <b>12345</b>。"})
    assert late.status_code == 409
    assert "乙编辑刚才修改过" in late.text
    assert "<del>城市建设办</del>" in late.text
    assert "<ins>应急办</ins>" in late.text
    assert "<ins>拨 &lt;b&gt;12345&lt;/b&gt;。</ins>" in late.text
    assert ">拨 &lt;b&gt;12345&lt;/b&gt;。</textarea>" in late.text
    assert entry_of(session).owner == "应急办"
    now = version_of(late)
    assert now != seen
    stale = second.post(f"{path}/approve", data={"version": seen})
    assert (stale.status_code, "<ins>应急办</ins>" in stale.text) == (409, True)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"variants": " \n "}, "variants", "没有填写"),
        ({"valid_until": "2025-01-01"}, "valid_until", "早于"),
        ({"source": "公告 99 号"}, "source", "99"),
        ({"id": "Gas Phone"}, "id", "小写字母"),
        ({"answer": ""}, "answer", "没有填写"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(browser, session, change, field, words):
    answer = browser("甲编辑").post("/knowledge/entries", data=TYPED | change)
    assert answer.status_code == 422
    fault = re.search(rf'id="{field}-fault">([^<]*)<', answer.text)[1]
    assert words in fault
    assert session.scalars(select(CuratedEntry)).all() == []


def test_a_new_entry_never_overwrites_another(browser, session):
    client = browser("甲编辑")
    write(client)
    answer = client.post("/knowledge/entries", data=TYPED | {"answer": "别的"})
    assert (answer.status_code, "请换一个编号" in answer.text) == (422, True)
    assert entry_of(session).answer == TYPED["answer"]


@pytest.mark.parametrize("path", ["", "/edit", "/check"])
def test_an_entry_that_is_not_there_is_404(services, browser, path):
    services.knowledge = None
    assert browser("甲编辑").get(f"/knowledge/entries/nothing{path}").status_code == 404


def test_entries_are_listed_by_state_those_that_end_soon_first(browser):
    client, other = browser("甲编辑"), browser("乙编辑")
    step(other, write(client), "approve")
    soon = {"id": "zoo", "variants": "动物园几点开门", "valid_until": "2026-03-20"}
    step(other, write(client, **soon), "approve")
    write(client, id="draft-one", variants="图书馆几点开门")
    page = client.get("/knowledge/entries").text
    assert page.index("动物园几点开门") < page.index("图书馆几点开门") < page.index("燃气公司电话")
    drafts = client.get("/knowledge/entries?state=draft").text
    assert ("图书馆几点开门" in drafts, "燃气公司电话" in drafts) == (True, False)
    assert "动物园几点开门" in client.get("/knowledge/entries?state=expiring").text
    assert "没有这样的条目" in client.get("/knowledge/entries?state=nonsense").text


class Base:
    """Answers everything from the report, or nothing."""

    def __init__(self, says):
        self.says = says
        self.index = SimpleNamespace(memory=SimpleNamespace(known=[]))

    def answer(self, text, _context=None):
        return Reply("answer", self.says[text]) if text in self.says else refusal()


def test_a_draft_is_tried_against_the_live_assistant_and_nothing_is_kept(services, browser, session):
    client = browser("甲编辑")
    path = write(client)
    answers = CuratedAnswers(services.sessions, services.encoder, Lexicon(), services.clock)
    services.knowledge = Answers(Base({"燃气公司怎么联系": "报告说办了23场"}), answers, [])
    page = client.post(f"{path}/try", data={"text": "燃气公司电话是多少"}).text
    now, then = re.findall(r'<p class="words">(.*?)</p>', page, re.DOTALL)
    assert "没有写明" in now
    assert "0755-25199999" in then
    same = client.post(f"{path}/try", data={"text": "公园几点开门呢"}).text
    assert "两边相同" in same
    check = client.get(f"{path}/check").text
    assert "报告说办了23场" in check
    assert "燃气公司电话是多少" not in check
    entry = entry_of(session)
    assert (entry.hits, entry.state(NOW.date()), entry.version) == (0, "draft", 1)
    assert answers.answer("燃气公司电话是多少") is None


def test_an_entry_in_force_changes_nothing_when_it_is_tried(services, browser):
    client, other = browser("甲编辑"), browser("乙编辑")
    for place in range(4):
        names = "\n".join(f"{place}号{name}几点开门" for name in ("图书馆", "公园", "泳池", "球场"))
        step(other, write(client, id=f"open-{place}", variants=names, answer="九点"), "approve")
    answers = CuratedAnswers(services.sessions, services.encoder, Lexicon(), services.clock)
    services.knowledge = Answers(Base({}), answers, [])
    page = client.post("/knowledge/entries/open-0/try", data={"text": "0号公园是几点开门的呢"}).text
    assert page.count("九点") >= 3
    assert "两边相同" in page


def test_without_a_knowledge_base_the_page_says_so(browser):
    client = browser("甲编辑")
    assert "知识库没有加载" in client.get(write(client)).text


# Turns


def talk(session, text, understood, reply="好", kind="answer"):
    number = store.receive(session, text, text, text[:8].encode().hex(), now=NOW).number
    said = Said([{"kind": kind, "text": reply}], understood)
    store.record_replies(session, text, number, said.messages, now=NOW)
    note_understood(session, text, number, said)
    session.commit()


def turns_on(page):
    return [int(number) for number in re.findall(r'id="turn-(\d+)"', page.text)]


def test_turns_are_labelled_by_name_and_leave_the_list(browser, session):
    talk(session, "路灯谁管", Understood("greet", 0.3))
    talk(session, "我电话13800138000，养老金怎么领", Understood("nlu_fallback", 0.8))
    client = browser("甲编辑")
    page = client.get("/knowledge/turns")
    assert "13800138000" not in page.text
    assert all(word in page.text for word in ("没把握", "没听懂", "理解为：问好", "把握 30%"))
    fallback, greeting = turns_on(page)
    assert client.post(f"/knowledge/turns/{greeting}", data={"verdict": "wrong"}).status_code == 422
    assert client.post(f"/knowledge/turns/{greeting}", data={"verdict": "maybe"}).status_code == 422
    wrong = {"verdict": "wrong", "intent": "ask_knowledge"}
    assert client.post(f"/knowledge/turns/{greeting}", data=wrong).status_code == 303
    assert client.post(f"/knowledge/turns/{greeting}", data=wrong).status_code == 422
    assert client.post(f"/knowledge/turns/{fallback}", data={"verdict": "missing"}).status_code == 303
    assert "没有待复核的对话" in client.get("/knowledge/turns").text
    labels = session.scalars(select(TurnLabel).order_by(TurnLabel.message_id)).all()
    assert [(one.verdict, one.right_intent, one.by, one.at) for one in labels] == [
        ("wrong", "ask_knowledge", "甲编辑", NOW),
        ("missing", None, "甲编辑", NOW),
    ]
    (question,) = session.scalars(select(UnansweredQuestion)).all()
    assert (question.channel, "养老金怎么领" in question.text, "138" in question.text) == ("review", True, False)


def test_many_turns_are_on_pages(browser, session):
    for place in range(22):
        talk(session, f"{place}号问题怎么办", Understood("greet", 0.3))
    client = browser("甲编辑")
    first = client.get("/knowledge/turns")
    following = re.search(r'href="(/knowledge/turns\?before=\d+)"', first.text)[1]
    assert (len(turns_on(first)), len(turns_on(client.get(following)))) == (20, 2)


# Documents


def test_documents_are_listed_with_what_does_not_hold(services, browser):
    document = SimpleNamespace(id="report", title="某街道报告", published_on="2031-02-03", years=("2030",), added_at="")
    services.rows = [DocumentRow(document, 12, 34)]
    services.problems = [Problem("report:5: 9场", is_fatal=False)]
    client = browser("甲编辑")
    page = client.get("/knowledge/documents").text
    assert all(word in page for word in ("某街道报告", "2031-02-03", ">34<", "第 7 次", "第 6 次", "knowledge add"))
    assert "report:5: 9场" in client.get("/knowledge/documents/check").text


def test_a_desk_without_documents_still_opens(services, browser, monkeypatch):
    def fail():
        raise curated.KnowledgeError("not_built")

    monkeypatch.setattr(services, "documents", fail, raising=False)
    assert "还没有建立" in browser("甲编辑").get("/knowledge/documents").text
