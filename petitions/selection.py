"""Which petitions a figure counts: the same selection leads to their list, to their export and to its own address.

The one way to name a set of petitions; `listing.Wanted` is a selection with what only a list asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_

from petitions.clocks import SHANGHAI, own_clocks
from petitions.lifecycle import own_lifecycle
from petitions.model import Petition, RunningClock
from petitions.network import own_network

# What stands for "has none" where a selection names a value.
NONE = "none"
# Stands for every clock where a selection names the one that has run out.
ANY = "any"


@dataclass(frozen=True, slots=True)
class Selection:
    """Petitions that are alike in all that is named; what is empty does not matter.

    since_on and until_on are the first and the last day of filing, in Shanghai; state may name a group of states; a
    community may be `none`; overdue names a clock that has run out, or `any`; units are responsible now.
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

    @property
    def states(self) -> tuple[str, ...]:
        """The states that are named; none where every state will do."""
        return own_lifecycle().groups.get(self.state, (self.state,)) if self.state else ()

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
        for names, attribute in ((self.units, Petition.unit), (self.states, Petition.state)):
            if names:
                found.append(attribute == names[0] if len(names) == 1 else attribute.in_(names))
        if self.community is not None:
            found.append(
                Petition.community.is_(None) if self.community == NONE else Petition.community == self.community
            )
        if self.overdue:
            is_named = () if self.overdue == ANY else (RunningClock.clock == self.overdue,)
            found.append(Petition.clocks.any(and_(*is_named, is_overdue(now))))
        equal: tuple[tuple[ColumnElement[Any], str | None], ...] = (
            (Petition.class_.expression, self.class_),
            (Petition.channel.expression, self.channel),
            # The first level has a column of its own, and that an index.
            (Petition.topic.expression, self.first),
            (Petition.category[1].as_string(), self.second),
            (Petition.category[2].as_string(), self.third),
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


def read_selection(query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The fields of a selection that an address names, as `to_query` writes them; what cannot be so is left out.

    Args:
        query: The values of each parameter, in order.
    """
    lifecycle, first = own_lifecycle(), {name: values[0] for name, values in query.items() if values and values[0]}
    plain = {name: first.get(name) for name in ("channel", "community", "first", "second", "third")}
    state, clock = first.get("state"), first.get("overdue")
    return plain | {
        "since_on": _day(first.get("since")),
        "until_on": _day(first.get("until")),
        "state": state if state in lifecycle.states or state in lifecycle.groups else None,
        "class_": first.get("class"),
        "overdue": clock if clock == ANY or clock in own_clocks() else None,
        "units": tuple(_known_units(query.get("unit", ()))),
    }


def _known_units(names: Sequence[str]) -> Iterator[str]:
    return (name for name in dict.fromkeys(names) if own_network().find(name))


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


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
