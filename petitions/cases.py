"""The one door through which a petition changes: a step is checked against the table, made, and written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from petitions.clocks import (
    clock_json,
    extend_clock,
    is_late,
    pause_clock,
    resume_clock,
    start_clock,
    stop_clock,
)
from petitions.errors import PetitionError
from petitions.lifecycle import ALL, SAME, Effects, Transition, Value
from petitions.log import PETITIONER, TRACKED, Actor, append, values_of
from petitions.model import Event, Petition, RunningClock
from petitions.rules import Rules, own_rules
from petitions.visibility import is_accused, may_see
from storage import begin_writing


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step that was made: the petition after it, its event, and whether this call made it or an earlier one."""

    petition: Petition
    event: Event
    is_new: bool


def act(
    session: Session,
    petition_id: int,
    action: str,
    actor: Actor,
    fields: Mapping[str, Any],
    *,
    now: datetime,
    expected_version: int | None = None,
    key: str | None = None,
    rules: Rules | None = None,
) -> Outcome:
    """Take one step with a petition: check it, change the row and the clocks, write the event; the caller commits.

    Args:
        session: At the start of a transaction, or in one that `begin_writing` began.
        petition_id: Which petition.
        action: One of the actions of lifecycle.yml.
        actor: Who does it; whoever calls has made sure that they are who they say.
        fields: What the step needs, by name.
        now: Aware.
        expected_version: The version that the actor has seen; None when it does not matter.
        key: Names this very step: the same key again changes nothing and returns the first outcome.
        rules: Other rules than those beside the code.

    Raises:
        PetitionError: `not_found`; `changed_meanwhile`; `key_reused`; `not_allowed` and `not_yours` with the steps that
            are allowed; `wrong_fields` with their names; or what the step's own condition says.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    rules = rules or own_rules()
    begin_writing(session)
    petition, other = _locked(session, petition_id, fields.get("into"))
    if not may_see(petition, actor, rules.network):
        raise PetitionError("not_found")
    if key and (known := session.scalar(select(Event).where(Event.petition_id == petition.id, Event.key == key))):
        if (known.action, known.role) != (action, actor.role):
            raise PetitionError("key_reused")
        return Outcome(petition, known, is_new=False)
    if expected_version is not None and petition.version != expected_version:
        raise PetitionError("changed_meanwhile")
    step = _Step(session, petition, actor, now, rules, other)
    row, given = step.choose(action, fields)
    event = step.make(session, row, given, key)
    session.flush()
    return Outcome(petition, event, is_new=True)


def allowed_actions(petition: Petition, actor: Actor, rules: Rules | None = None) -> tuple[str, ...]:
    """The steps that this actor may take now, in the order of the table; their fields are not looked at."""
    rules = rules or own_rules()
    if not may_see(petition, actor, rules.network):
        return ()
    rows = rules.lifecycle.rows(petition.state)
    return tuple(dict.fromkeys(row.action for row in rows if _may(row, petition, actor, rules)))


def open_case(session: Session, petition: Petition, *, reason: str, now: datetime, rules: Rules | None = None) -> Event:
    """Begin the life of a petition that was just written: its first state, its clocks, its first event."""
    rules = rules or own_rules()
    opening = rules.lifecycle.opening
    petition.state = rules.lifecycle.initial
    changes = ClockWork(petition, now, rules).apply(opening.clocks)
    data = {
        "set": values_of(petition),
        "clocks": changes,
        "number": petition.number,
        "class": petition.class_,
        "category": petition.category,
        "priority": petition.priority,
        "channel": petition.channel,
    }
    words = {"reason": reason} if reason else None
    event = append(session, petition, opening.action, PETITIONER, state_from=None, data=data, now=now, words=words)
    session.flush()
    return event


def lock_petitions(session: Session, ids: Iterable[int], *, skip_locked: bool = False) -> list[Petition]:
    """Petitions and their clocks as they are now, locked until the transaction ends; always in the same order."""
    statement = (
        select(Petition)
        .where(Petition.id.in_(list(ids)))
        .order_by(Petition.id)
        .with_for_update(skip_locked=skip_locked)
        .options(selectinload(Petition.clocks))
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def _locked(session: Session, petition_id: int, into: object) -> tuple[Petition, Petition | None]:
    """The petition and the one it is or was merged into, if any: locked at once, so that no two wait for each other."""
    merged_into = select(Petition.merged_into).where(Petition.id == petition_id).scalar_subquery()
    number = into if isinstance(into, str) else merged_into
    other = session.scalar(select(Petition.id).where(Petition.number == number))
    found = {petition.id: petition for petition in lock_petitions(session, {petition_id, other or petition_id})}
    if petition_id not in found:
        raise PetitionError("not_found")
    return found[petition_id], found.get(other) if other else None


class ClockWork:
    """What a step does to the clocks of a petition, told as the event log keeps it."""

    def __init__(self, petition: Petition, now: datetime, rules: Rules) -> None:
        self._petition = petition
        self._now = now
        self._rules = rules
        self.changes: list[dict[str, Any]] = []

    def apply(self, effects: Effects, days: int = 0) -> list[dict[str, Any]]:
        """Do all of it; `days` is by how many a clock is extended."""
        clocks, calendar = self._rules.clocks, self._rules.calendar
        is_first_acceptance = effects.from_acceptance and self._petition.accepted_at is None
        for running in self._named(effects.stop):
            # A step that ends everything has not done what the clock asked for.
            self._stop(running, "drop" if ALL in effects.stop else "stop")
        for name in (*effects.start, *(effects.from_acceptance if is_first_acceptance else ())):
            self._start(name)
        for running in self._named(effects.pause):
            if pause_clock(running, self._now):
                self.tell(running, "pause")
        for running in self._named(effects.resume):
            if resume_clock(running, clocks[running.clock], self._now, calendar):
                self.tell(running, "resume")
        for running in self._named(effects.extend):
            extend_clock(running, clocks[running.clock], days, calendar)
            self.tell(running, "extend")
        self._petition.due_at = earliest_due(self._petition)
        return self.changes

    def tell(self, running: RunningClock, change: str) -> None:
        """Note how a clock stands after a change."""
        self.changes.append({"clock": running.clock, "change": change, **clock_json(running)})

    def _named(self, names: tuple[str, ...]) -> list[RunningClock]:
        return [clock for clock in running_clocks(self._petition) if clock.clock in names or ALL in names]

    def _start(self, name: str) -> None:
        petition, clock = self._petition, self._rules.clocks[name]
        for running in self._named((name,)):
            self._stop(running, "drop")
        if clock.runs_for(class_=petition.class_, channel=petition.channel, priority=petition.priority):
            running = start_clock(name, clock, self._now, self._rules.calendar)
            petition.clocks.append(running)
            self.tell(running, "start")

    def _stop(self, running: RunningClock, change: str) -> None:
        late = is_late(running, self._now)
        stop_clock(running, self._now)
        self.changes.append({"clock": running.clock, "change": change, "is_late": late})


def running_clocks(petition: Petition) -> list[RunningClock]:
    """The clocks of a petition that nothing has stopped; a paused one is among them."""
    return [clock for clock in petition.clocks if clock.stopped_at is None]


def is_claimed(petition: Petition, now: datetime) -> bool:
    """Whether somebody has the petition to themselves."""
    return petition.claimed_by is not None and petition.claimed_until is not None and petition.claimed_until > now


def part_key(petition: Petition, key: str) -> str:
    """The key under which a part of a petition is filed as one of its own."""
    return f"split:{petition.number}:{key}"


def earliest_due(petition: Petition) -> datetime | None:
    """When the first of the office's running clocks ends; None when none runs."""
    ends = (clock.due_at for clock in running_clocks(petition) if clock.paused_at is None and not clock.is_window)
    return min(ends, default=None)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of one actor with one petition."""

    session: Session
    petition: Petition
    actor: Actor
    now: datetime
    rules: Rules
    other: Petition | None

    def choose(self, action: str, fields: Mapping[str, Any]) -> tuple[Transition, dict[str, Value]]:
        """The row of the table that this step follows, and its fields as they are kept."""
        lifecycle = self.rules.lifecycle
        rows = [row for row in lifecycle.rows(self.petition.state) if row.action == action]
        if not rows:
            raise self._refusal("not_allowed", action)
        rows = [row for row in rows if _may(row, self.petition, self.actor, self.rules)]
        if not rows:
            raise self._refusal("not_yours", action)
        self._check_claim()
        given, wrong = lifecycle.read_fields(rows[0], fields)
        wrong += [name for name, value in given.items() if not self._is_known(name, value)]
        if wrong:
            raise PetitionError("wrong_fields", fields="、".join(wrong))
        for row in rows:
            if all(_WHEN[condition](self, given) for condition in row.when):
                for demand in row.must:
                    self._check(demand, row, given)
                return row, given
        raise self._refusal("not_allowed", action)

    def make(self, session: Session, row: Transition, given: Mapping[str, Value], key: str | None) -> Event:
        """Change the petition as the row says, and write it down."""
        petition, lifecycle = self.petition, self.rules.lifecycle
        before, state_from = values_of(petition), petition.state
        days = given.get("days", 0)
        changes = ClockWork(petition, self.now, self.rules).apply(row.clocks, int(days))
        self._set(row, given)
        if row.to != SAME:
            petition.state = row.to
            petition.ended_at = self.now if lifecycle.states[row.to].is_ending else None
        self._settle_claim((before["unit"], before["offered_unit"]))
        after = values_of(petition)
        public = {name: value for name, value in given.items() if not lifecycle.fields[name].is_personal}
        words = {name: str(value) for name, value in given.items() if name not in public}
        data: dict[str, Any] = {
            "set": {name: after[name] for name in TRACKED if after[name] != before[name]},
            "clocks": changes,
            "fields": public,
            "hops": petition.hops,
        }
        if "is_solved" in given:
            data["is_satisfied"] = _is_satisfied(self, given)
        return append(
            session,
            petition,
            row.action,
            self.actor,
            state_from=state_from,
            data={name: value for name, value in data.items() if value not in ({}, [])},
            now=self.now,
            words=words or None,
            key=key,
        )

    def _set(self, row: Transition, given: Mapping[str, Value]) -> None:
        petition, sets, network = self.petition, row.sets, self.rules.network
        office = given.get("office")
        if row.clocks.from_acceptance and petition.accepted_at is None:
            petition.accepted_at = self.now
        if sets.unit:
            unit = self.actor.unit if sets.unit == "actor" else petition.offered_unit
            offered_office = petition.offered_office if sets.unit == "offered" else None
            self._give_to(str(unit), str(office) if office else offered_office)
        elif sets.offered == "field":
            petition.offered_unit = str(given["unit"])
            petition.offered_office = str(office) if office else None
        elif office:
            petition.office = str(office)
        if sets.offered == "none":
            petition.offered_unit = petition.offered_office = None
        if sets.accused:
            self._name_accused(str(given["accused"]))
        if sets.overseer:
            petition.overseer_unit = network.superior(petition.overseer_unit or petition.unit)
        petition.hops += sets.hops is not None
        petition.unsatisfied += sets.unsatisfied is not None
        if "into" in given:
            petition.merged_into = str(given["into"])
        if sets.represents:
            petition.represents = (petition.merged_into or petition.number) if sets.represents == "join" else None
        if sets.claim:
            petition.claimed_by = self.actor.name if sets.claim == "actor" else None

    def _settle_claim(self, units_before: tuple[str, str | None]) -> None:
        """A claim ends where another unit comes in or the case ends; each step of who made it renews it."""
        petition = self.petition
        if (petition.unit, petition.offered_unit) != units_before or petition.ended_at is not None:
            petition.claimed_by = None
        if petition.claimed_by is None:
            petition.claimed_until = None
        elif petition.claimed_by == self.actor.name and self.actor.role != "petitioner":
            petition.claimed_until = self.now + timedelta(minutes=self.rules.lifecycle.claim.idle_minutes)

    def _give_to(self, name: str, office: str | None) -> None:
        """Make a unit responsible; who oversees it stays only while it stands above."""
        petition, network = self.petition, self.rules.network
        petition.unit, petition.office = name, office
        petition.offered_unit = petition.offered_office = None
        if unit := network.find(name):
            petition.level = unit.level
            petition.community = unit.community or petition.community
        if petition.overseer_unit not in network.above(name):
            petition.overseer_unit = None

    def _name_accused(self, accused: str) -> None:
        """Keep the accused unit and those below it away: none of them stays responsible or in charge."""
        petition, network = self.petition, self.rules.network
        petition.accused_unit = accused
        if is_accused(petition, petition.unit, network) and network.above(accused):
            self._give_to(network.superior(accused), None)
        if petition.overseer_unit and is_accused(petition, petition.overseer_unit, network):
            petition.overseer_unit = None

    def _is_known(self, name: str, value: Value) -> bool:
        rule = self.rules.lifecycle.fields[name]
        return rule.type != "unit" or value in rule.also or self.rules.network.find(str(value)) is not None

    def _check(self, demand: str, row: Transition, given: Mapping[str, Value]) -> None:
        word, _, name = demand.partition(" ")
        clock = next((clock for clock in running_clocks(self.petition) if clock.clock == name), None)
        match word:
            case "in_time" if clock is None or clock.due_at < self.now:
                raise PetitionError("too_late")
            case "over" if clock is None or clock.due_at >= self.now:
                raise PetitionError("too_early")
            case "not_extended":
                self._check_extension(row, int(given["days"]))
            case "other_unit" if given["unit"] == self.petition.unit:
                raise PetitionError("same_unit")
            case "restricted" if not self.petition.is_restricted:
                raise PetitionError("no_accusation")
            case "not_accused" if self.petition.is_restricted:
                self._check_accused(str(given["unit"]))
            case "open_ticket" if self.other is None or self.other.ended_at is not None:
                raise PetitionError("no_such_ticket")
            case "not_joined" if self._count(Petition.merged_into):
                raise PetitionError("others_joined")
            case "split_off" if self.petition.is_restricted or not self._is_part(str(given["second"])):
                raise PetitionError("not_splittable")
            case "seat_left":
                self._check_seats()
            case "other_ticket":
                self._check_other()
            case "redone" if self.petition.unsatisfied < self.rules.lifecycle.follow_up.closable_after:
                raise PetitionError("not_redone")

    def _check_other(self) -> None:
        """Keep to tickets that this one may be merged into."""
        other, lifecycle = self.other, self.rules.lifecycle
        if (
            other is None
            or other is self.petition
            # An accusation is neither revealed by what is joined to it, nor joined to what others see.
            or other.is_restricted != self.petition.is_restricted
            or not may_see(other, self.actor, self.rules.network)
            or other.state in lifecycle.fields["into"].not_in
        ):
            raise PetitionError("no_such_ticket")
        if other.state == lifecycle.concluded.state:
            raise PetitionError("concluded_matter", source=lifecycle.concluded.source)

    def _check_claim(self) -> None:
        """Keep out those whom somebody else's claim binds."""
        petition, is_bound = self.petition, self.actor.role in self.rules.lifecycle.claim.binds
        if is_bound and petition.claimed_by != self.actor.name and is_claimed(petition, self.now):
            raise PetitionError("claimed", name=str(petition.claimed_by))

    def _check_seats(self) -> None:
        """Keep to the most representatives of those who joined."""
        rule = self.rules.lifecycle.representatives
        if self.petition.represents is None and self._count(Petition.represents) >= rule.most:
            raise PetitionError("no_seat_left", most=str(rule.most), source=rule.source)

    def _count(self, column: InstrumentedAttribute[str | None]) -> int:
        """How many name in that column the ticket that this one is, or is merged into; its row is locked."""
        whole = self.petition.merged_into or self.petition.number
        return self.session.scalar(select(func.count()).where(column == whole)) or 0

    def _is_part(self, number: str) -> bool:
        """Whether the ticket of that number was filed as a part of this one."""
        filed = select(func.count()).where(Petition.number == number)
        return bool(self.session.scalar(filed.where(Petition.form_key.startswith(part_key(self.petition, "")))))

    def _check_accused(self, unit: str) -> None:
        if self.petition.accused_unit is None:
            raise PetitionError("accused_unknown")
        if is_accused(self.petition, unit, self.rules.network):
            raise PetitionError("accused_unit")

    def _check_extension(self, row: Transition, days: int) -> None:
        for clock in running_clocks(self.petition):
            if clock.clock in row.clocks.extend:
                if clock.extended_days:
                    raise PetitionError("already_extended")
                if days > self.rules.clocks[clock.clock].extension:
                    raise PetitionError("wrong_fields", fields="days")

    def _refusal(self, code: str, action: str) -> PetitionError:
        lifecycle = self.rules.lifecycle
        allowed = allowed_actions(self.petition, self.actor, self.rules)
        if code == "not_allowed":
            allowed = tuple(dict.fromkeys(row.action for row in lifecycle.rows(self.petition.state)))
        return PetitionError(
            code,
            state=lifecycle.states[self.petition.state].label
            if self.actor.role == "petitioner"
            else lifecycle.states[self.petition.state].staff,
            action=lifecycle.labels.get(action, action),
            allowed="、".join(lifecycle.labels[name] for name in allowed) or "—",
            actions=",".join(allowed),
        )


