"""What reaches an open page from elsewhere: other tabs, staff, a server that comes back; and pages that forget."""

import re
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import expect
from sqlalchemy import func, select
from sqlalchemy.orm import sessionmaker

from channels.store import ChatMessage
from storage import Base
from suqiutong.database import make_engine
from tests.browser.conftest import serve
from tests.browser.test_resident_page import PHONE, QUESTION, has_no_sideways_scroll, say
from tests.unit.channels.fakes import NOW, FakeRasa, FakeServices, FakeSettings

pytestmark = pytest.mark.browser

HIDE = """
isHidden => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => isHidden});
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def say_as_staff(site, text):
    """Put words of a person into the only conversation there is."""
    with site.services.sessions() as session:
        conversation, last = session.execute(
            select(ChatMessage.conversation, func.max(ChatMessage.number)).group_by(ChatMessage.conversation)
        ).one()
        payload = {"text": text, "author": "staff"}
        session.add(
            ChatMessage(conversation=conversation, number=last + 1, kind="handoff", payload=payload, created_at=NOW)
        )
        session.commit()


def shown(page):
    return page.locator("#log .said p, #log .reply > p").all_inner_texts()


@pytest.fixture
def folder(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'page.db'}")
    Base.metadata.create_all(engine)
    yield sessionmaker(engine)
    engine.dispose()


@pytest.fixture
def open_at(chromium):
    contexts = []

    def open_at(address, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto(address)
        return page

    yield open_at
    for context in contexts:
        context.close()


def test_two_tabs_show_everything_once(open_page, site):
    first = open_page()
    second = first.context.new_page()
    second.goto(site.address)
    say(first, "一")
    expect(first.get_by_text("收到：一")).to_be_visible()
    second.evaluate(HIDE, True)
    second.evaluate(HIDE, False)
    expect(second.get_by_text("收到：一")).to_be_visible()
    for page, text in ((second, "二"), (first, "三"), (second, "四")):
        say(page, text)
        expect(page.get_by_text(f"收到：{text}")).to_be_visible()
    both = [line for text in "一二三四" for line in (text, f"收到：{text}")]
    for page in (first, second):
        expect(page.get_by_text("收到：四")).to_be_visible()
        assert shown(page) == both
        assert page.locator("[data-number]").count() == 8


def test_a_button_pressed_in_one_tab_is_gone_in_the_other(open_page, site):
    first = open_page()
    say(first, QUESTION)
    expect(first.locator("#log .buttons")).to_have_count(1)
    second = first.context.new_page()
    second.goto(site.address)
    expect(second.locator("#log .buttons")).to_have_count(1)
    first.get_by_role("button", name="达成多少就业意向？").click()
    expect(second.get_by_text("收到：招聘会达成了多少就业意向？")).to_be_visible()
    expect(second.locator("#log .buttons")).to_have_count(0)


def test_words_of_a_person_arrive_and_count_as_unread_while_nobody_looks(open_page, site):
    page = open_page(**PHONE)
    say(page, "转人工")
    expect(page.get_by_text("收到：转人工")).to_be_visible()
    title = page.title()
    say_as_staff(site, "您好，我来处理")
    expect(page.locator(".reply.staff")).to_contain_text("工作人员：")
    expect(page.get_by_role("status").filter(has_text="收到新消息")).to_have_count(1)
    assert page.title() == title
    assert Axe().run(page).violations_count == 0
    assert has_no_sideways_scroll(page)
    page.clock.install()
    page.evaluate(HIDE, True)
    say_as_staff(site, "请问您在哪个小区？")
    page.clock.fast_forward(31_000)
    expect(page).to_have_title(f"(1) {title}")
    page.evaluate(HIDE, False)
    expect(page).to_have_title(title)


def test_where_streams_are_cut_the_page_asks_instead(open_page, site):
    page = open_page()
    page.route("**/chat/events*", lambda route: route.abort())
    say(page, "一")
    expect(page.get_by_text("收到：一")).to_be_visible()
    say_as_staff(site, "您好，我来处理")
    expect(page.get_by_text("您好，我来处理")).to_be_visible(timeout=20_000)


def test_a_server_that_restarts_loses_nothing(folder, open_at):
    rasa = FakeRasa()
    services = FakeServices(sessions=folder)
    with serve(services, rasa) as site:
        page = open_at(site.address)
        say(page, "一")
        expect(page.get_by_text("收到：一")).to_be_visible()
        port = int(site.address.rsplit(":", 1)[1])
    page.get_by_label("输入您的问题或诉求").fill("二")
    page.keyboard.press("Enter")
    with serve(services, rasa, port) as site:
        expect(page.get_by_text("收到：二")).to_be_visible()
        say_as_staff(site, "您好，我来处理")
        expect(page.get_by_text("您好，我来处理")).to_be_visible(timeout=20_000)
        assert shown(page) == ["一", "收到：一", "二", "收到：二", "您好，我来处理"]
        assert rasa.messages == ["一", "二"]
        page.reload()
        assert shown(page) == ["一", "收到：一", "二", "收到：二", "您好，我来处理"]


def test_a_page_whose_conversation_has_ended_begins_another(open_page, site):
    page = open_page()
    for text in "一二":
        say(page, text)
        expect(page.get_by_text(f"收到：{text}")).to_be_visible()
    page.context.clear_cookies()
    for text in "三四":
        say(page, text)
        expect(page.get_by_text(f"收到：{text}")).to_be_visible()
    assert shown(page) == [line for text in "一二三四" for line in (text, f"收到：{text}")]
    assert len({sender for sender, message in site.rasa.received if message in "一二三四"}) == 2
    page.reload()
    assert shown(page) == [line for text in "三四" for line in (text, f"收到：{text}")]


def test_by_keyboard_alone_from_the_start_to_a_filed_petition(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("核对")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="确认提交")).to_be_visible()
    for _ in range(6):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.textContent") == "确认提交":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="诉求已登记")).to_be_visible()
    expect(page.locator("#text")).to_be_focused()
    assert shown(page)[2] == "确认提交"


def test_a_used_button_is_refused_kindly(open_page):
    page = open_page()
    say(page, QUESTION)
    button = page.get_by_role("button", name="达成多少就业意向？")
    offer = button.get_attribute("value")
    button.click()
    expect(page.get_by_text("收到：招聘会达成了多少就业意向？")).to_be_visible()
    page.evaluate(
        """offer => {
          const button = document.createElement("button");
          Object.assign(button, {name: "offer", value: offer, textContent: "旧选项"});
          button.setAttribute("form", "say");
          button.dataset.said = "旧选项";
          document.getElementById("log").append(button);
        }""",
        offer,
    )
    page.get_by_role("button", name="旧选项").click()
    expect(page.get_by_role("alert")).to_contain_text("请用最新的选项")
    expect(page.locator(".said")).to_have_count(2)


def test_a_kiosk_counts_down_and_forgets(open_page, site):
    page = open_page("/?kiosk=1", **PHONE)
    page.clock.install()
    page.reload()
    say(page, "秘密的话")
    expect(page.get_by_text("收到：秘密的话")).to_be_visible()
    assert Axe().run(page).violations_count == 0
    assert has_no_sideways_scroll(page)
    page.clock.run_for(130_000)
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"\d+ 秒后将结束并清除"))
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name="继续使用").click()
    page.clock.run_for(1_000)
    expect(page.get_by_role("timer")).to_be_hidden()
    page.clock.run_for(181_000)
    expect(page.get_by_text("可以这样问")).to_be_visible()
    expect(page.get_by_text("秘密的话")).to_have_count(0)
    say(page, "别人的话")
    expect(page.get_by_text("收到：别人的话")).to_be_visible()
    senders = {sender for sender, message in site.rasa.received if message in {"秘密的话", "别人的话"}}
    assert len(senders) == 2
    page.get_by_role("button", name="结束并清除").click()
    expect(page.get_by_text("可以这样问")).to_be_visible()


class Host(BaseHTTPRequestHandler):
    """A page of another site with ours in a frame."""

    frame = ""

    def do_GET(self):
        body = f'<!doctype html><title>host</title><iframe title="诉求通" src="{self.frame}"></iframe>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


@contextmanager
def host():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def certificate(tmp_path):
    """Files of a key and of what it signs for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    )
    kept = tmp_path / "certificate.pem", tmp_path / "key.pem"
    kept[0].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    kept[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return {"ssl_certfile": str(kept[0]), "ssl_keyfile": str(kept[1])}


def say_in(frame, text):
    frame.get_by_label("输入您的问题或诉求").fill(text)
    frame.get_by_role("button", name="发送").click()
    expect(frame.get_by_text(f"收到：{text}")).to_be_visible()


# Without HTTPS the browser keeps no cookie of a frame.
@pytest.mark.parametrize("has_cookie", [True, False])
def test_the_frame_of_a_named_site_holds_a_conversation(folder, open_at, certificate, has_cookie):
    with host() as other:
        services = FakeServices(sessions=folder, settings=FakeSettings(embed_origins=other))
        with serve(services, FakeRasa(), **(certificate if has_cookie else {})) as site:
            Host.frame = site.address + "/embed"
            page = open_at(other, ignore_https_errors=True)
            frame = page.frame_locator("iframe")
            say_in(frame, "一")
            say_in(frame, "二")
            say_as_staff(site, "您好，我来处理")
            expect(frame.get_by_text("您好，我来处理")).to_be_visible(timeout=20_000)
            if has_cookie:
                page.reload()
                expect(frame.get_by_text("收到：二")).to_be_visible()
                assert [cookie["partitionKey"] for cookie in page.context.cookies()] == ["http://localhost"]
            # Connections over TLS must not outlive the server.
            page.context.close()


def test_the_frame_of_another_site_stays_empty(folder, open_at):
    with host() as other:
        services = FakeServices(sessions=folder, settings=FakeSettings(embed_origins="https://elsewhere.test"))
        with serve(services, FakeRasa()) as site:
            Host.frame = site.address + "/embed"
            page = open_at(other)
            expect(page.locator("iframe")).to_be_visible()
            expect(page.frame_locator("iframe").locator("#text")).to_have_count(0)
