"""Messages that wait for an answer: the table and all its queries.

A message of the web chat is a row here from the moment it is received until it is answered, so that neither a failure
of understanding nor the end of the process loses it. Words are sealed: the transcript hides a query code that was
typed, but only the whole text can be answered. An answer that holds a query code is kept sealed for a while: its way to
the resident may have broken, or who asked may have gone when it came.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import (
    ColumnElement,
    CursorResult,
    SQLColumnExpression,
    String,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage import Base, UtcDateTime, begin_writing

# Whoever answers a message and was killed has so long before another does.
LEASE = timedelta(seconds=60)
# After so many failed attempts it is tried again so many minutes later; the last entry holds for all that follow.
RETRY_MINUTES = (0, 0, 1, 5, 15)
# Nothing is put off for longer, so that whatever is was put off by a clock that was wrong.
LONGEST = timedelta(minutes=max(RETRY_MINUTES))


class ChatWaiting(Base):
    """A message without an answer, or (`replies`) one whose answer may not have been seen."""

    __tablename__ = "chat_waiting"
    __table_args__ = (UniqueConstraint("conversation", "number", name="uq_chat_waiting_conversation"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    text: Mapped[str | None] = mapped_column(Text)
    # When it was said, or said again under the same id.
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int]
    # When it is tried again; once it is answered, until when its replies are shown whole.
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    replies: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits; `attempts` is how often answering it failed."""

    conversation: str
    number: int
    text: str
    since: datetime
    attempts: int


class Seal:
    """Seals words with a key made from the product's secret."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hmac.digest(secret, b"chat waiting", "sha256")))

    def close(self, text: str) -> str:
        """The text, sealed."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed."""
        return self._fernet.decrypt(sealed).decode()


def keep(session: Session, seal: Seal, conversation: str, number: int, text: str, *, now: datetime) -> None:
    """Have a new message wait that is about to be answered."""
    begin_writing(session)
    values = {"conversation": conversation, "number": number, "text": seal.close(text), "since": now}
    session.execute(insert(ChatWaiting).values(**values, attempts=0, next_at=now + LEASE))


def keep_again(
    session: Session, seal: Seal, conversation: str, number: int, text: str, *, now: datetime
) -> Waiting | None:
    """Have a message wait that is said again under the same id: it counts as said now.

    Returns:
        How it waited before; None when it did not.
    """
    begin_writing(session)
    row = _row(session, conversation, number)
    if row is None or row.text is None:
        keep(session, seal, conversation, number, text, now=now)
        return None
    before = _waiting(seal, row)
    row.text, row.since, row.next_at = seal.close(text), now, now + LEASE
    return before


def waiting_before(session: Session, seal: Seal, conversation: str, number: int | None = None) -> list[Waiting]:
    """The messages of a conversation that wait, oldest first; with a number, those before it."""
    statement = select(ChatWaiting).where(ChatWaiting.conversation == conversation, ChatWaiting.answered_at.is_(None))
    if number is not None:
        statement = statement.where(ChatWaiting.number < number)
    found = (_waiting(seal, row) for row in session.scalars(statement.order_by(ChatWaiting.number)))
    return [one for one in found if one is not None]


def due_conversations(session: Session, *, now: datetime, limit: int = 100) -> tuple[Sequence[str], bool]:
    """The conversations with a message that is due, the longest waiting first; and whether any message waits at all."""
    is_waiting = ChatWaiting.answered_at.is_(None)
    due = session.scalars(
        select(ChatWaiting.conversation)
        .where(is_waiting)
        .group_by(ChatWaiting.conversation)
        .having(_is_due(func.min(ChatWaiting.next_at), now))
        .order_by(func.min(ChatWaiting.since))
        .limit(limit)
    ).all()
    return due, bool(due) or session.scalar(select(ChatWaiting.id).where(is_waiting).limit(1)) is not None


def claim(session: Session, conversation: str, *, now: datetime) -> bool:
    """Take what is due in a conversation for the time of a lease; False when another process was faster."""
    begin_writing(session)
    taken = session.execute(
        update(ChatWaiting)
        .where(
            ChatWaiting.answered_at.is_(None),
            ChatWaiting.conversation == conversation,
            _is_due(ChatWaiting.next_at, now),
        )
        .values(next_at=now + LEASE)
    )
    return isinstance(taken, CursorResult) and taken.rowcount > 0


