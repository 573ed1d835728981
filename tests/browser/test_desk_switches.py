"""The page of the kill switches in a real browser, and the banner on every other page."""

from datetime import timedelta
from pathlib import Path

import pytest

from desk.accounts import Role
from desk.app import create_app
from storage.switches import turn_off
from suqiutong.database import make_engine, upgrade
from tests.browser.test_desk import PHONE, SCREEN, Desk, check, log_in, serve
from tests.integration.cases import HALL
from tests.unit.desk.fakes import NOW, desk_on

pytestmark = pytest.mark.browser
WHY = "报告更正了两处数字，等新版入库"


@pytest.fixture
def site(tmp_path):
    """A desk with one switch off until the evening."""
    engine = make_engine(f"sqlite:///{tmp_path / 'desk.db'}")
    upgrade(engine)
    services = desk_on(engine)
    for name, role in (("王管理", Role.ADMIN), ("李四", Role.SUPERVISOR), ("张三", Role.OPERATOR)):
        services.add(name, role, HALL)
    with services.sessions() as session:
        turn_off(session, "answers", reason=WHY, by="王管理", now=NOW, until=NOW + timedelta(hours=8))
        session.commit()
    with serve(create_app(services)) as address:
        yield Desk(address, services, "")
    engine.dispose()


@pytest.mark.parametrize("options", [SCREEN, PHONE, SCREEN | {"color_scheme": "dark"}], ids=["screen", "phone", "dark"])
@pytest.mark.parametrize("name", ["王管理", "李四"])
def test_switches_are_accessible(open_page, site, name, options):  # noqa: ARG001
    page = open_page("/switches", **options)
    log_in(page, name)
    page.get_by_role("heading", name="网上对话").wait_for()
    for summary in page.locator("summary").all():
        summary.click()
    check(page)
    assert page.get_by_role("button", name="恢复自动问答").count() == (1 if name == "王管理" else 0)


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "plain"])
def test_a_channel_is_turned_off_and_on_with_the_banner_everywhere(open_page, site, has_script):
    page = open_page("/switches", **SCREEN, java_script_enabled=has_script)
    log_in(page, "王管理")
    page.locator("summary", has_text="网上对话").click()
    page.locator("#reason-chat").fill("服务器搬家")
    page.locator("#until-chat").fill("2026-03-02T18:30")
    page.get_by_role("button", name="关闭网上对话").click()
    page.get_by_text("2026-03-02 18:30 自动恢复").first.wait_for()
    page.goto(f"{site.address}/people")
    banner = page.locator("aside.off")
    assert banner.inner_text().startswith("现在关闭：网上对话、自动问答。")
    banner.get_by_role("link", name="查看开关").click()
    page.get_by_role("button", name="恢复网上对话").click()
    page.get_by_text("现在关闭：自动问答。").wait_for()
    page.get_by_role("button", name="恢复自动问答").click()
    page.get_by_role("cell", name="服务器搬家").wait_for()
    assert page.locator("aside.off").count() == 0


def test_who_may_not_look_sees_the_banner_alone(open_page, site):  # noqa: ARG001
    page = open_page("/tickets", **PHONE)
    log_in(page, "张三")
    page.get_by_text("现在关闭：自动问答。").wait_for()
    assert page.get_by_role("link", name="查看开关").count() == 0
    check(page)


def test_pictures(open_page, site, tmp_path):  # noqa: ARG001
    for name, options in (("desk-switches", SCREEN), ("desk-switches-phone", PHONE)):
        page = open_page("/switches", **options)
        log_in(page, "王管理")
        page.get_by_role("heading", name="网上对话").wait_for()
        page.screenshot(path=Path(tmp_path) / f"{name}.png", full_page=True)
    assert len(list(Path(tmp_path).glob("*.png"))) == 2
