"""A document taken apart: sections, sentences and clauses, each with its place in the source."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import yaml

from knowledge.errors import KnowledgeError
from language.quantities import arabic_years, find_quantities

Status = Literal["achieved", "planned"]

_ENDS = "。!?！？"
_COUNT = "一二三四五六七八九十"
_MARKED = re.compile(r"^(?P<marks>#{1,6})\s+(?P<title>\S.*)$")
# Ways to number a heading, the outer ones first. Below headings that are marked with # they are inner ones.
_NUMBERED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"第[{_COUNT}百\d]+(?:章|编|篇|部分)",
        rf"第[{_COUNT}百\d]+节",
        rf"[{_COUNT}]+、",
        rf"[(（][{_COUNT}]+[)）]",
        r"\d{1,2}(?:、|[.．](?!\d))",
        r"[(（]\d{1,2}[)）]",
    )
)
_INNER = 6
_TITLE = re.compile(r"[^。]{2,80}")
_YEAR = re.compile(r"(?<![比较同与跟\d])((?:19|20)\d\d)(?=年)")
_OPENING_YEAR = re.compile(r"((?:19|20)\d\d)年度?[,，:：]")
_PLAN = re.compile("计划(?!生育)|安排|打算|展望|目标(?!责任)")
_RESULT = re.compile("总结|回顾|情况|完成|成效|成绩|实现")
_SENTENCE = re.compile(rf"[^\s{_ENDS}][^{_ENDS}]*[{_ENDS}]?")
_CLAUSE = re.compile(r"[^,;。!?，；！？]+")
# What says something: a line of marks or a lone date does not.
_WORDS = re.compile(r"[^\W\d_]{2}")
_DATE = re.compile(r"[\d二〇零一三四五六七八九十]+年[\d一二三四五六七八九十]+月(?:[\d一二三四五六七八九十]+日)?")
LIMIT_CHARACTERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the source: `source[start:end]` is `text`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Section:
    """A part with its headings; `period` and `status` are told by the nearest that tells them.

    Attributes:
        chapter: The outer headings, down to the last that names a year.
        title: Those below it.
        period: Year, or empty where nothing names one.
        status: Whether it gives results or plans.
    """

    chapter: str
    title: str
    period: str
    status: Status

    @property
    def name(self) -> str:
        """All headings, as a citation shows them."""
        return f"{self.chapter} {self.title}".strip()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its clauses."""

    span: Span
    section: Section
    clauses: tuple[Span, ...]


