"""Hand-overs and their queries: a person is called, takes the conversation, writes, gives it back.

Each step is one transaction that first locks the conversation, so that of two people one takes it, and what a resident
says meanwhile falls clearly before or after. What the resident reads of it is stored with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from channels import store
from channels.handover.model import (
    ENDED,
    GIVEN_BACK,
    HELD,
    TICKETED,
    WAITING,
    Handover,
    HandoverEvent,
    HandoverTyping,
)
from channels.handover.rules import Reason, Rules, own_rules
from channels.store import RESIDENT, ChatMessage
from channels.texts import say
from channels.wechat import words
from channels.wechat.rules import own_rules as wechat_rules
from channels.wechat.store import Box, post
from petitions import SYSTEM, Actor
from storage import begin_writing

STAFF = "staff"
TEXT_LIMIT = 2_000


def open_of(session: Session, conversation: str) -> Handover | None:
    """The hand-over of a conversation that is not over."""
    return session.scalar(select(Handover).where(Handover.conversation == conversation, Handover.ended_at.is_(None)))


def call(session: Session, conversation: str, reason: Reason, number: int, *, now: datetime) -> Handover:
    """Call a person into a conversation, once; a more urgent reason replaces that of a call that waits.

    Args:
        session: At the start of a transaction, or in one that has begun to write.
        conversation: Identity of the conversation.
        reason: Why.
        number: Of the message of the resident that causes it.
        now: Aware.
    """
    store.lock_conversation(session, conversation)
    row = open_of(session, conversation)
    if row is not None:
        urgency = own_rules().urgency
        if row.state == WAITING and urgency.index(reason) < urgency.index(row.reason):
            row.reason = reason
            _note(session, row, f"call_{reason}", SYSTEM, now=now)
        return row
    row = Handover(conversation=conversation, state=WAITING, reason=reason, number=number, began_at=now)
    session.add(row)
    session.flush()
    _note(session, row, f"call_{reason}", SYSTEM, now=now)
    return row


def hear(session: Session, conversation: str, number: int) -> bool:
    """Whether the resident's message of that number goes to a person instead of the assistant.

    One that did stays with the person, also when it is sent once more after they have given the conversation back.
    """
    row = open_of(session, conversation)
    message = session.scalars(
        select(ChatMessage).where(ChatMessage.conversation == conversation, ChatMessage.number == number)
    ).one()
    is_repeated = message.payload.get("to") == STAFF
    if row is None or row.state != HELD or is_repeated:
        return is_repeated
    message.payload = message.payload | {"to": STAFF}
    return True


def failures_before(session: Session, conversation: str, number: int, rules: Rules) -> int:
    """How many messages in a row before that number helped the resident nothing, since the last hand-over."""
    mine = ChatMessage.conversation == conversation
    last_over = session.scalar(
        select(func.max(Handover.ended_at)).where(Handover.conversation == conversation, Handover.ended_at.is_not(None))
    )
    said = select(ChatMessage).where(mine, ChatMessage.kind == RESIDENT, ChatMessage.number < number)
    if last_over is not None:
        said = said.where(ChatMessage.created_at > last_over)
    count = 0
    for row in session.scalars(said.order_by(ChatMessage.number.desc()).limit(rules.failures)):
        kinds = session.scalars(select(ChatMessage.kind).where(mine, ChatMessage.answers == row.number)).all()
        if row.payload.get("to") == STAFF or not is_failure(row.intent, kinds, rules):
            break
        count += 1
    return count


def is_failure(intent: str | None, kinds: Sequence[str], rules: Rules) -> bool:
    """Whether replies of these kinds to a message of this intent help nobody; no reply at all helps nobody either."""
    if set(kinds) <= rules.failed_kinds:
        return True
    return intent in rules.not_understood.intents and set(kinds) <= rules.failed_kinds | rules.not_understood.kinds


def place_of(session: Session, row: Handover) -> int:
    """The place in line of a call that waits, from 1."""
    before = select(func.count()).select_from(Handover).where(Handover.state == WAITING, Handover.id < row.id)
    return (session.scalar(before) or 0) + 1


def call_off(session: Session, conversation: str, *, now: datetime) -> bool:
    """The resident wants no person any more; whether one was called and had not come."""
    store.lock_conversation(session, conversation)
    row = open_of(session, conversation)
    if row is None or row.state != WAITING:
        return False
    _end(session, row, ENDED, "call_off", SYSTEM, now=now)
    return True


def take(session: Session, box: Box, handover_id: int, actor: Actor, *, now: datetime) -> bool:
    """Take a conversation that waits; False when somebody else has it or it is over. The caller commits."""
    row = locked(session, handover_id)
    if row is None or row.state != WAITING:
        return False
    _hold(session, box, row, actor, now=now)
    return True


def start(session: Session, box: Box, message_row: int, actor: Actor, *, now: datetime) -> int | None:
    """Take a conversation into which nobody was called.

    Args:
        session: At the start of a transaction; the caller commits.
        box: Seals what goes to WeChat.
        message_row: Id of a message of the resident.
        actor: Who takes it.
        now: Aware.

    Returns:
        The hand-over; None when there is no such message, or somebody else has the conversation.
    """
    begin_writing(session)
    message = session.get(ChatMessage, message_row)
    if message is None or message.kind != RESIDENT:
        return None
    row = call(session, message.conversation, "decided", message.number, now=now)
    if row.state != WAITING:
        return None
    _hold(session, box, row, actor, now=now)
    return row.id


def write(session: Session, box: Box, handover_id: int, actor: Actor, text: str, *, key: str, now: datetime) -> bool:
    """Say something to the resident, once for each key; False when somebody else holds the conversation, or nobody.

    Args:
        session: At the start of a transaction; the caller commits.
        box: Seals what goes to WeChat.
        handover_id: Which conversation.
        actor: Who writes.
        text: What the resident reads.
        key: Names this message, so that a repetition changes nothing.
        now: Aware.
    """
    row = locked(session, handover_id)
    if row is None or not _holds(row, actor):
        return False
    if tell(session, box, row, message("handoff", text, author=STAFF), message_id=f"{STAFF}:{key}", now=now):
        row.touched_at = now
        _note(session, row, "write", actor, now=now)
    if typing := session.get(HandoverTyping, (row.id, STAFF)):
        session.delete(typing)
    return True


def give_back(
    session: Session, box: Box, handover_id: int, actor: Actor, note: str, *, now: datetime, is_idle: bool = False
) -> bool:
    """Let the assistant go on with the conversation; False when the actor does not hold it. The caller commits.

    Args:
        session: At the start of a transaction.
        box: Seals what goes to WeChat.
        handover_id: Which conversation.
        actor: Who gives it back; the product itself may take it from whoever is idle.
        note: For colleagues.
        now: Aware.
        is_idle: Only when whoever holds it has done nothing for too long.
    """
    row = locked(session, handover_id)
    if row is None or row.state != HELD or not (_holds(row, actor) or (is_idle and is_left(row, now))):
        return False
    text = say("handover.idle") if is_idle else say("handover.given_back")
    tell(session, box, row, message("notice", text), now=now)
    _repeat_question(session, box, row, now=now)
    _end(session, row, GIVEN_BACK, "idle" if is_idle else "give_back", actor, note=note, now=now)
    return True


def _repeat_question(session: Session, box: Box, row: Handover, *, now: datetime) -> None:
    """Ask once more what the assistant asked last: its form is where it was."""
    last = session.scalar(
        select(ChatMessage)
        .where(
            ChatMessage.conversation == row.conversation,
            ChatMessage.kind != RESIDENT,
            ChatMessage.kind.not_in(("handoff", "notice", "emergency", "crisis")),
        )
        .order_by(ChatMessage.number.desc())
        .limit(1)
    )
    if last is not None and last.kind in {"prompt", "confirm"}:
        tell(session, box, row, last.payload, now=now)


def end(session: Session, row: Handover, step: str, *, now: datetime) -> None:
    """No person is needed any more. The caller has locked it."""
    _end(session, row, ENDED, step, SYSTEM, now=now)


def ticketed(session: Session, row: Handover, number: str, actor: Actor, note: str, *, now: datetime) -> None:
    """The conversation has become a ticket. The caller has locked it."""
    row.ticket = number
    _end(session, row, TICKETED, "file", actor, note=note, now=now)


def type_now(session: Session, handover_id: int, side: str, *, now: datetime) -> None:
    """One side is typing. The caller commits."""
    begin_writing(session)
    until = now + timedelta(seconds=own_rules().typing_seconds)
    with suppress(IntegrityError), session.begin_nested():
        # Another key of the same person may have made the row meanwhile, which says the same.
        session.merge(HandoverTyping(handover_id=handover_id, side=side, until=until))


def is_typing(session: Session, handover_id: int, side: str, *, now: datetime) -> bool:
    """Whether that side is typing."""
    row = session.get(HandoverTyping, (handover_id, side))
    return row is not None and row.until > now


def drop_typing(session: Session, *, now: datetime) -> int:
    """Delete the rows of typing that is over; how many. The caller commits."""
    begin_writing(session)
    rows = session.scalars(select(HandoverTyping).where(HandoverTyping.until <= now)).all()
    for row in rows:
        session.delete(row)
    return len(rows)


def open_ids(session: Session) -> Sequence[int]:
    """Every hand-over that is not over, in the order of their beginning."""
    return session.scalars(select(Handover.id).where(Handover.ended_at.is_(None)).order_by(Handover.id)).all()


def locked(session: Session, handover_id: int) -> Handover | None:
    """A hand-over as it is now, and nobody else may change it or write into its conversation."""
    begin_writing(session)
    row = session.get(Handover, handover_id)
    if row is None:
        return None
    store.lock_conversation(session, row.conversation)
    statement = select(Handover).where(Handover.id == handover_id).with_for_update()
    return session.scalar(statement.execution_options(populate_existing=True))


def last_said_at(session: Session, conversation: str) -> datetime | None:
    """When the resident said something last."""
    mine = (ChatMessage.conversation == conversation, ChatMessage.kind == RESIDENT)
    return session.scalar(select(func.max(ChatMessage.created_at)).where(*mine))


def has_filed(session: Session, row: Handover) -> bool:
    """Whether the resident has filed a ticket with the assistant since a person was called."""
    mine = (ChatMessage.conversation == row.conversation, ChatMessage.number > row.number)
    return session.scalar(select(ChatMessage.id).where(*mine, ChatMessage.kind == "ticket").limit(1)) is not None


def words_of(session: Session, row: Handover, rules: Rules) -> str:
    """What the resident has said since their last ticket and nobody has answered; empty when that is nothing."""
    mine = ChatMessage.conversation == row.conversation
    answered = set(session.scalars(select(ChatMessage.answers).where(mine, ChatMessage.kind == "answer")))
    filed = session.scalar(select(func.max(ChatMessage.number)).where(mine, ChatMessage.kind == "ticket")) or 0
    rows = session.scalars(
        select(ChatMessage)
        .where(mine, ChatMessage.kind == RESIDENT, ChatMessage.number > filed)
        .order_by(ChatMessage.number.desc())
        .limit(rules.words)
    ).all()
    texts = [
        str(said.payload["text"])
        for said in reversed(rows)
        if said.number not in answered
        and said.intent not in rules.saying_nothing
        and said.payload["text"] != say("handover.cancel")
    ]
    return "\n".join(dict.fromkeys(texts))[-TEXT_LIMIT:]


def is_left(row: Handover, now: datetime) -> bool:
    """Whether whoever holds a conversation has done nothing for too long."""
    return row.touched_at is not None and now - row.touched_at >= timedelta(minutes=own_rules().idle_minutes)


def message(kind: str, text: str, buttons: Sequence[Mapping[str, str]] = (), **more: object) -> dict[str, Any]:
    """A message of the contract that this package says."""
    shown = [dict(button) for button in buttons]
    return {"kind": kind, "text": text, "citations": [], "facts": [], "buttons": shown} | more


def tell(
    session: Session, box: Box, row: Handover, said: dict[str, Any], *, message_id: str | None = None, now: datetime
) -> bool:
    """Say something to the resident on the page, and on WeChat where they are there; False when it was said before."""
    message_id = message_id or f"{STAFF}:{secrets.token_urlsafe(16)}"
    if not store.add_message(session, row.conversation, said, message_id=message_id, now=now):
        return False
    post(session, box, row.conversation, words.split(words.text_of([said]), wechat_rules().text_bytes), now=now)
    return True


def _hold(session: Session, box: Box, row: Handover, actor: Actor, *, now: datetime) -> None:
    row.state, row.held_by, row.held_at, row.touched_at = HELD, actor.name, now, now
    _note(session, row, "take", actor, now=now)
    _leave_unanswered(session, row)
    tell(session, box, row, message("handoff", say("handover.taken")), now=now)


def _leave_unanswered(session: Session, row: Handover) -> None:
    """What got no reply so far is for whoever takes the conversation, also when a channel tries it once more."""
    answer = aliased(ChatMessage)
    is_answered = exists().where(answer.conversation == row.conversation, answer.answers == ChatMessage.number)
    mine = (ChatMessage.conversation == row.conversation, ChatMessage.kind == RESIDENT)
    for said in session.scalars(select(ChatMessage).where(*mine, ~is_answered)):
        said.payload = said.payload | {"to": STAFF}


def _holds(row: Handover, actor: Actor) -> bool:
    return row.state == HELD and row.held_by == actor.name


def _end(
    session: Session, row: Handover, state: str, step: str, actor: Actor, *, note: str = "", now: datetime
) -> None:
    row.state, row.ended_at = state, now
    _note(session, row, step, actor, note=note, now=now)


def _note(session: Session, row: Handover, step: str, actor: Actor, *, note: str = "", now: datetime) -> None:
    session.add(
        HandoverEvent(
            handover_id=row.id, at=now, step=step, actor=actor.name, role=actor.role, note=note.strip() or None
        )
    )
    session.flush()
