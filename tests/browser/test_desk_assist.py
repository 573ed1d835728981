"""An operator's call in a real browser: typing, keys, filing, with and without script."""

import re
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk.accounts import Role
from desk.app import create_app
from petitions.model import Petition
from suqiutong.database import make_engine, upgrade
from tests.browser.test_desk import PHONE, SCREEN, Desk, check, log_in, serve
from tests.integration.cases import HALL, STATION, file_case
from tests.unit.desk.fakes import desk_on

pytestmark = pytest.mark.browser
SAID = "我叫陈大文，电话13800138000，碧眼社区工地昨晚十点还在施工，太吵了。去年办了几场招聘会？"
# What an input method sends while a word is put together from its sounds, and when it is chosen.
COMPOSE = """async () => {
  const box = document.getElementById("text");
  box.focus();
  box.dispatchEvent(new CompositionEvent("compositionstart"));
  for (const letters of ["z", "zh", "zhao"]) {
    box.value = letters;
    box.dispatchEvent(new InputEvent("input", {isComposing: true}));
    await new Promise((done) => setTimeout(done, 400));
  }
  const before = window.sent;
  box.value = "招聘会";
  box.dispatchEvent(new InputEvent("input", {isComposing: true}));
  box.dispatchEvent(new CompositionEvent("compositionend", {data: "招聘会"}));
  return before;
}"""


@pytest.fixture
def site(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'assist.db'}")
    upgrade(engine)
    services = desk_on(engine)
    services.add("张三", Role.OPERATOR, HALL)
    with Session(engine) as session:
        number = file_case(session, "first").number
        session.commit()
    services.alike = [{"number": number, "title": "楼下垃圾三天没人清", "score": 0.81, "state": "received"}]
    with serve(create_app(services)) as address:
        desk = Desk(address, services, number)
        desk.engine = engine
        yield desk
    engine.dispose()


def on_a_call(open_page, **options):
    page = open_page("/assist", **options)
    log_in(page)
    page.wait_for_selector("#text")
    return page


def type_and_wait(page, text=SAID):
    page.locator("#text").fill(text)
    page.wait_for_selector("#row-class")


@pytest.mark.parametrize("options", [SCREEN, PHONE, SCREEN | {"color_scheme": "dark"}], ids=["screen", "phone", "dark"])
def test_pages_are_accessible(open_page, site, options):  # noqa: ARG001
    page = on_a_call(open_page, **options)
    check(page)
    type_and_wait(page, "我家煤气漏了。" + SAID)
    page.wait_for_selector("#danger >> text=关总阀")
    for summary in page.locator("summary").all():
        summary.click()
    check(page)
    page.locator("#file").click()
    page.wait_for_selector("#matter")
    page.locator("#matter").fill("")
    page.get_by_role("button", name="下一步：念给来电人听").click()
    page.wait_for_selector(".problem")
    check(page)
    page.locator("#matter").fill("工地晚上施工太吵")
    page.get_by_role("button", name="下一步：念给来电人听").click()
    page.wait_for_selector("#read-back")
    check(page)
    page.get_by_label("来电人听完后同意这样登记").check()
    page.get_by_role("button", name="登记", exact=True).click()
    page.wait_for_selector("#next")
    check(page)


def test_zoom_of_200_percent_hides_nothing(open_page, site):  # noqa: ARG001
    page = on_a_call(open_page, viewport={"width": 640, "height": 430})
    type_and_wait(page)
    check(page)


def test_a_call_is_taken_with_keys_alone(open_page, site):
    page = on_a_call(open_page, **SCREEN)
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("acxn/?" + SAID)
    page.wait_for_selector("#row-class")
    assert page.locator("#text").input_value() == "acxn/?" + SAID, "no key is taken from whoever types"
    assert page.locator("#keys").get_attribute("open") is None
    page.locator("#row-answer.current").wait_for()
    page.keyboard.press("Alt+a")
    page.locator("#row-answer >> text=已采用").wait_for()
    page.locator("#row-class.current").wait_for()
    page.keyboard.press("Alt+x")
    page.locator("#row-class >> text=已标为不对").wait_for()
    page.locator("#row-category.current").wait_for()
    assert page.evaluate("document.activeElement.id") == "text", "whoever types goes on typing"
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Alt+ArrowDown")
    assert "当前：科室" in page.locator("#said-status").inner_text()
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Alt+c")
    assert page.evaluate("document.activeElement.id") == "unit-value"
    page.keyboard.press("ArrowUp")
    unit = page.locator("#unit-value").input_value()
    assert unit != STATION
    page.keyboard.press("Enter")
    page.locator(f"#row-unit >> text=已改为{unit}").wait_for()
    page.locator("#row-category .accept").focus()
    page.keyboard.press("a")
    page.locator("#row-category >> text=已采用").wait_for()
    page.keyboard.press("?")
    assert page.locator("#keys").get_attribute("open") is not None
    page.keyboard.press("n")
    page.wait_for_selector("#matter")
    page.locator("#reason").focus()
    page.keyboard.type("归街道管")
    page.keyboard.press("Enter")
    page.wait_for_selector("#read-back")
    assert page.evaluate("document.activeElement.id") == "has_consent"
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_selector("#next")
    assert re.search(r"GM\d+", page.locator("main").inner_text())
    with Session(site.engine) as session:
        assert session.scalar(select(Petition.unit).where(Petition.channel == "hotline")) == unit


