"""How far a petition has come, as its petitioner is told; and, for a merged one, the ticket that it joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from language.personal import mask_personal
from petitions.filing import joined_label, state_label, ticket_of
from petitions.model import Event, Petition
from petitions.privacy import Keyring, personal_of

_REPLY = "reply"
HIDDEN = "＊＊"


@dataclass(frozen=True, slots=True)
class Step:
    """A state that was reached, in the resident's words."""

    at: datetime
    label: str


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of the ticket that a petition was merged into, and nothing of whose it is.

    Attributes:
        label: Where it stands.
        reply: What was replied, masked; None without a reply.
        due: Its running clocks, as in a ticket.
    """

    label: str
    reply: str | None
    due: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a petition has come.

    Attributes:
        steps: The states that it reached, oldest first.
        reply: What was replied last; None without a reply, or once it was erased.
        joined: Of the ticket it was merged into, at the end of the chain; None where it stands by itself.
    """

    steps: tuple[Step, ...]
    reply: str | None
    joined: Joined | None


def progress_of(session: Session, petition: Petition, keyring: Keyring) -> Progress:
    """How far a petition has come, for whoever has proved that it is theirs.

    Args:
        session: Open.
        petition: Theirs.
        keyring: Opens the name of the other petitioner, to take it out of a reply.
    """
    events = _events(session, petition)
    steps = tuple(Step(event.at, state_label(event.state_to)) for event in events if event.state_from != event.state_to)
    whole = whole_of(session, petition)
    joined = None
    if whole is not None:
        reply = _reply(_events(session, whole))
        joined = Joined(
            joined_label(whole.state),
            _for_others(reply, personal_of(keyring, whole.petitioner)) if reply else None,
            ticket_of(whole)["due"],
        )
    return Progress(steps, _reply(events), joined)


def whole_of(session: Session, petition: Petition) -> Petition | None:
    """The ticket that a petition was merged into, through all that were merged on the way; None where it was not."""
    seen = {petition.number}
    whole = None
    number = petition.merged_into
    while number is not None and number not in seen:
        seen.add(number)
        found = session.scalar(select(Petition).where(Petition.number == number))
        if found is None:
            break
        whole, number = found, found.merged_into
    return whole


def _events(session: Session, petition: Petition) -> list[Event]:
    statement = select(Event).where(Event.petition_id == petition.id).order_by(Event.number)
    return list(session.scalars(statement.options(selectinload(Event.private))))


def _reply(events: list[Event]) -> str | None:
    """The last reply that has not been erased."""
    for event in reversed(events):
        if event.action == _REPLY:
            answer = event.private.payload.get("answer") if event.private else None
            return str(answer) if answer else None
    return None


def _for_others(reply: str, personal: Mapping[str, str]) -> str:
    """A reply without what is personal of whom it was written to."""
    for value in filter(None, personal.values()):
        reply = reply.replace(value, HIDDEN)
    return mask_personal(reply)