def postpone(session: Session, conversation: str, number: int, *, now: datetime) -> None:
    """Note that answering a message has failed."""
    begin_writing(session)
    row = _row(session, conversation, number)
    if row is not None and row.answered_at is None:
        row.attempts += 1
        row.next_at = now + timedelta(minutes=RETRY_MINUTES[min(row.attempts, len(RETRY_MINUTES)) - 1])


def finish(
    session: Session,
    seal: Seal,
    conversation: str,
    number: int,
    *,
    kept: Sequence[Mapping[str, Any]] = (),
    until: datetime,
    now: datetime,
) -> bool:
    """Have a message wait no longer, since its answer is stored in the same transaction.

    Args:
        session: Open transaction.
        seal: Seals.
        conversation: Identity of the conversation.
        number: Of the resident's message.
        kept: Its replies with what the transcript does not keep of them, if there is such a thing.
        until: Until when they are shown so.
        now: Aware.

    Returns:
        False when another has answered it.
    """
    begin_writing(session)
    mine = (ChatWaiting.conversation == conversation, ChatWaiting.number == number, ChatWaiting.answered_at.is_(None))
    if kept:
        values = _answered(seal, kept, until, now)
        done = session.execute(update(ChatWaiting).where(*mine).values(**values))
    else:
        done = session.execute(delete(ChatWaiting).where(*mine))
    return isinstance(done, CursorResult) and done.rowcount > 0


def keep_replies(
    session: Session,
    seal: Seal,
    conversation: str,
    number: int,
    *,
    kept: Sequence[Mapping[str, Any]],
    until: datetime,
    now: datetime,
) -> None:
    """Keep the replies to a message that waited elsewhere, as `finish` keeps those to one that waited here."""
    begin_writing(session)
    values = {"conversation": conversation, "number": number, "since": now, "attempts": 0}
    session.execute(insert(ChatWaiting).values(**values, **_answered(seal, kept, until, now)))


def forget_replies(session: Session, conversation: str) -> None:
    """Delete what is kept of the replies of a conversation beside its transcript."""
    begin_writing(session)
    session.execute(
        delete(ChatWaiting).where(ChatWaiting.conversation == conversation, ChatWaiting.answered_at.is_not(None))
    )


def kept_replies(session: Session, seal: Seal, conversation: str, *, now: datetime) -> dict[int, list[dict[str, Any]]]:
    """Replies of a conversation with what the transcript does not keep of them, by the message they answer."""
    mine = (ChatWaiting.conversation == conversation, ChatWaiting.replies.is_not(None), ChatWaiting.next_at > now)
    rows = session.scalars(select(ChatWaiting).where(*mine))
    return {row.number: json.loads(seal.open(row.replies)) for row in rows if row.replies is not None}


def count_waiting(session: Session) -> int:
    """How many messages wait."""
    waits = select(func.count()).select_from(ChatWaiting).where(ChatWaiting.answered_at.is_(None))
    return session.scalar(waits) or 0


def waiting_numbers(session: Session, conversation: str) -> set[int]:
    """The numbers of the messages of a conversation that wait."""
    statement = select(ChatWaiting.number).where(
        ChatWaiting.conversation == conversation, ChatWaiting.answered_at.is_(None)
    )
    return set(session.scalars(statement))


def purge(session: Session, now: datetime) -> int:
    """Delete the replies that are shown no longer; how many messages they answered."""
    begin_writing(session)
    gone = session.execute(delete(ChatWaiting).where(ChatWaiting.answered_at.is_not(None), ChatWaiting.next_at < now))
    return gone.rowcount if isinstance(gone, CursorResult) else 0


def _is_due(next_at: SQLColumnExpression[datetime], now: datetime) -> ColumnElement[bool]:
    return or_(next_at <= now, next_at > now + LONGEST)


def _answered(seal: Seal, kept: Sequence[Mapping[str, Any]], until: datetime, now: datetime) -> dict[str, object]:
    replies = seal.close(json.dumps(list(kept), ensure_ascii=False))
    return {"text": None, "answered_at": now, "next_at": until, "replies": replies}


def _waiting(seal: Seal, row: ChatWaiting) -> Waiting | None:
    if row.text is None:
        return None
    try:
        return Waiting(row.conversation, row.number, seal.open(row.text), row.since, row.attempts)
    except InvalidToken:
        # The key was replaced meanwhile: what nobody can read holds nobody up.
        return None


def _row(session: Session, conversation: str, number: int) -> ChatWaiting | None:
    return session.scalar(
        select(ChatWaiting)
        .where(ChatWaiting.conversation == conversation, ChatWaiting.number == number)
        .with_for_update()
    )
