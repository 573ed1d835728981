"""Messages on the command line: delivered now, looked at when they failed, tried again."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

from typing import Annotated

import typer

from suqiutong.settings import read_settings
from suqiutong.wiring import Services

outbox = typer.Typer(no_args_is_help=True)


@outbox.command("deliver")
def deliver() -> None:
    """Deliver what is due now; the worker does it every minute."""
    from suqiutong import jobs

    for state, count in sorted(jobs.deliver(Services(read_settings())).items()):
        typer.echo(f"{state}: {count}")


@outbox.command("dead")
def dead() -> None:
    """List the messages that were given up: id, key, kind, attempts, why."""
    from petitions.outbox import dead_letters

    with Services(read_settings()).sessions() as session:
        for message in dead_letters(session):
            typer.echo(f"{message.id}\t{message.key}\t{message.kind}\t{message.attempts}\t{message.problem}")


@outbox.command("retry")
def retry(
    ids: Annotated[list[int] | None, typer.Argument(help="Ids in `outbox dead`; by default all.")] = None,
) -> None:
    """Try dead letters again from the start."""
    from petitions.outbox import retry_dead

    services = Services(read_settings())
    with services.writing() as session:
        typer.echo(f"tried again: {retry_dead(session, ids or (), now=services.clock())}")
