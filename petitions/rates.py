"""How well petitions are answered, solved and liked: counted from events alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import RowMapping, select
from sqlalchemy.orm import Session

from petitions.clocks import SHANGHAI
from petitions.lifecycle import own_lifecycle
from petitions.log import Actor
from petitions.model import Event, Petition
from petitions.visibility import visible_to

Dimension = Literal["unit", "category", "community", "month"]
DIMENSIONS: tuple[Dimension, ...] = ("unit", "category", "community", "month")
_COUNTED = ("file", "contact", "reply", "ask_material", "overdue", "accept", "approve_return", "follow_up")


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, and the ids of the petitions that count for and against."""

    part: int
    whole: int
    kept: frozenset[int] = field(default=frozenset(), compare=False, repr=False)
    missed: frozenset[int] = field(default=frozenset(), compare=False, repr=False)

    @property
    def rate(self) -> float | None:
        """The share, from 0 to 1; None of nothing."""
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one group.

    response (响应率): first contact within its clock, of those contacted or overdue.
    solution, satisfaction (解决率, 满意率): by the last follow-up.
    on_time (按时办结率): replies within their clock, of those replied to or overdue.
    first_dispatch (首次分派准确率): accepted without a return, of those accepted so or returned a first time.
    marks: mean mark of each dimension of the follow-up.
    """

    group: Mapping[str, str | None]
    filed: int
    response: Share
    solution: Share
    satisfaction: Share
    on_time: Share
    first_dispatch: Share
    marks: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON, each rate with its numbers."""
        shares = {
            name: {"part": share.part, "whole": share.whole, "rate": share.rate}
            for name in ("response", "solution", "satisfaction", "on_time", "first_dispatch")
            if isinstance(share := getattr(self, name), Share)
        }
        return {**self.group, "filed": self.filed, **shares, "marks": dict(self.marks)}


def rates(
    session: Session,
    *,
    since: datetime,
    until: datetime,
    actor: Actor,
    by: Iterable[Dimension] = (),
    is_restricted: bool | None = None,
    units: Collection[str] = (),
) -> list[Rates]:
    """The rates of what happened in a stretch of time, for each group that occurs.

    Args:
        session: Open.
        since: Aware; what happened at that moment counts.
        until: Aware; what happened at that moment does not.
        actor: Who asks; what they may not see is not counted.
        by: What makes a group: responsible unit, first level of the category, community, month of what happened (in
            Shanghai); nothing makes one group of all.
        is_restricted: Only accusations, or only what is none; both when None.
        units: Only what happened while one of these was responsible; all without any.

    Returns:
        Sorted by group.
    """
    columns = (Event.petition_id, Event.at, Event.action, Event.unit, Event.category, Event.community, Event.data)
    statement = (
        select(*columns)
        .join(Petition)
        .where(Event.at >= since, Event.at < until, Event.action.in_(_COUNTED), visible_to(actor))
    )
    if is_restricted is not None:
        statement = statement.where(Petition.is_restricted == is_restricted)
    if units:
        statement = statement.where(Event.unit.in_(units))
    dimensions = tuple(by)
    groups: dict[tuple[str | None, ...], _Group] = {}
    last_follow_up: dict[int, tuple[tuple[str | None, ...], Mapping[str, Any]]] = {}
    rows = session.execute(statement.order_by(Event.id).execution_options(yield_per=1000)).mappings()
    for row in rows:
        key = tuple(_value(row, dimension) for dimension in dimensions)
        groups.setdefault(key, _Group()).add(row)
        if row["action"] == "follow_up":
            last_follow_up[row["petition_id"]] = (key, row["data"])
    for petition, (key, data) in last_follow_up.items():
        groups[key].follow_ups[petition] = data
    ordered = sorted(groups, key=lambda key: tuple(value or "" for value in key))
    return [groups[key].rates(dict(zip(dimensions, key, strict=True))) for key in ordered]


def named(session: Session, actor: Actor, ids: Collection[int], *, limit: int) -> Sequence[Petition]:
    """The newest of the petitions with these ids, as far as the actor may see them.

    Args:
        session: Open.
        actor: Who asks.
        ids: Such as those that count against a share.
        limit: At most so many.
    """
    newest = sorted(ids, reverse=True)[:limit]
    return session.scalars(
        select(Petition).where(Petition.id.in_(newest), visible_to(actor)).order_by(Petition.id.desc())
    ).all()


def _value(row: RowMapping, dimension: Dimension) -> str | None:
    if dimension == "month":
        return f"{row['at'].astimezone(SHANGHAI):%Y-%m}"
    value: str | None = row[dimension]
    return value


@dataclass(slots=True)
class _Group:
    filed: int = 0
    in_time: dict[str, set[int]] = field(default_factory=lambda: {"contact": set(), "close": set()})
    late: dict[str, set[int]] = field(default_factory=lambda: {"contact": set(), "close": set()})
    taken_at_once: set[int] = field(default_factory=set)
    returned: set[int] = field(default_factory=set)
    # The last follow-up of each petition.
    follow_ups: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def add(self, row: RowMapping) -> None:
        petition, action, data = row["petition_id"], row["action"], row["data"]
        self.filed += action == "file"
        if action == "overdue" and data["clock"] in self.late:
            self.late[data["clock"]].add(petition)
        for change in data.get("clocks", ()):
            if change["change"] == "stop" and change["clock"] in self.late:
                (self.late if change["is_late"] else self.in_time)[change["clock"]].add(petition)
        if action == "accept" and data["hops"] == 0:
            self.taken_at_once.add(petition)
        if action == "approve_return" and data["hops"] == 1:
            self.returned.add(petition)

    def rates(self, group: Mapping[str, str | None]) -> Rates:
        marks: dict[str, float] = {}
        for name in own_lifecycle().follow_up.dimensions if self.follow_ups else ():
            marks[name] = sum(data["fields"][name] for data in self.follow_ups.values()) / len(self.follow_ups)
        solved = {petition for petition, data in self.follow_ups.items() if data["fields"]["is_solved"]}
        satisfied = {petition for petition, data in self.follow_ups.items() if data["is_satisfied"]}
        return Rates(
            group=group,
            filed=self.filed,
            response=self._kept("contact"),
            solution=_share(solved, self.follow_ups.keys() - solved),
            satisfaction=_share(satisfied, self.follow_ups.keys() - satisfied),
            on_time=self._kept("close"),
            first_dispatch=_share(self.taken_at_once - self.returned, self.returned),
            marks=marks,
        )

    def _kept(self, clock: str) -> Share:
        return _share(self.in_time[clock] - self.late[clock], self.late[clock])


def _share(kept: Set[int], missed: Set[int]) -> Share:
    return Share(len(kept), len(kept) + len(missed), frozenset(kept), frozenset(missed))
