"""Which petitions a figure counts: the same selection leads to their list, to their export and to its own address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, and_

from petitions.clocks import SHANGHAI
from petitions.lifecycle import own_lifecycle
from petitions.model import Petition, RunningClock

# What stands for "has none" where a selection names a value.
NONE = "none"
# Stands for every clock where a selection names the one that has run out.
ANY = "any"


@dataclass(frozen=True, slots=True)
class Selection:
    """Petitions that are alike in all that is named; what is empty does not matter.

    since_on and until_on are the first and the last day of filing, in Shanghai; state may be a group of states of
    lifecycle.yml; a community may be `none`; overdue names a clock that has run out, or `any`; units are responsible
    now.
    """

    since_on: date | None = None
    until_on: date | None = None
    state: str | None = None
    class_: str | None = None
    channel: str | None = None
    units: tuple[str, ...] = ()
    community: str | None = None
    first: str | None = None
    second: str | None = None
    third: str | None = None
    overdue: str | None = None

    @property
    def since(self) -> datetime | None:
        """The first moment of the first day."""
        return start_of(self.since_on) if self.since_on else None

    @property
    def until(self) -> datetime | None:
        """The first moment after the last day."""
        return start_of(self.until_on + timedelta(days=1)) if self.until_on else None

    def conditions(self, now: datetime) -> list[ColumnElement[bool]]:
        """What holds for the columns of `Petition`; who may see them is asked elsewhere.

        Args:
            now: Aware; what is overdue is so at this moment.
        """
        found: list[ColumnElement[bool]] = []
        if self.since:
            found.append(Petition.filed_at >= self.since)
        if self.until:
            found.append(Petition.filed_at < self.until)
        if self.units:
            found.append(Petition.unit.in_(self.units))
        if self.community is not None:
            found.append(
                Petition.community.is_(None) if self.community == NONE else Petition.community == self.community
            )
        if self.overdue:
            is_named = () if self.overdue == ANY else (RunningClock.clock == self.overdue,)
            found.append(Petition.clocks.any(and_(*is_named, is_overdue(now))))
        if self.state is not None:
            found.append(Petition.state.in_(own_lifecycle().groups.get(self.state, (self.state,))))
        equal = (
            (Petition.class_, self.class_),
            (Petition.channel, self.channel),
            *((Petition.category[i].as_string(), part) for i, part in enumerate((self.first, self.second, self.third))),
        )
        return [*found, *(column == value for column, value in equal if value is not None)]

    def to_query(self) -> dict[str, str | Sequence[str]]:
        """The parameters of an address; nothing for what does not matter."""
        named = {
            "since": self.since_on.isoformat() if self.since_on else None,
            "until": self.until_on.isoformat() if self.until_on else None,
            "state": self.state,
            "class": self.class_,
            "channel": self.channel,
            "community": self.community,
            "first": self.first,
            "second": self.second,
            "third": self.third,
            "overdue": self.overdue,
            "unit": self.units,
        }
        return {name: value for name, value in named.items() if value}


def is_overdue(now: datetime) -> ColumnElement[bool]:
    """The condition on `RunningClock` that holds for what should have been done by now."""
    return and_(
        RunningClock.stopped_at.is_(None),
        RunningClock.paused_at.is_(None),
        RunningClock.is_window.is_(False),
        RunningClock.due_at < now,
    )


def start_of(day: date) -> datetime:
    """The first moment of a day in Shanghai."""
    return datetime.combine(day, time(), SHANGHAI)
