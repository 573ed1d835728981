"""Every figure is a fact with what it counts, or is listed as loose."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.build import SOURCES
from knowledge.document import Span, read_document
from knowledge.facts import Fact, facts_of_clause, loose_figures


def facts(text: str, *not_facts: str) -> list[Fact]:
    return facts_of_clause(Span(text, 100, 100 + len(text)), 7, not_facts)


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("举办读书会12场", [("举办读书会", "12", "场", "event")]),
        ("绿化率达41.5%", [("绿化率", "41.5", "%", "rate")]),
        ("完成20户搬迁", [("完成搬迁", "20", "户", "household")]),
        ("服务老人3万余人次", [("服务老人", "3", "万余人次", "people")]),
        ("组织8户选房16套", [("组织选房", "8", "户", "household"), ("选房", "16", "套", "flat")]),
        ("投入300万元修路9条", [("投入修路", "300", "万元", "money"), ("修路", "9", "条", "item")]),
        ("完成36户7096平方米分房", [("完成分房", "36", "户", "household"), ("分房", "7096", "平方米", "area")]),
        ("满意度全区第一", [("满意度", "一", "", "rank")]),
        ("街道做了很多事", []),
    ],
)
def test_a_figure_is_told_with_what_it_counts(clause: str, expected: list[tuple[str, str, str, str]]) -> None:
    found = facts(clause)
    assert [(one.indicator, one.value, one.unit, one.kind) for one in found] == expected


def test_a_fact_knows_its_place_and_amount() -> None:
    (fact,) = facts("服务老人3万余人次")
    assert (fact.start, fact.end, fact.text, fact.clause) == (104, 109, "3万余人次", 7)
    assert float(fact.amount) == 30_000


def test_digits_of_a_name_are_no_figure() -> None:
    assert [one.text for one in facts("启用6号楼12间", "6号楼")] == ["12间"]
    assert facts("启用5个园", "5个园") == []


def test_a_number_without_a_known_unit_is_listed_with_its_place(write: Callable[..., Path]) -> None:
    about = "title: a\npublished_on: b\nnot_facts: ['“7+1”']"
    document = read_document(write("一、2030年总结\n修路9条,得分98.5,产值“7+1”。\n", about))
    known = [fact for one in document.sentences for span in one.clauses for fact in facts_of_clause(span, 0, ())]
    loose = list(loose_figures(document, known))
    assert loose == [("98.5", document.text.index("98.5"))]


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.txt")), ids=lambda path: path.stem)
def test_every_figure_of_the_report_is_a_fact_or_a_listed_name(path: Path) -> None:
    document = read_document(path)
    found = [
        fact
        for sentence in document.sentences
        for span in sentence.clauses
        for fact in facts_of_clause(span, 0, document.not_facts)
    ]
    assert not list(loose_figures(document, found))
    assert all(document.text[fact.start : fact.end] == fact.text for fact in found)
    assert all(fact.indicator and not re.search(r"[,。；]", fact.indicator) for fact in found)
    assert all(name in document.text for name in document.not_facts)
    assert len(found) > 80


@pytest.mark.parametrize(
    ("text", "indicator", "period", "status"),
    [
        ("9113个", "发动企业提供岗位", "2022", "achieved"),
        ("55.55万平方米", "全年整备土地", "2022", "achieved"),
        ("1418800元", "罚款", "2022", "achieved"),
        ("1000场以上", "新时代文明实践活动", "2023", "planned"),
        ("第五批", "科裕新村", "2023", "planned"),
    ],
)
def test_facts_of_the_report(text: str, indicator: str, period: str, status: str) -> None:
    document = read_document(SOURCES / "guangming-2022-report.txt")
    ((fact, section),) = [
        (fact, sentence.section)
        for sentence in document.sentences
        for span in sentence.clauses
        for fact in facts_of_clause(span, 0, document.not_facts)
        if fact.text == text
    ]
    assert indicator in fact.indicator
    assert (section.period, section.status) == (period, status)