@dataclass(frozen=True)
class Document:
    """A source with what is known of it.

    Attributes:
        id: Stem of the file's name.
        title: As a citation names it.
        text: The source, verbatim; all offsets are characters in it.
        published_on: As its description says.
        not_facts: Strings with digits that are names and no figures.
        sentences: What is evidence: all that belongs to a year.
        undated: Headings over sentences that belong to no year, and so are no evidence.
        added_at: When it was added by command; empty for one that is shipped.
    """

    id: str
    title: str
    text: str
    published_on: str
    not_facts: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    undated: tuple[str, ...]
    added_at: str

    @cached_property
    def digest(self) -> str:
        """Of the text alone: the same for the same content under another name."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def years(self) -> tuple[str, ...]:
        """The years that it speaks of, in order."""
        return tuple(sorted({sentence.section.period for sentence in self.sentences}))


def read_document(path: Path) -> Document:
    """The document at `path`, with what the `.yml` of the same name says of it.

    Raises:
        KnowledgeError: The file is missing, empty, far too long or not UTF-8, or its description lacks a field.
    """
    return make_document(path.stem, _read(path), _describe(path.with_suffix(".yml")))


def make_document(name: str, text: str, about: dict[str, Any]) -> Document:
    """The document of a text and its description (`title`, `published_on`; `year`, `not_facts`, `added_at`)."""
    added_at = str(about.get("added_at") or "")
    root = _Heading(0, str(about["title"]))
    year = str(about.get("year") or root.year)
    found = list(_sentences(text, root, year, takes_unended=bool(added_at)))
    return Document(
        id=name,
        title=root.title,
        text=text,
        published_on=str(about["published_on"]),
        not_facts=tuple(about.get("not_facts") or ()),
        sentences=tuple(sentence for sentence in found if sentence.section.period),
        undated=tuple(dict.fromkeys(one.section.name for one in found if not one.section.period and one.section.name)),
        added_at=added_at,
    )


def _read(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise KnowledgeError("unreadable", path=path.name) from error
    except UnicodeDecodeError as error:
        raise KnowledgeError("not_utf8", path=path.name) from error
    if not text.strip():
        raise KnowledgeError("empty", path=path.name)
    if len(text) > LIMIT_CHARACTERS:
        raise KnowledgeError("too_long", path=path.name, limit=LIMIT_CHARACTERS)
    return text


def _describe(path: Path) -> dict[str, Any]:
    try:
        about = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KnowledgeError("no_description", path=path.name) from error
    for field in ("title", "published_on"):
        if not isinstance(about, dict) or field not in about:
            raise KnowledgeError("description_lacks", path=path.name, field=field)
    return dict(about)


@dataclass(frozen=True)
class _Heading:
    """A heading with what it tells of all below it."""

    level: int
    title: str

    @cached_property
    def years(self) -> set[str]:
        return set(_YEAR.findall(arabic_years(unicodedata.normalize("NFKC", self.title))))

    @property
    def year(self) -> str:
        """The year it names; none when it names two, for then its parts must tell."""
        return next(iter(self.years)) if len(self.years) == 1 else ""

    @property
    def status(self) -> Status | None:
        if len(self.years) > 1:
            return None
        if _PLAN.search(self.title) and not _RESULT.search(self.title):
            return "planned"
        return "achieved" if self.years or _RESULT.search(self.title) else None


def _sentences(text: str, root: _Heading, year: str, *, takes_unended: bool) -> Iterator[Sentence]:
    """Every sentence in its section.

    Args:
        text: The source.
        root: The title as the outermost heading.
        year: Where no heading names one; may be empty.
        takes_unended: Whether lines and ends of lines without a closing mark say something: items, rows of tables.
    """
    path: list[_Heading] = []
    lines = _lines(text)
    levels = [_level(line.text) for line in lines]
    for i, line in enumerate(lines):
        if heading := _heading(lines, levels, i):
            if heading.title != root.title:
                path = [*(outer for outer in path if outer.level < heading.level), heading]
            continue
        # A title that its paragraph follows on the same line holds for this paragraph alone.
        run_in, begin = _run_in(line.text, levels[i])
        section = _section([root, *path, *run_in], year)
        for match in _SENTENCE.finditer(line.text, begin):
            if match[0][-1] in _ENDS or (takes_unended and _says_something(match[0])):
                span = Span(match[0], line.start + match.start(), line.start + match.end())
                yield Sentence(span, _dated(section, span.text), tuple(_clauses(span)))


def _level(line: str) -> int | None:
    """How deep the number is that the line begins with."""
    return next((_INNER + i for i, number in enumerate(_NUMBERED) if number.match(line)), None)


def _heading(lines: Sequence[Span], levels: Sequence[int | None], i: int) -> _Heading | None:
    """The heading that line `i` is: marked with #, or numbered, without closing mark and no item of a list."""
    text, level = lines[i].text.strip(), levels[i]
    if marked := _MARKED.match(text):
        return _Heading(len(marked["marks"]), marked["title"].strip())
    if level is None or len(text) > 60 or text[-1] in _ENDS + ",;，；、" or "。" in text:
        return None
    heading = _Heading(level, text)
    if heading.year:
        return heading
    is_in_list = level in levels[i + 1 : i + 2] or (i > 0 and levels[i - 1] == level)
    return None if is_in_list or find_quantities(text) else heading


def _run_in(line: str, level: int | None) -> tuple[list[_Heading], int]:
    """The title that opens a numbered paragraph, and where the paragraph goes on; no title that gives a figure."""
    if level is None or not (title := _TITLE.match(line)) or title.end() == len(line):
        return [], 0
    if not line[title.end() + 1 :].strip() or find_quantities(title[0]):
        return [], 0
    return [_Heading(level, title[0])], title.end() + 1


def _section(path: Sequence[_Heading], year: str) -> Section:
    """The section below these headings, of which the first is the title of the document."""
    stands = [i for i, heading in enumerate(path) if heading.year]
    dated = stands[-1] if stands else 0
    status = next((heading.status for heading in reversed(path) if heading.status), None)
    return Section(
        chapter=" ".join(heading.title for heading in path[1 : dated + 1]),
        title=" ".join(heading.title for heading in path[max(1, dated + 1) :]),
        period=path[dated].year if dated else year,
        status=status or "achieved",
    )


def _dated(section: Section, sentence: str) -> Section:
    """The section, but of the year before that a sentence of results opens with."""
    opening = _OPENING_YEAR.match(sentence)
    if not opening or section.status == "planned" or (section.period and opening[1] >= section.period):
        return section
    return Section(section.chapter, section.title, opening[1], section.status)


def _says_something(text: str) -> bool:
    return bool(_WORDS.search(_DATE.sub("", text)))


def _lines(text: str) -> list[Span]:
    return [Span(m[0], m.start(), m.end()) for m in re.finditer(r"[^\r\n]+", text) if m[0].strip()]


def _clauses(sentence: Span) -> Iterator[Span]:
    """Clauses of at least two signs, outside of quotation marks."""
    for match in _CLAUSE.finditer(sentence.text):
        if len(match[0].strip()) >= 2:
            yield Span(match[0], sentence.start + match.start(), sentence.start + match.end())
