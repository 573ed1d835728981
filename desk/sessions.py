"""Logging in: attempts that are counted before they are checked, sessions that end, and what a cookie is worth."""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, String, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from desk.accounts import Staff, digest_of
from desk.errors import DeskError
from storage import Base, UtcDateTime, begin_writing

# After so many failures within the span, an account or an address waits; an office shares one address.
SPAN = timedelta(minutes=15)
ACCOUNT_FAILURES = 5
ADDRESS_FAILURES = 50
ATTEMPTS_KEPT = timedelta(days=1)
# How long somebody who has given the password may look for the second factor.
PENDING = timedelta(minutes=10)
# A session that is used is noted no more often than this.
NOTED_EVERY = timedelta(minutes=1)


class StaffSession(Base):
    """A browser that is logged in; only the digest of its cookie is kept."""

    __tablename__ = "staff_session"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Whether all that the account asks for was given; before, nothing can be seen.
    is_complete: Mapped[bool]
    staff: Mapped[Staff] = relationship(lazy="joined")


class LoginAttempt(Base):
    """An attempt that did not succeed, or not yet: of whom or from where, as a keyed digest."""

    __tablename__ = "login_attempt"
    __table_args__ = (Index("ix_login_attempt_subject_at", "subject", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted: of which account, and the rows that count it."""

    account: str
    rows: tuple[int, ...]


def count_attempt(session: Session, secret: bytes, account: str, address: str, *, now: datetime) -> Attempt:
    """Count an attempt before it is checked, so that many at once do not get around the limit; the caller commits.

    Args:
        session: At the start of a transaction.
        secret: Key of the digests: a password may have been typed as the name.
        account: Whose it claims to be.
        address: Where it comes from.
        now: Aware.

    Raises:
        DeskError: `locked_out`, too many have failed; this one is not counted.
    """
    begin_writing(session)
    session.execute(delete(LoginAttempt).where(LoginAttempt.at < now - ATTEMPTS_KEPT))
    named = (f"account:{account}", f"address:{address}")
    subjects = [hmac.digest(secret, text.encode(), "sha256").hex() for text in named]
    for subject, limit in zip(subjects, (ACCOUNT_FAILURES, ADDRESS_FAILURES), strict=True):
        recent = (LoginAttempt.subject == subject, LoginAttempt.at > now - SPAN)
        count, oldest = session.execute(select(func.count(), func.min(LoginAttempt.at)).where(*recent)).one()
        if count >= limit:
            minutes = math.ceil((oldest + SPAN - now) / timedelta(minutes=1))
            raise DeskError("locked_out", minutes=max(1, minutes), retry_after_seconds=max(1, minutes) * 60)
    rows = [LoginAttempt(subject=subject, at=now) for subject in subjects]
    session.add_all(rows)
    session.flush()
    return Attempt(subjects[0], tuple(row.id for row in rows))


def forget_attempt(session: Session, attempt: Attempt) -> None:
    """An attempt has succeeded: the account begins to count anew, and the address has one failure less."""
    rows = or_(LoginAttempt.subject == attempt.account, LoginAttempt.id.in_(attempt.rows))
    session.execute(delete(LoginAttempt).where(rows))


def open_session(session: Session, member: Staff, *, is_complete: bool, now: datetime, old: str | None = None) -> str:
    """The cookie of a new session; the one before, if any, is worth nothing from now on.

    Args:
        session: Open; the caller commits.
        member: Whose session.
        is_complete: Whether nothing more is asked for.
        now: Aware.
        old: The cookie that the browser had: a cookie that somebody else has set must never become a session.
    """
    if old:
        close_session(session, old)
    token = secrets.token_urlsafe(32)
    session.add(
        StaffSession(digest=digest_of(token), staff_id=member.id, created_at=now, used_at=now, is_complete=is_complete)
    )
    return token


def read_session(
    session: Session, token: str | None, *, now: datetime, idle: timedelta, longest: timedelta
) -> StaffSession | None:
    """The session of a cookie; None when it is unknown, has ended, or its owner may no longer enter."""
    found = session.get(StaffSession, digest_of(token)) if token else None
    if found is None or found.staff.disabled_at is not None:
        return None
    is_over = now - found.used_at > idle or now - found.created_at > (longest if found.is_complete else PENDING)
    return None if is_over else found


def note_use(session: Session, found: StaffSession, *, now: datetime) -> None:
    """Note that a session is used, in a transaction of its own that begins after the one that found it."""
    if now - found.used_at < NOTED_EVERY:
        return
    digest = found.digest
    session.rollback()
    begin_writing(session)
    session.execute(update(StaffSession).where(StaffSession.digest == digest).values(used_at=now))
    session.commit()


def list_sessions(session: Session, *, now: datetime, idle: timedelta, longest: timedelta) -> Sequence[StaffSession]:
    """The sessions that still let somebody in, last used first.

    Args:
        session: Open.
        now: Aware.
        idle: After how long without use a session ends.
        longest: How long it lasts at most.
    """
    statement = select(StaffSession).where(
        StaffSession.is_complete, StaffSession.used_at >= now - idle, StaffSession.created_at >= now - longest
    )
    return session.scalars(statement.order_by(StaffSession.used_at.desc())).all()


def close_session(session: Session, token: str) -> None:
    """End the session of a cookie."""
    session.execute(delete(StaffSession).where(StaffSession.digest == digest_of(token)))


def close_all(session: Session, member: Staff) -> None:
    """End every session of a member."""
    session.execute(delete(StaffSession).where(StaffSession.staff_id == member.id))


def drop_ended(session: Session, *, now: datetime, longest: timedelta) -> None:
    """Delete the sessions that ended by their age."""
    session.execute(delete(StaffSession).where(StaffSession.created_at < now - longest))
