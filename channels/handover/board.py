"""What the desk reads of conversations and does with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from channels.handover import filing, store
from channels.handover.model import HELD, WAITING, Handover, HandoverEvent, HandoverTyping
from channels.handover.rules import own_rules
from channels.store import RESIDENT, ChatMessage, transcript
from channels.wechat.store import Box
from language.personal import mask_personal
from petitions import Actor, Filed

WORDS_LIMIT_CHARACTERS = 60
ENDED_SHOWN = 20
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation in a list.

    Attributes:
        id: Of the hand-over; of a message of the resident where there is none.
        reason: Why a person was called; empty where none was.
        since_at: When they were called; when it ended; when the resident said something last.
        words: What the resident said last, masked and cut.
        held_by: Who holds it, or held it last.
        state: Of the hand-over.
        ticket: Number of the ticket that it became.
        note: What was written for colleagues at its end.
    """

    id: int
    reason: str
    since_at: datetime
    words: str
    held_by: str | None = None
    state: str = ""
    ticket: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Lists:
    """All that the first page shows: who waits, who is being served, who talks to the assistant, what has ended."""

    waiting: Sequence[Row]
    held: Sequence[Row]
    active: Sequence[Row]
    ended: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the transcript; `side` is `resident`, `assistant` or `staff`."""

    number: int
    side: str
    kind: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to one of a conversation's hand-overs."""

    at: datetime
    step: str
    actor: str
    role: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the conversation was about before: how many messages, which intents, what got no answer."""

    messages: int
    intents: Sequence[tuple[str, int]]
    unanswered: Sequence[str]
    is_filing: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation as the desk shows it."""

    id: int
    state: str
    reason: str
    began_at: datetime
    held_by: str | None
    ticket: str | None
    promised_at: datetime | None
    lines: Sequence[Line]
    steps: Sequence[Step]
    summary: Summary
    words: str
    is_typing: bool


def lists(session: Session, *, now: datetime) -> Lists:
    """The conversations that the first page shows, the most urgent first."""
    urgency = own_rules().urgency
    rows = session.scalars(select(Handover).where(Handover.ended_at.is_(None)).order_by(Handover.id)).all()
    waiting = sorted((row for row in rows if row.state == WAITING), key=lambda row: urgency.index(row.reason))
    held = [row for row in rows if row.state == HELD]
    ended = session.scalars(
        select(Handover).where(Handover.ended_at.is_not(None)).order_by(Handover.ended_at.desc()).limit(ENDED_SHOWN)
    )
    return Lists(
        [_row(session, row, row.began_at) for row in waiting],
        [_row(session, row, row.held_at or row.began_at) for row in held],
        _active(session, now),
        [_row(session, row, row.ended_at or row.began_at) for row in ended],
    )


def waiting_count(session: Session) -> int:
    """How many calls nobody has taken."""
    return session.scalar(select(func.count()).select_from(Handover).where(Handover.state == WAITING)) or 0


def conversation(session: Session, handover_id: int, *, now: datetime) -> Conversation | None:
    """A conversation with all that was said in it, in whole; None when there is no such hand-over."""
    row = session.get(Handover, handover_id)
    if row is None:
        return None
    said = transcript(session, row.conversation)
    steps = session.scalars(
        select(HandoverEvent)
        .join(Handover, Handover.id == HandoverEvent.handover_id)
        .where(Handover.conversation == row.conversation, HandoverEvent.step != "write")
        .order_by(HandoverEvent.id.desc())
    )
    return Conversation(
        id=row.id,
        state=row.state,
        reason=row.reason,
        began_at=row.began_at,
        held_by=row.held_by,
        ticket=row.ticket,
        promised_at=row.promised_at,
        lines=[_line(one) for one in said],
        steps=[Step(one.at, one.step, one.actor, one.role, one.note) for one in steps],
        summary=_summary(said),
        words=store.words_of(session, row, own_rules()),
        is_typing=store.is_typing(session, row.id, RESIDENT, now=now),
    )


def marks(session: Session, *, now: datetime) -> Mapping[int, str]:
    """What changes with each open hand-over, by its id; under 0, what changes when one begins or ends."""
    last = func.max(ChatMessage.number)
    rows = session.execute(
        select(Handover.id, Handover.state, Handover.held_by, last)
        .join(ChatMessage, ChatMessage.conversation == Handover.conversation)
        .where(Handover.ended_at.is_(None))
        .group_by(Handover.id, Handover.state, Handover.held_by)
    ).all()
    events = session.scalar(select(func.max(HandoverEvent.id))) or 0
    typing: dict[int, list[str]] = {}
    for one in session.scalars(select(HandoverTyping).where(HandoverTyping.until > now).order_by(HandoverTyping.side)):
        typing.setdefault(one.handover_id, []).append(one.side)
    return {0: str(events)} | {id_: f"{state} {who} {number} {typing.get(id_, [])}" for id_, state, who, number in rows}


