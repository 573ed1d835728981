"""The choices that operators made while callers spoke, on the command line."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from suqiutong.reporting import whole_file
from suqiutong.settings import read_settings
from suqiutong.wiring import Services

assist = typer.Typer(no_args_is_help=True)


@assist.callback()
def _assist() -> None:
    """Handle what operators made of the proposals they were shown."""


@assist.command("export")
def export(
    since: Annotated[datetime, typer.Option("--since", formats=["%Y-%m-%d"], help="First day of the choices.")],
    until: Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day of the choices.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; one that is there stays.")],
) -> None:
    """Write the choices as training examples, one JSON object a line, for a person to read and merge."""
    from desk.choices import examples
    from petitions.clocks import SHANGHAI

    first, last = since.replace(tzinfo=SHANGHAI), until.replace(tzinfo=SHANGHAI) + timedelta(days=1)
    services = Services(read_settings())
    with services.sessions() as session, whole_file(output) as file:
        for row in examples(session, since=first, until=last):
            file.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode())
