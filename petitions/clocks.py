"""Which clocks a petition runs, when each runs out, and what starts, stops, pauses and extends one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from petitions.data import load
from petitions.model import RunningClock
from petitions.workdays import Workdays

_CLOCKS = Path(__file__).with_name("clocks.yml")
SHANGHAI = ZoneInfo("Asia/Shanghai")
_END_OF_DAY = time(23, 59, 59)
# Steps of a clock that nobody stops: 0 warn, 1 overdue, then one escalation for each level above.
OVERDUE_STEP = 1

Amount = Annotated[int, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(_Strict):
    """A stretch of time: minutes run day and night, days are calendar days, workdays are worked days."""

    amount: Amount
    unit: Literal["minutes", "days", "workdays"]

    def shift(self, moment: datetime, calendar: Workdays, sign: int = 1) -> datetime:
        """The moment that lies this span later (earlier when `sign` is -1), at the same time of day."""
        if self.unit == "workdays":
            local = moment.astimezone(SHANGHAI)
            day, _ = calendar.add(local.date(), sign * self.amount)
            return datetime.combine(day, local.timetz())
        return moment + sign * timedelta(**{self.unit: self.amount})


class Clock(Span):
    """A time limit, for whom it runs, and where it stands in law."""

    extension: int = 0
    is_window: bool = False
    warn_before: Span | None = None
    escalate_after: Span | None = None
    priorities: frozenset[str] | None = None
    classes: frozenset[str] | None = None
    except_classes: frozenset[str] = frozenset()
    channels: frozenset[str] | None = None
    except_channels: frozenset[str] = frozenset()
    article: str = Field(min_length=1, max_length=100)
    source: str = Field(min_length=1)

    def runs_for(self, *, class_: str, channel: str, priority: str) -> bool:
        """Whether a petition of this kind has this clock."""
        return (
            _allows(self.priorities, priority)
            and _allows(self.classes, class_)
            and _allows(self.channels, channel)
            and class_ not in self.except_classes
            and channel not in self.except_channels
        )


class Clocks(_Strict):
    """All clocks by name."""

    as_of: date
    clocks: Mapping[str, Clock]


@dataclass(frozen=True, slots=True)
class Due:
    """When a clock runs out; provisional while the workdays of its year are not known."""

    at: datetime
    is_provisional: bool


def due_at(unit: str, amount: int, start_at: datetime, calendar: Workdays) -> Due:
    """When a limit of this length runs out.

    Args:
        unit: `minutes`, `days` or `workdays`.
        amount: How many.
        start_at: Aware; the moment from which it counts.
        calendar: Chinese workdays, 调休 included.

    Returns:
        Aware datetime in Asia/Shanghai. Days and workdays do not count the day it starts on and end with the last
        second of the last one.

    Raises:
        ValueError: start_at has no time zone.
    Source: 信访工作条例 art. 22, 23, 34.
    """
    if start_at.tzinfo is None:
        raise ValueError("start_at needs a time zone")
    local = start_at.astimezone(SHANGHAI)
    if unit == "minutes":
        return Due(local + timedelta(minutes=amount), is_provisional=False)
    if unit == "days":
        day, is_known = local.date() + timedelta(days=amount), True
    else:
        day, is_known = calendar.add(local.date(), amount)
    return Due(datetime.combine(day, _END_OF_DAY, SHANGHAI), not is_known)


def start_clock(name: str, clock: Clock, now: datetime, calendar: Workdays) -> RunningClock:
    """A clock that starts now."""
    running = RunningClock(
        clock=name,
        unit=clock.unit,
        amount=clock.amount,
        started_at=now,
        counted_from=now,
        article=clock.article,
        is_window=clock.is_window,
        extended_days=0,
    )
    set_due(running, clock, calendar)
    return running


def set_due(running: RunningClock, clock: Clock, calendar: Workdays) -> bool:
    """Compute when the clock runs out and when it is looked at next; whether that changed."""
    due = due_at(running.unit, running.amount, running.counted_from, calendar)
    has_moved = running.due_at != due.at
    running.due_at, running.is_provisional = due.at, due.is_provisional
    if has_moved:
        running.step = 0 if clock.warn_before else OVERDUE_STEP
    running.next_at = None if running.is_window or running.paused_at else step_at(running, clock, calendar)
    return has_moved


def step_at(running: RunningClock, clock: Clock, calendar: Workdays) -> datetime | None:
    """When the clock's next step is due: the warning, the end, an escalation; None after the last."""
    if running.step < OVERDUE_STEP and clock.warn_before:
        return max(clock.warn_before.shift(running.due_at, calendar, -1), running.counted_from)
    if running.step == OVERDUE_STEP:
        return running.due_at
    if clock.escalate_after is None:
        return None
    moment = running.due_at
    for _ in range(running.step - OVERDUE_STEP):
        moment = clock.escalate_after.shift(moment, calendar)
    return moment


def stop_clock(running: RunningClock, now: datetime) -> None:
    """Stop it for good."""
    running.stopped_at, running.next_at = now, None


def pause_clock(running: RunningClock, now: datetime) -> bool:
    """Stop counting for a while; a clock that has run out stays run out. Whether it was running."""
    if running.paused_at or running.stopped_at or running.due_at < now:
        return False
    running.paused_at, running.next_at = now, None
    return True


def resume_clock(running: RunningClock, clock: Clock, now: datetime, calendar: Workdays) -> bool:
    """Go on counting what was left when it was paused. Whether it was paused."""
    if running.paused_at is None or running.stopped_at:
        return False
    if running.unit == "minutes":
        running.counted_from += now - running.paused_at
    else:
        paused_on, due_on = (moment.astimezone(SHANGHAI).date() for moment in (running.paused_at, running.due_at))
        is_days = running.unit == "days"
        running.amount = (due_on - paused_on).days if is_days else calendar.count(paused_on, due_on)
        running.counted_from = now
    running.paused_at = None
    set_due(running, clock, calendar)
    return True


def extend_clock(running: RunningClock, clock: Clock, days: int, calendar: Workdays) -> None:
    """Let a clock of days run longer, once."""
    running.amount += days
    running.extended_days = days
    set_due(running, clock, calendar)


def clock_json(running: RunningClock) -> dict[str, Any]:
    """What of a clock the event log keeps, and what a replay gives back."""
    return {
        "due_at": _utc(running.due_at),
        "is_provisional": running.is_provisional,
        "paused_at": _utc(running.paused_at),
    }


def is_late(running: RunningClock, now: datetime) -> bool:
    """Whether it ran out before `now`."""
    return now > running.due_at and running.paused_at is None


@cache
def own_clocks() -> Mapping[str, Clock]:
    """The clocks of clocks.yml."""
    return read_clocks(_CLOCKS)


def read_clocks(path: Path) -> Mapping[str, Clock]:
    """The clocks in a file.

    Raises:
        DataError: it cannot be used; the message names the file and what is wrong.
    """
    return load(path, Clocks).clocks


def _allows(allowed: frozenset[str] | None, value: str) -> bool:
    return allowed is None or value in allowed


def _utc(moment: datetime | None) -> str | None:
    return moment.astimezone(ZoneInfo("UTC")).isoformat() if moment else None
