"""Who looks at a ticket and who works on it, as long as they are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from desk.accounts import Staff
from desk.errors import DeskError
from storage import Base, UtcDateTime, begin_writing

# An open page says every quarter of a minute that it is there.
LOOKING = timedelta(minutes=1)
# Whoever claimed a ticket and left it lying has released it.
WORKING = timedelta(minutes=30)
NOTED_EVERY = timedelta(seconds=10)


class Presence(Base):
    """Somebody at a ticket: when they were last there, and whether they have claimed it."""

    __tablename__ = "presence"

    petition_id: Mapped[int] = mapped_column(ForeignKey("petition.id"), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_claimed: Mapped[bool]
    staff: Mapped[Staff] = relationship(lazy="joined")


@dataclass(frozen=True, slots=True)
class Around:
    """Who is at a ticket: who works on it, whether that is oneself, and who else looks."""

    worker: str | None
    is_mine: bool
    lookers: tuple[str, ...]


def look_at(session: Session, petition_id: int, member: Staff, *, now: datetime) -> Around:
    """Note that a member is at a ticket, and tell who else is. The caller commits.

    Args:
        session: In a transaction of its own: on SQLite it takes the lock only when there is something to note.
        petition_id: Of a ticket that they may see.
        member: Who looks.
        now: Aware.
    """
    mine = _row(session, petition_id, member)
    if mine is None or now - mine.seen_at >= NOTED_EVERY:
        session.rollback()
        begin_writing(session)
        _note(session, petition_id, member, now=now)
    return around(session, petition_id, member, now=now)


def around(session: Session, petition_id: int, member: Staff, *, now: datetime) -> Around:
    """Who is at a ticket now."""
    rows = _rows(session, petition_id, now)
    worker = next((row for row in rows if row.is_claimed), None)
    lookers = tuple(
        row.staff.name
        for row in rows
        if row is not worker and row.staff_id != member.id and now - row.seen_at < LOOKING
    )
    return Around(worker.staff.name if worker else None, worker is not None and worker.staff_id == member.id, lookers)


def workers(session: Session, petition_ids: Sequence[int], *, now: datetime) -> dict[int, str]:
    """Who works on each of these tickets; without those that nobody has claimed."""
    rows = session.scalars(
        select(Presence).where(
            Presence.petition_id.in_(petition_ids), Presence.is_claimed.is_(True), Presence.seen_at > now - WORKING
        )
    )
    return {row.petition_id: row.staff.name for row in rows}


def claim(session: Session, petition_id: int, member: Staff, *, now: datetime) -> None:
    """Say that a member works on a ticket. The caller holds the lock of the ticket's row, and commits.

    Raises:
        DeskError: `claimed`, somebody else does.
    """
    for row in _rows(session, petition_id, now):
        if row.is_claimed and row.staff_id != member.id:
            raise DeskError("claimed", name=row.staff.name)
    session.execute(delete(Presence).where(Presence.petition_id == petition_id, Presence.seen_at <= now - WORKING))
    _note(session, petition_id, member, now=now).is_claimed = True


def release(session: Session, petition_id: int, member: Staff, *, now: datetime) -> None:
    """Say that a member no longer works on a ticket. The caller commits."""
    _note(session, petition_id, member, now=now).is_claimed = False


def _note(session: Session, petition_id: int, member: Staff, *, now: datetime) -> Presence:
    row = _row(session, petition_id, member)
    if row is None:
        row = Presence(petition_id=petition_id, staff_id=member.id, is_claimed=False)
        session.add(row)
    elif now - row.seen_at >= WORKING:
        row.is_claimed = False
    row.seen_at = now
    session.flush()
    return row


def _row(session: Session, petition_id: int, member: Staff) -> Presence | None:
    return session.get(Presence, (petition_id, member.id))


def _rows(session: Session, petition_id: int, now: datetime) -> Sequence[Presence]:
    return session.scalars(
        select(Presence)
        .where(Presence.petition_id == petition_id, Presence.seen_at > now - WORKING)
        .order_by(Presence.staff_id)
    ).all()