def take(session: Session, secret: bytes, handover_id: int, actor: Actor, *, now: datetime) -> bool:
    """Take a conversation that waits; False when somebody else has it or it is over. The caller commits."""
    return store.take(session, Box(secret), handover_id, actor, now=now)


def start(session: Session, secret: bytes, message_row: int, actor: Actor, *, now: datetime) -> int | None:
    """Take a conversation into which nobody was called, by a message in it; its hand-over. The caller commits."""
    return store.start(session, Box(secret), message_row, actor, now=now)


def write(
    session: Session, secret: bytes, handover_id: int, actor: Actor, text: str, *, key: str, now: datetime
) -> bool:
    """Say something to the resident, once for each key; False when the actor does not hold the conversation."""
    return store.write(session, Box(secret), handover_id, actor, text, key=key, now=now)


def give_back(session: Session, secret: bytes, handover_id: int, actor: Actor, note: str, *, now: datetime) -> bool:
    """Let the assistant go on; False when the actor does not hold the conversation. The caller commits."""
    return store.give_back(session, Box(secret), handover_id, actor, note, now=now)


def type_now(session: Session, handover_id: int, actor: Actor, *, now: datetime) -> None:
    """Whoever holds the conversation is typing. The caller commits."""
    row = session.get(Handover, handover_id)
    is_holder = row is not None and row.state == HELD and row.held_by == actor.name
    session.rollback()
    if is_holder:
        store.type_now(session, handover_id, store.STAFF, now=now)


def file(services: filing.Services, handover_id: int, actor: Actor, note: str) -> Filed | None:
    """Make a ticket of what the resident has said; None when the actor does not hold the conversation."""
    return filing.file(services, handover_id, actor, note)


def _row(session: Session, row: Handover, since_at: datetime) -> Row:
    said = session.scalars(
        select(ChatMessage)
        .where(ChatMessage.conversation == row.conversation, ChatMessage.kind == RESIDENT)
        .order_by(ChatMessage.number.desc())
        .limit(own_rules().words)
    ).all()
    # That they want a person is the reason; what they want of them tells more.
    telling = (one for one in said if one.intent not in own_rules().saying_nothing)
    last = next(telling, said[0] if said else None)
    note = session.scalar(
        select(HandoverEvent.note)
        .where(HandoverEvent.handover_id == row.id, HandoverEvent.note.is_not(None))
        .order_by(HandoverEvent.id.desc())
        .limit(1)
    )
    words = _cut(last.payload["text"]) if last else ""
    return Row(row.id, row.reason, since_at, words, row.held_by, row.state, row.ticket, note)


def _active(session: Session, now: datetime) -> list[Row]:
    """The conversations of the assistant in which a resident has written lately, the latest first."""
    since = now - timedelta(minutes=own_rules().active_minutes)
    with_person = select(Handover.conversation).where(Handover.ended_at.is_(None))
    latest = (
        select(func.max(ChatMessage.id))
        .where(
            ChatMessage.kind == RESIDENT,
            ChatMessage.created_at >= since,
            ChatMessage.conversation.not_in(with_person),
        )
        .group_by(ChatMessage.conversation)
    )
    rows = session.scalars(
        select(ChatMessage).where(ChatMessage.id.in_(latest)).order_by(ChatMessage.id.desc()).limit(SHOWN)
    )
    return [Row(row.id, "", row.created_at, _cut(row.payload["text"])) for row in rows]


def _cut(text: str) -> str:
    shown = " ".join(mask_personal(text).split())
    return shown if len(shown) <= WORDS_LIMIT_CHARACTERS else f"{shown[:WORDS_LIMIT_CHARACTERS]}…"


def _line(row: ChatMessage) -> Line:
    side = "resident" if row.kind == RESIDENT else "staff" if row.payload.get("author") else "assistant"
    return Line(row.number, side, row.kind, str(row.payload["text"]), row.created_at)


def _summary(said: Sequence[ChatMessage]) -> Summary:
    mine = [row for row in said if row.kind == RESIDENT]
    failed = {row.answers for row in said if row.kind == "no_answer"}
    spoken = [row.kind for row in said if row.kind not in {RESIDENT, "handoff", "notice"}]
    return Summary(
        messages=len(mine),
        intents=Counter(row.intent for row in mine if row.intent).most_common(3),
        unanswered=[str(row.payload["text"]) for row in mine if row.number in failed],
        is_filing=bool(spoken) and spoken[-1] in {"prompt", "confirm"},
    )
