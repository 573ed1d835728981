"""Homophones and look-alikes of the documents' words are put right, and nothing else is touched."""

import pytest

from knowledge.spelling import Speller

WORDS = ["招聘会", "补助金", "点火率", "安置房", "视频门禁", "厨余垃圾", "岗位", "pm2.5", "河流", "劳资纠纷", "会"]
SPELLER = Speller(WORDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("招骋会开了几场", "招聘会开了几场"),
        ("招品会几时有", "招聘会几时有"),
        ("补住金发了多少", "补助金发了多少"),
        ("点火绿是多少", "点火率是多少"),
        ("视频门尽装了多少", "视频门禁装了多少"),
        ("除鱼垃圾", "厨余垃圾"),
        ("提供的刚味有多少", "提供的岗位有多少"),
        ("老资纠纷几宗", "劳资纠纷几宗"),
        ("招骋会和补住金", "招聘会和补助金"),
    ],
)
def test_what_sounds_or_looks_like_a_word_of_the_documents_becomes_it(text: str, expected: str) -> None:
    assert SPELLER.repair(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "招聘会提供的岗位",
        "刚位于河边的房子",
        "合流处在哪里",
        "第三批安置房",
        "安置费多少",
        "1031.16万元",
        "我叫赵聘惠",
        "pm2.4",
        "一二三四五六七八",
        "",
    ],
)
def test_words_of_a_dictionary_numbers_and_right_spellings_stay(text: str) -> None:
    assert SPELLER.repair(text) == text


def test_local_names_stay_unless_they_are_spellings_of_one_place() -> None:
    speller = Speller([*WORDS, "迳口"], ["招品花园", "禾流", "径口", "迳口"])
    assert speller.repair("招品花园旁的禾流") == "招品花园旁的禾流"
    assert Speller(WORDS).repair("旁的禾流") == "旁的河流"
    assert speller.repair("径口") == "迳口"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("zhaopinhui多少场", "招聘会多少场"),
        ("qunian zhaopinhui duoshao", "去年招聘会多少"),
        ("shequ yiyuan 今年推进", "社区医院 今年推进"),
        ("hello world", "hello world"),
        ("pm2.5", "pm2.5"),
    ],
)
def test_pinyin_that_spells_known_words_becomes_these_words(typed: str, meant: str) -> None:
    speller = Speller(["招聘会", "社区", "医院"], [], ["去年", "多少"])
    assert speller.repair(typed) == meant
