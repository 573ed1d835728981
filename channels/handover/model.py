"""The tables of hand-overs: who is called into which conversation, what happened to each, who is typing now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from storage import Base, UtcDateTime

WAITING, HELD = "waiting", "held"
GIVEN_BACK, ENDED, TICKETED = "given_back", "ended", "ticketed"
OPEN = (WAITING, HELD)


class Handover(Base):
    """A person called into a conversation, which has at most one without `ended_at`: that is not over."""

    __tablename__ = "handover"
    __table_args__ = (
        Index(
            "uq_handover_conversation",
            "conversation",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_handover_conversation_id", "conversation", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(12))
    # Of the message of the resident that caused it.
    number: Mapped[int]
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    held_by: Mapped[str | None] = mapped_column(String(100))
    held_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When whoever holds it last did something.
    touched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    promised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ticket: Mapped[str | None] = mapped_column(String(20))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class HandoverEvent(Base):
    """What happened to a hand-over, who did it and when; `note` is what they wrote for their colleagues."""

    __tablename__ = "handover_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    handover_id: Mapped[int] = mapped_column(ForeignKey("handover.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    step: Mapped[str] = mapped_column(String(12))
    # As they were then: a name and a role may change.
    actor: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    note: Mapped[str | None] = mapped_column(Text)


class HandoverTyping(Base):
    """One side of a hand-over is typing, until then."""

    __tablename__ = "handover_typing"

    handover_id: Mapped[int] = mapped_column(ForeignKey("handover.id"), primary_key=True)
    side: Mapped[str] = mapped_column(String(8), primary_key=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
