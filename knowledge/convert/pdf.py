"""PDF files that carry text."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from statistics import median

import pdfplumber
from pdfminer.pdfdocument import PDFPasswordIncorrect, PDFTextExtractionNotAllowed
from pdfplumber.page import Page
from pdfplumber.utils.exceptions import PdfminerException

from knowledge.convert.lines import CJK, Raw, Report, heading, join, table_lines
from knowledge.errors import KnowledgeError

# What a parser makes of every odd byte is nothing for the person at the terminal.
logging.getLogger("pdfminer").setLevel(logging.ERROR)

_LIMIT_PAGES = 1000
_MANY = 20
_PAGE_NUMBER = re.compile(r"^[\s\-—–·.第页共of/|\d]*\d[\s\-—–·.第页共of/|\d]*$")
_ITEM = re.compile(
    r"^(?:[(（]?[一二三四五六七八九十\d]{1,3}(?:[)）、]|[.．](?!\d))|第[一二三四五六七八九十\d]+[章节条]|[•●◆■★·])"
)
_SPACE = re.compile(rf"(?<={CJK})\s+(?={CJK})")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page with its place, in points from the upper left corner."""

    text: str
    page: int
    size: float
    left: float
    right: float
    top: float
    is_outside: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """A table with its place."""

    rows: list[list[str]]
    page: int
    top: float


def read_pdf(content: bytes, name: str, report: Report) -> Raw:
    """The text of a file: page numbers and running heads left out, the lines of a paragraph joined."""
    try:
        with pdfplumber.open(BytesIO(content)) as pdf:
            if len(pdf.pages) > _LIMIT_PAGES:
                raise KnowledgeError("too_many_pages", path=name, limit=_LIMIT_PAGES)
            pages = [_read_page(page, i, len(pdf.pages), report) for i, page in enumerate(pdf.pages)]
            about = pdf.metadata or {}
    except PdfminerException as error:
        if any(isinstance(cause, PDFPasswordIncorrect | PDFTextExtractionNotAllowed) for cause in error.args):
            raise KnowledgeError("locked", path=name) from error
        raise
    if not any(pages):
        raise KnowledgeError("scanned", path=name)
    lines = list(_lines(_without_furniture(pages)))
    dated = re.match(r"D:(\d{4})(\d\d)(\d\d)", str(about.get("CreationDate") or ""))
    return Raw(lines, str(about.get("Title") or ""), "-".join(dated.groups()) if dated else "")


def _read_page(page: Page, number: int, count: int, report: Report) -> list[_Line | _Table]:
    """The lines and tables of a page, from top to bottom."""
    if number and number % _MANY == 0:
        report(f"  pages: {number} of {count}")
    tables = [table for table in page.find_tables() if len(table.rows) > 1 and len(table.rows[0].cells) > 1]
    body = page
    for table in tables:
        body = body.outside_bbox(table.bbox)
    lines = [
        _Line(
            text=_SPACE.sub("", line["text"].strip()),
            page=number,
            size=round(median(sign["size"] for sign in line["chars"]), 1),
            left=line["x0"],
            right=line["x1"],
            top=line["top"],
            is_outside=not 0.1 * page.height < line["top"] < 0.89 * page.height,
        )
        for line in body.extract_text_lines()
        if line["text"].strip()
    ]
    found = [
        _Table([[cell or "" for cell in row] for row in table.extract()], number, table.bbox[1]) for table in tables
    ]
    page.close()  # else every page stays in memory
    return sorted([*lines, *found], key=lambda item: item.top)


def _without_furniture(pages: Sequence[list[_Line | _Table]]) -> Iterator[_Line | _Table]:
    """All pages without page numbers, and without first and last lines that come again on most pages.

    Where only running heads and feet stand, lines that differ in their figures alone are the same.
    """
    edges = [[item for item in (*page[:2], *page[-2:]) if isinstance(item, _Line)] for page in pages]
    repeated = Counter(key for edge in edges for key in {_key(line) for line in edge})
    often = max(3, len(pages) // 2)
    for page, edge in zip(pages, edges, strict=True):
        dropped = [line for line in edge if _PAGE_NUMBER.match(line.text) or repeated[_key(line)] >= often]
        yield from (item for item in page if item not in dropped)


def _key(line: _Line) -> str:
    return re.sub(r"\d", "#", line.text) if line.is_outside else line.text


def _lines(items: Iterator[_Line | _Table]) -> Iterator[str]:
    """Headings, paragraphs and rows, in order."""
    known = list(items)
    page = _Layout([item for item in known if isinstance(item, _Line)])
    pending: list[_Line] = []
    rows: list[list[str]] = []
    for item in known:
        if isinstance(item, _Table):
            yield from page.paragraph(pending)
            pending = []
            # A table that goes on over the page keeps its head.
            if rows and len(rows[0]) != len(item.rows[0]):
                yield from table_lines(rows)
                rows = []
            rows += item.rows[1:] if rows and item.rows[0] == rows[0] else item.rows
            continue
        yield from table_lines(rows)
        rows = []
        if pending and not page.goes_on(pending[-1], item):
            yield from page.paragraph(pending)
            pending = []
        pending.append(item)
    yield from page.paragraph(pending)
    yield from table_lines(rows)


class _Layout:
    """What the sizes and places of all lines tell: which are headings, and where a paragraph ends."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        used: Counter[float] = Counter()
        for line in lines:
            used[line.size] += len(line.text)
        usual = used.most_common(1)[0][0] if used else 0.0
        self._large = sorted((size for size in used if size >= 1.15 * usual), reverse=True)
        body = [line for line in lines if line.size not in self._large]
        self._left = {page: min(one.left for one in body if one.page == page) for page in {one.page for one in body}}
        self._right = {page: max(one.right for one in body if one.page == page) for page in {one.page for one in body}}

    def goes_on(self, before: _Line, line: _Line) -> bool:
        """Whether the line continues the paragraph or the heading of the one before."""
        if abs(before.size - line.size) > 0.5 or _ITEM.match(line.text):
            return False
        is_near = line.page != before.page or line.top - before.top < 2.8 * line.size
        if line.size in self._large:
            return is_near and line.page == before.page
        is_full = before.right > self._right[before.page] - 1.6 * before.size
        return is_near and is_full and line.left < self._left[line.page] + 1.2 * line.size

    def paragraph(self, lines: Sequence[_Line]) -> Iterator[str]:
        """The paragraph or heading of these lines."""
        if not lines:
            return
        text = join(line.text for line in lines)
        is_heading = lines[0].size in self._large and len(text) <= 80 and text[-1] not in "。；;，,"
        yield heading(self._large.index(lines[0].size) + 1, text) if is_heading else text
