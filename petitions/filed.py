"""Petitions as the outside may follow them: by number, category, day of filing, and whether they are at their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from petitions.log import Actor
from petitions.model import Event, Petition
from petitions.visibility import visible_to


def list_filed(
    session: Session,
    actor: Actor,
    *,
    numbers: Sequence[str] = (),
    categories: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    is_ended: bool | None = None,
    limit: int,
) -> Sequence[Petition]:
    """Petitions that the actor may see with their clocks, newest first.

    Args:
        session: Open.
        actor: Who looks.
        numbers: Only these tickets; all without any.
        categories: Only these of the first level; all without any.
        since: Aware; filed at that moment or later.
        until: Aware; filed at that moment or earlier.
        is_ended: Only those at their end, or only the others.
        limit: At most this many.
    """
    statement = select(Petition).where(visible_to(actor), Petition.number.is_not(None))
    if numbers:
        statement = statement.where(Petition.number.in_(numbers))
    if categories:
        statement = statement.where(Petition.topic.in_(categories))
    if since is not None:
        statement = statement.where(Petition.filed_at >= since)
    if until is not None:
        statement = statement.where(Petition.filed_at <= until)
    if is_ended is not None:
        statement = statement.where(Petition.ended_at.is_not(None) if is_ended else Petition.ended_at.is_(None))
    statement = statement.options(selectinload(Petition.clocks)).order_by(Petition.filed_at.desc(), Petition.id.desc())
    return session.scalars(statement.limit(limit)).all()


def last_changes(session: Session, petitions: Sequence[Petition], actor: Actor) -> Mapping[int, datetime]:
    """When something last happened to each of these petitions, by its id."""
    rows = session.execute(
        select(Event.petition_id, func.max(Event.at))
        .join(Petition)
        .where(Event.petition_id.in_([petition.id for petition in petitions]), visible_to(actor))
        .group_by(Event.petition_id)
    )
    return {number: at for number, at in rows}  # noqa: C416 - rows are no pairs to a type checker


def expected_at(petition: Petition) -> datetime | None:
    """When the petition is to be answered: the end of the last clock that runs for the office; None where none does."""
    return max(
        (
            clock.due_at
            for clock in petition.clocks
            if clock.stopped_at is None and clock.paused_at is None and not clock.is_window
        ),
        default=None,
    )
