"""Curated entries: answers that editors keep beside the documents, written by one person and approved by another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import JSON, Date, ForeignKey, String, Text, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from knowledge.errors import KnowledgeError
from knowledge.lock import unproved_figures
from knowledge.matching import Entry, key_of
from language.normalise import normalise
from storage import Base, UtcDateTime

ANSWER_LIMIT_CHARACTERS = 1_000
VARIANT_LIMIT_CHARACTERS = 100
EXPIRING_DAYS = 30
ZONE = ZoneInfo("Asia/Shanghai")

State = Literal["draft", "returned", "live", "early", "expired", "retired"]
Step = Literal["written", "returned", "approved", "retired", "reverted"]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
# Longest text of each field.
_TEXTS = {"answer": ANSWER_LIMIT_CHARACTERS, "source": 200, "reference": 500, "owner": 60, "written_by": 100}
_DATES = ("source_on", "valid_from", "valid_until")
_OPTIONAL = frozenset({"reference", "valid_until"})
# What an editor changes; any change of it needs approval anew.
_CONTENT = ("variants", "answer", "source", "reference", "source_on", "owner", "valid_from", "valid_until")
_FIELDS = ("id", *_CONTENT, "written_by")


class CuratedEntry(Base):
    """A question in its variants, its answer, who stands for it and how long it holds."""

    __tablename__ = "curated_entry"

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    variants: Mapped[list[str]] = mapped_column(JSON)
    answer: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(200))
    reference: Mapped[str | None] = mapped_column(Text)
    source_on: Mapped[date] = mapped_column(Date)
    owner: Mapped[str] = mapped_column(String(60))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)
    written_by: Mapped[str] = mapped_column(String(100))
    approved_by: Mapped[str | None] = mapped_column(String(100))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    returned_reason: Mapped[str | None] = mapped_column(Text)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hits: Mapped[int] = mapped_column(default=0)
    last_hit_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy declares it so

    def state(self, today: date) -> State:
        """Where it stands on a day."""
        if self.retired_at:
            return "retired"
        if not self.approved_at:
            return "draft" if self.returned_reason is None else "returned"
        if self.is_over(today):
            return "expired"
        return "live" if self.valid_from <= today else "early"

    def is_over(self, today: date) -> bool:
        """Whether it was taken out of service or its time has passed."""
        return self.retired_at is not None or (self.valid_until is not None and self.valid_until < today)

    def is_expiring(self, today: date) -> bool:
        """Whether it ends within 30 days."""
        if self.valid_until is None or self.is_over(today):
            return False
        return (self.valid_until - today).days <= EXPIRING_DAYS

    def content(self) -> dict[str, Any]:
        """What an editor wrote, as in a file."""
        return {field: value for field in _FIELDS if (value := getattr(self, field)) is not None}


class CuratedVersion(Base):
    """An entry as it stood after one step: by whom, when. Never changed, never deleted."""

    __tablename__ = "curated_version"

    entry_id: Mapped[str] = mapped_column(ForeignKey("curated_entry.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    step: Mapped[str] = mapped_column(String(20))
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(Text)


class Fault(NamedTuple):
    """What is wrong with a field of an entry."""

    entry: str
    field: str
    sentence: str

    def __str__(self) -> str:
        return str(texts()["problem"].format(entry=self.entry, field=self.field, sentence=self.sentence))


@dataclass(frozen=True, slots=True)
class Imported:
    """How many entries of a file were new, changed or as they were."""

    added: int
    changed: int
    unchanged: int


def today_of(now: datetime) -> date:
    """The day on which an entry has to be valid."""
    return now.astimezone(ZONE).date()


def read_entries(path: Path) -> list[Any]:
    """The entries of a file, unchecked; a `written_by` at its top counts for those that have none.

    Raises:
        KnowledgeError: It is no such file.
    """
    try:
        data = yaml.safe_load(path.read_bytes().decode("utf-8-sig"))
        rows = data["entries"]
        if not isinstance(rows, list):
            raise TypeError
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise KnowledgeError("entry_file", path=path.name) from error
    above = {"written_by": data["written_by"]} if "written_by" in data else {}
    return [above | row if isinstance(row, dict) else row for row in rows]


def import_entries(session: Session, rows: Sequence[Any], now: datetime) -> Imported:
    """Take in entries as drafts, all or none. One that is there and differs is changed and needs approval anew.

    Args:
        session: Open transaction.
        rows: As in a file.
        now: Aware.

    Raises:
        KnowledgeError: Something is wrong; the message names every entry and field.
    """
    if problems := list(_problems(rows)):
        raise _invalid(problems)
    drafts = [_draft(row) for row in rows]
    if problems := list(_duplicates(session, drafts, today_of(now))):
        raise _invalid(problems)
    added = changed = 0
    for draft in drafts:
        entry = session.get(CuratedEntry, draft["id"])
        if entry is None:
            entry = CuratedEntry(**draft)
            session.add(entry)
            added += 1
        elif all(getattr(entry, field) == draft[field] for field in _CONTENT):
            continue
        else:
            _rewrite(entry, draft)
            changed += 1
        _keep(session, entry, "written", entry.written_by, now)
    return Imported(added, changed, len(drafts) - added - changed)


def write_entry(session: Session, row: Mapping[str, Any], now: datetime, *, version: int | None) -> CuratedEntry:
    """Take in one entry as a draft, as somebody has typed it.

    Args:
        session: Open transaction.
        row: As in a file.
        now: Aware.
        version: What the person had read of it; None for a new one.

    Raises:
        KnowledgeError: Something is wrong, there is one of that id already, or it was changed since it was read.
    """
    entry_id = str(row.get("id") or "")
    if version is None and session.get(CuratedEntry, entry_id) is not None:
        raise KnowledgeError("entry_taken", id=entry_id)
    if version is not None:
        _check_version(find_entry(session, entry_id), version)
    import_entries(session, [row], now)
    return find_entry(session, entry_id)


def send_back(
    session: Session, entry_id: str, by: str, reason: str, now: datetime, *, version: int | None = None
) -> CuratedEntry:
    """Return a draft to whoever wrote it; it cannot be approved until it is changed.

    Args:
        session: Open transaction.
        entry_id: Of a draft.
        by: Who returns it.
        reason: What has to be changed.
        now: Aware.
        version: What the person has read; None for whatever it is.

    Raises:
        KnowledgeError: It is no draft, no reason is given, or it was changed since they read it.
    """
    entry = find_entry(session, entry_id)
    _check_version(entry, version)
    _check_state(entry, "draft", now)
    if not reason.strip():
        raise KnowledgeError("reasonless")
    entry.returned_reason = reason.strip()
    _keep(session, entry, "returned", by, now)
    return entry


def approve(session: Session, entry_id: str, by: str, now: datetime, *, version: int | None = None) -> CuratedEntry:
    """Put a draft into service.

    Args:
        session: Open transaction.
        entry_id: Of a draft.
        by: Another person than who wrote it.
        now: Aware.
        version: What the person has read; None for whatever it is.

    Raises:
        KnowledgeError: It is no draft, is their own, or was changed since they read it.
    """
    entry = find_entry(session, entry_id)
    _check_version(entry, version)
    _check_state(entry, "draft", now)
    if normalise(by) == normalise(entry.written_by):
        raise KnowledgeError("entry_own", id=entry_id, by=by)
    entry.approved_by, entry.approved_at = by.strip(), now
    _keep(session, entry, "approved", by, now)
    return entry


def retire(session: Session, entry_id: str, by: str, now: datetime, *, version: int | None = None) -> CuratedEntry:
    """Take an entry out of service for good, until it is reverted or imported with a change.

    Raises:
        KnowledgeError: It is retired already, or was changed since the person read the given version.
    """
    entry = find_entry(session, entry_id)
    _check_version(entry, version)
    if entry.retired_at:
        raise KnowledgeError("entry_state", id=entry_id, state=texts()["states"]["retired"])
    entry.retired_at = now
    _keep(session, entry, "retired", by, now)
    return entry


def revert(
    session: Session, entry_id: str, version: int, by: str, now: datetime, *, seen: int | None = None
) -> CuratedEntry:
    """Make an older version the newest, as a draft of who does it.

    Raises:
        KnowledgeError: There is no such version, a variant of it belongs to another entry by now, or the entry was
            changed since the person read the version `seen`.
    """
    entry = find_entry(session, entry_id)
    _check_version(entry, seen)
    old = session.get(CuratedVersion, (entry_id, version))
    if old is None:
        raise KnowledgeError("entry_version", id=entry_id, version=version)
    draft = _draft(old.content | {"written_by": by.strip()})
    if problems := list(_duplicates(session, [draft], today_of(now))):
        raise _invalid(problems)
    _rewrite(entry, draft)
    _keep(session, entry, "reverted", by, now)
    return entry


def find_entry(session: Session, entry_id: str) -> CuratedEntry:
    """The entry of that id.

    Raises:
        KnowledgeError: There is none.
    """
    entry = session.get(CuratedEntry, entry_id)
    if entry is None:
        raise KnowledgeError("entry_unknown", id=entry_id)
    return entry


def list_entries(session: Session) -> Sequence[CuratedEntry]:
    """All entries, by id."""
    return session.scalars(select(CuratedEntry).order_by(CuratedEntry.id)).all()


def history(session: Session, entry_id: str) -> Sequence[CuratedVersion]:
    """Every version of an entry, oldest first."""
    return session.scalars(
        select(CuratedVersion).where(CuratedVersion.entry_id == entry_id).order_by(CuratedVersion.version)
    ).all()


def served_entries(session: Session, today: date) -> list[Entry]:
    """The entries that are approved, not retired and valid on that day, by id."""
    rows = session.scalars(
        select(CuratedEntry)
        .where(
            CuratedEntry.approved_at.is_not(None),
            CuratedEntry.retired_at.is_(None),
            CuratedEntry.valid_from <= today,
            or_(CuratedEntry.valid_until.is_(None), CuratedEntry.valid_until >= today),
        )
        .order_by(CuratedEntry.id)
    )
    return [served(row) for row in rows]


def served(entry: CuratedEntry) -> Entry:
    """What residents would get of an entry."""
    return Entry(entry.id, entry.version, tuple(entry.variants), entry.answer, entry.source)


_ENTRIES = CuratedEntry.__table__
# Asked with every question, so that it is put together once.
_STAMP = select(func.count(), func.coalesce(func.sum(_ENTRIES.c.version), 0)).select_from(_ENTRIES)


def stamp(session: Session) -> tuple[int, int]:
    """What differs after any change of an entry: versions only grow, whichever transaction ends first."""
    count, versions = session.execute(_STAMP).one()
    return int(count), int(versions)


def count_hit(session: Session, entry_id: str, now: datetime) -> None:
    """Count that an entry was served; safe at once from threads, and no change of the entry."""
    session.execute(
        update(CuratedEntry)
        .where(CuratedEntry.id == entry_id)
        .values({_ENTRIES.c.hits: _ENTRIES.c.hits + 1, _ENTRIES.c.last_hit_at: now})
        .execution_options(synchronize_session=False)
    )


@cache
def texts() -> dict[str, Any]:
    """The sentences of `curated_texts.yml`."""
    path = Path(__file__).with_name("curated_texts.yml")
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return data


def _rewrite(entry: CuratedEntry, draft: Mapping[str, Any]) -> None:
    for field in (*_CONTENT, "written_by"):
        setattr(entry, field, draft[field])
    entry.approved_by = entry.approved_at = entry.retired_at = entry.returned_reason = None


def _check_version(entry: CuratedEntry, version: int | None) -> None:
    if version is not None and entry.version != version:
        raise KnowledgeError("entry_changed", id=entry.id)


def _check_state(entry: CuratedEntry, wanted: State, now: datetime) -> None:
    if (state := entry.state(today_of(now))) != wanted:
        raise KnowledgeError("entry_state", id=entry.id, state=texts()["states"][state])


def _keep(session: Session, entry: CuratedEntry, step: Step, by: str, now: datetime) -> None:
    """Write the entry and its version.

    Raises:
        KnowledgeError: Nobody is named, or somebody else changed the entry meanwhile.
    """
    if not by.strip():
        raise KnowledgeError("nameless")
    entry_id = entry.id
    try:
        session.flush()
    except StaleDataError as error:
        raise KnowledgeError("entry_changed", id=entry_id) from error
    content = {
        field: value.isoformat() if isinstance(value, date) else value for field, value in entry.content().items()
    }
    session.add(
        CuratedVersion(
            entry_id=entry_id,
            version=entry.version,
            content=content,
            step=step,
            by=by.strip(),
            at=now,
            reason=entry.returned_reason if step == "returned" else None,
        )
    )
    session.flush()


def _draft(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a checked row, typed."""
    draft = {field: row.get(field) for field in _FIELDS}
    draft |= {field: str(row[field]).strip() for field in ("id", *_TEXTS) if row.get(field) is not None}
    draft |= {field: _date(row[field]) for field in _DATES if row.get(field) is not None}
    return draft | {"variants": [str(variant).strip() for variant in row["variants"]]}


