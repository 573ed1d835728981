"""A hand-over seen from both sides in a real browser: the resident's page, and the desk that takes it."""

from datetime import datetime
from pathlib import Path

import pytest

from channels.app import create_app as create_site
from desk.accounts import Role
from desk.app import create_app as create_desk
from petitions.clocks import SHANGHAI
from suqiutong.database import make_engine, upgrade
from tests.browser.test_desk import PHONE, SCREEN, check, log_in, serve
from tests.integration.cases import HALL
from tests.unit.channels.fakes import FakeRasa, FakeServices
from tests.unit.desk.fakes import desk_on

pytestmark = pytest.mark.browser
SAID = "碧眼社区工地昨晚十点还在施工，太吵了，我叫陈大文，电话13800138000"


class Sides:
    """The page of residents and the desk on one database, as in the product."""

    def __init__(self, engine):
        self.desk = desk_on(engine)
        self.desk.now = datetime(2026, 11, 26, 10, 0, tzinfo=SHANGHAI)
        self.desk.add("张三", Role.OPERATOR, HALL)
        self.desk.add("李四", Role.SUPERVISOR, HALL)
        self.rasa = FakeRasa()
        self.rasa.replies |= {
            "转人工": [{"kind": "handoff", "text": "人工服务请拨 12345"}],
            SAID: [{"kind": "no_answer", "text": "这一点报告里没有写明。"}],
        }
        self.web = FakeServices(sessions=self.desk.sessions)
        self.web.clock = self.desk.clock


@pytest.fixture
def sides(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'sides.db'}")
    upgrade(engine)
    sides = Sides(engine)
    with (
        serve(create_site(sides.web, rasa_transport=sides.rasa.transport)) as web,
        serve(create_desk(sides.desk)) as desk,
    ):
        sides.web_address, sides.desk_address = web, desk
        yield sides
    engine.dispose()


@pytest.fixture
def open_side(chromium):
    contexts, problems = [], []

    def open_side(address, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        page.goto(address)
        return page

    yield open_side
    for context in contexts:
        context.close()
    assert problems == []


def say(page, text):
    page.locator("#text").fill(text)
    page.locator("#send").click()


def a_call(sides, open_side, **options):
    """A resident who has asked for a person."""
    resident = open_side(sides.web_address, **options)
    say(resident, SAID)
    resident.get_by_text("这一点报告里没有写明").wait_for()
    say(resident, "转人工")
    resident.get_by_text("正在为您呼叫工作人员，您排在第 1 位。").first.wait_for()
    return resident


def test_a_hand_over_from_both_sides(sides, open_side):
    operator = open_side(f"{sides.desk_address}/conversations", **SCREEN)
    log_in(operator)
    operator.get_by_text("现在没有人在等").wait_for()
    colleague = open_side(f"{sides.desk_address}/conversations", **SCREEN)
    log_in(colleague, "李四")
    resident = a_call(sides, open_side, **PHONE)
    # Told by the stream, well before the poll.
    operator.get_by_role("button", name="接管").first.wait_for(timeout=8_000)
    operator.locator('[id^="take-"]').click()
    operator.get_by_text("您正在接待").wait_for()
    assert "13800138000" in operator.locator("#lines").inner_text()
    colleague.locator("#held-title + .scroll").get_by_text("张三").wait_for()
    resident.get_by_text("工作人员正在和您对话").wait_for()
    # Both sides see who types.
    operator.locator("#text").press_sequentially("您好，请问")
    resident.get_by_text("工作人员正在输入").wait_for()
    resident.locator("#text").press_sequentially("是")
    operator.get_by_text("居民正在输入").wait_for(timeout=8_000)
    operator.locator("#text").fill("您好，请问是哪个工地？")
    operator.locator("#text").press("Enter")
    operator.locator("#lines").get_by_text("请问是哪个工地").wait_for()
    heard = len(sides.rasa.messages)
    say(resident, "是学校旁边那个")
    operator.locator("#lines").get_by_text("是学校旁边那个").wait_for(timeout=8_000)
    assert len(sides.rasa.messages) == heard
    resident.reload()
    resident.get_by_text("请问是哪个工地？").wait_for()
    assert resident.locator(".reply", has_text="请问是哪个工地").inner_text().startswith("工作人员：")
    assert "已送达工作人员" in resident.locator("#log").inner_text()
    operator.get_by_label("交接备注").fill("已请社区去看")
    operator.get_by_role("button", name="交还助手").click()
    operator.get_by_text("已请社区去看").wait_for()
    say(resident, "谢谢")
    resident.get_by_text("收到：谢谢").wait_for()
    assert sides.rasa.messages[-1] == "谢谢"


def test_what_is_being_written_stays_while_the_talk_goes_on(sides, open_side):
    resident = a_call(sides, open_side, **PHONE)
    operator = open_side(f"{sides.desk_address}/conversations", **SCREEN)
    log_in(operator)
    operator.locator('[id^="take-"]').click()
    resident.get_by_text("工作人员正在和您对话").wait_for()
    operator.locator("#text").fill("写了一半")
    say(resident, "还有一件事")
    operator.locator("#lines").get_by_text("还有一件事").wait_for(timeout=8_000)
    assert operator.locator("#text").input_value() == "写了一半"


def test_without_script_the_desk_works_by_forms(sides, open_side):
    a_call(sides, open_side, **PHONE)
    operator = open_side(f"{sides.desk_address}/conversations", **SCREEN, java_script_enabled=False)
    log_in(operator)
    operator.locator('[id^="take-"]').click()
    operator.locator("#text").fill("您好")
    operator.get_by_role("button", name="发送").click()
    assert "您好" in operator.locator("#lines").inner_text()
    operator.get_by_role("button", name="登记成工单").click()
    assert operator.locator("#standing .state").inner_text() == "已登记成工单"


@pytest.mark.parametrize(
    ("name", "options"),
    [("screen", SCREEN), ("phone", PHONE), ("dark", SCREEN | {"color_scheme": "dark"})],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pages_are_accessible_and_have_their_pictures(sides, open_side, tmp_path, name, options):
    folder = Path(tmp_path)
    resident = a_call(sides, open_side, **options)
    check(resident)
    other = open_side(sides.web_address, **options)
    say(other, "我不想活了")
    other.get_by_text("请拨打12356").wait_for()
    quiet = open_side(sides.web_address, **options)
    say(quiet, "去年办了几场招聘会？")
    quiet.locator(".reply").first.wait_for()
    operator = open_side(f"{sides.desk_address}/conversations", **options)
    log_in(operator)
    operator.locator('[id^="take-"]').first.wait_for()
    check(operator)
    operator.screenshot(path=folder / f"desk-conversations-{name}.png", full_page=True)
    operator.locator("#waiting-title + .scroll tr", has_text="居民要求人工").get_by_role("button").click()
    operator.locator("#text").fill("您好，工地夜间施工的许可我帮您查一下，请问是哪个工地？")
    operator.get_by_role("button", name="发送").click()
    operator.locator("#lines").get_by_text("请问是哪个工地").wait_for()
    check(operator)
    operator.screenshot(path=folder / f"desk-conversation-{name}.png", full_page=True)
    resident.reload()
    resident.get_by_text("请问是哪个工地").wait_for()
    resident.get_by_text("工作人员正在和您对话").wait_for()
    check(resident)
    resident.screenshot(path=folder / f"chat-person-{name}.png")
    assert len(list(folder.glob("*.png"))) == 3
