"""The transcript: every message of a conversation, numbered, in the resident's order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, String, UniqueConstraint, case, cast, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.attributes import flag_modified

from channels.handover.model import Handover, HandoverEvent, HandoverTyping
from channels.texts import say
from channels.waiting import ChatWaiting
from petitions import parse_reference
from storage import Base, SealedJson, UtcDateTime, begin_writing

RESIDENT = "resident"
# No longer than the shortest time in `petitions/privacy.yml`: a name or a number may stand in what was said.
TRANSCRIPT_RETENTION = timedelta(days=365)
# 查询码 and the code after it, however the sentence joins them.
QUERY_CODE = re.compile(r"查询码[\s*：:是为]*(?P<code>[0-9A-Za-z][0-9A-Za-z-]{3,})\**")


class ChatMessage(Base):
    """One message; `kind` is `resident` for the resident's own, otherwise a kind of the contract."""

    __tablename__ = "chat_message"
    __table_args__ = (
        UniqueConstraint("conversation", "number", name="uq_chat_message_conversation"),
        # A repeated POST finds the message it repeats; messages without an id are all different.
        UniqueConstraint("conversation", "message_id", name="uq_chat_message_message_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    payload: Mapped[dict[str, Any]] = mapped_column(SealedJson)
    message_id: Mapped[str | None] = mapped_column(String(64))
    answers: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Of the resident's own: what was understood, what speaks against it, what the resident thinks of the answer, and
    # whether somebody has to look at it (`wanted`) or has (`done`).
    intent: Mapped[str | None] = mapped_column(String(60))
    confidence: Mapped[float | None]
    chance: Mapped[float | None]
    doubt: Mapped[str | None] = mapped_column(String(12))
    rating: Mapped[str | None] = mapped_column(String(12))
    rated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    review: Mapped[str | None] = mapped_column(String(8), index=True)


class TurnLabel(Base):
    """What a person found when they looked at a message: its words are masked, so that it may be kept and read."""

    __tablename__ = "turn_label"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(String(400))
    intent: Mapped[str | None] = mapped_column(String(60))
    confidence: Mapped[float | None]
    verdict: Mapped[str] = mapped_column(String(12))
    right_intent: Mapped[str | None] = mapped_column(String(60))
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Received:
    """A stored message of a resident, and the replies when it was answered before."""

    number: int
    replies: tuple[dict[str, Any], ...]
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class AssistantShare:
    """What became of the conversations in which a resident wrote in a stretch of time.

    Attributes:
        conversations: How many there were.
        answered: Of those, with an answer and without a ticket.
        filed: Of those, with a ticket.
        kinds: How many replies of each kind of the contract were given.
        ratings: How many messages of that time were answered in a way that residents called helpful, or unhelpful.
    """

    conversations: int
    answered: int
    filed: int
    kinds: Mapping[str, int]
    ratings: Mapping[str, int]

    @property
    def rate(self) -> float | None:
        """The share of conversations answered without a ticket, from 0 to 1; None of nothing."""
        return self.answered / self.conversations if self.conversations else None


def without_code(message: dict[str, Any]) -> dict[str, Any]:
    """The message as it may be kept: a query code is shown once and never stored."""
    if message["kind"] != "ticket":
        return message
    kept = {name: value for name, value in message.items() if name != "code"}
    return kept | {"text": QUERY_CODE.sub(say("notices.code_shown"), message["text"])}


def without_typed_code(text: str) -> str:
    """A resident's text as it may be kept: the query code in it, if any, is hidden."""
    code = parse_reference(text).code
    if code is None:
        return text
    # The reference was found in normalised text, so that is what is searched for it.
    signs = r"[\W_]*".join(code)
    return re.sub(signs, say("notices.code_typed"), unicodedata.normalize("NFKC", text), flags=re.IGNORECASE)


def receive(session: Session, conversation: str, text: str, message_id: str | None, *, now: datetime) -> Received:
    """Store a message of a resident once.

    Args:
        session: Open transaction.
        conversation: Identity of the conversation.
        text: What was typed.
        message_id: The client's own id of this message; the same id again finds the stored message and its replies.
        now: Aware.
    """
    begin_writing(session)
    if message_id is not None:
        earlier = session.scalar(
            select(ChatMessage).where(ChatMessage.conversation == conversation, ChatMessage.message_id == message_id)
        )
        if earlier is not None:
            # What a person said below it has an id of its own and is no part of its reply.
            is_reply = (ChatMessage.answers == earlier.number, ChatMessage.message_id.is_(None))
            replies = session.scalars(
                select(ChatMessage)
                .where(ChatMessage.conversation == conversation, *is_reply)
                .order_by(ChatMessage.number)
            )
            return Received(earlier.number, tuple(reply.payload for reply in replies), is_repeat=True)
    number = _next_number(session, conversation)
    session.add(
        ChatMessage(
            conversation=conversation,
            number=number,
            kind=RESIDENT,
            payload={"text": without_typed_code(text)},
            message_id=message_id,
            answers=None,
            created_at=now,
        )
    )
    return Received(number, ())


def record_replies(
    session: Session, conversation: str, answers: int, messages: Sequence[dict[str, Any]], *, now: datetime
) -> None:
    """Store what the assistant replied to the message of that number."""
    begin_writing(session)
    first = _next_number(session, conversation)
    session.add_all(
        ChatMessage(
            conversation=conversation,
            number=number,
            kind=message["kind"],
            payload=without_code(message),
            message_id=None,
            answers=answers,
            created_at=now,
        )
        for number, message in enumerate(messages, first)
    )


def add_message(
    session: Session, conversation: str, message: dict[str, Any], *, message_id: str | None = None, now: datetime
) -> bool:
    """Store a message that no single message of the resident asked for; it stands below their last one.

    Args:
        session: Open transaction.
        conversation: Identity of the conversation.
        message: Of the contract.
        message_id: The sender's own id of it.
        now: Aware.

    Returns:
        False when a message of that id is stored already.
    """
    lock_conversation(session, conversation)
    mine = ChatMessage.conversation == conversation
    if message_id is not None and session.scalar(
        select(ChatMessage.id).where(mine, ChatMessage.message_id == message_id)
    ):
        return False
    session.add(
        ChatMessage(
            conversation=conversation,
            number=_next_number(session, conversation),
            kind=message["kind"],
            payload=without_code(message),
            message_id=message_id,
            answers=session.scalar(select(func.max(ChatMessage.number)).where(mine, ChatMessage.kind == RESIDENT)),
            created_at=now,
        )
    )
    session.flush()
    return True


def lock_conversation(session: Session, conversation: str) -> None:
    """Let nobody else write into a conversation until this transaction ends: the web and the desk both number messages.

    Source: https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS (SQLite has one
    writer at a time anyway).
    """
    begin_writing(session)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(conversation, 0))))


