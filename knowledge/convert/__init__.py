"""From a file as a subdistrict has it to the plain text that is the source from then on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cn2an

from knowledge.convert.lines import Raw, Report, tidy
from knowledge.convert.pdf import read_pdf
from knowledge.convert.web import read_html, read_markdown
from knowledge.convert.word import read_docx
from knowledge.document import LIMIT_CHARACTERS
from knowledge.errors import KnowledgeError

LIMIT_BYTES = 50_000_000
_PDF, _ZIP, _OLE = b"%PDF-", b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_DATE = re.compile(r"(20\d\d)\s?[-年/.]\s?(\d{1,2})\s?[-月/.]\s?(\d{1,2})(?!\d)")
_CHINESE_DATE = re.compile(
    "二[〇零][〇零一二三四五六七八九]{2}年[一二三四五六七八九十]{1,2}月[一二三四五六七八九十]{1,3}日"
)
# Where a document dates itself: below its title, or at its end.
_TOP_LINES, _LAST_LINES = 6, 4
_TITLE_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Converted:
    """A document as plain text: a heading after `#`, an item or a row of a table a line, a paragraph a line.

    Attributes:
        text: Ends with a line feed.
        title: As it names itself; empty where it does not.
        published_on: As it dates itself, or None.
    """

    text: str
    title: str
    published_on: date | None


def convert(path: Path, report: Report) -> Converted:
    """The plain text of a `.txt`, `.md`, `.html`, `.docx` or `.pdf`.

    Args:
        path: The file.
        report: Told of long work and of what was taken for granted, a line each.

    Raises:
        KnowledgeError: It cannot be read, is not what its name says, is damaged, locked, far too big or without text.
    """
    read = _READERS.get(path.suffix.lower())
    if path.is_dir():
        raise KnowledgeError("is_folder", path=path.name)
    if read is None:
        raise KnowledgeError("unknown_kind", path=path.name)
    content = _read(path)
    _check_kind(path, content)
    try:
        raw = read(content, path.name, report)
    except KnowledgeError:
        raise
    except MemoryError as error:
        raise KnowledgeError("too_big", path=path.name, limit=LIMIT_BYTES // 1_000_000) from error
    except Exception as error:  # a damaged file fails anywhere in its parser
        raise KnowledgeError("damaged", path=path.name) from error
    lines = [line for line in map(tidy, raw.lines) if line]
    if not any(re.search(r"\w", line) for line in lines):
        raise KnowledgeError("no_text", path=path.name)
    text = "\n".join(lines) + "\n"
    if len(text) > LIMIT_CHARACTERS:
        raise KnowledgeError("too_long", path=path.name, limit=LIMIT_CHARACTERS)
    return Converted(text, _title(lines, raw.title), _date(lines, raw.published_on))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise KnowledgeError("too_big", path=path.name, limit=LIMIT_BYTES // 1_000_000)
        content = path.read_bytes()
    except PermissionError as error:
        raise KnowledgeError("no_permission", path=path.name) from error
    except OSError as error:
        raise KnowledgeError("unreadable", path=path.name) from error
    if not content.strip():
        raise KnowledgeError("empty", path=path.name)
    return content


def _check_kind(path: Path, content: bytes) -> None:
    kind = path.suffix.lower()
    if kind == ".docx" and content.startswith(_OLE):
        raise KnowledgeError("locked", path=path.name)  # Word keeps what has a password in its old container
    is_right = {".pdf": _PDF in content[:1024], ".docx": content.startswith(_ZIP)}
    if not is_right.get(kind, not content.startswith((_PDF, _ZIP, _OLE))):
        raise KnowledgeError("wrong_kind", path=path.name, kind=kind)


def _decode(content: bytes, name: str, report: Report) -> str:
    """Text in UTF-8 with or without mark, in UTF-16 with mark, or in GB18030."""
    encodings = ("utf-16",) if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROLS.search(text):
            if encoding != "utf-8-sig":
                report(f"  read as {encoding.upper()}: not UTF-8")
            return text
    raise KnowledgeError("not_text", path=name)


def _read_text(content: bytes, name: str, report: Report) -> Raw:
    return Raw(_decode(content, name, report).splitlines())


def _read_markdown(content: bytes, name: str, report: Report) -> Raw:
    return read_markdown(_decode(content, name, report))


def _read_html(content: bytes, name: str, report: Report) -> Raw:
    return read_html(_decode(content, name, report), name)


def _title(lines: list[str], told: str) -> str:
    """The first heading, else what the file says of itself, else its first line when that is no sentence."""
    heading = next((line.lstrip("# ") for line in lines[:_TOP_LINES] if line.startswith("#")), "")
    first = lines[0] if len(lines[0]) <= _TITLE_CHARACTERS and lines[0][-1] not in "。;；,，:：" else ""
    return heading or told.strip() or first


def _date(lines: list[str], told: str) -> date | None:
    """The last date that stands in a short line at its end, else the first at its top, else what the file says."""
    bottom = [line for line in reversed(lines[-_LAST_LINES:]) if len(line) <= 30]
    for text in (*bottom, *lines[:_TOP_LINES], told):
        if found := _DATE.search(_CHINESE_DATE.sub(lambda date: cn2an.transform(date[0], "cn2an"), text)):
            try:
                return date(int(found[1]), int(found[2]), int(found[3]))
            except ValueError:  # 2021年13月40日
                continue
    return None


_READERS: dict[str, Callable[[bytes, str, Report], Raw]] = {
    ".txt": _read_text,
    ".md": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".docx": read_docx,
    ".pdf": read_pdf,
}
