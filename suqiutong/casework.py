"""The case work on the command line: petitions, their clocks and their log."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from sqlalchemy.orm import Session

from suqiutong.errors import CommandError
from suqiutong.settings import read_settings
from suqiutong.wiring import Services

if TYPE_CHECKING:
    from petitions.log import Actor
    from petitions.model import Event, Petition

petitions = typer.Typer(no_args_is_help=True)

Number = Annotated[str, typer.Argument(help="The number of a ticket.")]
_HERE = ZoneInfo("Asia/Shanghai")


@contextmanager
def said_in_words() -> Iterator[None]:
    """A refusal as the sentence that a person reads."""
    from petitions.errors import PetitionError

    try:
        yield
    except PetitionError as error:
        raise CommandError(error.message) from error


@petitions.command("show")
def show(number: Number) -> None:
    """Show a ticket with its state, clocks and events as JSON; what people wrote is left out."""
    from petitions.filing import state_label, ticket_of
    from petitions.log import snapshot_of

    with Services(read_settings()).sessions() as session, said_in_words():
        petition = _find(session, number)
        _print(
            ticket_of(petition)
            | {"label": state_label(petition.state), "version": petition.version}
            | {"case": snapshot_of(petition).to_json()}
            | {"events": [_event_json(event) for event in petition.events]}
        )


@petitions.command("list")
def list_(
    search: Annotated[str, typer.Option("--search", help="Words that all occur in matter, place or number.")] = "",
    state: Annotated[str | None, typer.Option("--state", help="A state or a group of states, such as open.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="The responsible unit.")] = None,
    below: Annotated[bool, typer.Option("--below", help="And the units below it.")] = False,
    topic: Annotated[str | None, typer.Option("--topic", help="First level of the category.")] = None,
    community: Annotated[str | None, typer.Option("--community", help="Such as 碧眼.")] = None,
    class_: Annotated[str | None, typer.Option("--class", help="Such as 投诉.")] = None,
    priority: Annotated[str | None, typer.Option("--priority", help="emergency, urgent or normal.")] = None,
    due_before: Annotated[
        str | None, typer.Option("--due-before", help="A moment by which a clock ends; the soonest come first.")
    ] = None,
    after: Annotated[str | None, typer.Option("--after", help="`next` of the page before.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most this many.")] = 50,
) -> None:
    """Show a page of tickets, one JSON object a line, and then what begins the next page."""
    from petitions.filing import ticket_of
    from petitions.listing import Wanted, list_petitions
    from petitions.log import SYSTEM

    wanted = Wanted(
        search=search,
        state=state,
        units=(unit,) if unit else (),
        with_below=below,
        first=topic,
        community=community,
        class_=class_,
        priority=priority,
        due_before=_moment(due_before) if due_before else None,
    )
    services = Services(read_settings())
    with services.sessions() as session, said_in_words():
        page = list_petitions(session, SYSTEM, wanted, now=services.clock(), after=after, limit=limit)
        for petition in page.petitions:
            typer.echo(json.dumps(ticket_of(petition), ensure_ascii=False))
        typer.echo(json.dumps({"next": page.next}))


@petitions.command("similar")
def similar(text: Annotated[str, typer.Argument(help="What somebody tells.")]) -> None:
    """Show the tickets most like a text, one JSON object a line; accusations never."""
    for one in Services(read_settings()).similar(text):
        typer.echo(json.dumps(one, ensure_ascii=False))


@petitions.command("act")
def act(
    number: Number,
    action: Annotated[str, typer.Argument(help="An action of petitions/lifecycle.yml, such as `accept`.")],
    name: Annotated[str, typer.Option("--as", help="Who does it.")],
    role: Annotated[str, typer.Option("--role", help="operator, handler, supervisor or petitioner.")],
    unit: Annotated[str | None, typer.Option("--unit", help="The unit they work for.")] = None,
    field: Annotated[
        list[str] | None, typer.Option("--field", "-f", help="What the step needs, as name=value; as often as needed.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="Names this step: sent again it changes nothing.")] = None,
    version: Annotated[int | None, typer.Option("--version", help="The version that was seen.")] = None,
) -> None:
    """Take one step with a petition and show where it stands."""
    from petitions import cases
    from petitions.filing import ticket_of
    from petitions.log import Actor

    services = Services(read_settings())
    actor = Actor(name, role, unit)
    with said_in_words(), services.writing() as session:
        outcome = cases.act(
            session,
            _find(session, number, actor).id,
            action,
            actor,
            dict(_field(text) for text in field or ()),
            now=services.clock(),
            expected_version=version,
            key=key,
        )
        _print(ticket_of(outcome.petition) | {"version": outcome.petition.version, "is_new": outcome.is_new})


@petitions.command("tick")
def tick() -> None:
    """Write what the clocks are due to say by now, seal the log, and tell how much was said."""
    from suqiutong import jobs

    done = jobs.tick(Services(read_settings()))
    typer.echo(f"warned: {done.warn}, overdue: {done.overdue}, escalated: {done.escalate}")


@petitions.command("recompute")
def recompute() -> None:
    """Compute provisional due times anew once the workdays of their year are known."""
    from suqiutong import jobs

    count = jobs.recompute(Services(read_settings()))
    typer.echo(f"recomputed: {count}")


@petitions.command("verify")
def verify() -> None:
    """Check the whole log; every place that does not hold is a line, and the exit is non-zero."""
    from petitions import log

    with Services(read_settings()).sessions() as session:
        found = log.verify(session)
    for fault in found.faults:
        typer.echo(f"petition {fault.petition_id or '-'} event {fault.number or '-'}: {fault.problem}")
    if not found.holds:
        raise CommandError(f"the log does not hold in {len(found.faults)} places")
    typer.echo(f"{found.events} events of {found.petitions} petitions hold, {found.seals} seals, digest {found.digest}")


@petitions.command("replay")
def replay(
    number: Number,
    at: Annotated[str | None, typer.Option("--at", help="A moment, such as 2026-11-23T12:00; by default now.")] = None,
) -> None:
    """Show as JSON how a petition stood at a moment, from its events alone."""
    from petitions import log

    services = Services(read_settings())
    with services.sessions() as session, said_in_words():
        moment = _moment(at) if at else services.clock()
        _print(log.replay(session, _find(session, number).id, moment).to_json())


@petitions.command("stats")
def stats(
    since: Annotated[str, typer.Option("--since", help="First day, such as 2026-11-01.")],
    until: Annotated[str, typer.Option("--until", help="Last day.")],
    by: Annotated[
        list[str] | None, typer.Option("--by", help="unit, category, community or month; as often as needed.")
    ] = None,
) -> None:
    """Show response, solution, satisfaction, replies on time and first dispatch, one JSON object a group."""
    from petitions.log import SYSTEM
    from petitions.rates import DIMENSIONS, rates

    chosen = [dimension for dimension in DIMENSIONS if dimension in (by or ())]
    if unknown := set(by or ()) - set(chosen):
        raise CommandError(f"--by {', '.join(sorted(unknown))}: must be one of {', '.join(DIMENSIONS)}")
    first, last = _day(since), _day(until) + timedelta(days=1)
    with Services(read_settings()).sessions() as session:
        for group in rates(session, since=first, until=last, actor=SYSTEM, by=chosen):
            typer.echo(json.dumps(group.to_json(), ensure_ascii=False))


def _find(session: Session, number: str, actor: Actor | None = None) -> Petition:
    """The petition of that number; the command line sees all unless somebody is named."""
    from petitions.listing import get_petition
    from petitions.log import SYSTEM

    return get_petition(session, number, actor or SYSTEM)


def _field(text: str) -> tuple[str, str | int | bool]:
    """`name=value`, the value as the field's type wants it."""
    from petitions.lifecycle import own_lifecycle

    name, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--field {text}: must be name=value")
    rule = own_lifecycle().fields.get(name)
    if rule and rule.type == "boolean" and value in {"true", "false"}:
        return name, value == "true"
    return name, int(value) if rule and rule.type == "integer" and value.isdecimal() else value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text} is no moment such as 2026-11-23T12:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=_HERE)


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), _HERE)
    except ValueError as error:
        raise CommandError(f"{text} is no day such as 2026-11-23") from error


def _event_json(event: Event) -> dict[str, Any]:
    kept = ("number", "action", "actor", "role", "unit", "state_from", "state_to", "data")
    return {"at": event.at.astimezone(_HERE).isoformat()} | {name: getattr(event, name) for name in kept}


def _print(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
