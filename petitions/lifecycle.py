"""The table of states and steps of a petition, loaded and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from petitions.data import load

_LIFECYCLE = Path(__file__).with_name("lifecycle.yml")
SAME = "same"
ALL = "all"
ACCEPTED = "accepted"

Role = Literal["operator", "handler", "supervisor", "petitioner", "system"]
Relation = Literal["own", "offered", "above", "overseer", "self"]
Value = str | int | bool
# What `when` and `must` may name; `cases.py` holds what each of them means.
WHEN = frozenset(
    {"first_return", "other_unit", "satisfied", "first_dissatisfaction", "upheld"},
)
MUST = frozenset(
    {
        "other_unit", "other_ticket", "open_ticket", "not_joined", "seat_left", "not_extended", "redone", "restricted",
        "not_accused", "split_off",
    }
)  # fmt: skip
MUST_WITH_CLOCK = frozenset({"in_time", "over"})
# The field that a condition looks at.
_LOOKS_AT = {
    "other_unit": "unit",
    "not_accused": "unit",
    "other_ticket": "into",
    "open_ticket": "into",
    "split_off": "second",
    "not_extended": "days",
    "upheld": "is_upheld",
    "satisfied": "is_solved",
}


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _known_condition(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := set(names) - WHEN:
        raise ValueError(f"unknown condition {', '.join(sorted(unknown))}")
    return names


def _known_demand(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        word, _, clock = name.partition(" ")
        if word not in (MUST_WITH_CLOCK if clock else MUST):
            raise ValueError(f"unknown condition {name}")
    return names


Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Conditions = Annotated[tuple[str, ...], AfterValidator(_known_condition)]
Demands = Annotated[tuple[str, ...], AfterValidator(_known_demand)]
Who = Annotated[tuple[Role, Relation], BeforeValidator(_words)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class State(_Strict):
    """A state: the resident's words for it, the short one of staff, and whether nothing more is owed in it.

    Attributes:
        label: For whose petition it is.
        joined: For those whose petitions were merged into it, where the label speaks of what only its own petitioner
            does or did.
        staff: For those who work here.
        is_ending: Whether nothing more is owed.
    """

    label: str = Field(min_length=1)
    joined: str | None = Field(default=None, min_length=1)
    staff: str = Field(min_length=1, max_length=8)
    is_ending: bool = False


class FieldRule(_Strict):
    """What a field of a step may hold; `text` may hold personal data, all else may not."""

    type: Literal["text", "word", "unit", "ticket", "integer", "boolean"]
    least: int | None = None
    most: int | None = None
    not_in: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def is_personal(self) -> bool:
        """Whether it is kept apart, where it can be erased."""
        return self.type == "text"

    def read(self, value: object) -> Value | None:
        """The value as it is kept; None when it is not of this type or out of bounds."""
        if self.type == "boolean":
            return value if isinstance(value, bool) else None
        if self.type == "integer":
            is_in = isinstance(value, int) and not isinstance(value, bool)
            return value if is_in and (self.least or 0) <= value <= (self.most or value) else None  # type: ignore[operator, return-value]
        longest = 20_000 if self.type == "text" else 60
        text = value.strip() if isinstance(value, str) else ""
        return text if 0 < len(text) <= longest else None


class Sets(_Strict):
    """What a step changes besides the state."""

    unit: Literal["actor", "offered"] | None = None
    offered: Literal["field", "none"] | None = None
    overseer: Literal["up"] | None = None
    hops: Literal["add"] | None = None
    unsatisfied: Literal["add"] | None = None
    accused: Literal["field"] | None = None
    claim: Literal["actor", "none"] | None = None
    represents: Literal["join", "none"] | None = None


class Effects(_Strict):
    """What a step does to the clocks, by their names."""

    start: Names = ()
    from_acceptance: Names = ()
    stop: Names = ()
    pause: Names = ()
    resume: Names = ()
    extend: Names = ()

    @property
    def names(self) -> set[str]:
        """Every clock that is named."""
        every = (self.start, self.from_acceptance, self.stop, self.pause, self.resume, self.extend)
        return {name for names in every for name in names} - {ALL}


class Opening(_Strict):
    """The first step of every petition."""

    action: str
    label: str
    clocks: Effects
    source: str = Field(min_length=1)


class Transition(_Strict):
    """One step: from which states, by whom, under which conditions, and what it does."""

    action: str = Field(pattern=r"^[a-z_]{1,20}$")
    label: str = Field(min_length=1)
    from_: Names = Field(alias="from", min_length=1)
    to: str
    who: tuple[Who, ...] = Field(min_length=1)
    when: Conditions = ()
    must: Demands = ()
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    sets: Sets = Sets()
    clocks: Effects = Effects()
    source: str = Field(min_length=1)


class FollowUp(_Strict):
    """When a resident counts as satisfied."""

    dimensions: tuple[str, ...] = Field(min_length=1)
    unsatisfied_at_most: int
    closable_after: int
    source: str = Field(min_length=1)


class ClaimRule(_Strict):
    """How long a claim lasts without a step of who made it, and whom it keeps away."""

    idle_minutes: int = Field(gt=0)
    binds: frozenset[Role]
    source: str = Field(min_length=1)


class Representatives(_Strict):
    """How many may speak for all who joined one matter."""

    most: int = Field(gt=0)
    source: str = Field(min_length=1)


class Concluded(_Strict):
    """The state after which the same matter is not taken up again, and the law that says so."""

    state: str
    source: str = Field(min_length=1)


class Lifecycle(_Strict):
    """The whole table. Every state can be reached, and from every state an ending can."""

    as_of: date
    initial: str
    opening: Opening
    states: Mapping[str, State]
    groups: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, FieldRule]
    follow_up: FollowUp
    claim: ClaimRule
    representatives: Representatives
    concluded: Concluded
    notes: Mapping[str, str]
    transitions: tuple[Transition, ...]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        known = set(self.states)
        if self.initial not in known:
            yield f"initial: unknown state {self.initial}"
        if self.concluded.state not in known:
            yield f"concluded: unknown state {self.concluded.state}"
        for group, names in self.groups.items():
            yield from (f"groups.{group}: unknown state {name}" for name in names if name not in known)
        for name, rule in self.fields.items():
            yield from (f"fields.{name}: unknown state {state}" for state in rule.not_in if state not in known)
        for row in self.transitions:
            yield from self._faults_of(row, known)
        reached = self._from({self.initial}, forward=True)
        yield from (f"states.{name}: is never reached" for name in self.states if name not in reached)
        leaving = {state for state, target, _ in self.edges() if state != target}
        yield from (
            f"states.{name}: is no ending and has no exit"
            for name, state in self.states.items()
            if not state.is_ending and name not in leaving
        )
        ending = self._from(set(self.endings), forward=False)
        yield from (f"states.{name}: no ending can be reached from it" for name in self.states if name not in ending)

    def _faults_of(self, row: Transition, known: set[str]) -> Iterator[str]:
        where = f"transitions.{row.action}"
        if row.to not in known | {SAME}:
            yield f"{where}: unknown state {row.to}"
        yield from (f"{where}: unknown state {name}" for name in row.from_ if name not in known | set(self.groups))
        yield from (f"{where}: unknown field {name}" for name in (*row.needs, *row.may) if name not in self.fields)
        wanted = [_LOOKS_AT[name] for name in (*row.when, *row.must) if name in _LOOKS_AT]
        wanted += self.follow_up.dimensions if "is_solved" in row.needs else ()
        yield from (
            f"{where}: has a condition on {name} without needing it" for name in wanted if name not in row.needs
        )
        if row.clocks.extend and "days" not in row.needs:
            yield f"{where}: extends a clock without needing days"
        if row.sets.offered == "field" and "unit" not in row.needs:
            yield f"{where}: offers the petition without needing a unit"
        if row.sets.accused and "accused" not in row.needs:
            yield f"{where}: names the accused without needing them"

    @property
    def endings(self) -> frozenset[str]:
        """The states in which nothing more is owed."""
        return frozenset(name for name, state in self.states.items() if state.is_ending)

    def _from(self, found: set[str], *, forward: bool) -> set[str]:
        found = set(found)
        while more := {
            target if forward else state
            for state, target, _ in self.edges()
            if (state if forward else target) in found and (target if forward else state) not in found
        }:
            found |= more
        return found

    def sources(self, row: Transition) -> tuple[str, ...]:
        """The states that a row leads from."""
        return tuple(state for name in row.from_ for state in self.groups.get(name, (name,)))

    def edges(self) -> list[tuple[str, str, Transition]]:
        """Every step from one state to another (or the same)."""
        return [
            (state, state if row.to == SAME else row.to, row) for row in self.transitions for state in self.sources(row)
        ]

    def rows(self, state: str) -> tuple[Transition, ...]:
        """The steps that lead from a state, in order."""
        return self._by_state.get(state, ())

    @cached_property
    def _by_state(self) -> dict[str, tuple[Transition, ...]]:
        found: dict[str, list[Transition]] = {}
        for state, _, row in self.edges():
            found.setdefault(state, []).append(row)
        return {state: tuple(rows) for state, rows in found.items()}

    @cached_property
    def labels(self) -> dict[str, str]:
        """The Chinese word for every step and note."""
        rows = {row.action: row.label for row in self.transitions}
        return {self.opening.action: self.opening.label, **rows, **self.notes}

    @property
    def clock_names(self) -> set[str]:
        """Every clock that the table names."""
        names = self.opening.clocks.names.union(*(row.clocks.names for row in self.transitions))
        return names | {clock for row in self.transitions for clock in _clocks_of(row.must)}

    def read_fields(self, row: Transition, given: Mapping[str, Any]) -> tuple[dict[str, Value], list[str]]:
        """The fields of a step as they are kept, and the names of those missing, unknown or wrong."""
        kept: dict[str, Value] = {}
        wrong = [name for name in given if name not in (*row.needs, *row.may)]
        for name in (*row.needs, *row.may):
            if given.get(name) is None:
                wrong += [name] if name in row.needs else []
            elif (value := self.fields[name].read(given[name])) is None:
                wrong.append(name)
            else:
                kept[name] = value
        return kept, wrong


def _clocks_of(demands: Iterable[str]) -> Iterator[str]:
    for demand in demands:
        if found := re.fullmatch(r"\S+ (\S+)", demand):
            yield found[1]


@cache
def own_lifecycle() -> Lifecycle:
    """The table of lifecycle.yml."""
    return read_lifecycle(_LIFECYCLE)


def read_lifecycle(path: Path) -> Lifecycle:
    """The table in a file.

    Raises:
        DataError: it cannot be used; the message names the file and what is wrong.
    """
    return load(path, Lifecycle)
