"""The command that makes and removes a demonstration."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

from typing import Annotated

import typer

from suqiutong.settings import read_settings
from suqiutong.wiring import Services


def demo(
    into: Annotated[
        str | None,
        typer.Option("--into", help="SQLAlchemy address of another database than the one in the settings."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same number makes the same petitions.")] = 1,
    is_removed: Annotated[
        bool,
        typer.Option("--remove", help="Empty the database of a demonstration: all of it, accounts included."),
    ] = False,
) -> None:
    """Fill an empty database with made-up petitions and people, so that every page of the desk shows something."""
    from suqiutong import demo as demonstration

    settings = read_settings()
    services = Services(settings.model_copy(update={"database_url": into}) if into else settings)
    if is_removed:
        demonstration.remove(services)
        typer.echo("removed", err=True)
        return
    lives = demonstration.fill(services, lambda line: typer.echo(line, err=True), now=services.clock(), seed=seed)
    typer.echo(f"{sum(lives.values())} petitions; remove them with `suqiutong demo --remove`", err=True)
    typer.echo("Accounts for the desk; the passwords are shown once:", err=True)
    for account in demonstration.add_accounts(services, now=services.clock()):
        typer.echo("\t".join(account))
