"""Petitions for those who work on them: a page of them, how many there are, and one by its number."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from petitions.errors import PetitionError
from petitions.log import Actor
from petitions.model import Petition
from petitions.visibility import visible_to

PAGE = 50


def list_petitions(
    session: Session,
    actor: Actor,
    *,
    states: Sequence[str] = (),
    unit: str | None = None,
    before_id: int | None = None,
    limit: int = PAGE,
) -> Sequence[Petition]:
    """One page of petitions that the actor may see, newest first.

    Args:
        session: Open.
        actor: Who looks.
        states: Only those in one of these states; all without any.
        unit: Only those of this responsible unit.
        before_id: Only those filed before this one: the last of the page before.
        limit: At most this many.
    """
    statement = select(Petition).where(visible_to(actor), Petition.number.is_not(None))
    if states:
        statement = statement.where(Petition.state.in_(states))
    if unit is not None:
        statement = statement.where(Petition.unit == unit)
    if before_id is not None:
        statement = statement.where(Petition.id < before_id)
    return session.scalars(statement.order_by(Petition.id.desc()).limit(limit)).all()


def get_petition(session: Session, number: str, actor: Actor) -> Petition:
    """The petition of that number.

    Raises:
        PetitionError: `no_such_number`, alike for one that is not there and one that the actor may not see.
    """
    petition = session.scalar(select(Petition).where(Petition.number == number, visible_to(actor)))
    if petition is None:
        raise PetitionError("no_such_number")
    return petition


def count_by_state(session: Session, actor: Actor) -> dict[str, int]:
    """How many of the petitions that the actor may see are in each state."""
    statement = select(Petition.state, func.count()).where(visible_to(actor)).group_by(Petition.state)
    rows = session.execute(statement.order_by(Petition.state))
    return {state: count for state, count in rows}  # noqa: C416 - rows are no pairs to a type checker
