"""What a resident does on the page: with a mouse, a keyboard, a phone, an input method, and without scripts."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.unit.channels.fakes import CODE

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
QUESTION = "去年办了几场招聘会？"
SELECTORS_OF_TEXT = [
    *("body", ".brand small", "nav a", ".plain", ".welcome > p", ".privacy", ".action", ".buttons button"),
    *(".said p", ".reply p", ".facts dt", ".facts strong", ".facts small", "mark", "figcaption", "summary"),
    *(".rating span", ".rating button"),
    *(".rows dt", ".code p", ".danger p", ".danger h2", ".danger .call"),
]
# Relative luminance and contrast of two colours. Source: WCAG 2.2, 1.4.3.
CONTRAST = """
element => {
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = element;
  while (behind && parse(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(c => light(parse(c)));
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
"""


def say(page, text):
    page.get_by_label("输入您的问题或诉求").fill(text)
    page.get_by_role("button", name="发送").click()


def has_no_sideways_scroll(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_cited_answer_unfolds(open_page):
    page = open_page()
    say(page, QUESTION)
    quote = page.locator("blockquote")
    expect(quote).to_be_hidden()
    page.get_by_text("查看原文出处（1 处）").click()
    expect(quote).to_be_visible()
    expect(quote.locator("mark")).to_have_text(["23", "8,412"])
    expect(page.locator("figcaption")).to_have_text("年度工作报告 · 三、民生保障")
    expect(page.locator(".facts")).to_contain_text("23 场")


@pytest.mark.parametrize("has_script", [True, False])
def test_an_answer_is_rated_and_the_rating_changed(open_page, has_script):
    page = open_page(**PHONE, java_script_enabled=has_script)
    say(page, QUESTION)
    yes, no = page.get_by_role("button", name="有帮助"), page.get_by_role("button", name="没帮助")
    for pressed, other in ((no, yes), (yes, no)):
        pressed.click()
        expect(pressed).to_have_attribute("aria-pressed", "true")
        expect(other).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".rating")).to_contain_text("谢谢您的评价")
    say(page, "你好")
    expect(page.get_by_text("收到：你好")).to_be_visible()
    expect(page.locator(".rating")).to_have_count(1)
    if has_script:
        assert Axe().run(page).violations_count == 0
    page.reload()
    expect(yes).to_have_attribute("aria-pressed", "true")
    assert has_no_sideways_scroll(page)


def test_pressing_a_button_sends_it_once_and_removes_the_choices(open_page, site):
    page = open_page()
    page.get_by_role("button", name=QUESTION).click()
    page.get_by_role("button", name="达成多少就业意向？").click()
    expect(page.get_by_text("收到：招聘会达成了多少就业意向？")).to_be_visible()
    expect(page.locator(".buttons")).to_have_count(0)
    assert site.rasa.messages == [QUESTION, "招聘会达成了多少就业意向？"]


def test_the_keyboard_alone_suffices(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到输入框")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    expect(page.locator(".sources")).to_be_visible()
    expect(page.locator("#text")).to_be_focused()
    expect(page.locator("#text")).to_have_value("")
    for _ in range(10):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    expect(page.locator("blockquote")).to_be_visible()


def test_every_control_can_be_reached_by_keyboard(open_page):
    page = open_page()
    say(page, QUESTION)
    expect(page.locator(".sources")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))
    for name in (
        "填诉求表",
        "我的诉求",
        "大字",
        "查看原文出处（1 处）",
        "达成多少就业意向？",
        "text",
        "发送",
        "清除对话",
    ):
        assert name in reached


def test_enter_while_composing_sends_nothing(open_page, site):
    page = open_page()
    field = page.locator("#text")
    field.fill("zhaopinhui")
    field.evaluate(
        """field => {
          const press = (init) => field.dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true, ...init}));
          field.dispatchEvent(new CompositionEvent("compositionstart", {bubbles: true}));
          press({isComposing: true});
          field.dispatchEvent(new CompositionEvent("compositionend", {bubbles: true}));
          press({keyCode: 229});
        }"""
    )
    expect(page.locator(".said")).to_have_count(0)
    field.press("Enter")
    expect(page.locator(".said")).to_have_count(1)
    expect(page.locator(".reply")).to_have_count(1)
    assert site.rasa.messages == ["zhaopinhui"]


def test_characters_are_counted_from_four_fifths_of_the_limit(open_page):
    page = open_page()
    text, count = page.locator("#text"), page.locator("#count")
    text.fill("长" * 1599)
    expect(count).to_be_empty()
    text.fill("长" * 1600)
    expect(count).to_have_text("1600 / 2000 字")
    text.fill("👍" * 2001)
    expect(count).to_have_class("over")
    expect(count).to_have_text("2001 / 2000 字")


def test_without_javascript_the_page_is_a_plain_form(open_page):
    page = open_page(java_script_enabled=False)
    page.get_by_role("button", name=QUESTION).click()
    assert page.url.endswith("/#latest")
    page.locator(".sources summary").click()
    expect(page.locator("blockquote mark").first).to_have_text("23")
    page.get_by_role("button", name="达成多少就业意向？").click()
    expect(page.get_by_text("收到：招聘会达成了多少就业意向？")).to_be_visible()
    say(page, "第二个问题")
    expect(page.get_by_text("收到：第二个问题")).to_be_visible()
    page.get_by_role("button", name="清除对话").click()
    expect(page.get_by_text("第二个问题")).to_have_count(0)


def test_without_javascript_a_failure_keeps_what_was_typed(open_page, site):
    page = open_page(java_script_enabled=False)
    site.rasa.is_down = True
    say(page, "我要说的话")
    expect(page.locator("#text")).to_have_value("我要说的话")
    expect(page.get_by_role("alert")).to_contain_text("诉求表")


def test_an_error_keeps_what_was_typed_and_a_repeat_succeeds(open_page, site):
    page = open_page()
    site.rasa.is_down = True
    say(page, "我要说的话")
    expect(page.get_by_role("alert")).to_contain_text("智能助手暂时无法回答")
    expect(page.locator("#text")).to_have_value("我要说的话")
    expect(page.locator(".said")).to_have_count(0)
    site.rasa.is_down = False
    page.keyboard.press("Enter")
    expect(page.get_by_text("收到：我要说的话")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_empty()
    page.reload()
    expect(page.locator(".said")).to_have_count(1)


def test_a_broken_network_keeps_what_was_typed(open_page):
    page = open_page()
    page.context.set_offline(True)
    say(page, "我要说的话")
    expect(page.get_by_role("alert")).to_contain_text("网络不通")
    expect(page.locator("#text")).to_have_value("我要说的话")


def test_waiting_is_shown_after_half_a_second(open_page, site):
    page = open_page()
    expect(page.locator("#starting")).to_be_hidden()
    site.rasa.pause_seconds = 1.0
    say(page, "慢慢来")
    expect(page.locator("#typing")).to_be_hidden()
    expect(page.locator("#typing")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="正在回答")).to_have_count(1)
    expect(page.get_by_text("收到：慢慢来")).to_be_visible()
    expect(page.locator("#typing")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("is_large", [False, True])
def test_a_phone_shows_everything_without_sideways_scroll(open_page, site, scheme, is_large):
    page = open_page(**PHONE, color_scheme=scheme)
    if is_large:
        page.get_by_role("button", name="大字").click()
        expect(page.locator("html")).to_have_class("large")
    assert has_no_sideways_scroll(page)
    unbroken = ["长" * 300, "a" * 300, "https://x.test/" * 20]
    for number, text in enumerate([QUESTION, "核对", "确认提交", "家里有煤气味", *unbroken], 1):
        say(page, text)
        expect(page.locator("#log .reply, #log .danger")).to_have_count(number)
        assert has_no_sideways_scroll(page), text[:10]
    for path in ("/petition", "/my"):
        page.goto(site.address + path)
        assert has_no_sideways_scroll(page), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_page, scheme):
    page = open_page(color_scheme=scheme)
    for number, text in enumerate([QUESTION, "确认提交", "家里有煤气味"], 1):
        say(page, text)
        expect(page.locator("#log .reply, #log .danger")).to_have_count(number)
    page.locator(".sources summary").click()
    for selector in SELECTORS_OF_TEXT:
        least = 7 if selector.startswith(".danger") else 4.5
        assert page.locator(selector).first.evaluate(CONTRAST) >= least, selector


def test_schemes_differ(open_page):
    grounds = {
        scheme: open_page(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert grounds["light"] != grounds["dark"]


def test_danger_is_a_strong_card_with_numbers_to_dial(open_page):
    page = open_page(**PHONE)
    say(page, "家里有煤气味")
    card = page.locator(".danger")
    expect(card).to_be_visible()
    expect(card.get_by_role("link")).to_have_text([re.compile("0755-25199999"), re.compile("119")])
    assert [link.get_attribute("href") for link in card.get_by_role("link").all()] == ["tel:075525199999", "tel:119"]
    assert card.get_by_role("link").first.bounding_box()["height"] >= 44
    expect(card).to_be_in_viewport()


def test_somebody_in_crisis_is_given_numbers_in_a_calm_card(open_page):
    page = open_page()
    say(page, "我不想活了")
    card = page.locator(".danger.crisis")
    expect(card.get_by_role("heading", name="我们很关心您")).to_be_visible()
    expect(card.get_by_role("link", name=re.compile("12356"))).to_have_attribute("href", "tel:12356")
    for selector in ("p", "h2", ".call"):
        assert card.locator(selector).first.evaluate(CONTRAST) >= 7, selector
    expect(page.get_by_role("button", name="请工作人员联系我")).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_typed_markup_is_inert(open_page, site, has_scripts):
    attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>"><b>**粗**</b>'
    site.rasa.replies[attack] = [
        {
            "kind": "answer",
            "text": attack,
            "citations": [{"document": attack, "section": attack, "quote": attack}],
            "facts": [{"indicator": attack, "value": attack, "unit": attack, "period": attack, "status": attack}],
            "buttons": [{"title": attack, "text": attack}],
            "ticket": {"number": attack, "unit": attack, "category": [attack]},
        }
    ]
    page = open_page(java_script_enabled=has_scripts)
    title = page.title()
    say(page, attack)
    expect(page.locator(".reply")).to_be_visible()
    assert page.title() == title
    assert page.locator("#log img, #log script, #log b").count() == 0
    expect(page.locator(".said p")).to_have_text(attack)


def test_clearing_forgets_the_conversation(open_page, site):
    page = open_page()
    say(page, "秘密的话")
    expect(page.get_by_text("收到：秘密的话")).to_be_visible()
    page.reload()
    expect(page.get_by_text("收到：秘密的话")).to_be_visible()
    page.get_by_role("button", name="清除对话").click()
    expect(page.get_by_text("可以这样问")).to_be_visible()
    expect(page.get_by_text("秘密的话")).to_have_count(0)
    say(page, "新的话")
    expect(page.get_by_text("收到：新的话")).to_be_visible()
    senders = {sender for sender, message in site.rasa.received if message in {"秘密的话", "新的话"}}
    assert len(senders) == 2


def test_a_filed_ticket_shows_number_code_unit_and_due_time(open_page):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    say(page, "核对")
    expect(page.get_by_role("heading", name="请核对您的诉求")).to_be_visible()
    page.get_by_role("button", name="确认提交").click()
    card = page.locator(".reply.ticket")
    expect(card.get_by_role("heading", name="诉求已登记")).to_be_visible()
    expect(card).to_contain_text("GM202611230001")
    expect(card).to_contain_text("光明街道群众诉求服务大厅")
    expect(card).to_contain_text("2026年11月25日（星期三）18:00前")
    card.get_by_role("button", name="复制").click()
    expect(card.get_by_role("button", name="已复制")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == CODE


def test_the_log_is_announced_and_targets_are_large(open_page):
    page = open_page(**PHONE)
    log = page.get_by_role("log", name="对话记录")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    for control in page.locator("button:visible, nav a, .urgent a").all():
        box = control.bounding_box()
        assert box["height"] >= 44, control.inner_text()
    assert (
        page.locator("#text").evaluate("parseFloat(getComputedStyle(document.getElementById('text')).fontSize)") >= 16
    )


def test_until_ready_the_page_offers_numbers_and_the_form(open_page, site):
    site.rasa.is_down = True
    page = open_page()
    say(page, "你好")
    expect(page.get_by_role("alert")).not_to_be_empty()
    page.reload()
    note = page.locator("#starting")
    expect(note).to_be_visible()
    expect(note.get_by_role("link", name="填诉求表")).to_be_visible()
    expect(note.get_by_role("link", name=re.compile("119"))).to_be_visible()
    site.rasa.is_down = False
    expect(note).to_be_hidden()
