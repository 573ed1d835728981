"""The knowledge desk in a real browser: an editor's day on a screen and a phone, with and without script."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from sqlalchemy.orm import Session

from channels import store
from channels.rasa import Said, Understood
from channels.turns import note_understood, rate
from desk.accounts import Role
from desk.app import create_app
from knowledge import Reply, curated, refusal
from knowledge.build import DocumentRow, Problem
from knowledge.question import Lexicon
from knowledge.serving import Answers, CuratedAnswers
from knowledge.unanswered import record_unanswered
from storage import begin_writing
from suqiutong.database import make_engine, upgrade
from tests.browser.test_desk import PHONE, SCREEN, Desk, check, log_in, serve
from tests.integration.cases import HALL
from tests.unit.desk.fakes import NOW, desk_on
from tests.unit.knowledge.conftest import SameEncoder

pytestmark = pytest.mark.browser
STARTER = Path(curated.__file__).with_name("curated.yml")
QUESTIONS = ("小学学位怎么申请", "小学学位如何申请", "小学学位要怎么申请呢", "公园晚上几点关门", "老人优待证在哪里办")
VARIANT = "闻到煤气味怎么办"
SHADOWED = "报告里写明的一句话。"
PAGES = ("", "/entries", "/entries?state=draft", "/entries/new", "/entries/gas-smell", "/entries/gas-smell/edit")
PAGES += ("/entries/gas-smell/check", "/turns", "/documents", "/documents/check")


class Base:
    """Answers one question from the report."""

    index = SimpleNamespace(memory=SimpleNamespace(known=[]))

    def answer(self, text, _context=None):
        return Reply("answer", SHADOWED) if text == VARIANT else refusal()


def fill(session):
    begin_writing(session)
    for place, text in enumerate(QUESTIONS):
        for _ in range(len(QUESTIONS) - place):
            asked_at = NOW + timedelta(hours=place)
            record_unanswered(session, text, kind="no_answer", channel="chat", now=asked_at)
    rows = yaml.safe_load(STARTER.read_text(encoding="utf-8"))["entries"][:6]
    curated.import_entries(session, [row | {"written_by": "甲编辑"} for row in rows], NOW)
    for row in rows[1:4]:
        curated.approve(session, row["id"], "乙编辑", NOW)
    for text, understood, reply in (
        ("路灯坏了一盏归谁管", Understood("ask_knowledge", 0.38), "这一点报告里没有写明，我不能乱说。"),
        ("养老金涨了多少", Understood("ask_knowledge", 0.91, 0.42), "全年发放养老金补贴12.3万元。"),
        ("那个那个怎么弄", Understood("nlu_fallback", 0.7), "我没有听明白。您是想问街道的情况，还是要反映一件事？"),
    ):
        number = store.receive(session, text, text, "one", now=NOW).number
        said = Said([{"kind": "answer", "text": reply}], understood)
        store.record_replies(session, text, number, said.messages, now=NOW)
        note_understood(session, text, number, said)
    rate(session, "养老金涨了多少", "one", "unhelpful", now=NOW)
    session.commit()
    return [row["id"] for row in rows]


@pytest.fixture
def site(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'desk.db'}")
    upgrade(engine)
    services = desk_on(engine)
    services.encoder = SameEncoder()
    services.now = NOW + timedelta(days=300)
    services.add("甲编辑", Role.EDITOR, HALL)
    services.add("乙编辑", Role.EDITOR, HALL)
    with Session(engine) as session:
        assert "gas-smell" in fill(session)
    answers = CuratedAnswers(services.sessions, services.encoder, Lexicon(), services.clock)
    services.knowledge = Answers(Base(), answers, [])
    document = SimpleNamespace(
        id="report-2031", title="光明街道某年工作报告", published_on="2031-02-03", years=("2030", "2031"), added_at=""
    )
    services.rows = [DocumentRow(document, 212, 534)]
    services.problems = [Problem("added:58: 9场", is_fatal=False)]
    with serve(create_app(services)) as address:
        yield Desk(address, services, "gas-smell")
    engine.dispose()


@pytest.mark.parametrize("options", [SCREEN, PHONE, SCREEN | {"color_scheme": "dark"}], ids=["screen", "phone", "dark"])
def test_pages_of_editors_are_accessible(open_page, site, options):
    page = open_page("/knowledge", **options)
    log_in(page, "乙编辑")
    for path in PAGES:
        page.goto(f"{site.address}/knowledge{path}")
        page.wait_for_load_state("networkidle")
        for summary in page.locator("summary").all():
            summary.click()
        check(page)


def test_zoom_of_200_percent_hides_nothing(open_page, site):
    page = open_page("/knowledge", viewport={"width": 640, "height": 430})
    log_in(page, "乙编辑")
    for path in PAGES:
        page.goto(f"{site.address}/knowledge{path}")
        check(page)


@pytest.mark.parametrize("has_script", [True, False])
def test_a_question_becomes_an_answer_by_two_people(open_page, site, has_script):
    page = open_page("/knowledge", **SCREEN, java_script_enabled=has_script)
    log_in(page, "甲编辑")
    page.get_by_role("link", name="写成条目 小学学位怎么申请").click()
    assert "小学学位如何申请" in page.get_by_label("居民的问法").input_value()
    page.get_by_label("编号").fill("school")
    page.get_by_label("答案", exact=True).fill("在区教育局网站申请。")
    page.get_by_label("出处", exact=True).fill("区教育局公告")
    page.get_by_label("负责科室").fill("公共服务办")
    page.get_by_role("button", name="保存为草稿").click()
    assert page.locator(".headline .state").inner_text() == "草稿"
    assert page.get_by_role("button", name="批准，开始回答居民").count() == 0
    page.get_by_label("居民的问题").fill("小学学位怎么申请")
    page.get_by_role("button", name="试一试").click()
    page.get_by_text("在区教育局网站申请。\n出处：区教育局公告").wait_for()
    other = open_page("/knowledge/entries/school", **SCREEN, java_script_enabled=has_script)
    log_in(other, "乙编辑")
    other.get_by_role("button", name="批准，开始回答居民").click()
    assert other.locator(".headline .state").inner_text() == "生效"
    assert site.services.knowledge.answer("小学学位怎么申请").text.startswith("在区教育局网站申请。")


def test_a_turn_is_labelled_by_keyboard(open_page, site):  # noqa: ARG001
    page = open_page("/knowledge/turns", **SCREEN)
    log_in(page, "甲编辑")
    turn = page.locator("li.card", has_text="路灯坏了一盏归谁管")
    turn.get_by_label("理解错了，应当是").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    turn.wait_for(state="detached")


@pytest.mark.parametrize(("name", "options"), [("", SCREEN), ("-phone", PHONE)], ids=["screen", "phone"])
def test_pictures(open_page, site, tmp_path, name, options):
    page = open_page("/knowledge", **options)
    log_in(page, "乙编辑")
    page.wait_for_selector("ol.groups")
    page.screenshot(path=tmp_path / f"knowledge-work{name}.png", caret="initial")
    page.goto(f"{site.address}/knowledge/entries")
    page.screenshot(path=tmp_path / f"knowledge-entries{name}.png", caret="initial")
    page.goto(f"{site.address}/knowledge/entries/gas-smell")
    page.get_by_label("居民的问题").fill(VARIANT)
    page.get_by_role("button", name="试一试").click()
    page.locator(".reply").nth(1).wait_for()
    page.locator("#check").get_by_text(SHADOWED).wait_for()
    page.screenshot(path=tmp_path / f"knowledge-entry{name}.png", full_page=True, caret="initial")
    page.goto(f"{site.address}/knowledge/turns")
    page.screenshot(path=tmp_path / f"knowledge-turns{name}.png", caret="initial")
    page.goto(f"{site.address}/knowledge/documents")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=tmp_path / f"knowledge-documents{name}.png", caret="initial")
    assert len(list(tmp_path.glob("knowledge-*.png"))) == 5
