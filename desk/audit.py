"""What people of the desk took out of it or changed of each other's accounts: one row each, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from desk.accounts import Staff
from storage import Base, UtcDateTime

PAGE = 100


class AuditEntry(Base):
    """Who did what, when; `subject` is what it was done to, `data` holds filters and values, no resident's words."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # As they were then: a name, a role and a unit may change.
    actor: Mapped[str] = mapped_column(String(100), index=True)
    role: Mapped[str] = mapped_column(String(20))
    unit: Mapped[str | None] = mapped_column(String(60))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(200))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


def note(
    session: Session, member: Staff, action: str, subject: str, data: Mapping[str, Any] | None = None, *, now: datetime
) -> None:
    """Write down what a member did; it counts with the transaction that it is part of."""
    _write(session, member.name, member.role, member.unit, action, subject, data, now)


def note_command(
    session: Session, by: str, action: str, subject: str, data: Mapping[str, Any] | None = None, *, now: datetime
) -> None:
    """Write down what somebody did on the command line, where there is no login."""
    _write(session, by, "system", None, action, subject, data, now)


def _write(
    session: Session,
    actor: str,
    role: str,
    unit: str | None,
    action: str,
    subject: str,
    data: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    session.add(
        AuditEntry(
            at=now,
            actor=actor,
            role=role,
            unit=unit,
            action=action,
            subject=subject[:200],
            data=dict(data or {}),
        )
    )


def entries(session: Session, *, actor: str = "", action: str = "", before: int | None = None) -> Sequence[AuditEntry]:
    """A page of entries, newest first, and one more when there is a next page.

    Args:
        session: Open.
        actor: Only those of this person.
        action: Only this action.
        before: Only those with a smaller id.
    """
    statement = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(PAGE + 1)
    if actor:
        statement = statement.where(AuditEntry.actor == actor)
    if action:
        statement = statement.where(AuditEntry.action == action)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    return session.scalars(statement).all()