def names_ticket(session: Session, conversation: str, number: str) -> bool:
    """Whether a conversation has told the number of a ticket when it was filed."""
    filed = session.scalars(
        select(ChatMessage.payload).where(ChatMessage.conversation == conversation, ChatMessage.kind == "ticket")
    )
    return any(payload["ticket"]["number"] == number for payload in filed if "ticket" in payload)


def forget(session: Session, conversations: Sequence[str]) -> None:
    """Delete the transcripts of these conversations, and what was said about them."""
    begin_writing(session)
    _drop_handovers(session, Handover.conversation.in_(conversations))
    mine = ChatMessage.conversation.in_(conversations)
    session.execute(delete(TurnLabel).where(TurnLabel.message_id.in_(select(ChatMessage.id).where(mine))))
    session.execute(delete(ChatWaiting).where(ChatWaiting.conversation.in_(conversations)))
    session.execute(delete(ChatMessage).where(mine))


def seal_transcripts(session: Session, *, limit: int = 500) -> int:
    """Seal what was said before the database sealed transcripts; how many messages. Call again until none.

    Args:
        session: At the start of a transaction, of an engine that seals; the caller commits.
        limit: At most this many messages.
    """
    begin_writing(session)
    is_plain = cast(ChatMessage.payload, String).not_like('{"sealed"%')
    rows = session.scalars(select(ChatMessage).where(is_plain).order_by(ChatMessage.id).limit(limit)).all()
    for row in rows:
        flag_modified(row, "payload")
    session.flush()
    return len(rows)


def _drop_handovers(session: Session, which: ColumnElement[bool]) -> None:
    for table in (HandoverTyping, HandoverEvent):
        session.execute(delete(table).where(table.handover_id.in_(select(Handover.id).where(which))))
    session.execute(delete(Handover).where(which))


