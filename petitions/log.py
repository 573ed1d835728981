"""The append-only log of what happened: written, verified, sealed, replayed, and erased where it is personal.

Every petition has a chain of its own: the hash of an event covers all its columns and the hash of the one before,
and the petition's row keeps the number and the hash of the last. Writers of different petitions therefore never wait
for each other, and writers of the same one are already in line behind the lock on its row. A seal now and then covers
the whole log in the order of ids, so that a petition that vanishes with its whole chain is missed too. Free words stand
apart and only their salted hash is in the chain: they can be erased and the chain still holds.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from petitions.clocks import clock_json
from petitions.errors import PetitionError
from petitions.model import Event, EventPrivate, EventSeal, Petition
from petitions.outbox import tell
from storage import begin_writing

BEFORE_THE_FIRST = "0" * 64
# What of a petition's row changes during its life; each event tells the new values.
TRACKED = (
    "unit", "level", "office", "community", "offered_unit", "offered_office", "overseer_unit",
    "hops", "unsatisfied", "merged_into", "accepted_at", "accused_unit", "claimed_by", "represents",
)  # fmt: skip
_HASHED = (
    "petition_id", "number", "at", "action", "actor", "role", "unit", "category", "community",
    "state_from", "state_to", "data", "key", "private_hash", "previous_hash",
)  # fmt: skip
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a name, one of the roles of lifecycle.yml, and the unit they work for.

    One who is confined sees only what their unit and those below it handle (visibility.py): a person at the desk.
    """

    name: str
    role: str
    unit: str | None = None
    is_confined: bool = False


SYSTEM = Actor("system", "system")
# Somebody who has proved that the petition is theirs.
PETITIONER = Actor("petitioner", "petitioner")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A petition as it stood: after how many events, its state, what of its row changes, its running clocks."""

    events: int
    state: str
    values: dict[str, Any]
    clocks: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {"events": self.events, "state": self.state, **self.values, "clocks": self.clocks}


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where the log does not hold: the petition, the number of the event, and what is wrong."""

    petition_id: int | None
    number: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the whole log found. `digest` stands for the whole log: write it down elsewhere and compare."""

    petitions: int
    events: int
    erased: int
    seals: int
    digest: str
    faults: tuple[Fault, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was changed, deleted, inserted or put in another order."""
        return not self.faults


def canonical(value: object) -> bytes:
    """The one way in which a value is written before it is hashed."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def values_of(petition: Petition) -> dict[str, Any]:
    """What of a petition's row changes during its life, as JSON."""
    return {name: _plain_or_same(getattr(petition, name)) for name in TRACKED}


def append(
    session: Session,
    petition: Petition,
    action: str,
    actor: Actor,
    *,
    state_from: str | None,
    data: Mapping[str, Any],
    now: datetime,
    words: Mapping[str, str] | None = None,
    key: str | None = None,
) -> Event:
    """Write the next event of a petition whose row is locked by this transaction.

    Args:
        session: Open; the caller commits.
        petition: As it stands after the step.
        action: What was done.
        actor: By whom.
        state_from: The state before; None for the first event.
        data: What changed, without personal data.
        now: Aware.
        words: Free words, which may be personal; kept apart.
        key: Makes a repetition harmless.
    """
    salt = secrets.token_hex(16)
    values = {
        "petition_id": petition.id,
        "number": petition.event_count + 1,
        "at": now.astimezone(UTC),
        "action": action,
        "actor": actor.name,
        "role": actor.role,
        "unit": petition.unit,
        "category": petition.category[0],
        "community": petition.community,
        "state_from": state_from,
        "state_to": petition.state,
        "data": {**data, **({"actor_unit": actor.unit} if actor.unit else {})},
        "key": key,
        "private_hash": _private_hash(salt, words) if words else None,
        "previous_hash": petition.event_hash or BEFORE_THE_FIRST,
    }
    event = Event(**values, hash=_hash(values))
    if words:
        event.private = EventPrivate(salt=salt, payload=dict(words))
    session.add(event)
    tell(session, petition, event)
    petition.event_count, petition.event_hash = event.number, event.hash
    return event


