"""A document taken apart: sections, sentences and clauses, each with its place in the source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from knowledge.errors import KnowledgeError

Status = Literal["achieved", "planned"]

_CHAPTER = re.compile(r"^[一二三四五六七八九十]+、(?P<title>.{2,40})$")
_PART = re.compile(r"^([(（][一二三四五六七八九十]+[)）])(?P<title>[^。]{2,80})。")
_YEAR = re.compile(r"(20\d\d)年")
_SENTENCE = re.compile(r"[^。!?！？]+[。!?！？]?")
_CLAUSE = re.compile(r"[^,;。!?，；！？]+")
_LIMIT_CHARACTERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the source: `source[start:end]` is `text`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Section:
    """A part with one heading; `period` and `status` are told by its chapter."""

    chapter: str
    title: str
    period: str
    status: Status

    @property
    def name(self) -> str:
        """Chapter and heading as a citation shows them."""
        return f"{self.chapter} {self.title}".strip()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its clauses."""

    span: Span
    section: Section
    clauses: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A source with what is known of it.

    Attributes:
        id: Stem of the file's name.
        title: As a citation names it.
        text: The source, verbatim; all offsets are characters in it.
        not_facts: Strings with digits that are names and no figures.
    """

    id: str
    title: str
    text: str
    published_on: str
    not_facts: tuple[str, ...]
    sentences: tuple[Sentence, ...]


def read_document(path: Path) -> Document:
    """The document at `path`, with what the `.yml` of the same name says of it.

    Raises:
        KnowledgeError: The file is missing, empty, far too long or not UTF-8, or its description lacks a field.
    """
    text = _read(path)
    about = _describe(path.with_suffix(".yml"))
    return Document(
        id=path.stem,
        title=about["title"],
        text=text,
        published_on=str(about["published_on"]),
        not_facts=tuple(about.get("not_facts") or ()),
        sentences=tuple(_sentences(text)),
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
    if len(text) > _LIMIT_CHARACTERS:
        raise KnowledgeError("too_long", path=path.name, limit=_LIMIT_CHARACTERS)
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


def _sentences(text: str) -> list[Sentence]:
    """Every sentence below a chapter; what stands outside of chapters belongs to none and is no evidence."""
    found: list[Sentence] = []
    chapter, period, status = "", "", "achieved"
    for line in _lines(text):
        if heading := _CHAPTER.match(line.text):
            year = _YEAR.search(heading["title"])
            chapter, period = line.text, year[1] if year else ""
            status = "planned" if re.search("计划|安排|打算|展望", heading["title"]) else "achieved"
            continue
        if not period:
            continue
        part = _PART.match(line.text)
        section = Section(chapter, part[1] + part["title"] if part else "", period, _status(status))
        begin = part.end() if part else 0
        for match in _SENTENCE.finditer(line.text, begin):
            if match[0].strip() and match[0][-1] in "。!?！？":
                start = line.start + match.start()
                span = Span(match[0], start, start + len(match[0]))
                found.append(Sentence(span, section, tuple(_clauses(span))))
    return found


def _status(word: str) -> Status:
    return "planned" if word == "planned" else "achieved"


def _lines(text: str) -> list[Span]:
    return [Span(match[0], match.start(), match.end()) for match in re.finditer(r"[^\r\n]+", text)]


def _clauses(sentence: Span) -> list[Span]:
    """Clauses of at least two signs, outside of quotation marks."""
    spans: list[Span] = []
    for match in _CLAUSE.finditer(sentence.text):
        start = sentence.start + match.start()
        if len(match[0].strip()) >= 2:
            spans.append(Span(match[0], start, start + len(match[0])))
    return spans
