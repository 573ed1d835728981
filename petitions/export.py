"""A list of petitions as a table for a spreadsheet: masked, readable, row by row, and never a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import BinaryIO

import xlsxwriter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from petitions.clocks import SHANGHAI
from petitions.data import load
from petitions.errors import PetitionError
from petitions.filing import staff_label
from petitions.log import Actor
from petitions.model import Petition, Petitioner
from petitions.privacy import Keyring, masked
from petitions.selection import Selection
from petitions.visibility import visible_to

Row = tuple[str, ...]
# What a sheet of this format holds, with its header.
XLSX_ROWS = 1_048_576
_CELL_CHARACTERS = 32_767
_BATCH = 500
_BYTE_ORDER_MARK = "\ufeff"
_RULES = Path(__file__).with_name("export.yml")
# Signs at which a spreadsheet begins to compute, in both widths, behind blanks too.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")


class _ExportRules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, str]
    labels: dict[str, dict[str, str]]
    sheet: str


class _Line:
    """Gives back what a CSV writer writes."""

    def write(self, line: str) -> str:
        return line


def petition_rows(
    session: Session, actor: Actor, selection: Selection, keyring: Keyring, *, now: datetime
) -> Generator[Row, None, None]:
    """The header and a row for each selected petition, oldest first, personal data masked.

    Args:
        session: Open until the last row is taken.
        actor: Who asks; what they may not see is left out.
        selection: Of which petitions.
        keyring: Opens names and phone numbers so that a part of them can be shown.
        now: Aware.
    """
    rules = _rules()
    yield tuple(rules.columns.values())
    statement = (
        select(Petition)
        .where(visible_to(actor), Petition.number.is_not(None), *selection.conditions(now))
        .order_by(Petition.id)
        .options(joinedload(Petition.petitioner).selectinload(Petitioner.personal))
        .execution_options(yield_per=_BATCH)
    )
    # Whoever stops in the middle leaves no cursor open.
    with closing(session.scalars(statement)) as petitions:
        for petition in petitions:
            cells = _cells(petition, keyring)
            yield tuple(cells[name] for name in rules.columns)


def as_csv(rows: Iterable[Row]) -> Iterator[bytes]:
    """The rows as CSV that Chinese spreadsheets open as it is (UTF-8 with a mark), line by line.

    A cell that a spreadsheet would compute gets an apostrophe before it.
    """
    writer = csv.writer(_Line())
    mark = _BYTE_ORDER_MARK
    for row in rows:
        line: str = writer.writerow(["'" + cell if _FORMULA.match(cell) else cell for cell in row])
        yield (mark + line).encode()
        mark = ""


def write_xlsx(rows: Iterable[Row], file: BinaryIO) -> None:
    """Write the rows as an XLSX workbook of text cells, holding one row at a time in memory.

    Args:
        rows: The first is the header.
        file: Open for writing; a workbook is packed at its end, so nothing stands there before.

    Raises:
        PetitionError: `too_many_rows` for a sheet; the file is then of no use.
    """
    # Nothing may become a link or a formula, whatever it looks like: all cells are written as strings.
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet(_rules().sheet)
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True})
        for number, row in enumerate(rows):
            if number == XLSX_ROWS:
                raise PetitionError("too_many_rows", most=str(XLSX_ROWS - 1))
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell[:_CELL_CHARACTERS], None if number else bold)


def _cells(petition: Petition, keyring: Keyring) -> dict[str, str]:
    first, second, third = petition.category
    personal = masked(keyring, petition.petitioner)
    return {
        "number": petition.number or "",
        "filed_at": _moment(petition.filed_at),
        "channel": label("channel", petition.channel),
        "class": petition.class_,
        "first": first,
        "second": second,
        "third": third,
        "priority": label("priority", petition.priority),
        "state": staff_label(petition.state),
        "unit": petition.unit,
        "office": petition.office or "",
        "community": petition.community or "",
        "flags": "、".join(label("flags", flag) for flag in petition.flags),
        "name": personal.get("name", ""),
        "phone": personal.get("phone", ""),
        "matter": petition.matter,
        "place": petition.place or "",
        "occurred": petition.occurred or "",
        "accepted_at": _moment(petition.accepted_at),
        "ended_at": _moment(petition.ended_at),
    }


def label(kind: str, value: str) -> str:
    """What people call a value: of `channel`, `priority` or `flags`; one without a name stands as it is."""
    return _rules().labels[kind].get(value, value)


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if at else ""


@cache
def _rules() -> _ExportRules:
    return load(_RULES, _ExportRules)
