"""What all kinds of files become: lines; and how a line is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from language.normalise import strip_hidden

Rows = Sequence[Sequence[str]]
Report = Callable[[str], None]

CJK = r"[\u3400-\u9fff\uff00-\uffef\u3000-\u303f]"
_HALF_WIDTH = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
_HALF_WIDTH |= {ord("％"): ord("%"), ord("．"): ord("."), ord("＃"): ord("#")}
# 一 as a radical, which fonts of PDF files give for the sign.
_RADICALS = re.compile(r"[\u2e80-\u2fdf\uf900-\ufaff]")
_SPACES = re.compile(r"[^\S\n]+")
# 举办 12 场: a space that typesetting puts beside a figure.
_SPACE_AT_FIGURE = re.compile(rf"(?<={CJK}) (?=\d)|(?<=[\d%]) (?={CJK})")
# 1,418,800元 is one figure, 101,102,103号楼 are three.
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,号栋楼室幢座])")
_YEAR = re.compile(r"^((?:19|20)\d\d)年?度?(?=$|\D)")
_UNIT = re.compile(r"[(（](?:单位[:：])?(?P<unit>[^\d()（）]{1,8})[)）]$")


@dataclass(frozen=True, slots=True)
class Raw:
    """A document as read: its lines, headings after `#`, and what the file says of itself."""

    lines: Sequence[str]
    title: str = ""
    published_on: str = ""


def tidy(line: str) -> str:
    """A line without hidden signs, needless spaces and thousands separators, its figures in half width."""
    plain = _RADICALS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), line.translate(_HALF_WIDTH))
    plain = _SPACES.sub(" ", strip_hidden(plain)).strip()
    return _THOUSANDS.sub(lambda found: found[0].replace(",", ""), _SPACE_AT_FIGURE.sub("", plain))


def heading(level: int, text: str) -> str:
    """A heading as a line."""
    return f"{'#' * min(max(level, 1), 6)} {one_line(text)}"


def one_line(text: str) -> str:
    """The text without line feeds."""
    return " ".join(text.split())


def table_lines(rows: Rows) -> Iterator[str]:
    """One line a row: every cell with the name of the row and the head of its column; a year gets a line of its own.

    Args:
        rows: Cells as text, the head first where there is one.
    """
    plain = [[tidy(one_line(cell)) for cell in row] for row in rows]
    plain = [row for row in plain if any(row)]
    if not plain:
        return
    head = plain[0] if len(plain) > 1 and _is_head(plain[0]) else None
    for row in plain[1:] if head else plain:
        if len({cell for cell in row if cell}) < 2 or head is None:
            yield "，".join(dict.fromkeys(cell for cell in row if cell))
        else:
            yield from _row_lines(head, row)


def _is_head(row: Sequence[str]) -> bool:
    """Names and no figures; a year and a unit are names."""
    return sum(map(bool, row)) > 1 and not any(re.search(r"\d", _YEAR.sub("", _UNIT.sub("", cell))) for cell in row)


def _row_lines(head: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    name = row[0]
    by_year: dict[str, list[str]] = {}
    row_year = _YEAR.match(name)
    unit_of_row = _UNIT.search(name)
    for title, cell in zip(head[1:], row[1:], strict=False):
        if not cell:
            continue
        unit = _UNIT.search(title) or unit_of_row
        year = row_year or _YEAR.match(title)
        label = _UNIT.sub("", name if not row_year else "") + _YEAR.sub("", _UNIT.sub("", title))
        is_bare = unit is not None and re.fullmatch(r"-?[\d,]+(?:\.\d+)?", cell)
        value = tidy(cell + unit["unit"] if unit and is_bare else cell)
        by_year.setdefault(year[1] if year else "", []).append(f"{label}：{value}" if label else value)
    for told, cells in by_year.items():
        yield (f"{told}年，" if told else "") + "，".join(cells)


def join(parts: Iterable[str]) -> str:
    """Lines of one paragraph as one: no space between Chinese signs, a word that was parted in one piece."""
    whole = ""
    for part in parts:
        if re.search(r"[A-Za-z]-$", whole) and re.match("[a-z]", part):
            whole = whole[:-1] + part
        elif re.search(r"[A-Za-z,;.]$", whole) and re.match(r"[A-Za-z]", part):
            whole = f"{whole} {part}"
        else:
            whole += part
    return whole
