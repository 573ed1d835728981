"""A file of any kind becomes plain text, or one sentence that says why not."""

import os
import re
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from docx import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from hypothesis import given
from hypothesis import strategies as st

from knowledge import convert as module
from knowledge.convert import convert
from knowledge.convert.lines import join, table_lines, tidy
from knowledge.document import make_document
from knowledge.errors import KnowledgeError
from tests.unit.knowledge.files import docx, pdf, ruled_table, typeset


@pytest.fixture
def text_of(tmp_path: Path):
    """Converts bytes under a name, and gives the lines."""

    def text_of(name: str, content: bytes | str) -> list[str]:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return convert(tmp_path / name, lambda _line: None).text.splitlines()

    return text_of


# Lines


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("　　全年举办 １２ 场，占 41.5％ 以上　", "全年举办12场，占41.5%以上"),
        ("罚款 1,418,800 元，投入1,031.16万元", "罚款1418800元，投入1031.16万元"),
        ("整治101,102,103号楼，完成12,34", "整治101,102,103号楼，完成12,34"),
        ("⼀、⼯作总结", "一、工作总结"),
        ("A 级 B 级", "A 级 B 级"),
        ("甲\u200b乙\x07丙", "甲乙丙"),
    ],
)
def test_a_line_is_written_plainly(line: str, expected: str) -> None:
    assert tidy(line) == expected
    assert tidy(expected) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["修路", "9条。"], "修路9条。"),
        (["infor-", "mation is"], "information is"),
        (["open", "data"], "open data"),
        (["PM2.5-", "达标"], "PM2.5-达标"),
    ],
)
def test_broken_lines_are_joined(parts: list[str], expected: str) -> None:
    assert join(parts) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["指标", "数量"], ["招聘会", "25场"]], ["招聘会数量：25场"]),
        (
            [["项目", "金额（万元）"], ["救助金", "1,031.16"], ["补助金", "暂无"]],
            ["救助金金额：1031.16万元", "补助金金额：暂无"],
        ),
        (
            [["指标", "2020年", "2021年", "增长(%)"], ["产值（亿元）", "200", "219.6", "9.8"]],
            ["2020年，产值：200亿元", "2021年，产值：219.6亿元", "产值增长：9.8%"],
        ),
        ([["年份", "产值"], ["2020年", "200亿元"]], ["2020年，产值：200亿元"]),
        ([["修路", "9条"], ["种树", "5棵"]], ["修路，9条", "种树，5棵"]),
        ([["指标", "数量"], ["一、民生", "一、民生"], ["饭堂", "4家"]], ["一、民生", "饭堂数量：4家"]),
        ([["", ""], ["", ""]], []),
        ([], []),
    ],
)
def test_a_row_of_a_table_tells_what_its_cells_mean(rows: list[list[str]], expected: list[str]) -> None:
    assert list(table_lines(rows)) == expected


# Text, Markdown, web pages


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_text_is_read_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("2021年报告\r\n\r\n　　修路9条。\r\n".encode(encoding))
    said: list[str] = []
    assert convert(path, said.append).text == "2021年报告\n修路9条。\n"
    assert said == ([] if encoding.startswith("utf-8") else [f"  read as {encoding.upper()}: not UTF-8"])


def test_markdown_keeps_headings_items_and_tables(text_of) -> None:
    text = "# 2021年报告\n\n## 教育\n\n修了*三所*\n学校。\n\n- 招生200人\n- 1. 培训\n\n"
    text += "|项目|数量|\n|-|-|\n|路|9条|\n\n<b>x</b>\n"
    assert text_of("a.md", text) == [
        "# 2021年报告", "## 教育", "修了三所 学校。", "招生200人", "培训", "路数量：9条", "<b>x</b>",
    ]  # fmt: skip


