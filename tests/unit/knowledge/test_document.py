"""A document is taken apart without losing the place of anything."""

import json
import re
from collections.abc import Callable
from dataclasses import astuple
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import document as module
from knowledge.build import SOURCES
from knowledge.document import Document, make_document, read_document
from knowledge.errors import KnowledgeError
from knowledge.facts import facts_of_clause

Write = Callable[..., Path]


@pytest.fixture
def report(write: Write) -> Document:
    return read_document(write())


def test_the_description_says_what_the_text_does_not(report: Document) -> None:
    assert (report.id, report.title, report.published_on) == ("report", "某街道报告", "2031-02-03")
    assert report.not_facts == ("2030年",)


def test_sentences_belong_to_their_chapter_and_part(report: Document) -> None:
    told = [(one.span.text, one.section.name, one.section.period, one.section.status) for one in report.sentences]
    first, second, part = "一、2030年工作总结", "二、2031年工作计划", "(一)突出民生,服务提升"
    assert told == [
        ("2030年,街道做了很多事。", first, "2030", "achieved"),
        ("举办读书会12场,服务老人3万余人次；绿化率达41.5%,全区第一!", f"{first} {part}", "2030", "achieved"),
        ("修路9条。", f"{first} {part}", "2030", "achieved"),
        ("完成第三批20户分房,力争开展巡查800次以上。", f"{second} (一)坚持安全第一", "2031", "planned"),
    ]  # fmt: skip


def test_clauses_end_at_commas_and_semicolons_of_either_width(report: Document) -> None:
    assert [clause.text for clause in report.sentences[1].clauses] == [
        "举办读书会12场",
        "服务老人3万余人次",
        "绿化率达41.5%",
        "全区第一",
    ]


def test_full_width_punctuation_parts_a_document_alike(write: Write) -> None:
    text = "一、2030年工作总结\n（二）服务提升。修路9条，种树5棵！通车了吗？通了；很好。\n"
    sentences = read_document(write(text)).sentences
    assert [one.span.text for one in sentences] == ["修路9条，种树5棵！", "通车了吗？", "通了；很好。"]
    assert [clause.text for one in sentences for clause in one.clauses] == [
        "修路9条", "种树5棵", "通车了吗", "通了", "很好",
    ]  # fmt: skip
    assert sentences[0].section.title == "（二）服务提升"


def test_what_stands_before_the_first_chapter_or_ends_in_no_mark_is_no_evidence(report: Document) -> None:
    texts = "".join(one.span.text for one in report.sentences)
    assert "关于某街道" not in texts
    assert "特此报告" not in texts


@pytest.mark.parametrize("word", ["计划", "安排", "打算", "展望", "目标"])
def test_a_chapter_of_intentions_holds_plans(write: Write, word: str) -> None:
    (sentence,) = read_document(write(f"三、2032年工作{word}\n修路9条。\n")).sentences
    assert sentence.section.status == "planned"


def test_a_byte_order_mark_is_no_part_of_the_text(write: Write) -> None:
    text = read_document(write(b"\xef\xbb\xbf" + "一、2030年总结\n修路。".encode())).text
    assert text.startswith("一")


PIECES = ["一、2030年总结", "二、2031年计划", "(一)小标题。", "修路9条", ",", "；", "。", "!", "\n", "\r\n", " "]


@given(st.lists(st.sampled_from(PIECES)))
def test_every_span_stands_at_its_offsets(pieces: list[str]) -> None:
    text = "".join(pieces)
    about = {"title": "2029年报告", "published_on": "2030-01-01"}
    for sentence in module.make_document("any", text, about).sentences:
        assert text[sentence.span.start : sentence.span.end] == sentence.span.text
        for clause in sentence.clauses:
            assert text[clause.start : clause.end] == clause.text
            assert sentence.span.start <= clause.start < clause.end <= sentence.span.end


