"""The next ticket for somebody to work on: soonest due first, each to one person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from petitions.cases import Outcome, act
from petitions.errors import PetitionError
from petitions.log import Actor
from petitions.model import Petition
from petitions.rules import Rules, own_rules
from petitions.visibility import visible_to
from storage import begin_writing


def claim_next(session: Session, actor: Actor, *, now: datetime, rules: Rules | None = None) -> Outcome:
    """Claim the ticket of the actor's unit that is due soonest and that nobody works on; the caller commits.

    A ticket that somebody else is just taking is passed over, so that nobody waits and no two get the same. One whose
    claim has lapsed comes before all that were never claimed.

    Args:
        session: At the start of a transaction.
        actor: Who wants to work; has a unit.
        now: Aware.
        rules: Other rules than those beside the code.

    Raises:
        PetitionError: `nothing_to_claim`.
    """
    rules = rules or own_rules()
    begin_writing(session)
    number = _next(session, actor, rules, Petition.claimed_until <= now, Petition.claimed_until)
    if number is None:
        number = _next(session, actor, rules, Petition.claimed_by.is_(None), Petition.due_at)
    if number is None:
        raise PetitionError("nothing_to_claim")
    return act(session, number, "claim", actor, {}, now=now, rules=rules)


def _next(
    session: Session,
    actor: Actor,
    rules: Rules,
    is_free: ColumnElement[bool],
    order: InstrumentedAttribute[datetime | None],
) -> int | None:
    """The first free ticket in this order, locked."""
    return session.scalar(
        select(Petition.id)
        .where(
            is_free,
            Petition.unit == actor.unit,
            Petition.due_at.is_not(None),
            Petition.state.in_(rules.lifecycle.groups["unanswered"]),
            visible_to(actor, rules.network),
        )
        .order_by(order, Petition.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