PAGE = """<?xml version="1.0" encoding="utf-8"?><html><head><title>报告-某街道网站</title>
<meta name="PubDate" content="2022-03-04 10:00"><style>p{}</style></head>
<body><nav>首页 修路1条</nav><script>var a = "修路2条";</script><h1> 某街道 <i>2021年</i>报告 </h1>
<div>导语<p>修路<b>9</b>条，<span hidden>修路3条</span>种树5棵<br>通车</p>尾语</div><!-- 修路4条 -->
<ul><li>甲<ul><li>乙</li></ul></li></ul>
<table><tr><td><p>一</p><p>二</p><p>三</p></td><td>四</td></tr></table>
<table><thead><tr><th>项目</th><th colspan="2">情况</th></tr></thead>
<tr><td>路</td><td>9条</td><td>已通</td></tr></table>
<footer>访问量99次</footer></body></html>"""


def test_a_page_keeps_its_words_and_loses_its_machinery(tmp_path: Path, text_of) -> None:
    assert text_of("a.html", PAGE) == [
        "# 某街道2021年报告", "导语", "修路9条，种树5棵", "通车", "尾语", "甲", "乙", "一", "二", "三", "四",
        "路情况：9条，路情况：已通",
    ]  # fmt: skip
    found = convert(tmp_path / "a.html", lambda _line: None)
    assert (found.title, str(found.published_on)) == ("某街道2021年报告", "2022-03-04")


def test_the_article_of_a_page_is_taken_alone(text_of) -> None:
    assert text_of("a.htm", "<div>推荐阅读</div><article><p>修路9条。</p></article><p>版权所有</p>") == ["修路9条。"]


# Word


def test_word_keeps_headings_lists_tables_and_breaks(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    blocks = [
        ("Title", "某街道2021年报告"), ("Heading 1", "一、总结"), ("Heading 2", "教育"),
        ("Normal", "修路 9 条。\n种树５棵。"),
        ("List Bullet", "甲"), ("List Number", "乙"), ("List Number", "丙"), ("Normal", ""),
        ("table", [["指标", "数量"], ["招聘会", "25场"]]), ("Normal", "完"),
    ]  # fmt: skip
    docx(path, blocks)
    assert convert(path, lambda _line: None).text.splitlines() == [
        "# 某街道2021年报告", "# 一、总结", "## 教育", "修路9条。", "种树5棵。", "甲", "1.乙", "2.丙",
        "招聘会数量：25场", "完",
    ]  # fmt: skip


def test_numbers_that_word_counts_are_written_out(tmp_path: Path) -> None:
    document = Document()
    numbering = document.part.numbering_part.element
    levels = "".join(
        f'<w:lvl w:ilvl="{i}"><w:numFmt w:val="chineseCounting"/><w:lvlText w:val="{text}"/></w:lvl>'
        for i, text in enumerate(("%1、", "（%2）"))
    )
    numbering.insert(0, parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77">{levels}</w:abstractNum>'))
    numbering.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))
    for level, text in ((0, "2021年总结"), (1, "教育"), (1, "医疗"), (0, "2022年计划"), (1, "交通")):
        paragraph = document.add_paragraph(text)
        paragraph._p.get_or_add_pPr().append(
            parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="77"/></w:numPr>')
        )
    document.save(tmp_path / "a.docx")
    assert convert(tmp_path / "a.docx", lambda _line: None).text.splitlines() == [
        "一、2021年总结", "（一）教育", "（二）医疗", "二、2022年计划", "（一）交通",
    ]  # fmt: skip


