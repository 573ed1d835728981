"""How the queue stands, in counts that name nobody: for those who watch the product, not for those who work in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from petitions.lifecycle import own_lifecycle
from petitions.model import OutboxMessage, Petition, RunningClock
from petitions.outbox import DEAD, PENDING


@dataclass(frozen=True, slots=True)
class Standing:
    """Counts over all tickets, accusations among them.

    Attributes:
        tickets: Open ones by state; every open state is there.
        overdue: Clocks that have run out, by clock.
        provisional: Running clocks whose due time waits for the calendar of a later year.
        outbox: Messages that wait (`pending`) or were given up (`dead`).
        oldest_seconds: Age of the oldest message that waits; 0 without any.
        late_seconds: How long the message that is due the longest has been due; 0 without any.
    """

    tickets: Mapping[str, int]
    overdue: Mapping[str, int]
    provisional: int
    outbox: Mapping[str, int]
    oldest_seconds: float
    late_seconds: float


def standing(session: Session, *, now: datetime) -> Standing:
    """How things stand, by indexes alone: closed tickets cost nothing.

    Args:
        session: Open.
        now: Aware.
    """
    open_states = sorted(own_lifecycle().groups["open"])
    by_state = select(Petition.state, func.count()).where(Petition.state.in_(open_states)).group_by(Petition.state)
    # The earliest due time of a ticket finds the few whose clocks are worth a look.
    by_clock = (
        select(RunningClock.clock, func.count())
        .join(Petition)
        .where(Petition.due_at < now, RunningClock.due_at < now)
        .where(RunningClock.stopped_at.is_(None), RunningClock.paused_at.is_(None), RunningClock.is_window.is_(False))
        .group_by(RunningClock.clock)
    )
    provisional = select(func.count()).where(RunningClock.is_provisional, RunningClock.stopped_at.is_(None))
    by_outbox = (
        select(
            OutboxMessage.state,
            func.count().label("messages"),
            func.min(OutboxMessage.created_at).label("created_at"),
            func.min(OutboxMessage.next_at).label("next_at"),
        )
        .where(OutboxMessage.state.in_((PENDING, DEAD)))
        .group_by(OutboxMessage.state)
    )
    outbox = {row.state: row for row in session.execute(by_outbox)}
    waiting = outbox.get(PENDING)
    return Standing(
        tickets=dict.fromkeys(open_states, 0) | _counts(session, by_state),
        overdue=_counts(session, by_clock),
        provisional=session.scalar(provisional) or 0,
        outbox={state: outbox[state].messages if state in outbox else 0 for state in (PENDING, DEAD)},
        oldest_seconds=max(0.0, (now - waiting.created_at).total_seconds()) if waiting else 0.0,
        late_seconds=max(0.0, (now - waiting.next_at).total_seconds()) if waiting else 0.0,
    )


def _counts(session: Session, statement: Select[str, int]) -> dict[str, int]:
    return {row[0]: row[1] for row in session.execute(statement)}
