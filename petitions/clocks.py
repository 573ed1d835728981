"""Which clocks a petition runs, and when each runs out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

_CLOCKS = Path(__file__).with_name("clocks.yml")
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Clock:
    """A time limit: calendar days that end with the day, or a span from the minute; for some priorities or for all."""

    name: str
    article: str
    days: int = 0
    span: timedelta = timedelta()
    priorities: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """When a clock runs out, and by which rule."""

    clock: str
    at: datetime
    article: str


def due_at(clock: Clock, start_at: datetime) -> datetime:
    """When this clock runs out.

    Args:
        clock: Calendar days or a span.
        start_at: Aware; the moment the clock starts.

    Returns:
        Aware datetime in Asia/Shanghai. A clock of days does not count the day it starts on and ends with its last
        second of its last day.

    Raises:
        ValueError: start_at has no time zone.
    Source: 信访工作条例 art. 22, 23, 34.
    """
    if start_at.tzinfo is None:
        raise ValueError("start_at needs a time zone")
    local = start_at.astimezone(SHANGHAI)
    if clock.days:
        return datetime.combine(local.date() + timedelta(days=clock.days), time(23, 59, 59), SHANGHAI)
    return local + clock.span


def clocks_at_filing(priority: str, now: datetime) -> list[Due]:
    """The clocks that start when a petition of this priority is filed, soonest first."""
    dues = [
        Due(clock.name, due_at(clock, now), clock.article)
        for clock in all_clocks()
        if clock.priorities is None or priority in clock.priorities
    ]
    return sorted(dues, key=lambda due: due.at)


@cache
def all_clocks() -> tuple[Clock, ...]:
    """The clocks of clocks.yml."""
    data = yaml.safe_load(_CLOCKS.read_text(encoding="utf-8"))["clocks"]
    return tuple(
        Clock(
            name,
            entry["article"],
            entry.get("days", 0),
            timedelta(hours=entry.get("hours", 0), minutes=entry.get("minutes", 0)),
            frozenset(entry["priorities"]) if "priorities" in entry else None,
        )
        for name, entry in data.items()
    )
