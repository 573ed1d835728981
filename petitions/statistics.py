"""How many petitions there are of which kind, how long they take, what is overdue, what comes back.

Each figure carries the selection of the petitions that it counts, narrowed to its group. What actors may not see is
counted nowhere. The rates of what happened are in `rates.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from statistics import fmean, median
from typing import Any, Literal

from sqlalchemy import ColumnElement, String, func, literal_column, select
from sqlalchemy.orm import Session

from petitions.log import Actor
from petitions.model import Event, Petition, RunningClock
from petitions.selection import NONE, Selection, is_overdue
from petitions.visibility import visible_to

Dimension = Literal["state", "class_", "channel", "unit", "community", "first", "second", "third"]
Step = Literal["day", "week", "month"]
# The states whose first entering ends a stretch of work.
STAGES = ("accepted", "replied", "closed")
LEAST_REPEATS = 3
_SECONDS_PER_HOUR = 3600
_COLUMNS: Mapping[Dimension, ColumnElement[Any]] = {
    "state": Petition.state.expression,
    "class_": Petition.class_.expression,
    "channel": Petition.channel.expression,
    "unit": Petition.unit.expression,
    "community": Petition.community.expression,
    "first": Petition.category[0].as_string(),
    "second": Petition.category[1].as_string(),
    "third": Petition.category[2].as_string(),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """So many petitions of a group; the selection is theirs."""

    group: Mapping[str, str | None]
    count: int
    selection: Selection


@dataclass(frozen=True, slots=True)
class Volume:
    """So many petitions filed through a channel in the stretch that begins on a day."""

    start_on: date
    channel: str
    count: int
    selection: Selection


@dataclass(frozen=True, slots=True)
class Duration:
    """From filing to the first time in a state: of how many petitions, on average, for the one in the middle."""

    state: str
    count: int
    mean_hours: float | None
    median_hours: float | None


@dataclass(frozen=True, slots=True)
class Returns:
    """How many petitions there are, and how often they were sent back in all."""

    petitions: int
    times: int

    @property
    def mean(self) -> float | None:
        """How often one was sent back on average; None of nothing."""
        return self.times / self.petitions if self.petitions else None


def counts(
    session: Session,
    actor: Actor,
    selection: Selection,
    by: Sequence[Dimension],
    *,
    now: datetime,
    least: int = 1,
    limit: int | None = None,
) -> list[Figure]:
    """How many of the selected petitions are in each group that occurs, most first.

    Args:
        session: Open.
        actor: Who asks; what they may not see is not counted.
        selection: Of which petitions.
        by: What makes a group; nothing makes one group of all.
        now: Aware.
        least: Only groups of at least so many.
        limit: At most so many groups.
    """
    columns = [_COLUMNS[name].label(name) for name in by]
    statement = (
        select(*columns, func.count().label("petitions"))
        .select_from(Petition)
        .where(visible_to(actor), *selection.conditions(now))
        .group_by(*by)
        .having(func.count() >= least)
        # What has no value comes first on every database.
        .order_by(func.count().desc(), *(column.nulls_first() for column in columns))
        .limit(limit)
    )
    return [
        Figure(group := dict(zip(by, row[:-1], strict=True)), row[-1], _narrowed(selection, group))
        for row in session.execute(statement)
    ]


def volume(session: Session, actor: Actor, selection: Selection, step: Step, *, now: datetime) -> list[Volume]:
    """How many petitions were filed each day, week (from Monday) or month, by channel, in order; no empty ones.

    Args:
        session: Open.
        actor: Who asks.
        selection: Of which petitions.
        step: The length of a stretch.
        now: Aware.
    """
    statement = (
        select(_filed_on(session).label("day"), Petition.channel.label("channel"), func.count().label("petitions"))
        .where(visible_to(actor), *selection.conditions(now))
        .group_by("day", "channel")
    )
    found: Counter[tuple[date, str]] = Counter()
    for day, channel, count in session.execute(statement):
        found[_start(date.fromisoformat(day), step), channel] += count
    return [
        Volume(start, channel, count, replace(_within(selection, start, step), channel=channel))
        for (start, channel), count in sorted(found.items())
    ]


def repeats(
    session: Session,
    actor: Actor,
    selection: Selection,
    *,
    now: datetime,
    least: int = LEAST_REPEATS,
    limit: int | None = None,
) -> list[Figure]:
    """Matters that come back: the same category in the same community at least so many times, most first.

    Args:
        session: Open.
        actor: Who asks.
        selection: Of which petitions.
        now: Aware.
        least: How many make a repetition.
        limit: At most so many matters.
    """
    found = counts(session, actor, selection, ("first", "second", "third", "community"), now=now, least=least)
    return [figure for figure in found if figure.group["community"] is not None][:limit]


def overdue(session: Session, actor: Actor, selection: Selection, *, now: datetime) -> list[Figure]:
    """How many of the selected petitions are overdue now, by clock, most first; one may be so by several.

    Args:
        session: Open.
        actor: Who asks.
        selection: Of which petitions.
        now: Aware.
    """
    petitions = func.count(RunningClock.petition_id.distinct())
    statement = (
        select(RunningClock.clock, petitions)
        .join(Petition)
        .where(visible_to(actor), is_overdue(now), *selection.conditions(now))
        .group_by(RunningClock.clock)
        .order_by(petitions.desc(), RunningClock.clock)
    )
    return [
        Figure({"clock": clock}, count, replace(selection, overdue=clock))
        for clock, count in session.execute(statement)
    ]


def durations(session: Session, actor: Actor, selection: Selection, *, now: datetime) -> list[Duration]:
    """How long the selected petitions took to be accepted, replied to and closed for the first time, from their events.

    Those that are not so far are in no average: `count` tells how many are.

    Args:
        session: Open.
        actor: Who asks.
        selection: Of which petitions.
        now: Aware; what happened later does not count.
    """
    statement = (
        select(Event.state_to, Petition.filed_at, func.min(Event.at))
        .join(Petition)
        .where(visible_to(actor), Event.state_to.in_(STAGES), Event.at <= now, *selection.conditions(now))
        .group_by(Event.state_to, Event.petition_id, Petition.filed_at)
        .execution_options(yield_per=1000)
    )
    hours: dict[str, list[float]] = {state: [] for state in STAGES}
    for state, filed_at, reached_at in session.execute(statement):
        hours[state].append((reached_at - filed_at).total_seconds() / _SECONDS_PER_HOUR)
    return [
        Duration(state, len(found), fmean(found) if found else None, median(found) if found else None)
        for state, found in hours.items()
    ]


def returns(session: Session, actor: Actor, selection: Selection, *, now: datetime) -> Returns:
    """How often the selected petitions were passed on and came back.

    Args:
        session: Open.
        actor: Who asks.
        selection: Of which petitions.
        now: Aware.
    """
    statement = select(func.count(), func.coalesce(func.sum(Petition.hops), 0)).where(
        visible_to(actor), *selection.conditions(now)
    )
    petitions, times = session.execute(statement.select_from(Petition)).one()
    return Returns(petitions, int(times))


def total(figures: Iterable[Figure]) -> int:
    """All of them together."""
    return sum(figure.count for figure in figures)


def _narrowed(selection: Selection, group: Mapping[str, str | None]) -> Selection:
    named: dict[str, Any] = {name: NONE if value is None else value for name, value in group.items()}
    if "unit" in named:
        named["units"] = (named.pop("unit"),)
    return replace(selection, **named)


def _filed_on(session: Session) -> ColumnElement[str]:
    """The day of filing in Shanghai, which has had no summer time since 1991, as YYYY-MM-DD."""
    if session.get_bind().dialect.name == "sqlite":
        return func.date(Petition.filed_at, literal_column("'+8 hours'"), type_=String)
    local = func.timezone(literal_column("'Asia/Shanghai'"), Petition.filed_at)
    return func.to_char(local, literal_column("'YYYY-MM-DD'"), type_=String)


def _start(day: date, step: Step) -> date:
    if step == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if step == "week" else day


def _within(selection: Selection, start: date, step: Step) -> Selection:
    """The selection, only as far as it lies in the stretch that begins on this day."""
    longest = {"day": 1, "week": 7, "month": 31}[step]
    end = next(day for days in range(longest, 0, -1) if _start(day := start + timedelta(days=days - 1), step) == start)
    since, until = selection.since_on, selection.until_on
    return replace(selection, since_on=max(start, since or start), until_on=min(end, until or end))
