"""A resident adds photos on the page and in the form: with and without scripts, on a phone, too large, and no photo."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from petitions.images import own_photos
from tests.browser.test_petition_pages import case_site  # noqa: F401 - a fixture
from tests.browser.test_resident_page import PHONE, has_no_sideways_scroll, say
from tests.photos import photo, saved, told_where

pytestmark = pytest.mark.browser


def file(content, name="IMG_0001.jpg", kind="image/jpeg"):
    return {"name": name, "mimeType": kind, "buffer": content}


def noise(size):
    """A photo that no compression makes small."""
    return saved(Image.effect_noise(size, 100).convert("RGB"), "JPEG", quality=100)


def is_clean(page):
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert has_no_sideways_scroll(page)


def test_photos_are_added_seen_and_taken_back(open_page):
    page = open_page(**PHONE)
    page.locator(".photos-box summary").click()
    is_clean(page)
    page.get_by_label("选择照片").set_input_files([file(told_where()), file(photo(kind="PNG"), "a.png", "image/png")])
    expect(page.get_by_alt_text("第 2 张照片")).to_be_visible()
    expect(page.locator("#photos-told")).to_have_text(
        "已加 2 张照片，登记诉求时一并提交；24 小时内没有登记的会自动删除。"
    )
    expect(page.locator("#photos-told")).to_be_focused()
    size = "image => [image.naturalWidth, image.naturalHeight]"
    assert page.get_by_alt_text("第 1 张照片").evaluate(size) == [40, 80]
    is_clean(page)
    say(page, "去年办了几场招聘会？")
    expect(page.locator(".reply")).to_be_visible()
    page.reload()
    expect(page.locator("#photos-count")).to_have_text("（2 张）")
    page.locator(".photos-box summary").click()
    page.get_by_role("button", name="删除第 1 张照片").click()
    expect(page.locator(".thumbs li")).to_have_count(1)
    expect(page.locator("#photos-count")).to_have_text("（1 张）")


def test_what_is_no_photo_is_refused_beside_the_button_and_the_page_goes_on(open_page):
    page = open_page()
    page.locator(".photos-box summary").click()
    page.get_by_label("选择照片").set_input_files(file(b"<svg onload=alert(1)>"))
    expect(page.locator("#photos-problem")).to_contain_text("不是JPG或PNG")
    page.get_by_label("选择照片").set_input_files([file(photo(colour)) for colour in ("teal", "navy", "olive", "red")])
    expect(page.locator("#photos-problem")).to_contain_text("最多放3张")
    page.get_by_label("选择照片").set_input_files(file(photo()))
    expect(page.get_by_alt_text("第 1 张照片")).to_be_visible()
    expect(page.locator("#photos-problem")).to_be_empty()


def test_a_photo_above_the_limit_is_made_smaller_before_it_is_sent(open_page):
    large = noise((2400, 1800))
    assert len(large) > own_photos().limit_bytes
    page = open_page()
    page.locator(".photos-box summary").click()
    page.get_by_label("选择照片").set_input_files(file(large))
    expect(page.get_by_alt_text("第 1 张照片")).to_be_visible()
    page.goto(page.url + "petition")
    page.get_by_label("选择照片").set_input_files([file(large), file(photo())])
    page.wait_for_function(
        "limit => Array.from(document.getElementById('photos-files').files).every(f => f.size <= limit)",
        arg=own_photos().limit_bytes,
    )
    page.get_by_role("button", name="下一步：核对").click()
    expect(page.get_by_alt_text("第 2 张照片")).to_be_visible()


def test_without_scripts_photos_have_a_page_of_their_own(open_page):
    page = open_page(**PHONE, java_script_enabled=False)
    page.locator(".photos-box summary").click()
    page.get_by_label("选择照片").set_input_files(file(told_where()))
    page.get_by_role("button", name="添加").click()
    expect(page).to_have_url(re.compile("/photos$"))
    expect(page.get_by_alt_text("第 1 张照片")).to_be_visible()
    page.get_by_label("选择照片").set_input_files(file(noise((2400, 1800))))
    page.get_by_role("button", name="添加").click()
    expect(page.locator("#photos-problem")).to_contain_text("不能超过5MB")
    page.get_by_role("button", name="删除第 1 张照片").click()
    expect(page.locator(".thumbs")).to_have_count(0)
    page.get_by_role("link", name="返回对话").click()
    expect(page.get_by_role("button", name="发送")).to_be_visible()


@pytest.mark.usefixtures("case_site")
@pytest.mark.parametrize("has_script", [True, False])
def test_a_form_with_photos_end_to_end(open_page, has_script):
    page = open_page("/petition", **PHONE, java_script_enabled=has_script)
    page.get_by_label("选择照片").set_input_files([file(told_where()), file(photo())])
    page.get_by_label("在什么地方？").fill("白花社区第二工业区3栋")
    page.get_by_label("匿名反映").check()
    page.get_by_role("button", name="下一步：核对").click()
    expect(page.get_by_role("alert")).to_contain_text("请写清楚您要反映的事")
    expect(page.get_by_alt_text("第 2 张照片")).to_be_visible()
    if has_script:
        is_clean(page)
    page.get_by_label("您要反映什么事？").fill("楼下烧烤店每晚十点以后音响很大，希望有人管一管。")
    page.get_by_label("删除第 1 张照片").check()
    page.get_by_label("在什么地方？").press("Enter")
    expect(page.locator(".rows")).to_contain_text("1 张，一并提交")
    expect(page.get_by_alt_text("第 1 张照片")).to_be_visible()
    page.get_by_role("button", name="确认提交").click()
    expect(page.get_by_role("heading", name="诉求已登记")).to_be_visible()
