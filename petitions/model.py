"""Tables of the case work: who asks, what, which clocks run, what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage import Base, UtcDateTime


class Petitioner(Base):
    """Who asks; an anonymous one has neither name nor phone."""

    __tablename__ = "petitioner"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(40))
    phone: Mapped[str | None] = mapped_column(String(20))
    is_anonymous: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Petition(Base):
    """A petition and where it stands."""

    __tablename__ = "petition"

    id: Mapped[int] = mapped_column(primary_key=True)
    # Known only once the row has its id, within the same transaction.
    number: Mapped[str | None] = mapped_column(String(16), unique=True)
    form_key: Mapped[str] = mapped_column(String(100), unique=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    petitioner_id: Mapped[int] = mapped_column(ForeignKey("petitioner.id"), index=True)
    class_: Mapped[str] = mapped_column("class", String(16))
    category: Mapped[list[str]] = mapped_column(JSON)
    level: Mapped[str] = mapped_column(String(4))
    unit: Mapped[str] = mapped_column(String(60), index=True)
    office: Mapped[str | None] = mapped_column(String(60))
    community: Mapped[str | None] = mapped_column(String(40))
    priority: Mapped[str] = mapped_column(String(16))
    flags: Mapped[list[str]] = mapped_column(JSON)
    legal_path: Mapped[str | None] = mapped_column(String(16))
    # An accusation: the accused unit never sees the case, its text or its author.
    is_restricted: Mapped[bool]
    route: Mapped[dict[str, Any]] = mapped_column(JSON)
    matter: Mapped[str] = mapped_column(Text)
    place: Mapped[str | None] = mapped_column(Text)
    occurred: Mapped[str | None] = mapped_column(Text)
    conversation: Mapped[str] = mapped_column(String(100), index=True)
    channel: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), index=True)
    filed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column()

    petitioner: Mapped[Petitioner] = relationship()
    clocks: Mapped[list[RunningClock]] = relationship(order_by="RunningClock.due_at", back_populates="petition")
    events: Mapped[list[Event]] = relationship(order_by="Event.id", back_populates="petition")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy declares it so


class RunningClock(Base):
    """A clock of a petition and when it runs out."""

    __tablename__ = "running_clock"

    id: Mapped[int] = mapped_column(primary_key=True)
    petition_id: Mapped[int] = mapped_column(ForeignKey("petition.id"), index=True)
    clock: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    article: Mapped[str] = mapped_column(String(100))
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    petition: Mapped[Petition] = relationship(back_populates="clocks")


class Event(Base):
    """One step of a petition: when, by whom, from which state to which, and why. Never changed, never deleted."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    petition_id: Mapped[int] = mapped_column(ForeignKey("petition.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(20))
    state_from: Mapped[str | None] = mapped_column(String(20))
    state_to: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)

    petition: Mapped[Petition] = relationship(back_populates="events")