@pytest.mark.parametrize(
    ("text", "about", "code", "named"),
    [
        ("", "title: a\npublished_on: 2031-01-01", "empty", "report.txt"),
        (" \n\t\n", "title: a\npublished_on: 2031-01-01", "empty", "report.txt"),
        (b"\xff\xfe\x00\x01\x02", "title: a\npublished_on: 2031-01-01", "not_utf8", "report.txt"),
        ("一、2030年", None, "no_description", "report.yml"),
        ("一、2030年", "title: [", "no_description", "report.yml"),
        ("一、2030年", "title: 某报告", "description_lacks", "published_on"),
        ("一、2030年", "published_on: 2031-01-01", "description_lacks", "title"),
        ("一、2030年", "- 一个清单", "description_lacks", "report.yml"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(
    write: Write, text: str | bytes, about: str | None, code: str, named: str
) -> None:
    with pytest.raises(KnowledgeError) as caught:
        read_document(write(text, about))
    assert caught.value.code == code
    assert named in str(caught.value)
    assert re.search("[一-鿿]{2}", str(caught.value))


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"读不到文件 none\.txt"):
        read_document(tmp_path / "none.txt")


def test_a_source_that_is_far_too_long_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_CHARACTERS", 20)
    with pytest.raises(KnowledgeError, match="超过 20 个字符"):
        read_document(write())


def test_a_description_that_is_no_text_is_refused(write: Write) -> None:
    path = write()
    path.with_suffix(".yml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(KnowledgeError, match=r"report\.yml"):
        read_document(path)


# Any document

ADDED = {"title": "某街道报告", "published_on": "2022-01-20", "added_at": "2022-02-01"}


def sections(text: str, **about: object) -> list[tuple[str, str, str, str]]:
    """Sentence, section, year and status."""
    found = make_document("new", text, {**ADDED, **about}).sentences
    return [(one.span.text, one.section.name, one.section.period, one.section.status) for one in found]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("第一章 2021年总结", "第一节 教育"),
        ("第一部分 2021年总结", "一、教育"),
        ("一、2021年总结", "（一）教育"),
        ("一、2021年总结", "1.教育"),
        ("（一）2021年总结", "1、教育"),
        ("1. 2021年总结", "(1)教育"),
        ("# 2021年总结", "## 教育"),
        ("# 2021年总结", "一、教育"),
        ("## 一、2021年总结", "（一）教育"),
    ],
)
def test_headings_of_any_form_make_sections(first: str, second: str) -> None:
    next_one = first.replace("2021年总结", "2022年计划").replace("一", "二").replace("1.", "2.")
    text = f"{first}\n总的很好。\n{second}\n修学校3所。\n招生200人。\n{next_one}\n修路9条。\n"
    one, two, other = (line.lstrip("# ") for line in (first, second, next_one))
    assert sections(text) == [
        ("总的很好。", one, "2021", "achieved"),
        ("修学校3所。", f"{one} {two}", "2021", "achieved"),
        ("招生200人。", f"{one} {two}", "2021", "achieved"),
        ("修路9条。", other, "2022", "planned"),
    ]


def test_a_title_that_opens_its_paragraph_holds_for_this_paragraph_alone() -> None:
    text = "# 2021年\n一、推进教育。修学校3所。\n特此报告。\n1.修路9条。种树5棵。\n（二）通车。\n"
    assert [row[:2] for row in sections(text)] == [
        ("修学校3所。", "2021年 一、推进教育"),
        ("特此报告。", "2021年"),
        ("1.修路9条。", "2021年"),
        ("种树5棵。", "2021年"),
        ("（二）通车。", "2021年"),
    ]


def test_items_and_rows_of_an_added_document_are_sentences_and_marks_and_dates_are_none() -> None:
    text = "# 2021年\n1.修路9条\n2.种树\n饭堂数量：4家，公厕数量：19座\n***\n2022年1月20日\n二〇二二年一月\n”\n"
    assert [row[0] for row in sections(text)] == ["1.修路9条", "2.种树", "饭堂数量：4家，公厕数量：19座"]


@pytest.mark.parametrize(
    ("about", "year"),
    [
        ({"title": "2020年报告"}, "2020"),
        ({"title": "二〇二〇年报告"}, "2020"),
        ({"title": "２０２０年度报告"}, "2020"),
        ({"title": "2020年报告", "year": 2019}, "2019"),
    ],
)
def test_the_document_tells_the_year_where_no_heading_does(about: dict[str, object], year: str) -> None:
    text = "# 教育\n修学校3所。\n# 2021年交通\n修路9条。\n# 与2018年相比的变化\n多3所。\n"
    assert [row[2] for row in sections(text, **about)] == [year, "2021", year]


def test_a_heading_of_two_years_tells_none() -> None:
    text = "# 2021年总结和2022年计划\n## 教育\n修学校3所。\n# 其他\n修路9条。\n"
    document = make_document("new", text, ADDED)
    assert document.sentences == ()
    assert document.undated == ("2021年总结和2022年计划 教育", "其他")
    assert [row[2:] for row in sections(text, year=2021)] == [("2021", "achieved")] * 2


def test_what_stands_above_all_headings_of_a_document_without_year_is_no_evidence() -> None:
    text = "各位代表：\n# 2021年总结\n修路9条。\n"
    document = make_document("new", text, ADDED)
    assert [one.span.text for one in document.sentences] == ["修路9条。"]
    assert document.undated == ()


@pytest.mark.parametrize(
    ("heading", "status"),
    [
        ("下一步打算", "planned"),
        ("主要目标", "planned"),
        ("计划完成情况", "achieved"),
        ("计划生育", "achieved"),
        ("目标责任", "achieved"),
        ("教育", "achieved"),
    ],
)
def test_a_heading_tells_plans_from_results(heading: str, status: str) -> None:
    assert sections(f"# {heading}\n修路9条。\n", year=2021) == [("修路9条。", heading, "2021", status)]


def test_the_title_of_the_document_is_no_section_and_tells_its_status() -> None:
    assert sections("# 2022年计划\n## 教育\n修路9条。\n", title="2022年计划") == [
        ("修路9条。", "教育", "2022", "planned")
    ]


def test_a_sentence_of_results_that_opens_with_an_earlier_year_speaks_of_it() -> None:
    rows = [f"{year}年，产值：200亿元\n" for year in (2020, 2021, 2022, 2020)]
    text = f"# 2021年\n{rows[0]}{rows[1]}{rows[2]}# 2022年计划\n{rows[3]}"
    assert [(row[0][:4], row[2]) for row in sections(text)] == [
        ("2020", "2020"), ("2021", "2021"), ("2022", "2021"), ("2020", "2022"),
    ]  # fmt: skip


def test_the_shipped_report_is_taken_apart_as_ever() -> None:
    """Digests of what the first version of the reader made of it: places, sections and facts."""
    document = read_document(SOURCES / "guangming-2022-report.txt")
    clauses, facts = [], []
    for sentence in document.sentences:
        about = (sentence.span.start, sentence.span.end, *astuple(sentence.section))
        for clause in sentence.clauses:
            clauses.append((clause.start, clause.end, *about))
            found = facts_of_clause(clause, len(clauses) - 1, document.not_facts)
            facts += [(f.start, f.end, f.indicator, f.value, f.unit, f.kind, f.amount) for f in found]
    assert (len(clauses), len(facts)) == (251, 88)
    digests = [sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest() for rows in (clauses, facts)]
    assert digests == [
        "81863fc3729db73d05a84811fe09672f6636ffc0fab39900619b3eca70e5a6bc",
        "9a457bcd652727a9ce88dea2bbf1c8b444212cf31f16bc561f47a2cbd90229ad",
    ]
