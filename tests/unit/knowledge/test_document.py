"""A document is taken apart without losing the place of anything."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import document as module
from knowledge.document import Document, read_document
from knowledge.errors import KnowledgeError

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


@pytest.mark.parametrize("word", ["计划", "安排", "打算", "展望"])
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
    for sentence in module._sentences(text):
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
    monkeypatch.setattr(module, "_LIMIT_CHARACTERS", 20)
    with pytest.raises(KnowledgeError, match="超过 20 个字符"):
        read_document(write())


def test_a_description_that_is_no_text_is_refused(write: Write) -> None:
    path = write()
    path.with_suffix(".yml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(KnowledgeError, match=r"report\.yml"):
        read_document(path)
