"""How far a petition is, as its petitioner may read it: the states it went through, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from petitions.filing import state_label, ticket_of
from petitions.model import Event, Petition


@dataclass(frozen=True, slots=True)
class Step:
    """A state that a petition came to, in a resident's words."""

    label: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """A petition as its petitioner sees it.

    Attributes:
        ticket: From `ticket_of`.
        matter: What was said, without what is personal in it.
        filed_at: Aware.
        steps: Newest first; the last one is its filing.
        answer: The unit's last reply; empty without one, or once erased.
    """

    ticket: dict[str, Any]
    matter: str
    filed_at: datetime
    steps: tuple[Step, ...]
    answer: str


def progress_of(petition: Petition) -> Progress:
    """How far a petition is, for whoever has proved that it is theirs."""
    newest_first = petition.events[::-1]
    answers = (event.private.payload.get("answer") for event in newest_first if event.private)
    return Progress(
        ticket_of(petition),
        petition.matter,
        petition.filed_at,
        tuple(
            Step(state_label(event.state_to), event.at) for event in newest_first if event.state_from != event.state_to
        ),
        next((str(answer) for answer in answers if answer), ""),
    )


def progress_in(session: Session, conversation: str, *, limit: int = 20) -> list[Progress]:
    """How far the petitions filed in a conversation are, newest first.

    Args:
        session: Open.
        conversation: Whose petitions; the caller has proved that it is theirs.
        limit: At most so many.
    """
    petitions = session.scalars(
        select(Petition)
        .where(Petition.conversation == conversation, Petition.conversation != "", Petition.number.is_not(None))
        .options(selectinload(Petition.clocks), selectinload(Petition.events).selectinload(Event.private))
        .order_by(Petition.id.desc())
        .limit(limit)
    )
    return [progress_of(petition) for petition in petitions]
