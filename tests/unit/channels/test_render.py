"""Text becomes markup only by our own rules, and never by its author's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.render import due_words, marked, phones_in, query_code, rich
from tests.unit.channels.fakes import ANSWER, QUOTE, FakeJurisdiction


def test_bold_and_line_breaks_are_rendered():
    assert rich("共**23**场\n谢谢") == "共<strong>23</strong>场<br>谢谢"


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)>", "[点我](javascript:alert(1))", "**<script>**", '"><svg onload=1>', "** a **"],
)
def test_nothing_else_becomes_markup(text):
    html = str(rich(text)).replace("<strong>", "").replace("</strong>", "")
    assert "<" not in html
    assert ">" not in html


@given(st.text(alphabet=st.sampled_from("<>&\"'*a\n/=")))
def test_only_our_own_tags_come_out(text):
    html = str(rich(text))
    for tag in ("<strong>", "</strong>", "<br>"):
        html = html.replace(tag, "")
    assert "<" not in html
    assert ">" not in html


def test_the_figures_of_the_answer_are_marked_in_the_quote():
    html = marked(QUOTE, ANSWER)
    assert "招聘会<mark>23</mark>场" in html
    assert "<mark>8,412</mark>" in html
    assert "<mark>2,306</mark>" not in html


def test_a_quote_is_escaped_around_its_marks():
    assert marked("<b>23</b>", ANSWER) == "&lt;b&gt;<mark>23</mark>&lt;/b&gt;"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("编号 GM1，查询码：K7QF29XM。", "K7QF29XM"),
        ("查询码为 **K7QF-29XM**，请保存", "K7QF-29XM"),
        ("查询码是K7QF29XM", "K7QF29XM"),
        ("查询码已经显示过", None),
        ("请输入查询码。", None),
    ],
)
def test_the_query_code_is_found_where_the_text_names_it(text, code):
    assert query_code(text) == code


def test_a_due_time_is_said_in_local_words():
    assert (
        due_words({"clock": "accept", "at": "2026-11-25T10:00:00+00:00"})
        == "决定是否受理：2026年11月25日（星期三）18:00前"
    )
    assert (
        due_words({"clock": "unheard_of", "at": "2026-12-31T23:30:00+08:00"}) == "办理：2026年12月31日（星期四）23:30前"
    )


def test_phones_are_found_in_the_order_of_the_text_and_only_whole():
    phones = FakeJurisdiction().phones
    found = phones_in("先打0755-25199999，再打119。编号 1120110 不是电话，12345-1 也不是。", phones)
    assert [phone.number for phone in found] == ["0755-25199999", "119"]
