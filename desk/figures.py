"""A report: figures with those of the period before, and tables; page, chart and file are made from the same ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal, TypeVar
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from desk.choices import Acceptance, acceptance
from desk.periods import Period, list_address
from desk.services import AssistantShare
from desk.texts import TEXTS, say
from petitions import Actor
from petitions.export import label
from petitions.filing import staff_label
from petitions.rates import Rates, Share, rates
from petitions.selection import ANY, NONE, Selection
from petitions.statistics import (
    Dimension,
    Figure,
    Step,
    counts,
    durations,
    overdue,
    repeats,
    returns,
    total,
    volume,
)

RATES = ("on_time", "first_dispatch", "response", "solution", "satisfaction")
STEPS: tuple[Step, ...] = ("day", "week", "month")
Chart = Literal["", "bars", "stack"]
# More rows than this are in the file, not on the page.
SHOWN = 30
HEAT_TOPICS = 8
SHADES = 5
NO_VALUE = "—"
_Name = TypeVar("_Name", str, str | None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is about: the person who asks, the period, one unit or all that they see, a topic to look into."""

    actor: Actor
    period: Period
    unit: str = ""
    topic: str = ""
    step: Step | None = None

    @property
    def selection(self) -> Selection:
        """The petitions filed in the period."""
        return self._selected(self.period)

    @property
    def before(self) -> Selection:
        """Those of the period before."""
        return self._selected(self.period.before)

    @property
    def units(self) -> tuple[str, ...]:
        """The units asked for; none for all."""
        return (self.unit,) if self.unit else ()

    @property
    def stretch(self) -> Step:
        """How long a stretch of the chart of volume is: as asked for, or such that a page can show them all."""
        days = (self.period.until_on - self.period.since_on).days + 1
        return self.step or ("day" if days <= 31 else "week" if days <= 190 else "month")

    def to_query(self, **changes: str) -> str:
        """The address of the report as a query, with some of it changed."""
        values = self.period.to_query() | {"unit": self.unit, "topic": self.topic, "step": self.step or ""} | changes
        return urlencode({name: value for name, value in values.items() if value})

    def _selected(self, period: Period) -> Selection:
        return Selection(period.since_on, period.until_on, units=self.units)


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as it is shown: what it is, its value and that of the period before, where it leads, what it counts."""

    name: str
    text: str
    before: str
    href: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: what is read, the number that a chart draws, where it leads, how dark it is (0 to SHADES)."""

    text: str
    number: float | None = None
    href: str = ""
    shade: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a report, with the kind of chart that is drawn from its numbers."""

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    chart: Chart = ""

    @property
    def title(self) -> str:
        """What stands above it."""
        return say(f"reports.tables.{self.name}.title")

    @property
    def lead(self) -> str:
        """What it counts."""
        return say(f"reports.tables.{self.name}.lead")


@dataclass(frozen=True, slots=True)
class Report:
    """All of a report; `made_at` tells how fresh it is."""

    wanted: Wanted
    figures: tuple[Shown, ...]
    tables: tuple[Table, ...]
    made_at: datetime

    @property
    def is_empty(self) -> bool:
        """Whether nothing was filed and nothing happened."""
        return not any(table.rows for table in self.tables)

    def table(self, name: str) -> Table | None:
        """The table of that name; `figures` are the figures themselves."""
        return next((table for table in (self._figures(), *self.tables) if table.name == name), None)

    def _figures(self) -> Table:
        heads = tuple(say(f"reports.heads.{name}") for name in ("figure", "now", "before"))
        rows = ((say(f"reports.figures.{one.name}"), one.text, one.before) for one in self.figures)
        return Table("figures", heads, tuple(tuple(Cell(text) for text in row) for row in rows))


ShareOf = Callable[[datetime, datetime], AssistantShare]


def make_report(
    session: Session, wanted: Wanted, *, now: datetime, share: ShareOf | None = None, has_lists: bool = True
) -> Report:
    """Count everything.

    Args:
        session: Open.
        wanted: What is asked for.
        now: Aware.
        share: Tells what the assistant did; None when the person does not see that.
        has_lists: Whether the person may open lists of tickets; otherwise no figure leads anywhere.
    """
    address = list_address if has_lists else lambda _selection: ""
    made = _Maker(session, wanted, now, address)
    tables = [
        made.volume(),
        made.states(),
        made.categories(),
        made.communities(),
        made.overdue(),
        made.heat(),
        made.units(),
        made.repeats(),
    ]
    since, until = wanted.selection.since, wanted.selection.until
    if share is not None and since and until:
        tables += [*_assistant(share(since, until)), _proposals(acceptance(session, since=since, until=until))]
    return Report(wanted, made.figures(has_lists=has_lists), tuple(tables), now)


def rates_of(session: Session, wanted: Wanted, period: Period) -> Rates | None:
    """The rates of what happened in a period; None when nothing did."""
    selection = Selection(period.since_on, period.until_on)
    since, until = selection.since, selection.until
    if since is None or until is None:
        return None
    found = rates(session, since=since, until=until, actor=wanted.actor, units=wanted.units)
    return found[0] if found else None


def percent(share: Share | None) -> str:
    """A share as people read it, with its numbers: `92.3%（12/13）`."""
    if share is None or share.rate is None:
        return NO_VALUE
    return f"{share.rate:.1%}（{share.part}/{share.whole}）"


class _Maker:
    """Makes the parts of one report."""

    def __init__(self, session: Session, wanted: Wanted, now: datetime, address: Callable[[Selection], str]) -> None:
        self._session = session
        self._wanted = wanted
        self._now = now
        self._address = address

    def figures(self, *, has_lists: bool) -> tuple[Shown, ...]:
        now, before = self._wanted.selection, self._wanted.before
        found = [
            self._counted("received", now, before),
            self._counted("open", replace(now, state="open"), replace(before, state="open")),
            self._counted("closed", replace(now, state="closed"), replace(before, state="closed")),
            self._counted("overdue", replace(now, overdue=ANY), replace(before, overdue=ANY)),
        ]
        rated = rates_of(self._session, self._wanted, self._wanted.period)
        rated_before = rates_of(self._session, self._wanted, self._wanted.period.before)
        query = self._wanted.to_query()
        for name in RATES:
            share = getattr(rated, name) if rated else None
            earlier = getattr(rated_before, name) if rated_before else None
            href = f"/reports/behind/{name}?{query}" if has_lists and share and share.whole else ""
            found.append(Shown(name, percent(share), percent(earlier), href))
        for name in ("speed", "result", "service", "feedback"):
            mark, mark_before = (one.marks.get(name) if one else None for one in (rated, rated_before))
            href = f"/reports/behind/satisfaction?{query}" if has_lists and mark is not None else ""
            key = "reports.marks"
            found.append(Shown(name, _amount(mark, key), _amount(mark_before, key), href))
        spans = [durations(self._session, self._wanted.actor, one, now=self._now) for one in (now, before)]
        for span, earlier_span in zip(*spans, strict=True):
            found.append(
                Shown(
                    f"to_{span.state}",
                    _amount(span.median_hours, "reports.hours"),
                    _amount(earlier_span.median_hours, "reports.hours"),
                    self._address(now) if span.count else "",
                    say("reports.of", count=span.count),
                )
            )
        sent_back = [returns(self._session, self._wanted.actor, one, now=self._now) for one in (now, before)]
        text, text_before = (_amount(one.mean, "reports.times", digits=2) for one in sent_back)
        found.append(Shown("hops", text, text_before, self._address(now) if sent_back[0].petitions else ""))
        return tuple(found)

    def volume(self) -> Table:
        step = self._wanted.stretch
        found = volume(self._session, self._wanted.actor, self._wanted.selection, step, now=self._now)
        channels = sorted({one.channel for one in found}, key=lambda channel: label("channel", channel))
        at = {(one.start_on, one.channel): one for one in found}
        starts = _starts(self._wanted.period, step) if found else []
        rows = []
        for start in starts:
            cells = [Cell(start.isoformat() if step != "month" else f"{start:%Y-%m}")]
            for channel in channels:
                one = at.get((start, channel))
                cells.append(Cell(str(one.count), one.count, self._address(one.selection)) if one else Cell("0", 0))
            rows.append((*cells, Cell(str(sum(int(cell.number or 0) for cell in cells)))))
        names = tuple(label("channel", channel) for channel in channels)
        return Table("volume", (say(f"reports.steps.{step}"), *names, say("reports.sum")), tuple(rows), "stack")

    def states(self) -> Table:
        found = self._by("state")
        rows = tuple((Cell(staff_label(str(one.group["state"]))), *self._count(one, found)) for one in found)
        return Table("states", _counted_heads("state"), rows, "bars")

    def categories(self) -> Table:
        topic = self._wanted.topic
        if not topic:
            found = self._by("first")
            rows = []
            for one in found:
                name = str(one.group["first"])
                href = f"/reports?{self._wanted.to_query(topic=name)}#categories"
                rows.append((Cell(name or NO_VALUE, href=href), *self._count(one, found)))
            return Table("categories", _counted_heads("first"), tuple(rows), "bars")
        inside = replace(self._wanted.selection, first=topic)
        found = counts(self._session, self._wanted.actor, inside, ("second", "third"), now=self._now)
        cells = tuple(
            (Cell(f"{one.group['second']} / {one.group['third']}"), *self._count(one, found)) for one in found
        )
        return Table("categories", _counted_heads("second"), cells, "bars")

    def communities(self) -> Table:
        found = self._by("community")
        rows = tuple((Cell(_community(one.group["community"])), *self._count(one, found)) for one in found)
        return Table("communities", _counted_heads("community"), rows, "bars")

    def heat(self) -> Table:
        found = self._by("community", "first")
        topics = _largest((str(one.group["first"]), one.count) for one in found)[:HEAT_TOPICS]
        communities = _largest((one.group["community"], one.count) for one in found)
        at = {(one.group["community"], str(one.group["first"])): one for one in found}
        most = max((one.count for one in found), default=1)
        rows = []
        for community in communities:
            cells = [Cell(_community(community))]
            for topic in topics:
                one = at.get((community, topic))
                shade = math.ceil(SHADES * one.count / most) if one else 0
                cells.append(Cell(str(one.count), None, self._address(one.selection), shade) if one else Cell("0"))
            rows.append(tuple(cells))
        return Table("heat", (say("reports.heads.community"), *(topic or NO_VALUE for topic in topics)), tuple(rows))

    def units(self) -> Table:
        received = self._by("unit")
        selection = self._wanted.selection
        late = {
            one.group["unit"]: one
            for one in counts(
                self._session, self._wanted.actor, replace(selection, overdue=ANY), ("unit",), now=self._now
            )
        }
        rated: Mapping[str | None, Rates] = {}
        if selection.since and selection.until:
            rated = {
                one.group["unit"]: one
                for one in rates(
                    self._session,
                    since=selection.since,
                    until=selection.until,
                    actor=self._wanted.actor,
                    by=("unit",),
                    units=self._wanted.units,
                )
            }
        counted = {one.group["unit"]: one for one in received}
        rows = []
        for unit in [*counted, *sorted(str(name) for name in rated if name not in counted)]:
            one, shares = late.get(unit), rated.get(unit)
            first = counted.get(unit)
            amount = Cell(str(first.count), first.count, self._address(first.selection)) if first else Cell("0", 0)
            overdue_now = Cell(str(one.count), None, self._address(one.selection)) if one else Cell("0")
            ratios = [Cell(percent(getattr(shares, name) if shares else None)) for name in RATES]
            rows.append((Cell(str(unit)), amount, overdue_now, *ratios))
        heads = ("unit", "received", "overdue", *RATES)
        return Table("units", tuple(say(f"reports.heads.{name}") for name in heads), tuple(rows), "bars")

    def repeats(self) -> Table:
        found = repeats(self._session, self._wanted.actor, self._wanted.selection, now=self._now)
        rows = tuple(
            (
                Cell(_community(one.group["community"])),
                Cell(" / ".join(str(one.group[name]) for name in ("first", "second", "third"))),
                Cell(str(one.count), None, self._address(one.selection)),
            )
            for one in found
        )
        heads = tuple(say(f"reports.heads.{name}") for name in ("community", "matter", "count"))
        return Table("repeats", heads, rows)

    def overdue(self) -> Table:
        found = overdue(self._session, self._wanted.actor, self._wanted.selection, now=self._now)
        clocks = TEXTS.all["clocks"]
        rows = tuple(
            (
                Cell(clocks.get(one.group["clock"], str(one.group["clock"]))),
                Cell(str(one.count), one.count, self._address(one.selection)),
            )
            for one in found
        )
        heads = tuple(say(f"reports.heads.{name}") for name in ("clock", "count"))
        return Table("overdue", heads, rows, "bars")

    def _by(self, *dimensions: Dimension) -> list[Figure]:
        return counts(self._session, self._wanted.actor, self._wanted.selection, dimensions, now=self._now)

    def _count(self, figure: Figure, of: Iterable[Figure]) -> tuple[Cell, Cell]:
        """So many, and which part of all that is."""
        amount = Cell(str(figure.count), figure.count, self._address(figure.selection))
        return amount, Cell(f"{figure.count / total(of):.1%}")

    def _counted(self, name: str, now: Selection, before: Selection) -> Shown:
        count, earlier = (
            total(counts(self._session, self._wanted.actor, one, (), now=self._now)) for one in (now, before)
        )
        note = say("reports.change", sign="+" if count > earlier else "", amount=count - earlier)
        return Shown(name, str(count), str(earlier), self._address(now), note if count != earlier else "")


def _assistant(share: AssistantShare) -> list[Table]:
    """What the assistant did: what became of conversations, and of what kind its replies were."""
    labels: Mapping[str, str] = TEXTS.all["reports"]["kinds"]
    outcomes = (
        ("answered", share.answered),
        ("filed", share.filed),
        ("neither", share.conversations - share.answered - share.filed),
    )
    replies = sum(share.kinds.values())
    by_outcome = tuple(
        (Cell(say(f"reports.outcomes.{name}")), Cell(str(count), count), Cell(f"{count / share.conversations:.1%}"))
        for name, count in outcomes
        if share.conversations
    )
    by_kind = tuple(
        (Cell(labels.get(kind, kind)), Cell(str(count), count), Cell(f"{count / replies:.1%}"))
        for kind, count in sorted(share.kinds.items(), key=lambda one: (-one[1], one[0]))
    )
    rated = sum(share.ratings.values())
    by_rating = tuple(
        (Cell(say(f"reports.ratings.{rating}")), Cell(str(count), count), Cell(f"{count / rated:.1%}"))
        for rating, count in share.ratings.items()
    )
    return [
        Table("assistant", _counted_heads("outcome"), by_outcome, "bars"),
        Table("answers", _counted_heads("kind"), by_kind, "bars"),
        Table("ratings", _counted_heads("rating"), by_rating, "bars"),
    ]


def _proposals(found: Mapping[str, Acceptance]) -> Table:
    """What operators made of the proposals of the assist page, by kind."""
    heads = ("proposal", "accepted", "changed", "rejected", "accepted_share")
    rows = tuple(
        (
            Cell(TEXTS.all["assist"]["kinds"][kind]),
            *(Cell(str(count), count) for count in (one.accepted, one.changed, one.rejected)),
            Cell(f"{one.rate:.1%}"),
        )
        for kind, one in found.items()
        if one.rate is not None
    )
    return Table("proposals", tuple(say(f"reports.heads.{name}") for name in heads), rows, "stack")


def _counted_heads(first: str) -> tuple[str, ...]:
    return tuple(say(f"reports.heads.{name}") for name in (first, "count", "part"))


def _community(name: str | None) -> str:
    return say("reports.nowhere") if name is None or name == NONE else name


def _largest(amounts: Iterable[tuple[_Name, int]]) -> Sequence[_Name]:
    """What the amounts belong to, largest sum first."""
    sums: Counter[_Name] = Counter()
    for name, amount in amounts:
        sums[name] += amount
    return [name for name, _ in sums.most_common()]


def _amount(value: float | None, key: str, digits: int = 1) -> str:
    return NO_VALUE if value is None else say(key, amount=f"{value:.{digits}f}")


def _starts(period: Period, step: Step) -> list[date]:
    """The first day of each stretch of a period, as `volume` names them."""
    day = period.since_on
    day = day.replace(day=1) if step == "month" else day - timedelta(days=day.weekday()) if step == "week" else day
    found = []
    while day <= period.until_on:
        found.append(day)
        day = (
            (day + timedelta(days=32)).replace(day=1)
            if step == "month"
            else day + timedelta(days=7 if step == "week" else 1)
        )
    return found
