"""Who looks at a ticket now; who works on it is said by the claim of the case work."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from desk.accounts import Staff
from storage import Base, UtcDateTime, begin_writing

# An open page says every quarter of a minute that it is there.
LOOKING = timedelta(minutes=1)
NOTED_EVERY = timedelta(seconds=10)


class Presence(Base):
    """Somebody at a ticket, and when they were last there."""

    __tablename__ = "presence"

    petition_id: Mapped[int] = mapped_column(ForeignKey("petition.id"), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff: Mapped[Staff] = relationship(lazy="joined")


def look_at(session: Session, petition_id: int, member: Staff, *, now: datetime) -> tuple[str, ...]:
    """Note that a member is at a ticket, and name the others who are. The caller commits.

    Args:
        session: In a transaction of its own: on SQLite it takes the lock only when there is something to note.
        petition_id: Of a ticket that they may see.
        member: Who looks.
        now: Aware.
    """
    mine = session.get(Presence, (petition_id, member.id))
    if mine is None or now - mine.seen_at >= NOTED_EVERY:
        session.rollback()
        begin_writing(session)
        has_left = (Presence.seen_at <= now - LOOKING, Presence.staff_id != member.id)
        session.execute(delete(Presence).where(Presence.petition_id == petition_id, *has_left))
        session.merge(Presence(petition_id=petition_id, staff_id=member.id, seen_at=now))
        session.flush()
    rows = session.scalars(
        select(Presence)
        .where(Presence.petition_id == petition_id, Presence.seen_at > now - LOOKING, Presence.staff_id != member.id)
        .order_by(Presence.staff_id)
    )
    return tuple(row.staff.name for row in rows)