def _date(value: object) -> date | None:
    if isinstance(value, datetime):
        return None
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def _invalid(faults: Sequence[Fault]) -> KnowledgeError:
    problems = texts()["problem_joint"].join(map(str, faults))
    return KnowledgeError("entries_invalid", count=len(faults), problems=problems, faults=tuple(faults))


def _problem(entry: str, field: str, code: str, **fields: object) -> Fault:
    return Fault(entry, field, texts()["problems"][code].format(**fields))


def _problems(rows: Sequence[Any]) -> Iterator[Fault]:
    """What is wrong in the rows themselves."""
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        nameless = texts()["nameless"].format(number=number)
        if not isinstance(row, dict):
            yield _problem(nameless, "entries", "not_entry")
            continue
        entry_id = str(row.get("id") or "")
        name = entry_id or nameless
        if not _ID.fullmatch(entry_id):
            yield _problem(name, "id", "id")
        if entry_id in seen:
            yield _problem(name, "id", "twice")
        seen.add(entry_id)
        for field in row.keys() - set(_FIELDS):
            yield _problem(name, str(field), "unknown")
        yield from _field_problems(name, row)
        yield from _variant_problems(name, row.get("variants"))


def _field_problems(name: str, row: Mapping[str, Any]) -> Iterator[Fault]:
    for field, limit in _TEXTS.items():
        text = str(row.get(field) or "").strip()
        if not text and field not in _OPTIONAL:
            yield _problem(name, field, "missing")
        if len(text) > limit:
            yield _problem(name, field, "too_long", limit=limit)
    dates = {field: _date(row[field]) for field in _DATES if row.get(field) is not None}
    for field in _DATES:
        if field not in dates and field not in _OPTIONAL:
            yield _problem(name, field, "missing")
        elif field in dates and dates[field] is None:
            yield _problem(name, field, "not_date")
    first, last = dates.get("valid_from"), dates.get("valid_until")
    if first and last and last < first:
        yield _problem(name, "valid_until", "until")
    # The source is said with the answer, and nothing is said with a figure that the answer does not hold.
    if loose := unproved_figures(str(row.get("source") or ""), [str(row.get("answer") or "")]):
        yield _problem(name, "source", "figures", figures=" ".join(loose))


