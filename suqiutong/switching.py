"""The kill switches on the command line."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

import getpass
from datetime import datetime
from typing import Annotated

import typer

from suqiutong.settings import read_settings
from suqiutong.transactions import transaction

switch = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Its name in `switch list`.")]
UNTIL_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]


@switch.command("list")
def list_switches() -> None:
    """List all switches: name, state, and of one that is off: since when, by whom, until when, why."""
    from petitions.clocks import SHANGHAI
    from storage.switches import NAMES, switched_off

    def written(moment: datetime | None) -> str:
        return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if moment else "-"

    with transaction(read_settings()) as (session, now):
        found = {off.name: off for off in switched_off(session, now=now)}
    for name in NAMES:
        off = found.get(name)
        row = ("off", written(off.since), off.by, written(off.until), off.reason) if off else ("on",)
        typer.echo("\t".join((name, *row)))


@switch.command("off")
def turn_off(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why, for colleagues and for later.")],
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=UNTIL_FORMATS, help="When it goes on by itself, in local time."),
    ] = None,
    is_public: Annotated[bool, typer.Option("--public", help="Let residents read the reason.")] = False,
) -> None:
    """Turn it off, in every process within seconds; safety advice still goes out."""
    from desk import audit
    from desk.switches import given, label
    from petitions.clocks import SHANGHAI
    from storage import switches

    ends_at = until.replace(tzinfo=SHANGHAI) if until else None
    with transaction(read_settings()) as (session, now):
        switches.turn_off(session, name, reason=reason, by=_user(), now=now, until=ends_at, is_public=is_public)
        data = given(reason=reason, until=ends_at, is_public=is_public)
        audit.note_command(session, _user(), "switch_off", label(name), data, now=now)


@switch.command("on")
def turn_on(name: Name) -> None:
    """Turn it on again."""
    from desk import audit
    from desk.switches import label
    from storage import switches

    with transaction(read_settings()) as (session, now):
        switches.turn_on(session, name, by=_user(), now=now)
        audit.note_command(session, _user(), "switch_on", label(name), now=now)


def _user() -> str:
    """Who sits at the machine."""
    return f"{getpass.getuser()} (command line)"
