"""What the clocks do by themselves: warn, tell what is overdue, escalate; and due times computed anew."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from petitions.cases import ClockWork, earliest_due, lock_petitions, running_clocks
from petitions.clocks import OVERDUE_STEP, set_due, step_at
from petitions.log import SYSTEM, append, values_of
from petitions.model import Petition, RunningClock
from petitions.rules import Rules, own_rules
from storage import begin_writing


@dataclass(frozen=True, slots=True)
class Ticked:
    """How many events of each kind one tick wrote."""

    warn: int = 0
    overdue: int = 0
    escalate: int = 0
    looked_at: int = 0


def tick(session: Session, now: datetime, *, rules: Rules | None = None, limit: int = 200) -> Ticked:
    """Write what the clocks are due to say by now, once each; call again, committed, while petitions are found.

    Only clocks whose next step is due are looked at, soonest first. A petition that somebody else is working on is left
    for the next tick, so that two workers never wait for each other and never say the same twice.

    Args:
        session: At the start of a transaction.
        now: Aware.
        rules: Other rules than those beside the code.
        limit: At most this many clocks.
    """
    rules = rules or own_rules()
    begin_writing(session)
    due = session.scalars(
        select(RunningClock.petition_id)
        .where(RunningClock.next_at <= now)
        .order_by(RunningClock.next_at, RunningClock.id)
        .limit(limit)
    ).all()
    petitions = lock_petitions(session, set(due), skip_locked=True) if due else []
    said: Counter[str] = Counter()
    for petition in petitions:
        for clock in sorted(running_clocks(petition), key=lambda clock: clock.due_at):
            while clock.next_at is not None and clock.next_at <= now:
                said.update(_next_step(session, petition, clock, now, rules))
    session.flush()
    return Ticked(said["warn"], said["overdue"], said["escalate"], len(petitions))


def recompute_provisional(session: Session, *, now: datetime, rules: Rules | None = None) -> int:
    """Compute anew every due time that was provisional, from workdays known by now; how many changed or became certain.

    Args:
        session: At the start of a transaction; the caller commits.
        now: Aware.
        rules: Other rules than those beside the code.
    """
    rules = rules or own_rules()
    begin_writing(session)
    running = RunningClock.stopped_at.is_(None)
    ids = session.scalars(select(RunningClock.petition_id).where(RunningClock.is_provisional, running).distinct()).all()
    count = 0
    for petition in lock_petitions(session, ids):
        work = ClockWork(petition, now, rules)
        for clock in running_clocks(petition):
            if clock.is_provisional:
                has_moved = set_due(clock, rules.clocks[clock.clock], rules.calendar)
                if has_moved or not clock.is_provisional:
                    work.tell(clock, "recompute")
        if work.changes:
            petition.due_at = earliest_due(petition)
            _write(session, petition, "recompute", {"clocks": work.changes}, now)
            count += len(work.changes)
    session.flush()
    return count


def _next_step(session: Session, petition: Petition, running: RunningClock, now: datetime, rules: Rules) -> list[str]:
    """Take the next step of a clock; the kind of event it wrote, if any."""
    step, clock = running.step, rules.clocks[running.clock]
    data: dict[str, Any] = {
        "clock": running.clock,
        "due_at": running.due_at.isoformat(),
        "article": running.article,
        "step": step,
    }
    running.step += 1
    running.next_at = step_at(running, clock, rules.calendar)
    if step <= OVERDUE_STEP:
        kind = "overdue" if step == OVERDUE_STEP else "warn"
    else:
        above = rules.network.above(petition.unit)
        level = step - OVERDUE_STEP - 1
        if level >= len(above):
            running.next_at = None
            return []
        kind = "escalate"
        before = values_of(petition)
        # Another clock may have brought it higher already.
        if petition.overseer_unit not in above[level:]:
            petition.overseer_unit = above[level]
        after = values_of(petition)
        data |= {"to": above[level], "set": {name: after[name] for name in after if after[name] != before[name]}}
    _write(session, petition, kind, data, now, key=f"clock-{running.id}-{step}-{running.due_at:%Y%m%d%H%M%S}")
    return [kind]


def _write(
    session: Session, petition: Petition, kind: str, data: dict[str, Any], now: datetime, *, key: str | None = None
) -> None:
    append(session, petition, kind, SYSTEM, state_from=petition.state, data=data, now=now, key=key)