def _variant_problems(name: str, variants: object) -> Iterator[Fault]:
    if not isinstance(variants, list):
        yield _problem(name, "variants", "not_list" if variants else "missing")
        return
    keys = [key_of(str(variant)) for variant in variants]
    if not all(keys) or not keys:
        yield _problem(name, "variants", "missing")
    for variant, key in zip(variants, keys, strict=True):
        if len(str(variant)) > VARIANT_LIMIT_CHARACTERS:
            yield _problem(name, "variants", "too_long", limit=VARIANT_LIMIT_CHARACTERS)
        if keys.count(key) > 1 and keys.index(key) == variants.index(variant):
            yield _problem(name, "variants", "repeated", variant=variant)


def _duplicates(session: Session, drafts: Sequence[Mapping[str, Any]], today: date) -> Iterator[Fault]:
    """Variants that belong to another entry, of the drafts themselves or of the table, that is not over."""
    replaced = {draft["id"] for draft in drafts}
    owners: dict[str, str] = {}
    for entry in list_entries(session):
        if entry.id not in replaced and not entry.is_over(today):
            owners |= dict.fromkeys(_keys(entry.variants), entry.id)
    for draft in drafts:
        for variant, key in zip(draft["variants"], _keys(draft["variants"]), strict=True):
            if owners.setdefault(key, draft["id"]) != draft["id"]:
                yield _problem(draft["id"], "variants", "duplicate", variant=variant, other=owners[key])


def _keys(variants: Iterable[str]) -> list[str]:
    return [key_of(variant) for variant in variants]
