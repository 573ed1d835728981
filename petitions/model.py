"""Tables of the case work: who asks, what, which clocks run, what happened."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage import Base, UtcDateTime


class Petitioner(Base):
    """Who asks; what is personal stands apart, sealed. An anonymous one has neither name nor phone."""

    __tablename__ = "petitioner"

    id: Mapped[int] = mapped_column(primary_key=True)
    # Binds what is sealed to this person: moved to another row it can no longer be opened.
    token: Mapped[str] = mapped_column(String(32), unique=True, default=lambda: secrets.token_hex(16))
    is_anonymous: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    personal: Mapped[list[Personal]] = relationship(order_by="Personal.id", back_populates="petitioner")


class Personal(Base):
    """A piece of personal data of a petitioner: sealed with the key of that id, found by a keyed hash.

    Without a key id it is still as it was before there were keys, and waits to be sealed.
    """

    __tablename__ = "personal"
    __table_args__ = (
        UniqueConstraint("petitioner_id", "kind", name="uq_personal_petitioner_id"),
        Index("ix_personal_digest", "digest", "kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    petitioner_id: Mapped[int] = mapped_column(ForeignKey("petitioner.id"))
    kind: Mapped[str] = mapped_column(String(12))
    key_id: Mapped[str] = mapped_column(String(16), index=True)
    sealed: Mapped[str] = mapped_column(Text)
    digest: Mapped[str | None] = mapped_column(String(64))

    petitioner: Mapped[Petitioner] = relationship(back_populates="personal")


class Petition(Base):
    """A petition and where it stands."""

    __tablename__ = "petition"
    # What a page is filtered by, each in the order in which the page is shown.
    __table_args__ = (
        Index("ix_petition_state", "state", "id", "is_restricted"),
        Index("ix_petition_unit", "unit", "state", "id", "is_restricted"),
        Index("ix_petition_unit_id", "unit", "id"),
        Index("ix_petition_topic", "topic", "id"),
        Index("ix_petition_community", "community", "id"),
        Index("ix_petition_class", "class", "id"),
        Index("ix_petition_priority", "priority", "id"),
        Index("ix_petition_due_at", "due_at", "id"),
        Index(
            "ix_petition_open",
            "unit",
            "id",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        # What waits for somebody to take it, and claims that may have lapsed.
        Index(
            "ix_petition_unclaimed",
            "unit",
            "due_at",
            "id",
            sqlite_where=text("claimed_by IS NULL AND due_at IS NOT NULL"),
            postgresql_where=text("claimed_by IS NULL AND due_at IS NOT NULL"),
        ),
        Index("ix_petition_claimed_until", "claimed_until"),
        # All that a person's sight depends on, so that what they see is counted without reading a petition.
        Index(
            "ix_petition_seen",
            "state",
            "is_restricted",
            "unit",
            "offered_unit",
            "overseer_unit",
            "accused_unit",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # Known only once the row has its id, within the same transaction.
    number: Mapped[str | None] = mapped_column(String(16), unique=True)
    form_key: Mapped[str] = mapped_column(String(100), unique=True)
    petitioner_id: Mapped[int] = mapped_column(ForeignKey("petitioner.id"), index=True)
    class_: Mapped[str] = mapped_column("class", String(16))
    category: Mapped[list[str]] = mapped_column(JSON)
    # The first level of the category, where a list can be filtered by it.
    topic: Mapped[str] = mapped_column(String(40))
    level: Mapped[str] = mapped_column(String(4))
    unit: Mapped[str] = mapped_column(String(60))
    office: Mapped[str | None] = mapped_column(String(60))
    community: Mapped[str | None] = mapped_column(String(40))
    priority: Mapped[str] = mapped_column(String(16))
    flags: Mapped[list[str]] = mapped_column(JSON)
    legal_path: Mapped[str | None] = mapped_column(String(16))
    # An accusation: the accused unit never sees the case, its text or its author (visibility.py).
    is_restricted: Mapped[bool]
    accused_unit: Mapped[str | None] = mapped_column(String(60))
    route: Mapped[dict[str, Any]] = mapped_column(JSON)
    # What was said, without what is personal in it: the whole of it is sealed.
    matter: Mapped[str] = mapped_column(Text)
    place: Mapped[str | None] = mapped_column(Text)
    occurred: Mapped[str | None] = mapped_column(Text)
    conversation: Mapped[str] = mapped_column(String(100), index=True)
    channel: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    # `unit` is responsible until another accepts (首接负责); then whom it is offered to, and who oversees it.
    offered_unit: Mapped[str | None] = mapped_column(String(60), index=True)
    offered_office: Mapped[str | None] = mapped_column(String(60))
    overseer_unit: Mapped[str | None] = mapped_column(String(60), index=True)
    hops: Mapped[int] = mapped_column(default=0)
    unsatisfied: Mapped[int] = mapped_column(default=0)
    merged_into: Mapped[str | None] = mapped_column(String(16), index=True)
    # The ticket for whose petitioners this one speaks, as at most five do.
    represents: Mapped[str | None] = mapped_column(String(16), index=True)
    # Who works on it just now, and until when nobody else of the unit does.
    claimed_by: Mapped[str | None] = mapped_column(String(100))
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The earliest end of the office's running clocks; None when none runs.
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    filed_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When nothing more was owed; from then on its personal data age.
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    # The end of the petition's chain of events: how many there are, and the hash of the last one.
    event_count: Mapped[int] = mapped_column(default=0)
    event_hash: Mapped[str] = mapped_column(String(64), default="")
    version: Mapped[int] = mapped_column()

    petitioner: Mapped[Petitioner] = relationship()
    clocks: Mapped[list[RunningClock]] = relationship(order_by="RunningClock.due_at", back_populates="petition")
    events: Mapped[list[Event]] = relationship(order_by="Event.number", back_populates="petition")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy declares it so


class PetitionText(Base):
    """What a petition is searched by: the words of its masked text, and what it means.

    The words are parted by spaces and stand in the full-text index of the database (migration 0030).
    """

    __tablename__ = "petition_text"
    __table_args__ = (
        Index(
            "ix_petition_text_unread",
            "petition_id",
            sqlite_where=text("vector IS NULL"),
            postgresql_where=text("vector IS NULL"),
        ),
    )

    petition_id: Mapped[int] = mapped_column(ForeignKey("petition.id"), primary_key=True, autoincrement=False)
    words: Mapped[str] = mapped_column(Text)
    # A sentence vector in 384 bytes; None until the worker has made it.
    vector: Mapped[bytes | None] = mapped_column(LargeBinary)


class RunningClock(Base):
    """A clock of a petition and when it runs out: `amount` of `unit` after `counted_from`."""

    __tablename__ = "running_clock"
    __table_args__ = (
        Index(
            "ix_running_clock_is_provisional",
            "is_provisional",
            sqlite_where=text("is_provisional = 1"),
            postgresql_where=text("is_provisional"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    petition_id: Mapped[int] = mapped_column(ForeignKey("petition.id"), index=True)
    clock: Mapped[str] = mapped_column(String(20))
    unit: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    counted_from: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # The year's workdays are not known yet.
    is_provisional: Mapped[bool] = mapped_column(default=False)
    # The resident's time, not the office's.
    is_window: Mapped[bool] = mapped_column(default=False)
    extended_days: Mapped[int] = mapped_column(default=0)
    article: Mapped[str] = mapped_column(String(100))
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How far warning and escalation have come, and when the next of them is due.
    step: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)

    petition: Mapped[Petition] = relationship(back_populates="clocks")


class Event(Base):
    """One step of a petition: when, by whom, from which state to which, and what it changed.

    Never changed, never deleted. `hash` covers every column and the hash of the event before. What may hold personal
    data stands in `private`, which can be erased: only its hash is covered.
    """

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("petition_id", "number", name="uq_event_petition_id"),
        # The same step sent twice finds the first.
        UniqueConstraint("petition_id", "key", name="uq_event_key"),
        Index("ix_event_at", "at", "action"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    petition_id: Mapped[int] = mapped_column(ForeignKey("petition.id"))
    number: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    # Who was responsible, and of what, when it happened.
    unit: Mapped[str] = mapped_column(String(60))
    category: Mapped[str] = mapped_column(String(40))
    community: Mapped[str | None] = mapped_column(String(40))
    state_from: Mapped[str | None] = mapped_column(String(20))
    state_to: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    key: Mapped[str | None] = mapped_column(String(100))
    private_hash: Mapped[str | None] = mapped_column(String(64))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))

    petition: Mapped[Petition] = relationship(back_populates="events")
    private: Mapped[EventPrivate | None] = relationship(back_populates="event")

    @property
    def reason(self) -> str:
        """Why, in the words of whoever did it; empty once erased."""
        return str(self.private.payload.get("reason", "")) if self.private else ""

    @property
    def actor_unit(self) -> str | None:
        """The unit of whoever did it."""
        unit: str | None = self.data.get("actor_unit")
        return unit


class EventPrivate(Base):
    """The free words of an event. Its salt goes with it, so that what was erased cannot be guessed from the hash."""

    __tablename__ = "event_private"

    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"), primary_key=True)
    salt: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)

    event: Mapped[Event] = relationship(back_populates="private")


class EventSeal(Base):
    """Closes a stretch of the whole log, so that a petition which vanishes with all its events is missed."""

    __tablename__ = "event_seal"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_event_id: Mapped[int] = mapped_column(unique=True)
    events: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))


class OutboxMessage(Base):
    """Something that must be told; the key makes it once for the reader, however often it is sent."""

    __tablename__ = "outbox_message"
    __table_args__ = (Index("ix_outbox_message_state_next_at", "state", "next_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(60), unique=True)
    petition_id: Mapped[int] = mapped_column(ForeignKey("petition.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    to: Mapped[str] = mapped_column(String(12))
    # None for the petitioner.
    unit: Mapped[str | None] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When it is tried next; while somebody sends it, when their lease ends.
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(String(60))

    petition: Mapped[Petition] = relationship()


class Notice(Base):
    """A delivered message in the inbox of a unit or of a conversation."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(60), unique=True)
    to: Mapped[str] = mapped_column(String(12))
    recipient: Mapped[str] = mapped_column(String(100), index=True)
    number: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
