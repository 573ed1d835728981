"""One step with many tickets: each in a transaction of its own, each with its own result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from desk import queue
from desk.services import Services
from petitions import Actor, PetitionError, act

# What may be done without looking at each ticket: it decides nothing, or what the table lets be taken back.
STEPS = ("claim", "release", "note", "accept")
MOST = 100


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one ticket; no problem when the step was taken."""

    number: str
    problem: str


def act_on_all(
    services: Services, actor: Actor, step: str, chosen: Sequence[tuple[str, int]], *, note: str, key: str
) -> list[Result]:
    """Take one step with each ticket; what is refused hinders no other.

    Args:
        services: The desk's.
        actor: Who acts.
        step: One of `STEPS`.
        chosen: Number and version of each ticket, as they were shown.
        note: What to note, where the step may.
        key: Names this very form: sent again, it changes nothing.
    """
    fields = {"note": note} if note and step in {"note", "accept"} else {}
    return [_act(services, actor, step, number, version, fields, f"{key}-{step}") for number, version in chosen]


def _act(
    services: Services, actor: Actor, step: str, number: str, version: int, fields: dict[str, str], key: str
) -> Result:
    try:
        with services.sessions() as session:
            ticket_id = queue.ticket(session, number, actor).id
            session.rollback()
            act(
                session, ticket_id, step, actor, fields, now=services.clock(), expected_version=version, key=key or None
            )
            session.commit()
    except PetitionError as error:
        return Result(number, error.message)
    return Result(number, "")