def erase_words(
    session: Session,
    petition: Petition,
    actor: Actor,
    *,
    now: datetime,
    also: Mapping[str, Any] | None = None,
    words: Mapping[str, str] | None = None,
) -> int:
    """Erase the free words of all events of a petition; how many events had any. The chain still holds.

    Args:
        session: Open; the caller commits and has locked the petition's row.
        petition: Whose words.
        actor: Who erases them.
        now: Aware.
        also: What else was erased, for the same event, which is then written in any case.
        words: Why, in free words.
    """
    begin_writing(session)
    rows = session.execute(
        select(Event.number, Event.id).join(EventPrivate).where(Event.petition_id == petition.id).order_by(Event.number)
    ).all()
    if rows:
        session.execute(delete(EventPrivate).where(EventPrivate.event_id.in_([row.id for row in rows])))
    if rows or also:
        data = ({"erased": [row.number for row in rows]} if rows else {}) | dict(also or {})
        append(session, petition, "erase", actor, state_from=petition.state, data=data, now=now, words=words)
        session.flush()
    return len(rows)


def seal(session: Session, *, now: datetime) -> EventSeal | None:
    """Close the stretch of the log since the last seal; None when nothing was added to it.

    Args:
        session: At the start of a transaction of its own; the caller commits.
        now: Aware.
    """
    begin_writing(session)
    if session.get_bind().dialect.name == "postgresql":
        # Ids are given before they are committed: wait for those who are writing, so that no lower one comes later.
        session.execute(text("LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE"))
    last = session.scalar(select(EventSeal).order_by(EventSeal.id.desc()).limit(1))
    start = last.last_event_id if last else 0
    digest = _start_of_seal(last.hash if last else BEFORE_THE_FIRST)
    count, newest = 0, start
    for newest, hash_ in _hashes(session, after=start):
        digest.update(_entry(newest, hash_))
        count += 1
    if not count:
        return None
    made = EventSeal(at=now, last_event_id=newest, events=count, hash=digest.hexdigest())
    session.add(made)
    session.flush()
    return made


def verify(session: Session) -> Verification:
    """Check every event, every chain, every petition's row and every seal; any change to them is found."""
    faults: list[Fault] = []
    petitions = events = erased = 0
    private = EventPrivate.__table__
    statement = (
        select(
            *(getattr(Event, name) for name in (*_HASHED, "hash")),
            private.c.salt,
            private.c.payload,
            Petition.id.label("row_id"),
            Petition.event_count,
            Petition.event_hash,
            Petition.state.label("row_state"),
            *(getattr(Petition, name).label(f"row_{name}") for name in TRACKED),
        )
        .select_from(Event)
        .join(Petition, Petition.id == Event.petition_id, isouter=True)
        .join(EventPrivate, EventPrivate.event_id == Event.id, isouter=True)
        .order_by(Event.petition_id, Event.number)
        .execution_options(yield_per=_BATCH)
    )
    rows = session.execute(statement).mappings()
    for petition_id, chain in groupby(rows, key=lambda row: row["petition_id"]):
        check = _Chain(petition_id)
        for row in chain:
            check.read(dict(row))
        faults += check.faults_at_end()
        petitions, events, erased = petitions + 1, events + check.events, erased + check.erased
    without = select(Petition.id).where(~select(Event.id).where(Event.petition_id == Petition.id).exists())
    faults += [Fault(number, None, "without_events") for number in session.scalars(without.order_by(Petition.id))]
    seals, digest, broken = _verify_seals(session)
    return Verification(petitions, events, erased, seals, digest, (*faults, *broken))


def replay(session: Session, petition_id: int, at: datetime) -> Snapshot:
    """A petition as it stood at a moment, from its events alone.

    Args:
        session: Open.
        petition_id: Which one.
        at: Aware; what happened at that moment counts.

    Raises:
        PetitionError: `not_found` for an unknown petition, `not_yet_filed` before its first event.
    """
    events = session.scalars(select(Event).where(Event.petition_id == petition_id).order_by(Event.number)).all()
    if not events:
        raise PetitionError("not_found")
    past = _Past()
    for event in events:
        if event.at > at:
            break
        past.add(event.number, event.state_to, event.data)
    if not past.events:
        raise PetitionError("not_yet_filed")
    return Snapshot(past.events, past.state, past.values, dict(sorted(past.clocks.items())))


def snapshot_of(petition: Petition) -> Snapshot:
    """A petition as its row and its clocks say."""
    clocks = {clock.clock: clock_json(clock) for clock in petition.clocks if clock.stopped_at is None}
    return Snapshot(petition.event_count, petition.state, values_of(petition), dict(sorted(clocks.items())))