def test_an_outline_level_makes_a_heading_and_an_accepted_change_is_text(tmp_path: Path) -> None:
    document = Document()
    heading = document.add_paragraph("总体情况")
    heading._p.get_or_add_pPr().append(parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="1"/>'))
    changed = document.add_paragraph("修路")
    changed._p.append(parse_xml(f"<w:ins {nsdecls('w')}><w:r><w:t>9条</w:t></w:r></w:ins>"))
    changed._p.append(parse_xml(f"<w:del {nsdecls('w')}><w:r><w:delText>8条</w:delText></w:r></w:del>"))
    assert changed._p.find(qn("w:del")) is not None
    document.save(tmp_path / "a.docx")
    assert convert(tmp_path / "a.docx", lambda _line: None).text.splitlines() == ["## 总体情况", "修路9条"]


# PDF

PARAGRAPHS = [
    "# 某街道2021年工作报告",
    "一、2021年工作总结",
    "（一）民生服务。" + "全年举办招聘会25场，提供岗位8000余个，帮助2300人实现就业。" * 9,
    "（二）城市管理。修路9条。",
    "二、2022年工作计划",
] + ["计划修路12条，" + "种树300棵，" * 20 + "通车。"] * 8


def test_the_paragraphs_of_a_pdf_are_put_together_again(text_of) -> None:
    assert len(typeset(PARAGRAPHS)) > 2
    assert text_of("a.pdf", pdf(typeset(PARAGRAPHS))) == PARAGRAPHS


def test_what_stands_on_every_page_is_left_out(text_of) -> None:
    body = [[(70, 100 + 28 * i, 16, f"第{page}组第{i}项修路9条。") for i in range(5)] for page in range(4)]
    pages = [
        [(70, 40, 9, "某街道办事处文件"), *words, (280, 800, 9, f"第 {page + 1} 页 共 4 页")]
        for page, words in enumerate(body)
    ]
    assert "".join(text_of("a.pdf", pdf(pages))) == "".join(word[3] for words in body for word in words)


def test_a_table_of_a_pdf_goes_on_over_the_page(text_of) -> None:
    head = ["指标", "2020年", "2021年"]
    words, rules = ruled_table([head, ["招聘会（场）", "20", "25"], ["产值", "200亿元", "219.6亿元"]])
    text = text_of("a.pdf", pdf([[*words, (70, 60, 12, "附表如下。")]], rules))
    assert text == [
        "附表如下。",
        "2020年，招聘会：20场", "2021年，招聘会：25场", "2020年，产值：200亿元", "2021年，产值：219.6亿元",
    ]  # fmt: skip


# What cannot be read


def zip_of(**parts: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def bomb() -> bytes:
    """A small file that says it unpacks into a gigabyte."""
    content = bytearray(zip_of(**{"word__document.xml": b"x"}))
    place = content.index(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 1_000_000_000)
    return bytes(content)


LOCKED = "/Encrypt << /Filter /Standard /V 1 /R 2 /O <{0}> /U <{0}> /P -4 >> /ID [<00> <00>]".format("ab" * 32)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\t", "empty"),
        ("a.txt", b"\x00\x01\x02\xff", "not_text"),
        ("a.txt", b"\xff\xfe\x00", "not_text"),
        ("a.txt", b"%PDF-1.4", "wrong_kind"),
        ("a.md", b"PK\x03\x04", "wrong_kind"),
        ("a.html", "没有标签".encode(), "wrong_kind"),
        ("a.html", b"<script>1</script>", "no_text"),
        ("a.html", b"<p>---</p>", "no_text"),
        ("a.pdf", b"no pdf", "wrong_kind"),
        ("a.pdf", b"%PDF-1.4\nhalf a file", "damaged"),
        ("a.pdf", pdf([[]]), "scanned"),
        ("a.pdf", pdf([[(70, 80, 12, "修路")]], extra=LOCKED), "locked"),
        ("a.docx", b"no zip", "wrong_kind"),
        ("a.docx", b"PK\x03\x04 half", "damaged"),
        ("a.docx", zip_of(other=b"x"), "wrong_kind"),
        ("a.docx", zip_of(**{"word__document.xml": b"<broken"}), "damaged"),
        ("a.docx", bytes.fromhex("d0cf11e0a1b11ae1") + b"EncryptedPackage", "locked"),
        ("a.docx", zip_of(EncryptedPackage=b"x"), "locked"),
        ("a.docx", bomb(), "too_big"),
        ("a.doc", b"x", "unknown_kind"),
        ("a", b"x", "unknown_kind"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_chinese_line(text_of, name: str, content: bytes, code: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        text_of(name, content)
    assert caught.value.code == code
    assert name in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert re.search("[一-鿿]{2}", str(caught.value))


def test_a_word_document_without_text_is_told(tmp_path: Path) -> None:
    Document().save(tmp_path / "a.docx")
    with pytest.raises(KnowledgeError, match=r"a\.docx 里没有文字"):
        convert(tmp_path / "a.docx", lambda _line: None)


def test_a_missing_file_a_folder_and_a_forbidden_one_are_told(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(KnowledgeError, match=r"读不到文件 none\.txt"):
        convert(tmp_path / "none.txt", lambda _line: None)
    with pytest.raises(KnowledgeError, match="是文件夹"):
        convert(tmp_path, lambda _line: None)

    def refuse(_path: Path) -> bytes:
        raise PermissionError

    (tmp_path / "a.txt").write_text("修路")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(KnowledgeError, match=r"没有权限读取 a\.txt"):
        convert(tmp_path / "a.txt", lambda _line: None)


def test_a_file_that_is_far_too_big_is_not_even_read(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.pdf"
    path.touch()
    os.truncate(path, 200_000_000)  # takes no room on the disk
    monkeypatch.delattr(Path, "read_bytes")
    with pytest.raises(KnowledgeError, match="超过 50 MB"):
        convert(path, lambda _line: None)


def test_too_many_signs_pages_and_too_little_memory_are_told(monkeypatch, text_of) -> None:
    monkeypatch.setattr(module, "LIMIT_CHARACTERS", 5)
    with pytest.raises(KnowledgeError, match="超过 5 个字符"):
        text_of("a.txt", "修路九条通车")
    monkeypatch.setattr("knowledge.convert.pdf._LIMIT_PAGES", 1)
    with pytest.raises(KnowledgeError, match="超过 1 页"):
        text_of("a.pdf", pdf([[], []]))

    def starve(*_arguments: object) -> None:
        raise MemoryError

    monkeypatch.setitem(module._READERS, ".txt", starve)
    with pytest.raises(KnowledgeError) as caught:
        text_of("a.txt", "修路")
    assert caught.value.code == "too_big"


def test_long_work_is_reported(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("knowledge.convert.pdf._MANY", 2)
    (tmp_path / "a.pdf").write_bytes(pdf([[(70, 80, 12, f"{name}路通车")] for name in "甲乙丙丁戊"]))
    said: list[str] = []
    convert(tmp_path / "a.pdf", said.append)
    assert said == ["  pages: 2 of 5", "  pages: 4 of 5"]


# Title and date


@pytest.mark.parametrize(
    ("text", "title", "published_on"),
    [
        ("# 甲报告\n修路。\n乙街道办事处\n2022年1月20日\n", "甲报告", "2022-01-20"),
        ("甲报告\n发布日期：2022-03-04 10:00\n修路。\n", "甲报告", "2022-03-04"),
        ("甲报告\n修路。\n二〇二二年十二月三日\n", "甲报告", "2022-12-03"),
        ("修路9条，种树5棵。\n2022年13月40日\n", "", "None"),
        (
            "甲报告\n截至2021年12月31日，全年修路9条，种树300棵，植草20亩，通车里程达到12公里。\n",
            "甲报告",
            "2021-12-31",
        ),
    ],
)
def test_a_document_names_and_dates_itself(tmp_path: Path, text: str, title: str, published_on: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    found = convert(tmp_path / "a.txt", lambda _line: None)
    assert (found.title, str(found.published_on)) == (title, published_on)


# Any text at all

ABOUT = {"title": "某报告", "published_on": "2022-01-01", "year": 2021, "added_at": "2022-01-02"}
PIECES = [
    "一、", "（二）", "第三章", "1.", "（4）", "# ", "### ", "2020年", "工作计划", "总结", "修路9条", "招聘会", "，",
    "；", "。", "！", "\n", "\r\n", " ", "　", "1,234.5", "%", "”", "<p>", "\u200b", "⼀", "１２", "-", "a", "2019年，",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join))
def test_whatever_the_text_every_span_stands_verbatim(text: str) -> None:
    lines = [line for line in map(tidy, text.splitlines()) if line]
    plain = "\n".join(lines)
    document = make_document("any", plain, ABOUT)
    for sentence in document.sentences:
        assert plain[sentence.span.start : sentence.span.end] == sentence.span.text
        assert sentence.span.text.strip()
        assert sentence.section.period.isdecimal()
        for clause in sentence.clauses:
            assert plain[clause.start : clause.end] == clause.text
            assert sentence.span.start <= clause.start < clause.end <= sentence.span.end
    starts = [sentence.span.start for sentence in document.sentences]
    assert starts == sorted(set(starts))
