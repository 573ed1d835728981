"""What a question asks for."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import language
from knowledge.question import FIGURES, Lexicon, Question, parts_of

LEXICON = Lexicon(["白花", "白花社区", "公明街道"])


def read(text: str) -> Question:
    return LEXICON.read(text, 2022)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2022年修了几条路", "2022"),
        ("2021的数字呢", "2021"),
        ("22年办了几场招聘会", "2022"),
        ("二零二二年办了几场招聘会", "2022"),
        ("二〇二三年有什么计划", "2023"),
        ("去年办了几场招聘会", "2022"),
        ("舊年搞咗幾多場招聘會", "2022"),
        ("前年办了几场", "2021"),
        ("今年打算办几场", "2023"),
        ("明年办不办", "2024"),
        ("今年比去年多办几场", "2023"),
        ("刑事警情比去年降了多少", None),
        ("较上年同期增长多少", None),
        ("和2021年相比", "2021"),
        ("办了几场招聘会", None),
        ("住了12年多的房子", None),
        ("20年后的事", None),
        ("电话12022", None),
    ],
)
def test_the_year_that_is_asked_for(text: str, year: str | None) -> None:
    assert read(text).year == year


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("办了几场", {"event"}),
        ("一共来了多少人", {"people"}),
        ("花了多少钱", {"money"}),
        ("满意率百分之几", {"rate"}),
        ("面积有多大", {"area"}),
        ("分给几户", {"household"}),
        ("走访了几家企业", {"firm"}),
        ("建了多少套", {"flat"}),
        ("化解了几宗", {"case"}),
        ("排第几", {"rank"}),
        ("电话是多少", {"phone", "count"}),
        ("怎么申请补助", {"procedure", "how"}),
        ("什么时候开招聘会", {"date", "list"}),
        ("谁是负责人", {"person"}),
        ("为什么没做", {"reason"}),
        ("服务站的地址", {"address"}),
        ("每户补多少钱", {"price", "money"}),
        ("有哪些项目", {"names", "list"}),
    ],
)
def test_the_kind_of_answer_that_is_wanted(text: str, asked: set[str]) -> None:
    assert asked <= read(text).asks
    assert read(text).kinds == read(text).asks & set(FIGURES)


def test_a_question_of_one_kind_asks_for_no_other() -> None:
    assert read("开了几场招聘会").kinds == {"event"}
    assert read("来了多少人").kinds == {"people"}
    assert read("街道贯彻的是区里什么部署").kinds == frozenset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("点火率是不是89%", True),
        ("有没有修路", True),
        ("真的吗", True),
        ("修了几条路", False),
        ("介绍一下招聘会", False),
    ],
)
def test_whether_it_wants_a_yes_or_a_no(text: str, expected: bool) -> None:
    assert read(text).is_yes_no is expected


@pytest.mark.parametrize(("text", "expected"), [("打算修几条路", True), ("目标是多少", True), ("修了几条路", False)])
def test_whether_it_speaks_of_intentions(text: str, expected: bool) -> None:
    assert read(text).is_plan is expected


def test_places_are_found_whole_and_once() -> None:
    assert read("白花社区和公明街道,还有白花社区").places == ("白花社区", "公明街道")
    assert read("白花有什么").places == ("白花",)
    assert read("有什么").places == ()
    assert Lexicon().read("白花社区", 2022).places == ()


def test_frames_counts_and_years_carry_no_meaning() -> None:
    question = read("您好,请问一下2022年一共开了多少场招聘会?")
    assert question.terms == ("招聘会",)
    assert "请问" not in question.core
    assert question.text.startswith("您好")


def test_figures_that_the_resident_names() -> None:
    assert [(one.value, one.measure) for one in read("是不是开了13场,来了552人").figures] == [
        ("13", "场"),
        ("552", "人"),
    ]
    assert "552" not in " ".join(read("是不是来了552人").terms)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("招聘会开了几场？岗位有多少？", ["招聘会开了几场", "岗位有多少"]),
        ("招聘会开了几场,岗位有多少", ["招聘会开了几场", "岗位有多少"]),
        ("招聘会开了几场，另外修了几条路", ["招聘会开了几场", "修了几条路"]),
        ("好,招聘会开了几场", ["招聘会开了几场"]),
        ("", []),
    ],
)
def test_a_message_is_parted_into_its_questions(text: str, parts: list[str]) -> None:
    assert parts_of(text) == parts


def test_every_kind_of_unit_is_asked_for_or_deliberately_not() -> None:
    units = yaml.safe_load((Path(language.__file__).parent / "units.yml").read_text(encoding="utf-8"))["units"]
    assert set(units) - set(FIGURES) == {"age", "time"}
    assert set(FIGURES) - set(units) == {"rank"}


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    question = read(text)
    assert len(set(question.terms)) == len(question.terms)
    assert not set(question.terms) & LEXICON.stop_words
    assert question.year is None or (len(question.year) == 4 and question.year.startswith("20"))
