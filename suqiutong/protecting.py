"""Personal data on the command line: seen with a reason, found, exported, erased, and their keys changed."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlalchemy.orm import Session

from suqiutong.casework import Number, said_in_words
from suqiutong.errors import CommandError
from suqiutong.settings import read_settings
from suqiutong.wiring import Services

if TYPE_CHECKING:
    from petitions.log import Actor

privacy = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Option("--as", help="Who does it.")]
Role = Annotated[str, typer.Option("--role", help="operator, handler, supervisor or petitioner.")]
Unit = Annotated[str | None, typer.Option("--unit", help="The unit they work for.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is written into the log.")]
Kind = Annotated[str, typer.Argument(help="name, phone or id_number.")]
Numbers = Annotated[list[str], typer.Argument(help="The numbers of all tickets of one person.")]


@privacy.command("unmask")
def unmask(
    number: Number,
    kinds: Annotated[list[str], typer.Argument(help="name, phone, id_number, matter, place, occurred.")],
    name: Name,
    role: Role,
    reason: Reason,
    unit: Unit = None,
) -> None:
    """Show personal data of a ticket in whole; who saw them and why is an event."""
    from petitions import privacy as data

    services = Services(read_settings())
    actor = _actor(name, role, unit)
    with said_in_words(), services.writing() as session:
        (petition_id,) = _ids(session, [number], actor)
        values = data.unmask(
            session, services.keyring, petition_id, kinds, reason=reason, actor=actor, now=services.clock()
        )
    _print(values)


@privacy.command("find")
def find(
    kind: Kind,
    value: Annotated[str, typer.Argument(help="As it was given.")],
    name: Name,
    role: Role,
    unit: Unit = None,
) -> None:
    """List the tickets of whoever has this name, phone or identity number."""
    from petitions.privacy import find_by_personal

    services = Services(read_settings())
    with services.sessions() as session:
        for petition in find_by_personal(session, services.keyring, kind, value, _actor(name, role, unit)):
            typer.echo(f"{petition.number}\t{petition.state}\t{petition.unit}")


@privacy.command("export")
def export(numbers: Numbers, name: Name, role: Role, reason: Reason, unit: Unit = None) -> None:
    """Show as JSON all that is kept of one person; each ticket gets an event."""
    from petitions.privacy import export_person

    services = Services(read_settings())
    actor = _actor(name, role, unit)
    with said_in_words(), services.writing() as session:
        ids = _ids(session, numbers, actor)
        content = export_person(session, services.keyring, ids, reason=reason, actor=actor, now=services.clock())
    _print(content)


@privacy.command("erase")
def erase(numbers: Numbers, name: Name, role: Role, reason: Reason, unit: Unit = None) -> None:
    """Erase all that is personal in the tickets of one person, and show the signed proof."""
    from channels.store import forget
    from petitions.privacy import erase_person

    services = Services(read_settings())
    actor = _actor(name, role, unit)
    with said_in_words(), services.writing() as session:
        ids = _ids(session, numbers, actor)
        erased = erase_person(session, services.keyring, ids, reason=reason, actor=actor, now=services.clock())
        forget(session, erased.conversations)
    _print(erased.proof)


@privacy.command("check-proof")
def check_proof(file: Annotated[Path, typer.Argument(help="What `privacy erase` showed.")]) -> None:
    """Hold a proof of erasure against the database; every fault is a line, and the exit is non-zero."""
    from petitions import privacy as data

    try:
        proof = json.loads(file.read_text(encoding="utf-8"))
        numbers = [entry["number"] for entry in proof["petitions"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{file} is no proof") from error
    services = Services(read_settings())
    with services.sessions() as session, said_in_words():
        faults = data.check_proof(session, services.keyring, proof)
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise CommandError(f"the proof does not hold in {len(faults)} places")
    typer.echo(f"erased: {', '.join(numbers)}")


@privacy.command("purge")
def purge() -> None:
    """Erase what is kept longer than petitions/privacy.yml allows; the worker does it every day."""
    from petitions import privacy as data

    services = Services(read_settings())
    typer.echo(f"petitions: {_until_none(services, lambda session: data.purge(session, now=services.clock()))}")


@privacy.command("rotate")
def rotate() -> None:
    """Make a new key and seal everything with it; the old keys stay until `drop-keys`."""
    from suqiutong.keys import add_key

    services = Services(read_settings())
    add_key(services.settings.keys_file, now=services.clock())
    typer.echo(f"sealed anew: {services.protect()}")


@privacy.command("drop-keys")
def drop_keys() -> None:
    """Delete the keys that nothing is sealed with any more, an hour after the last rotation at the earliest."""
    from desk import factor
    from petitions.privacy import keys_in_use
    from suqiutong import keys

    services = Services(read_settings())
    with services.writing() as session:
        used = keys_in_use(session) | factor.keys_in_use(session)
        gone = keys.drop_keys(services.settings.keys_file, used, now=services.clock())
    typer.echo(f"dropped: {', '.join(gone) or 'none'}")


@privacy.command("unseal")
def unseal() -> None:
    """Put personal data back as they were before there were keys, for a schema older than 0011."""
    from petitions import privacy as data

    services = Services(read_settings())
    typer.echo(f"unsealed: {_until_none(services, lambda session: data.unseal(session, services.keyring))}")


def _until_none(services: Services, work: Callable[[Session], int]) -> int:
    """Do a piece of work in one transaction after another until nothing is left; how much it was."""
    done = 0
    while True:
        with services.writing() as session:
            count = work(session)
        done += count
        if not count:
            return done


def _actor(name: str, role: str, unit: str | None) -> Actor:
    from petitions.log import Actor

    return Actor(name, role, unit)


def _ids(session: Session, numbers: list[str], actor: Actor) -> list[int]:
    from petitions.listing import get_petition

    return [get_petition(session, number, actor).id for number in numbers]


def _print(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