def _may(row: Transition, petition: Petition, actor: Actor, rules: Rules) -> bool:
    """Whether this actor may follow this row: the role fits, and the relation to the petition."""
    relations = {relation for role, relation in row.who if role == actor.role}
    if not relations or (actor.role == "petitioner" and "self" in relations):
        return bool(relations)
    if actor.unit is None:
        return False
    return (
        ("own" in relations and actor.unit == petition.unit)
        or ("offered" in relations and actor.unit == petition.offered_unit)
        or ("overseer" in relations and actor.unit == petition.overseer_unit)
        or ("above" in relations and rules.network.is_above(actor.unit, petition.unit))
    )


def _is_satisfied(step: _Step, given: Mapping[str, Value]) -> bool:
    follow_up = step.rules.lifecycle.follow_up
    marks = [int(given[name]) for name in follow_up.dimensions]
    return bool(given["is_solved"]) and min(marks) > follow_up.unsatisfied_at_most


_WHEN: Mapping[str, Callable[[_Step, Mapping[str, Value]], bool]] = {
    "first_return": lambda step, _given: step.petition.hops == 0,
    "other_unit": lambda step, given: given["unit"] != step.petition.unit,
    "satisfied": _is_satisfied,
    "first_dissatisfaction": lambda step, _given: step.petition.unsatisfied == 0,
    "upheld": lambda _step, given: bool(given["is_upheld"]),
}