@dataclass(slots=True)
class _Past:
    """Events folded one by one."""

    events: int = 0
    state: str = ""
    # An event of before a column was there does not tell it.
    values: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(TRACKED))
    clocks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, number: int, state: str, data: Mapping[str, Any]) -> None:
        self.events, self.state = number, state
        self.values |= data.get("set", {})
        for change in data.get("clocks", ()):
            if change["change"] in {"stop", "drop"}:
                self.clocks.pop(change["clock"], None)
            else:
                self.clocks[change["clock"]] = {
                    name: change[name] for name in ("due_at", "is_provisional", "paused_at")
                }


class _Chain:
    """The events of one petition, checked one after another."""

    def __init__(self, petition_id: int) -> None:
        self._petition_id = petition_id
        self._past = _Past()
        self._hash = BEFORE_THE_FIRST
        self._missing: set[int] = set()
        self._told: set[int] = set()
        self._faults: list[Fault] = []
        self._row: dict[str, Any] | None = None
        self.events = 0

    @property
    def erased(self) -> int:
        return len(self._missing & self._told)

    def read(self, row: dict[str, Any]) -> None:
        self.events += 1
        number = row["number"]
        if number != self.events:
            self._say(number, "out_of_order")
        if row["previous_hash"] != self._hash:
            self._say(number, "unlinked")
        if row["hash"] != _hash(row):
            self._say(number, "changed")
        if row["private_hash"] and row["payload"] is None:
            self._missing.add(number)
        elif row["payload"] is not None and row["private_hash"] != _private_hash(row["salt"], row["payload"]):
            self._say(number, "words_changed")
        data = row["data"] if isinstance(row["data"], dict) else {}
        self._told.update(data.get("erased", ()))
        self._past.add(number, row["state_to"], data)
        self._hash, self._row = row["hash"], row

    def faults_at_end(self) -> list[Fault]:
        for number in sorted(self._missing - self._told):
            self._say(number, "words_missing")
        row, past = self._row, self._past
        if row is None or row["row_id"] is None:
            self._say(None, "without_petition")
        elif (row["event_count"], row["event_hash"]) != (self.events, self._hash):
            self._say(None, "end_differs")
        elif row["row_state"] != past.state or any(
            _plain_or_same(row[f"row_{name}"]) != past.values.get(name) for name in TRACKED
        ):
            self._say(None, "row_differs")
        return self._faults

    def _say(self, number: int | None, problem: str) -> None:
        self._faults.append(Fault(self._petition_id, number, problem))


def _verify_seals(session: Session) -> tuple[int, str, list[Fault]]:
    seals = session.scalars(select(EventSeal).order_by(EventSeal.id)).all()
    faults = []
    hashes = _hashes(session, after=0)
    entry = next(hashes, None)
    before = BEFORE_THE_FIRST
    for made in seals:
        digest, count = _start_of_seal(before), 0
        while entry and entry[0] <= made.last_event_id:
            digest.update(_entry(*entry))
            count, entry = count + 1, next(hashes, None)
        if (made.events, made.hash) != (count, digest.hexdigest()):
            faults.append(Fault(None, None, f"seal_{made.id}"))
        before = made.hash
    digest = _start_of_seal(before)
    while entry:
        digest.update(_entry(*entry))
        entry = next(hashes, None)
    return len(seals), digest.hexdigest(), faults


def _hashes(session: Session, *, after: int) -> Iterator[tuple[int, str]]:
    statement = select(Event.id, Event.hash).where(Event.id > after).order_by(Event.id)
    for row in session.execute(statement.execution_options(yield_per=_BATCH)):
        yield row.id, row.hash


def _start_of_seal(before: str) -> Any:  # noqa: ANN401 - hashlib has no public type for a running hash
    return hashlib.sha256(before.encode())


def _entry(event_id: int, hash_: str) -> bytes:
    return f"{event_id}:{hash_};".encode()


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical({name: values[name] for name in _HASHED})).hexdigest()


def _private_hash(salt: str, words: Mapping[str, str]) -> str:
    return hashlib.sha256(salt.encode() + canonical(dict(words))).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} cannot be hashed")


def _plain_or_same(value: object) -> object:
    return _plain(value) if isinstance(value, datetime) else value
