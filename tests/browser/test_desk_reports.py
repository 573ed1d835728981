"""The pages of figures in a real browser: charts under the strict policy, tables without script, paper, phone, dark."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from channels.store import AssistantShare
from desk.accounts import Role
from desk.app import create_app
from suqiutong.database import make_engine, upgrade
from tests.browser.test_desk import PHONE, SCREEN, Desk, check, log_in, serve
from tests.integration.cases import (
    ACCEPTED,
    HALL,
    OTHER_STATION,
    REFUSED,
    STATION,
    file_case,
    person,
    route,
    step,
)
from tests.unit.desk.fakes import NOW, desk_on

pytestmark = pytest.mark.browser
A4 = {"width": 700, "height": 990}


@pytest.fixture
def site(tmp_path):
    """A desk with a month of petitions, some of them answered, in three units."""
    engine = make_engine(f"sqlite:///{tmp_path / 'desk.db'}")
    upgrade(engine)
    services = desk_on(engine)
    services.now = NOW + timedelta(days=20)
    services.is_demo = True
    services.share = AssistantShare(
        40, 25, 9, {"answer": 60, "no_answer": 12, "refusal": 3}, {"helpful": 7, "unhelpful": 2}
    )
    for name, role in (("李四", Role.SUPERVISOR), ("王管理", Role.ADMIN)):
        services.add(name, role, HALL)
    with Session(engine, expire_on_commit=False) as session:
        for place in range(12):
            unit = (STATION, OTHER_STATION, HALL)[place % 3]
            where = replace(route(unit), community=("碧眼", "白花", None)[place % 3])
            at = NOW + timedelta(days=place)
            petition = file_case(session, f"form-{place}", now=at, where=where, channel=("chat", "form")[place % 2])
            if place % 4:
                step(session, petition, "accept", person("handler", unit), now=at + timedelta(hours=1))
                step(session, petition, "reply", person("handler", unit), now=at + timedelta(days=2), answer="已处理")
                marks = REFUSED if place == 5 else ACCEPTED
                step(session, petition, "follow_up", now=at + timedelta(days=3), **marks)
        session.commit()
    with serve(create_app(services)) as address:
        yield Desk(address, services, "")
    engine.dispose()


def is_drawn(page, name):
    """Whether something was painted on the canvas of a chart."""
    return page.evaluate(
        """(name) => {
            const canvas = document.querySelector(`#${name} canvas`);
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return pixels.some((value) => value !== 0);
        }""",
        name,
    )


@pytest.mark.parametrize("options", [SCREEN, PHONE, SCREEN | {"color_scheme": "dark"}], ids=["screen", "phone", "dark"])
def test_reports_are_accessible_and_charts_are_drawn_under_the_policy(open_page, site, options):
    page = open_page("/reports?period=month", **options)
    log_in(page, "李四")
    for name in ("volume", "states", "categories", "communities", "units", "assistant", "answers"):
        page.wait_for_selector(f"#{name} canvas")
        assert is_drawn(page, name), name
    page.hover("#volume canvas")
    check(page)
    for path in ("/reports/behind/solution?period=month", "/reports/year/2026", "/reports?since=2020-01-01&until=x"):
        page.goto(site.address + path)
        check(page)


def test_a_figure_leads_to_its_tickets_and_a_topic_to_what_is_in_it(open_page, site):
    page = open_page("/reports?period=month", **SCREEN)
    log_in(page, "李四")
    page.locator("#categories").get_by_role("link", name="城乡建设").click()
    page.get_by_text("城市建设和市政管理 / 环境卫生").first.wait_for()
    page.locator(".figure", has_text="解决率").get_by_role("link").click()
    page.get_by_text("没有达到：1 件").wait_for()
    page.locator("table.tickets a").first.click()
    assert "/tickets/GM" in page.url
    assert site.address in page.url


def test_without_script_the_tables_say_it_all(open_page, site):  # noqa: ARG001
    page = open_page("/reports?period=month", **SCREEN, java_script_enabled=False)
    log_in(page, "李四")
    assert page.locator("table[data-chart]").count() >= 6
    assert page.locator("canvas").count() == 0
    with page.expect_download() as leaving:
        page.locator("#states").get_by_role("link", name="导出 CSV").click()
    assert leaving.value.suggested_filename.startswith("states-")


def test_an_administrator_reads_the_log_and_looks_after_people(open_page, site):
    page = open_page("/people", **PHONE)
    log_in(page, "王管理")
    page.get_by_text("登录的设备：1 个").first.click()
    check(page)
    page.get_by_label("姓名").fill("新来的")
    page.locator("#new-unit").select_option(STATION)
    page.get_by_role("button", name="添加").click()
    page.get_by_text("初始密码").wait_for()
    page.goto(f"{site.address}/audit")
    page.get_by_role("cell", name="添加人员").wait_for()
    check(page)


def test_zoom_of_200_percent_hides_nothing(open_page, site):  # noqa: ARG001
    page = open_page("/reports?period=month", viewport={"width": 640, "height": 430})
    log_in(page, "李四")
    check(page)


@pytest.mark.parametrize("path", ["/reports?period=month", "/reports/year/2026"])
def test_on_paper_nothing_is_cut_off(open_page, site, path):  # noqa: ARG001
    page = open_page(path, viewport=A4)
    log_in(page, "李四")
    page.emulate_media(media="print")
    assert not page.locator(".top").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    overlapping = page.evaluate(
        """() => [...document.querySelectorAll(".chart")].filter((chart) =>
            chart.querySelector("canvas").getBoundingClientRect().bottom >
            chart.nextElementSibling.getBoundingClientRect().top + 1).length"""
    )
    assert overlapping == 0


def test_pictures(open_page, site, tmp_path):
    page = open_page("/reports?period=month", **SCREEN)
    log_in(page, "李四")
    page.wait_for_selector("#answers canvas")
    page.screenshot(path=Path(tmp_path) / "desk-reports.png", full_page=True)
    page.goto(f"{site.address}/reports/year/2026")
    page.screenshot(path=Path(tmp_path) / "desk-year.png", full_page=True)
    assert len(list(Path(tmp_path).glob("desk-*.png"))) == 2
