"""A year of petitions in one structure: what came in, what became of it, and how it compares with the year before.

No form of such a report has been found in a source; what stands here is what the case work itself knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from petitions.clocks import SHANGHAI
from petitions.log import Actor
from petitions.model import Event, Petition
from petitions.rates import Rates, rates
from petitions.selection import Selection, start_of
from petitions.statistics import Dimension, Figure, counts, repeats, total
from petitions.visibility import visible_to

REPEATS_SHOWN = 20
# Steps that a report tells, by what they are called there.
_STEPS: Mapping[str, str] = {
    "transferred": "transfer",
    "objected": "return",
    "returns_approved": "approve_return",
    "returns_refused": "refuse_return",
    "ruled": "rule",
    "declined": "decline",
    "replied": "reply",
    "extended": "extend",
    "urged": "urge",
    "supervised": "supervise",
    "merged": "merge",
    "withdrawn": "withdraw",
    "reviews_asked": "ask_review",
    "re_reviews_asked": "ask_re_review",
    "overdue": "overdue",
}


@dataclass(frozen=True, slots=True)
class RankedCategory:
    """A first level of the national list: its rank, how many petitions, how many the year before."""

    rank: int
    category: str
    count: int
    before: int

    @property
    def change(self) -> float | None:
        """By which share it grew or shrank; None where there was nothing before."""
        return (self.count - self.before) / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class YearlyReport:
    """A year in figures; `until` tells how far it goes when the year is not over.

    Attributes:
        year: Of which year, in Shanghai.
        until: The moment up to which it counts.
        received: Petitions filed in it.
        received_before: Petitions filed in the year before, up to the same day when this one is not over.
        by_class: Petitions filed, by class of demand.
        by_channel: Petitions filed, by the door they came through.
        accepted: Petitions accepted for the first time in the year.
        closed: Petitions closed in the year.
        declined_paths: Petitions declined in the year, by the legal path that was named instead.
        steps: Petitions to which a step happened in the year, each counted once a step.
        rates: Rates of response, solution, satisfaction, replies on time, first dispatch.
        categories: First levels of the national list, most petitions first.
        repeats: The matters that came back most often.
        accusations: Accusations filed; a number and nothing else.
        accusations_transferred: Accusations transferred to another unit; a number and nothing else.
    """

    year: int
    until: datetime
    received: int
    received_before: int
    by_class: tuple[Figure, ...]
    by_channel: tuple[Figure, ...]
    accepted: int
    closed: int
    declined_paths: Mapping[str, int]
    steps: Mapping[str, int]
    rates: Rates | None
    categories: tuple[RankedCategory, ...]
    repeats: tuple[Figure, ...]
    accusations: int
    accusations_transferred: int

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON; selections are left to whoever makes addresses."""
        return {
            "year": self.year,
            "until": self.until.isoformat(),
            "received": self.received,
            "received_before": self.received_before,
            "by_class": {str(one.group["class_"]): one.count for one in self.by_class},
            "by_channel": {str(one.group["channel"]): one.count for one in self.by_channel},
            "accepted": self.accepted,
            "closed": self.closed,
            "declined_paths": dict(self.declined_paths),
            "steps": dict(self.steps),
            "rates": self.rates.to_json() if self.rates else None,
            "categories": [asdict(one) | {"change": one.change} for one in self.categories],
            "repeats": [{**one.group, "count": one.count} for one in self.repeats],
            "accusations": self.accusations,
            "accusations_transferred": self.accusations_transferred,
        }


def yearly_report(session: Session, year: int, actor: Actor, *, now: datetime) -> YearlyReport:
    """The report of a year as far as it has come; what the actor may not see is not counted.

    Args:
        session: Open.
        year: In Shanghai.
        actor: For whom; only somebody who sees all, such as `SYSTEM`, gets the figures of the whole office.
        now: Aware.
    """
    first_day, last_day = date(year, 1, 1), date(year, 12, 31)
    since = start_of(first_day)
    until = max(since, min(start_of(date(year + 1, 1, 1)), now))
    selection = Selection(first_day, last_day)
    today = now.astimezone(SHANGHAI).date()
    before = Selection(date(year - 1, 1, 1), _a_year_before(min(last_day, max(first_day, today))))

    def by(dimension: Dimension, of: Selection = selection) -> tuple[Figure, ...]:
        return tuple(counts(session, actor, of, (dimension,), now=now))

    def happened(what: ColumnElement[Any], *conditions: ColumnElement[bool]) -> dict[str, int]:
        return _happened(session, actor, what, Event.at >= since, Event.at < until, *conditions)

    classes = by("class_")
    earlier = {one.group["first"]: one.count for one in by("first", before)}
    actions = happened(Event.action.expression)
    of_accusations = happened(Event.action.expression, Petition.is_restricted.expression)
    entered = happened(Event.state_to.expression, Event.state_from != Event.state_to)
    path = Event.data[("fields", "path")].as_string()
    found = rates(session, since=since, until=until, actor=actor)
    return YearlyReport(
        year=year,
        until=until,
        received=total(classes),
        received_before=sum(earlier.values()),
        by_class=classes,
        by_channel=by("channel"),
        accepted=_first_accepted(session, actor, since, until),
        closed=entered.get("closed", 0),
        declined_paths=happened(path, Event.action == "decline"),
        steps={name: actions.get(action, 0) for name, action in _STEPS.items()},
        rates=found[0] if found else None,
        categories=tuple(
            RankedCategory(rank, str(one.group["first"]), one.count, earlier.get(one.group["first"], 0))
            for rank, one in enumerate(by("first"), 1)
        ),
        repeats=tuple(repeats(session, actor, selection, now=now, limit=REPEATS_SHOWN)),
        accusations=of_accusations.get("file", 0),
        accusations_transferred=of_accusations.get("transfer", 0),
    )


def _happened(
    session: Session, actor: Actor, what: ColumnElement[Any], *conditions: ColumnElement[bool]
) -> dict[str, int]:
    """To how many petitions each value of `what` happened, most first."""
    petitions = func.count(Event.petition_id.distinct())
    statement = (
        select(what.label("what"), petitions)
        .select_from(Event)
        .join(Petition)
        .where(visible_to(actor), *conditions)
        .group_by("what")
        .order_by(petitions.desc(), "what")
    )
    return {str(value): count for value, count in session.execute(statement)}


def _first_accepted(session: Session, actor: Actor, since: datetime, until: datetime) -> int:
    within = (Petition.accepted_at >= since, Petition.accepted_at < until)
    return session.scalar(select(func.count(Petition.id)).where(visible_to(actor), *within)) or 0


def _a_year_before(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28) if is_leap_day else day.replace(year=day.year - 1)