def test_a_word_that_is_being_composed_is_not_looked_up(open_page, site):
    page = on_a_call(open_page, **SCREEN)
    page.evaluate("window.sent = 0; document.body.addEventListener('htmx:beforeRequest', () => (window.sent += 1))")
    assert page.evaluate(COMPOSE) == 0
    page.locator("#row-answer >> text=13场").first.wait_for()
    assert page.evaluate("window.sent") == 1
    assert site.services.knowledge.asked == ["招聘会"]


def test_many_letters_are_one_question_and_a_reload_keeps_them(open_page, site):
    page = on_a_call(open_page, **SCREEN)
    page.locator("#text").press_sequentially("去年办了几场招聘会", delay=20)
    page.locator("#row-answer >> text=13场").first.wait_for()
    assert site.services.knowledge.asked == ["去年办了几场招聘会"]
    assert "报告里有回答" in page.locator("#said-status").inner_text()
    page.reload()
    assert page.locator("#text").input_value() == "去年办了几场招聘会"
    page.locator("#row-answer >> text=13场").first.wait_for()
    page.get_by_role("button", name="清空").click()
    page.wait_for_selector(".empty")
    assert page.locator("#text").input_value() == ""


def test_danger_is_told_once_and_goes_with_its_words(open_page, site):  # noqa: ARG001
    page = on_a_call(open_page, **SCREEN)
    page.evaluate(
        "window.told = 0; new MutationObserver(() => (window.told += 1))"
        ".observe(document.getElementById('danger'), {childList: true})"
    )
    type_and_wait(page, "我家煤气漏了")
    page.wait_for_selector("#danger >> text=关总阀")
    page.locator("#text").fill("我家煤气漏了，在碧眼社区，去年办了几场招聘会")
    page.locator("#row-answer >> text=13场").first.wait_for()
    assert page.evaluate("window.told") == 1
    page.locator("#text").fill("去年办了几场招聘会")
    page.locator("#danger section").wait_for(state="detached")


def test_without_script_everything_works(open_page, site):
    page = on_a_call(open_page, **SCREEN, java_script_enabled=False)
    page.locator("#text").fill(SAID)
    page.get_by_role("button", name="查看").click()
    assert "13场" in page.locator("#row-answer").inner_text()
    assert not page.locator("#file kbd").is_visible(), "keys that do nothing are not shown"
    page.locator("#class-accept").click()
    assert "已采用" in page.locator("#row-class").inner_text()
    page.locator("#file").click()
    page.get_by_role("button", name="下一步：念给来电人听").click()
    page.get_by_label("来电人听完后同意这样登记").check()
    page.get_by_role("button", name="登记", exact=True).click()
    assert page.locator("#next").is_visible()
    with Session(site.engine) as session:
        assert session.scalar(select(func.count()).select_from(Petition)) == 2


@pytest.mark.parametrize(("name", "options"), [("screen", SCREEN), ("phone", PHONE)], ids=["screen", "phone"])
def test_pictures(open_page, site, tmp_path, name, options):  # noqa: ARG001
    folder = Path(tmp_path)
    page = on_a_call(open_page, **options)
    type_and_wait(page)
    page.screenshot(path=folder / f"desk-assist-{name}.png", full_page=True)
    page.locator("#file").click()
    page.get_by_role("button", name="下一步：念给来电人听").click()
    page.wait_for_selector("#read-back")
    page.screenshot(path=folder / f"desk-assist-read-{name}.png", full_page=True)
    assert len(list(folder.glob("desk-*.png"))) == 2
