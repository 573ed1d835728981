"""Lists and reports of the petitions on the command line."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from suqiutong.casework import said_in_words
from suqiutong.settings import read_settings
from suqiutong.wiring import Services


class Format(StrEnum):
    """How a list is written."""

    CSV = "csv"
    XLSX = "xlsx"


def add_to(petitions: typer.Typer) -> None:
    """Add the commands to those of the petitions."""
    petitions.command("export")(export)
    petitions.command("report")(report)


def export(
    since: Annotated[datetime, typer.Option("--since", formats=["%Y-%m-%d"], help="First day of filing.")],
    until: Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day of filing.")],
    name: Annotated[str, typer.Option("--as", help="Who exports.")],
    role: Annotated[str, typer.Option("--role", help="operator, handler or supervisor.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; one that is there stays.")],
    unit: Annotated[str | None, typer.Option("--unit", help="The unit they work for.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="csv or xlsx.")] = Format.XLSX,
) -> None:
    """Write the petitions that somebody may see into a file, personal data masked."""
    from petitions.export import as_csv, petition_rows, write_xlsx
    from petitions.log import Actor
    from petitions.selection import Selection

    services = Services(read_settings())
    selection = Selection(since.date(), until.date())
    with said_in_words(), services.sessions() as session, whole_file(output) as file:
        rows = petition_rows(session, Actor(name, role, unit), selection, services.keyring, now=services.clock())
        if format_ is Format.CSV:
            file.writelines(as_csv(rows))
        else:
            write_xlsx(rows, file)


def report(
    year: Annotated[int, typer.Option("--year", min=1950, max=2099, help="Of which year.")],
) -> None:
    """Show a year as JSON: what came in, what became of it, and the change against the year before."""
    from petitions.log import SYSTEM
    from petitions.yearly import yearly_report

    services = Services(read_settings())
    with services.sessions() as session:
        found = yearly_report(session, year, SYSTEM, now=services.clock())
    typer.echo(json.dumps(found.to_json(), ensure_ascii=False, indent=2))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, which is there only when all of it was written."""
    with path.open("xb") as file:
        try:
            yield file
        except BaseException:
            path.unlink()
            raise