def purge_transcripts(session: Session, before: datetime) -> int:
    """Delete what was said before a time, and the hand-overs that ended before; how many messages that were.

    Labels have a time of their own.
    """
    begin_writing(session)
    _drop_handovers(session, Handover.ended_at < before)
    gone = session.execute(delete(ChatMessage).where(ChatMessage.created_at < before))
    return gone.rowcount if isinstance(gone, CursorResult) else 0


def transcript(session: Session, conversation: str, *, limit: int = 200) -> list[ChatMessage]:
    """The last messages of a conversation, oldest first."""
    newest_first = session.scalars(
        select(ChatMessage)
        .where(ChatMessage.conversation == conversation)
        .order_by(ChatMessage.number.desc())
        .limit(limit)
    )
    return list(newest_first)[::-1]


def find_said(session: Session, conversation: str, message_id: str) -> ChatMessage | None:
    """The resident's message of that id of the client's own."""
    return session.scalar(
        select(ChatMessage).where(
            ChatMessage.conversation == conversation,
            ChatMessage.message_id == message_id,
            ChatMessage.kind == RESIDENT,
        )
    )


def is_answered(session: Session, conversation: str, message_id: str) -> bool:
    """Whether replies to the resident's message of that id are stored."""
    said = find_said(session, conversation, message_id)
    if said is None:
        return False
    mine = (ChatMessage.conversation == conversation, ChatMessage.answers == said.number)
    return session.scalar(select(ChatMessage.id).where(*mine).limit(1)) is not None


def find_open(session: Session, conversation: str, number: int) -> ChatMessage | None:
    """The message of that number, while the resident has said nothing after it."""
    mine = ChatMessage.conversation == conversation
    last_said = session.scalar(select(func.max(ChatMessage.number)).where(mine, ChatMessage.kind == RESIDENT)) or 0
    return session.scalar(select(ChatMessage).where(mine, ChatMessage.number == number)) if number > last_said else None


def last_number(session: Session, conversation: str) -> int:
    """The number of the conversation's last message; 0 before the first."""
    return session.scalar(select(func.max(ChatMessage.number)).where(ChatMessage.conversation == conversation)) or 0


def newest_id(session: Session) -> int:
    """The id of the newest message of all conversations; 0 before the first."""
    return session.scalar(select(func.max(ChatMessage.id))) or 0


def numbers_since(session: Session, message_id: int) -> dict[str, int]:
    """The last number of every conversation with a message stored after the one of that id."""
    rows = session.execute(
        select(ChatMessage.conversation, func.max(ChatMessage.number))
        .where(ChatMessage.id > message_id)
        .group_by(ChatMessage.conversation)
    )
    return {conversation: number for conversation, number in rows}  # noqa: C416 - rows are no pairs


def assistant_share(session: Session, *, since: datetime, until: datetime) -> AssistantShare:
    """What the assistant did in a stretch of time; transcripts that were deleted meanwhile are missing.

    Args:
        session: Open.
        since: Aware; what was said at that moment counts.
        until: Aware; what was said at that moment does not.
    """
    within = (ChatMessage.created_at >= since, ChatMessage.created_at < until)
    by_kind = (
        select(ChatMessage.kind, func.count()).where(*within).group_by(ChatMessage.kind).order_by(ChatMessage.kind)
    )
    kinds: dict[str, int] = {kind: count for kind, count in session.execute(by_kind)}  # noqa: C416 - rows are no pairs
    kinds.pop(RESIDENT, None)
    has = {
        kind: func.max(case((ChatMessage.kind == kind, 1), else_=0)).label(kind)
        for kind in (RESIDENT, "answer", "ticket")
    }
    each = select(*has.values()).where(*within).group_by(ChatMessage.conversation).subquery()
    written = each.c[RESIDENT] == 1
    of_conversations = select(
        func.count(),
        func.count(case(((each.c.answer == 1) & (each.c.ticket == 0), 1))),
        func.count(case((each.c.ticket == 1, 1))),
    ).where(written)
    conversations, answered, filed = session.execute(of_conversations).one()
    by_rating = select(ChatMessage.rating, func.count()).where(*within, ChatMessage.rating.is_not(None))
    rated = session.execute(by_rating.group_by(ChatMessage.rating).order_by(ChatMessage.rating))
    ratings = {str(rating): count for rating, count in rated}
    return AssistantShare(conversations, answered, filed, kinds, ratings)


def _next_number(session: Session, conversation: str) -> int:
    lock_conversation(session, conversation)
    last = session.scalar(select(func.max(ChatMessage.number)).where(ChatMessage.conversation == conversation))
    return (last or 0) + 1
