"""Two questions are the same only when nothing decisive differs."""

import pytest

from knowledge.matching import ACCEPT, CuratedMatcher, Entry, Reader, key_of
from knowledge.question import Lexicon
from tests.unit.knowledge.conftest import SameEncoder

LEXICON = Lexicon(["翠湖社区", "凤凰街道"])
READER = Reader(LEXICON)


def entry(name, *variants, version=1):
    return Entry(name, version, variants, "答案。", "来源")


def matcher(*entries, encoder=None, known=None):
    return CuratedMatcher(entries, encoder or SameEncoder(), LEXICON, known)


def likeness(one, other):
    return READER.likeness(READER.read(one), READER.read(other), 1.0, lambda _word: 1.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("信访15天内要做什么", "信访30天内要做什么"),
        ("2021年信访多久办结", "信访多久办结"),
        ("去年信访多久办结", "信访多久办结"),
        ("翠湖社区大厅在哪里", "大厅在哪里"),
        ("凤凰街道大厅在哪里", "翠湖社区大厅在哪里"),
        ("光明区有几个社区", "光明街道有几个社区"),
        ("可以不匿名投诉吗", "可以匿名投诉吗"),
        ("信访没受理怎么办", "信访受理怎么办"),
        ("高龄津贴怎么申请", "高龄津贴每月多少钱"),
        ("诉求服务大厅在哪里", "诉求服务大厅是什么"),
        ("两个月没人管怎么办", "三个月没人管怎么办"),
    ],
)
def test_what_decides_may_not_differ(one, other):
    assert likeness(one, other) == likeness(other, one) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("信访多久办结", "信访多长时间办结"),
        ("信访十五天内要做什么", "信访15天内要做什么"),
        ("今年高龄津贴每月多少钱", "高龄津贴每月多少钱"),
        ("能不能匿名投诉", "可以匿名投诉吗"),
        ("燃气抢险打什么电话", "煤气抢险电话是多少"),
        ("違建歸邊個部門管", "违建归哪个部门管"),
        ("12345二十四小时都有人吗", "12345是24小时的吗"),
    ],
)
def test_what_does_not_decide_may_differ(one, other):
    assert likeness(one, other) >= ACCEPT


def test_the_entry_of_the_variant_is_found():
    found = matcher(entry("gas", "煤气公司电话", version=3), entry("law", "法律援助电话")).find(
        "请问法律援助打什么电话"
    )
    assert (found.entry_id, found.version, found.variant) == ("law", 1, "法律援助电话")
    assert ACCEPT <= found.score <= 1


def test_the_very_words_are_found_without_encoding():
    encoder = SameEncoder()
    found = matcher(entry("gas", "煤气公司电话"), encoder=encoder).find(" 煤氣公司，電話？")
    assert found.score == 1
    assert encoder.encoded == ["煤气公司电话"]


def test_a_statement_is_no_question():
    curated = matcher(entry("anonymous", "可以匿名投诉吗"))
    assert curated.find("能匿名投诉吗")
    assert curated.find("匿名投诉") is None


def test_a_word_that_the_entry_never_says_speaks_against_it():
    silent = matcher(entry("review", "信访复查怎么申请", "复查是什么意思"))
    said = matcher(entry("review", "信访复查怎么申请", "复核是什么意思"))
    question = "信访复核要怎么申请"
    assert silent.find(question).score < said.find(question).score


def test_a_question_far_from_every_entry_is_not_encoded():
    encoder = SameEncoder()
    curated = matcher(entry("gas", "煤气公司电话"), encoder=encoder)
    assert curated.find("去年修了几条路") is None
    assert encoder.encoded == ["煤气公司电话"]
    assert curated.find("煤气公司的电话是多少")
    assert len(encoder.encoded) == 2


def test_nothing_is_found_among_nothing():
    assert matcher().find("煤气公司电话") is None
    assert matcher(entry("gas", "煤气公司电话")).find("") is None


def test_only_new_variants_are_encoded():
    old = matcher(entry("gas", "煤气公司电话"))
    encoder = SameEncoder()
    matcher(entry("gas", "煤气公司电话", "燃气公司怎么联系"), encoder=encoder, known=old.vectors)
    assert encoder.encoded == ["燃气公司怎么联系"]


@pytest.mark.parametrize("text", ["1+6+N是什么？", "１＋６＋Ｎ 是什麼", "1+6+n是什么。"])
def test_a_key_leaves_script_width_and_punctuation_out(text):
    assert key_of(text) == "1+6+n是什么"
