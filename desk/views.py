"""The lists of tickets that somebody keeps under a name; one of them may be what they see first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from desk.accounts import Staff
from desk.errors import DeskError
from storage import Base

NAME_LIMIT_CHARACTERS = 40
MOST_VIEWS = 30
QUERY_LIMIT_CHARACTERS = 2000


class SavedView(Base):
    """A list: the parameters of its address."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("staff_id", "name", name="uq_saved_view_staff_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    name: Mapped[str] = mapped_column(String(NAME_LIMIT_CHARACTERS))
    query: Mapped[str] = mapped_column(Text)
    is_default: Mapped[bool]


def views_of(session: Session, member: Staff) -> Sequence[SavedView]:
    """What a member has kept, in the order of names."""
    return session.scalars(select(SavedView).where(SavedView.staff_id == member.id).order_by(SavedView.name)).all()


def save_view(session: Session, member: Staff, name: str, query: str) -> None:
    """Keep a list; the name that is there already gets the new one. The caller has begun to write, and commits.

    Raises:
        DeskError: `view_name`, `too_many_views`.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME_LIMIT_CHARACTERS or not name.isprintable():
        raise DeskError("view_name", most=NAME_LIMIT_CHARACTERS)
    known = _find(session, member, name)
    if known is not None:
        known.query = query
        return
    of_member = select(func.count()).select_from(SavedView).where(SavedView.staff_id == member.id)
    if (session.scalar(of_member) or 0) >= MOST_VIEWS:
        raise DeskError("too_many_views", most=MOST_VIEWS)
    session.add(SavedView(staff_id=member.id, name=name, query=query, is_default=False))


def drop_view(session: Session, member: Staff, name: str) -> None:
    """Keep a list no longer."""
    session.execute(delete(SavedView).where(SavedView.staff_id == member.id, SavedView.name == name))


def choose_default(session: Session, member: Staff, name: str) -> None:
    """Make a list the first that a member sees; without a name, none is."""
    session.execute(update(SavedView).where(SavedView.staff_id == member.id).values(is_default=SavedView.name == name))


def _find(session: Session, member: Staff, name: str) -> SavedView | None:
    return session.scalar(select(SavedView).where(SavedView.staff_id == member.id, SavedView.name == name))
