"""Photos that WeChat holds and that could not be fetched yet: the table and all its queries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String, Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from petitions.photos import drop_photo, drop_photos_of
from storage import Base, UtcDateTime, begin_writing

if TYPE_CHECKING:
    from channels.wechat.store import Box


class WeChatMedia(Base):
    """A photo of a message that is fetched again until WeChat has deleted it; it has its place among the photos."""

    __tablename__ = "wechat_media"

    inbox_id: Mapped[int] = mapped_column(ForeignKey("wechat_inbox.id"), primary_key=True, autoincrement=False)
    photo: Mapped[str] = mapped_column(String(32))
    media_id: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    # When it is tried next; while somebody fetches it, when their lease ends.
    next_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Due:
    """A photo to be fetched: its message, its place, its name at WeChat, and how often it was tried before."""

    inbox_id: int
    photo: str
    media_id: str
    attempts: int
    until: datetime


def put(
    session: Session, box: Box, inbox_id: int, photo: str, media_id: str, *, next_at: datetime, until: datetime
) -> None:
    """Let a photo be fetched later."""
    session.add(
        WeChatMedia(
            inbox_id=inbox_id, photo=photo, media_id=box.seal(media_id), attempts=0, next_at=next_at, until=until
        )
    )
    session.flush()


def is_put(session: Session, inbox_id: int) -> bool:
    """Whether the photo of this message is fetched later."""
    return session.get(WeChatMedia, inbox_id) is not None


def take(session: Session, box: Box, *, lease_seconds: float, now: datetime) -> Due | None:
    """The next photo that is due, taken for the time of a lease; None when none is."""
    begin_writing(session)
    row = session.scalar(
        select(WeChatMedia)
        .where(WeChatMedia.next_at <= now)
        .order_by(WeChatMedia.next_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    due = Due(row.inbox_id, row.photo, box.open(row.media_id), row.attempts, row.until)
    row.attempts, row.next_at = row.attempts + 1, now + timedelta(seconds=lease_seconds)
    session.flush()
    return due


def put_off(session: Session, due: Due, *, next_at: datetime) -> None:
    """Let a photo be fetched again at that moment."""
    begin_writing(session)
    if row := session.get(WeChatMedia, due.inbox_id):
        row.next_at = next_at


def end(session: Session, inbox_id: int) -> None:
    """A photo is fetched no more."""
    begin_writing(session)
    session.execute(delete(WeChatMedia).where(WeChatMedia.inbox_id == inbox_id))


def forget(session: Session, conversation: str, inbox_ids: Collection[int]) -> None:
    """Delete the photos that wait for a petition of this conversation, and give up those that were to be fetched."""
    for row in session.scalars(select(WeChatMedia).where(WeChatMedia.inbox_id.in_(inbox_ids))):
        drop_photo(session, row.photo)
        session.delete(row)
    session.flush()
    drop_photos_of(session, [conversation])
