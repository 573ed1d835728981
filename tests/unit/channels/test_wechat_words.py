"""What a resident reads on WeChat: plain text, in parts that WeChat takes, cut where a reader would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.wechat.rules import Entry, menu_json, menu_words, own_menu, own_rules
from channels.wechat.words import split, text_of
from tests.unit.channels.fakes import ANSWER

LIMIT = own_rules().text_bytes


def message(text, **fields):
    return {"kind": "notice", "text": text, "citations": [], "buttons": []} | fields


def test_an_answer_is_its_text_and_what_may_be_replied():
    assert text_of([ANSWER]) == (
        "去年街道一共举办了23场招聘会，提供岗位8,412个。\n"
        "您可以回复：“招聘会达成了多少就业意向？”（达成多少就业意向？）"
    )


def test_several_messages_are_one_text():
    same = [{"title": "匿名", "text": "匿名"}]
    assert text_of([message("一", buttons=same), message("二")]) == "一\n您可以回复：“匿名”\n\n二"


def test_markup_stays_words():
    told = text_of([message('<a href="http://evil.test">点我</a> **要紧**')])
    assert told == '＜a href="http://evil.test">点我＜/a> 要紧'


@pytest.mark.parametrize("sign", ["字", "😀", "a"])
def test_only_what_is_over_the_limit_is_cut(sign):
    fits = sign * (LIMIT // len(sign.encode()))
    assert split(fits, LIMIT) == [fits]
    parts = split(fits + sign, LIMIT)
    assert len(parts) == 2
    assert all(len(part.encode()) <= LIMIT for part in parts)
    assert parts[0].endswith("（1/2）")
    assert parts[1].endswith("（2/2）")


def test_it_is_cut_between_sentences():
    sentence = "街道去年办了二十三场招聘会。"
    parts = split(sentence * 60, LIMIT)
    assert len(parts) > 1
    assert all(part.rpartition("（")[0].endswith("。") for part in parts)
    assert "".join(part.rpartition("（")[0] for part in parts) == sentence * 60


def test_a_figure_is_not_cut_as_long_as_anything_else_may_be():
    text = "没有标点" * 148 + "12345.6789" + "的长句子" * 100
    assert any("12345.6789" in part for part in split(text, LIMIT))


@given(st.text(alphabet="街道。，！ \n1.😀a", min_size=1, max_size=900), st.integers(60, 200))
def test_parts_fit_and_lose_nothing_but_space(text, limit):
    parts = split(text, limit)
    assert all(len(part.encode()) <= limit for part in parts)
    bare = [part.rpartition("（")[0] for part in parts] if len(parts) > 1 else parts
    assert "".join("".join(bare).split()) == "".join(text.split())


def test_the_menu_is_what_wechat_takes():
    made = menu_json(own_menu(), "https://example.test")
    assert 1 <= len(made["button"]) <= 3
    leaves = [leaf for entry in made["button"] for leaf in entry.get("sub_button", [entry])]
    assert {leaf["type"] for leaf in leaves} == {"click", "view"}
    urls = [leaf["url"] for leaf in leaves if leaf["type"] == "view"]
    assert urls == ["https://example.test/wechat/my", "https://example.test/petition"]
    assert {leaf["key"] for leaf in leaves if leaf["type"] == "click"} == set(menu_words(own_menu()))


def test_without_an_address_the_menu_has_no_pages():
    made = menu_json(own_menu(), "")
    assert "view" not in str(made)
    assert all(entry.get("sub_button", True) for entry in made["button"])


@pytest.mark.parametrize("fields", [{}, {"key": "a"}, {"path": "/a", "key": "a", "say": "b"}])
def test_an_entry_does_one_thing(fields):
    with pytest.raises(ValueError, match="needs key and say"):
        Entry(name="x", **fields)
