"""Word documents."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from zipfile import ZipFile

import cn2an
import docx
from docx.document import Document
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.table import Table
from docx.text.paragraph import Paragraph

from knowledge.convert.lines import Raw, Report, heading, table_lines
from knowledge.errors import KnowledgeError

_LIMIT_BYTES = 300_000_000
_STYLE = re.compile(r"^(?:heading|标题)\s*([1-6])$", re.IGNORECASE)
_CHINESE = re.compile("chinese|japanese|ideograph|taiwanese")
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MANY = 2000


def read_docx(content: bytes, name: str, report: Report) -> Raw:
    """The text of a document: paragraphs, lists, tables; numbers that Word counts itself are written out."""
    with ZipFile(BytesIO(content)) as package:
        names = package.namelist()
        if "EncryptedPackage" in names or any(part.flag_bits & 1 for part in package.infolist()):
            raise KnowledgeError("locked", path=name)
        if "word/document.xml" not in names:
            raise KnowledgeError("wrong_kind", path=name, kind=".docx")
        # A small file that unpacks into gigabytes is no report.
        if sum(part.file_size for part in package.infolist()) > _LIMIT_BYTES:
            raise KnowledgeError("too_big", path=name, limit=_LIMIT_BYTES // 1_000_000)
    document = docx.Document(BytesIO(content))
    about = document.core_properties
    dated = about.modified or about.created
    return Raw(list(_lines(document, report)), about.title or "", f"{dated:%Y-%m-%d}" if dated else "")


def _lines(document: Document, report: Report) -> Iterator[str]:
    numbers = _Numbers(document)
    for i, block in enumerate(document.iter_inner_content()):
        if i and i % _MANY == 0:
            report(f"  paragraphs: {i}")
        if isinstance(block, Table):
            yield from table_lines([[cell.text for cell in row.cells] for row in block.rows])
        elif text := _text(block).strip():
            level = _heading_level(block)
            text = numbers.of(block) + text
            yield from [heading(level, text)] if level else text.splitlines()


def _text(paragraph: Paragraph) -> str:
    """All words, those of links and of accepted changes too."""
    signs = {qn("w:tab"): " ", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
    # A text box stands in the file twice, for new and for old readers.
    nodes = (node for node in paragraph._p.iter(qn("w:t"), *signs) if next(node.iterancestors(_FALLBACK), None) is None)
    return "".join(signs.get(node.tag) or node.text or "" for node in nodes)


def _heading_level(paragraph: Paragraph) -> int:
    """From 1 for the title or an outermost heading; 0 for none."""
    name = str(paragraph.style.name if paragraph.style is not None else "")
    if name.lower() in {"title", "标题"}:
        return 1
    if found := _STYLE.match(name):
        return int(found[1])
    outline = paragraph._p.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
    level = int(outline.get(qn("w:val"))) + 1 if outline is not None else 0
    return level if level <= 6 else 0


class _Numbers:
    """The numbers that Word writes before paragraphs and keeps out of their text."""

    def __init__(self, document: Document) -> None:
        self._levels: dict[tuple[str, str], tuple[str, str]] = {}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        parts = [part for part in document.part.package.iter_parts() if part.partname == "/word/numbering.xml"]
        for root in (part.element for part in parts):
            abstract = {one.get(qn("w:abstractNumId")): one for one in root.iter(qn("w:abstractNum"))}
            for number in root.iter(qn("w:num")):
                link = number.find(qn("w:abstractNumId"))
                for level in abstract[link.get(qn("w:val"))].iter(qn("w:lvl")):
                    key = (number.get(qn("w:numId")), level.get(qn("w:ilvl")))
                    self._levels[key] = (_value(level, "w:numFmt"), _value(level, "w:lvlText"))

    def of(self, paragraph: Paragraph) -> str:
        """The number before a paragraph; empty for none and for a bullet."""
        style = paragraph.style.element if paragraph.style is not None else None
        for owner in (paragraph._p, style):
            found = owner.find(f"{qn('w:pPr')}/{qn('w:numPr')}") if owner is not None else None
            if found is not None:
                return self._next(_value(found, "w:numId"), _value(found, "w:ilvl") or "0")
        return ""

    def _next(self, number: str, level: str) -> str:
        counts, depth = self._counts[number], int(level)
        counts[depth] = counts.get(depth, 0) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]
        kind, pattern = self._levels.get((number, level), ("bullet", ""))
        if kind in {"bullet", "none"}:
            return ""
        return re.sub(r"%(\d)", lambda found: _count(kind, counts.get(int(found[1]) - 1, 1)), pattern)


def _value(element: BaseOxmlElement, name: str) -> str:
    found = element.find(qn(name))
    return str(found.get(qn("w:val")) or "") if found is not None else ""


def _count(kind: str, number: int) -> str:
    return str(cn2an.an2cn(number, "low")) if _CHINESE.search(kind) else str(number)
