"""The desk in a real browser: login, queue, ticket, on a screen and a phone, with and without script."""

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy.orm import Session

from desk.accounts import Role
from desk.app import create_app
from petitions.cases import act
from suqiutong.database import make_engine, upgrade
from tests.integration.cases import HALL, OTHER_STATION, STATION, file_case, person, route
from tests.unit.desk.fakes import NOW, PASSWORD, desk_on

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 360, "height": 740}}
SCREEN = {"viewport": {"width": 1280, "height": 860}}


class Desk:
    """A running desk: its address and what stands behind it."""

    def __init__(self, address, services, number):
        self.address = address
        self.services = services
        self.number = number


@contextmanager
def serve(application):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(application, log_config=None, lifespan="on", ws="none", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def site(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'desk.db'}")
    upgrade(engine)
    services = desk_on(engine)
    services.now = NOW + timedelta(days=1, hours=3)
    services.add("张三", Role.OPERATOR, HALL)
    services.add("李四", Role.SUPERVISOR, HALL)
    services.add("王管理", Role.ADMIN, HALL)
    with Session(engine) as session:
        number = file_case(session, "first").number
        for place, unit in enumerate((STATION, HALL, OTHER_STATION, HALL, STATION)):
            where = replace(route(unit), priority="urgent" if place == 1 else "normal")
            petition = file_case(session, f"form-{place}", now=NOW + timedelta(hours=place * 5), where=where)
            if place in {1, 3}:
                act(session, petition.id, "accept", person("operator", HALL), {}, now=services.now)
            if place == 3:
                act(
                    session,
                    petition.id,
                    "ask_material",
                    person("operator", HALL),
                    {"reason": "请补充照片"},
                    now=services.now,
                )
            if unit == HALL and place == 1:
                number = petition.number
        session.commit()
    with serve(create_app(services)) as address:
        yield Desk(address, services, number)
    engine.dispose()


def log_in(page, name="张三"):
    page.get_by_label("姓名").fill(name)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()


def check(page):
    """No fault that axe knows, and nothing wider than the window."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("options", [SCREEN, PHONE, SCREEN | {"color_scheme": "dark"}], ids=["screen", "phone", "dark"])
def test_pages_are_accessible(open_page, site, options):
    page = open_page("/", **options)
    check(page)
    log_in(page)
    page.wait_for_selector("table.tickets")
    check(page)
    page.goto(f"{site.address}/tickets/{site.number}")
    page.wait_for_selector("#similar >> text=没有找到相似的工单")
    for summary in page.locator("summary").all():
        summary.click()
    check(page)
    page.goto(f"{site.address}/account")
    check(page)
    page.goto(f"{site.address}/account/password")
    check(page)
    page.goto(f"{site.address}/account/factor")
    check(page)


def test_the_page_of_people_is_accessible(open_page, site):  # noqa: ARG001
    page = open_page("/people", **PHONE)
    log_in(page, "王管理")
    page.wait_for_selector("ul.people")
    page.get_by_text("调整 张三").click()
    check(page)


@pytest.mark.parametrize("has_script", [True, False])
def test_a_ticket_is_accepted(open_page, site, has_script):
    page = open_page(f"/tickets/{site.number}", **SCREEN, java_script_enabled=has_script)
    log_in(page)
    assert page.url.endswith(f"/tickets/{site.number}")
    page.locator("summary", has_text="开始办理").click()
    page.get_by_role("button", name="确认开始办理").click()
    assert page.locator("#standing .state").inner_text() == "正在办理"


def test_two_people_see_each_other_and_what_the_other_does(open_page, site):
    first = open_page(f"/tickets/{site.number}", **SCREEN)
    log_in(first)
    second = open_page(f"/tickets/{site.number}", **SCREEN)
    log_in(second, "李四")
    second.get_by_text("张三也在看这张工单").wait_for()
    first.locator("summary", has_text="转办").click()
    first.get_by_label("理由").first.fill("写了一半的理由")
    second.locator("summary", has_text="开始办理").click()
    second.get_by_role("button", name="确认开始办理").click()
    # Told by the stream, well before the poll.
    first.get_by_text("这张工单刚才有更新").wait_for(timeout=8_000)
    assert first.locator("#standing .state").inner_text() == "正在办理"
    assert first.get_by_label("理由").first.input_value() == "写了一半的理由"


def test_zoom_of_200_percent_hides_nothing(open_page, site):
    page = open_page(f"/tickets/{site.number}", viewport={"width": 640, "height": 430})
    log_in(page)
    check(page)


@pytest.mark.parametrize(
    ("name", "options"),
    [("screen", SCREEN), ("phone", PHONE), ("dark", SCREEN | {"color_scheme": "dark"})],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pictures(open_page, site, tmp_path, name, options):
    folder = Path(tmp_path)
    page = open_page("/", **options)
    page.screenshot(path=folder / f"desk-login-{name}.png")
    log_in(page)
    page.wait_for_selector("table.tickets")
    page.screenshot(path=folder / f"desk-queue-{name}.png")
    page.goto(f"{site.address}/tickets/{site.number}")
    page.wait_for_selector("#similar >> text=没有找到相似的工单")
    page.screenshot(path=folder / f"desk-ticket-{name}.png", full_page=True)
    assert len(list(folder.glob("desk-*.png"))) == 3
