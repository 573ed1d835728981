"""A petition filed by form and looked up again, in a browser, with the case work itself behind it."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import select

from jurisdiction import load_jurisdiction
from petitions import act, triage
from petitions.model import Petition
from storage import begin_writing
from storage.switches import turn_off
from tests.browser.test_resident_page import PHONE
from tests.integration.cases import person

pytestmark = pytest.mark.browser


@pytest.fixture
def case_site(site, monkeypatch):
    """The site with real routing."""
    jurisdiction = load_jurisdiction()
    monkeypatch.setattr(site.services, "triage", lambda text: triage(text, jurisdiction, None))
    site.rasa.is_down = True
    return site


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_petition_end_to_end(open_page, case_site, has_scripts):
    page = open_page("/petition", java_script_enabled=has_scripts, viewport={"width": 360, "height": 740})
    page.get_by_role("button", name="下一步：核对").click()
    expect(page.get_by_role("alert")).to_contain_text("还有几处需要修改")
    page.get_by_label("您要反映什么事？").fill("楼下烧烤店每晚十点以后音响很大，\n希望有人管一管。")
    page.get_by_label("在什么地方？").fill("白花社区第二工业区3栋")
    page.get_by_label("您的姓名").fill("李女士")
    page.get_by_label("联系电话").fill("1380013")
    page.get_by_role("button", name="下一步：核对").click()
    expect(page.get_by_label("联系电话")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("在什么地方？")).to_have_value("白花社区第二工业区3栋")
    page.get_by_label("联系电话").fill("13800138000")
    page.get_by_role("button", name="下一步：核对").click()
    page.get_by_role("button", name="返回修改").click()
    expect(page.get_by_label("您要反映什么事？")).to_have_value("楼下烧烤店每晚十点以后音响很大，\n希望有人管一管。")
    page.get_by_role("button", name="下一步：核对").click()
    expect(page.locator(".rows")).to_contain_text("综合行政执法办")
    page.get_by_role("button", name="确认提交").click()
    expect(page.get_by_role("heading", name="诉求已登记")).to_be_visible()
    number, code = page.locator(".number").inner_text(), page.locator("code").inner_text()
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", code)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="查看我的诉求").click()
    page.get_by_label("工单号").fill(number)
    page.get_by_label("查询码").fill(code)
    page.get_by_role("button", name="查询").click()
    expect(page.locator(".own .rows")).to_contain_text("已收到，等待受理")
    with case_site.services.sessions() as session:
        assert session.scalars(select(Petition.number)).all() == [number]


def test_reloading_sends_again_and_files_once(open_page, case_site):
    page = open_page("/petition")
    page.get_by_label("您要反映什么事？").fill("路灯坏了好几天，晚上走路看不见")
    page.get_by_label("在什么地方？").fill("碧眼社区")
    page.get_by_label("匿名反映").check()
    page.get_by_role("button", name="下一步：核对").click()
    page.get_by_role("button", name="确认提交").click()
    code = page.locator("code").inner_text()
    page.reload()
    expect(page.get_by_text("没有重复登记")).to_be_visible()
    assert page.locator("code").inner_text() == code
    with case_site.services.sessions() as session:
        assert len(session.scalars(select(Petition.id)).all()) == 1


@pytest.mark.usefixtures("case_site")
def test_the_form_can_be_filled_by_keyboard(open_page):
    page = open_page("/petition")
    page.get_by_label("您要反映什么事？").focus()
    page.keyboard.type("路灯坏了好几天")
    page.keyboard.press("Tab")
    page.keyboard.type("碧眼社区")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="核对诉求")).to_be_visible()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.value") != "file":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="诉求已登记")).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True, False])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_my_petitions_and_their_receipts(open_page, case_site, has_scripts, scheme):
    page = open_page("/petition", java_script_enabled=has_scripts, color_scheme=scheme, **PHONE)
    page.goto(case_site.address)
    page.goto(case_site.address + "/petition")
    page.get_by_label("您要反映什么事？").fill("路灯坏了好几天，晚上走路看不见")
    page.get_by_label("在什么地方？").fill("碧眼社区")
    page.get_by_label("匿名反映").check()
    page.get_by_role("button", name="下一步：核对").click()
    page.get_by_role("button", name="确认提交").click()
    number, code = page.locator(".number").inner_text(), page.locator("code").inner_text()
    page.get_by_role("link", name="查看我的诉求").click()
    own = page.locator(".own")
    expect(own).to_have_count(1)
    expect(own).to_contain_text(number)
    own.get_by_text("办理经过").click()
    expect(own.get_by_role("listitem")).to_have_text([re.compile("已收到，等待受理")])
    for name, value in (("工单号", number), ("查询码", code)):
        page.get_by_label(name).fill(value)
    page.get_by_role("button", name="查询").click()
    expect(own).to_have_count(1)
    with page.expect_download() as saved:
        own.get_by_role("button", name="保存回执").click()
    assert saved.value.suggested_filename == f"{number}.txt"
    assert f"查询码：{code}" in saved.value.path().read_text(encoding="utf-8")
    own.get_by_role("button", name="打开回执").click()
    expect(page.get_by_role("heading", name="光明街道诉求回执")).to_be_visible()
    expect(page.locator(".rows")).to_contain_text(code)
    expect(page.get_by_role("button", name="打印")).to_have_count(1 if has_scripts else 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    if has_scripts:
        assert Axe().run(page).violations_count == 0
        page.goto(case_site.address + "/my")
        assert Axe().run(page).violations_count == 0
    page.emulate_media(media="print")
    expect(page.locator(".top nav")).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_form_that_is_switched_off_keeps_the_words_and_is_accessible(open_page, case_site, width):
    page = open_page("/petition", viewport={"width": width, "height": 740})
    page.get_by_label("您要反映什么事？").fill("楼道里一股煤气味，物业不管")
    with case_site.services.sessions() as session:
        turn_off(session, "form", reason="正在升级", by="王管理", now=case_site.services.clock(), is_public=True)
        session.commit()
    page.get_by_role("button", name="下一步：核对").click()
    expect(page.get_by_label("您写的内容没有提交")).to_have_value("楼道里一股煤气味，物业不管")
    expect(page.get_by_role("alert")).to_contain_text("可能是燃气泄漏")
    expect(page.get_by_text("正在升级")).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_reply_is_rated_where_its_progress_stands(open_page, case_site):
    page = open_page("/petition", **PHONE)
    page.goto(case_site.address)
    page.goto(case_site.address + "/petition")
    page.get_by_label("您要反映什么事？").fill("路灯坏了好几天，晚上走路看不见")
    page.get_by_label("在什么地方？").fill("碧眼社区")
    page.get_by_label("匿名反映").check()
    page.get_by_role("button", name="下一步：核对").click()
    page.get_by_role("button", name="确认提交").click()
    with case_site.services.sessions() as session:
        begin_writing(session)
        petition = session.scalars(select(Petition)).one()
        for action, fields in (("accept", {}), ("reply", {"answer": "路灯已经修好，请您再看看。"})):
            act(session, petition.id, action, person("handler", petition.unit), fields, now=case_site.services.clock())
        session.commit()
    page.goto(case_site.address + "/my")
    rate = page.locator("form.rate")
    rate.get_by_label("没有解决").check()
    for name in ("办理速度", "办理结果", "服务态度", "反馈说明"):
        rate.get_by_role("group", name=name).get_by_label("2 分").check()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    rate.get_by_role("button", name="提交评价").click()
    expect(page.get_by_role("status")).to_contain_text("谢谢您的评价")
    expect(page.locator(".own")).to_contain_text("重新办理")
    expect(page.locator("form.rate")).to_have_count(0)
