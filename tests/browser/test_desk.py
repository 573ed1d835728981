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
from petitions.images import redraw
from petitions.listing import get_petition
from petitions.log import SYSTEM
from petitions.photos import add_photo, expect_photo, take_photos
from storage import begin_writing
from suqiutong.database import make_engine, upgrade
from tests.integration.cases import HALL, KEYRING, OTHER_STATION, STATION, file_case, person, route
from tests.photos import photo
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
    assert page.locator("#standing .state").inner_text() == "在办"


def test_two_people_see_each_other_and_what_the_other_does(open_page, site):
    first = open_page(f"/tickets/{site.number}", **SCREEN)
    log_in(first)
    second = open_page(f"/tickets/{site.number}", **SCREEN)
    log_in(second, "李四")
    second.get_by_text("张三正在查看").wait_for()
    first.locator("summary", has_text="转办").click()
    first.get_by_label("理由").first.fill("写了一半的理由")
    second.locator("summary", has_text="开始办理").click()
    second.get_by_role("button", name="确认开始办理").click()
    # Told by the stream, well before the poll.
    first.get_by_text("这张工单刚才有更新").wait_for(timeout=8_000)
    assert first.locator("#standing .state").inner_text() == "在办"
    assert first.get_by_label("理由").first.input_value() == "写了一半的理由"


def test_a_stale_form_of_two_people_shows_both_versions_and_loses_nothing(open_page, site):
    first = open_page(f"/tickets/{site.number}", **SCREEN)
    log_in(first)
    second = open_page(f"/tickets/{site.number}", **SCREEN, java_script_enabled=False)
    log_in(second, "李四")
    second.locator("summary", has_text="转办").click()
    second.locator("#transfer-unit").select_option(STATION)
    second.locator("#transfer-reason").fill("属于碧眼社区，已电话确认")
    first.locator("summary", has_text="开始办理").click()
    first.get_by_role("button", name="确认开始办理").click()
    first.locator("#standing .state", has_text="在办").wait_for()
    second.get_by_role("button", name="确认转办").click()
    stale = second.locator("section.stale")
    assert "状态：已受理" in stale.inner_text()
    assert "状态：在办" in stale.inner_text()
    assert "开始办理" in stale.inner_text(), "what happened meanwhile"
    assert "张三" in stale.inner_text()
    assert second.locator("#transfer-reason").input_value() == "属于碧眼社区，已电话确认"
    assert second.locator("#transfer-unit").input_value() == STATION
    second.get_by_role("button", name="确认转办").click()
    assert second.locator("#standing .state").inner_text() == "待对方接收"
    assert "属于碧眼社区，已电话确认" in second.locator("#history").inner_text()


@pytest.mark.parametrize("options", [SCREEN, PHONE, SCREEN | {"color_scheme": "dark"}], ids=["screen", "phone", "dark"])
def test_pages_of_the_review_are_accessible(open_page, site, options):
    site.services.alike = [{"number": "GM26030200000001", "title": "楼下垃圾没人清", "score": 0.9, "state": "received"}]
    page = open_page("/tickets?q=%E5%9E%83%E5%9C%BE&unit=&since=2026-03-01", **options)
    log_in(page)
    page.get_by_text("更多条件").click()
    page.get_by_text("管理我的列表").click()
    page.get_by_label("给现在的条件起个名字").fill("垃圾")
    page.get_by_role("button", name="保存为我的列表").click()
    page.get_by_text("管理我的列表").click()
    check(page)
    page.locator('input[name="ticket"]').first.check(force=True)
    page.get_by_label("办理什么").select_option(label="备注")
    page.get_by_label("备注内容").fill("已电话联系")
    page.get_by_role("button", name="办理选中的工单").click()
    page.get_by_text("批量办理结果").first.wait_for()
    check(page)
    page.goto(f"{site.address}/tickets/{site.number}/merge?q=%E5%9E%83%E5%9C%BE")
    check(page)
    page.goto(f"{site.address}/tickets/{site.number}?draft=done")
    page.get_by_role("button", name="先核对").click()
    page.locator("#check").wait_for()
    check(page)
    page.locator("summary", has_text="拆单").click()
    page.get_by_label("拆出的诉求").fill("停车费涨价没有公示")
    page.get_by_label("诉求人怎样同意拆开的").fill("电话里同意")
    page.get_by_role("button", name="确认拆单").click()
    page.get_by_text("查询码").wait_for()
    check(page)


def test_what_is_chosen_in_a_list_stays_while_the_list_is_fresh(open_page):
    page = open_page("/tickets", **SCREEN)
    log_in(page)
    page.locator('input[name="ticket"]').first.check()
    page.evaluate("htmx.trigger(document.body, 'tickets')")
    page.wait_for_timeout(300)
    assert page.locator('input[name="ticket"]').first.is_checked()


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
    page.goto(f"{site.address}/tickets/{site.number}?draft=done")
    page.get_by_role("button", name="先核对").click()
    page.locator("#check").wait_for()
    page.locator("section.actions").screenshot(path=folder / f"desk-reply-{name}.png")
    page.goto(f"{site.address}/tickets/{site.number}/merge?q=%E5%9E%83%E5%9C%BE")
    page.screenshot(path=folder / f"desk-merge-{name}.png")
    assert len(list(folder.glob("desk-*.png"))) == 5


@pytest.mark.parametrize("options", [SCREEN, PHONE], ids=["screen", "phone"])
def test_the_photos_of_a_ticket_are_seen_and_opened(open_page, site, options):
    with site.services.sessions() as session:
        begin_writing(session)
        petition = get_petition(session, site.number, SYSTEM)
        for colour in ("teal", "navy"):
            add_photo(session, KEYRING, "owner", redraw(photo(colour, size=(640, 480))), now=NOW)
        expect_photo(session, "owner", expires_at=NOW + timedelta(days=3), now=NOW)
        take_photos(session, "owner", petition)
        session.commit()
    page = open_page(f"/tickets/{site.number}", **options)
    log_in(page)
    image = page.get_by_alt_text("第 2 张照片，共 3 张")
    image.scroll_into_view_if_needed()
    page.wait_for_function("image => image.naturalWidth > 0", arg=image.element_handle())
    check(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="看大图").nth(1).click()
    opened.value.wait_for_load_state()
    assert opened.value.url.endswith("/photos/2")
