"""What must be told: written in the transaction of the event that causes it, delivered at least once, read once.

A message is a row with a unique key. It is taken (so that two workers do not send it at once), sent outside any
transaction, and then marked. Whoever is killed in between leaves it to be sent again with the same key, by which the
reader's side knows the second from the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from petitions.data import load
from petitions.lifecycle import own_lifecycle
from petitions.model import Event, Notice, OutboxMessage, Petition
from petitions.quiet import Quiet
from storage import begin_writing
from telemetry.logs import request_id

_RULES = Path(__file__).with_name("outbox.yml")
_CHANGED = "changed"
PENDING, SENT, DEAD, WITHHELD = "pending", "sent", "dead", "withheld"

DOUBTFUL = "_unknown"

To = Literal["petitioner", "unit", "offered", "overseer"]


class DeliveryError(Exception):
    """A message could not be delivered; `is_final` when trying again is of no use, `is_doubtful` when it may have been.

    `code` says both to whoever looks at what was given up.
    """

    def __init__(self, code: str, *, is_final: bool = False, is_doubtful: bool = False) -> None:
        self.code = code + (DOUBTFUL if is_doubtful else "")
        self.is_final = is_final
        super().__init__(self.code)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Telling(_Strict):
    """After which actions who is told what."""

    after: tuple[str, ...] = Field(min_length=1)
    to: tuple[To, ...] = Field(min_length=1)
    kind: str
    clocks: frozenset[str] = frozenset()

    def is_meant(self, event: Event) -> bool:
        """Whether it tells of this event."""
        return event.action in self.after and (not self.clocks or event.data.get("clock") in self.clocks)


class OutboxRules(_Strict):
    """The rules of outbox.yml."""

    as_of: date
    tell: tuple[Telling, ...]
    joined: Mapping[str, str]
    labels: Mapping[str, str]
    said: frozenset[str]
    quiet: Quiet
    texts: Mapping[str, str]
    retry_minutes: tuple[int, ...] = Field(min_length=1)
    lease_minutes: int
    kept_days: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it is delivered: `recipient` is a unit, or the conversation of the petitioner."""

    key: str
    kind: str
    to: str
    recipient: str
    number: str
    text: str
    # What has become of the petition, short: for what has no room for the text.
    label: str
    # It may have been told: an attempt ended without an answer, or in the middle.
    is_repeated: bool = False

    def to_json(self) -> dict[str, str]:
        """What the reader's side needs: by the key it knows a repetition."""
        return {name: getattr(self, name) for name in ("key", "kind", "to", "recipient", "number", "text")}


Send = Callable[[Letter], None]


@cache
def own_outbox() -> OutboxRules:
    """The rules beside the code."""
    return load(_RULES, OutboxRules)


def tell(session: Session, petition: Petition, event: Event) -> None:
    """Write down who has to be told of this event, in the transaction that writes the event."""
    for telling in own_outbox().tell:
        is_meant = telling.is_meant(event) or (
            _CHANGED in telling.after
            and event.state_from is not None
            and event.state_from != event.state_to
            and not _is_told_otherwise(event.action)
        )
        for to in telling.to if is_meant else ():
            if to == "petitioner" and (kind := own_outbox().joined.get(telling.kind)):
                for joined_id in _joined(session, petition):
                    _add(session, petition, event, to, kind, petition_id=joined_id)
            unit = {"unit": petition.unit, "offered": petition.offered_unit, "overseer": petition.overseer_unit}.get(to)
            if to == "petitioner" or unit:
                _add(session, petition, event, to, telling.kind, unit=unit)


def take(session: Session, *, now: datetime) -> OutboxMessage | None:
    """The next message that is due, taken for the time of a lease; None when nothing is due.

    Args:
        session: At the start of a transaction; the caller commits before it sends.
        now: Aware.
    """
    begin_writing(session)
    is_due = (OutboxMessage.state == PENDING, OutboxMessage.next_at <= now)
    # What took its sender down at every attempt is given up too.
    is_spent = OutboxMessage.attempts > len(own_outbox().retry_minutes)
    session.execute(update(OutboxMessage).where(*is_due, is_spent).values(state=DEAD, problem="killed"))
    message = session.scalar(
        select(OutboxMessage)
        .where(*is_due)
        .order_by(OutboxMessage.next_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if message is not None:
        message.attempts += 1
        message.next_at = now + timedelta(minutes=own_outbox().lease_minutes)
        session.flush()
    return message


def mark(session: Session, message_id: int, attempt: int, problem: DeliveryError | None, *, now: datetime) -> str:
    """Write down how an attempt ended; the state of the message.

    An attempt whose lease ran out changes nothing of the one that came after it, unless it succeeded.
    """
    begin_writing(session)
    message = session.get_one(OutboxMessage, message_id, with_for_update=True, populate_existing=True)
    waits = own_outbox().retry_minutes
    if problem is None:
        message.state, message.sent_at, message.problem = SENT, now, None
    elif message.attempts == attempt and message.state == PENDING:
        message.problem = problem.code
        if problem.is_final or attempt > len(waits):
            message.state = DEAD
        else:
            message.next_at = now + timedelta(minutes=waits[attempt - 1])
    session.flush()
    return message.state


def letter_of(message: OutboxMessage, petition: Petition) -> Letter:
    """The message as it is delivered. It tells nothing personal: who may read more looks the ticket up."""
    rules = own_outbox()
    state = own_lifecycle().states[message.payload["state"]]
    is_joined = message.kind in rules.joined.values()
    label = (state.joined if is_joined else None) or state.label
    text = rules.texts[message.kind].format(number=petition.number, label=label)
    label = rules.labels.get(message.kind, label)
    recipient = message.unit or petition.conversation
    was_killed = message.attempts > 1 and message.problem is None
    is_repeated = was_killed or (message.problem or "").endswith(DOUBTFUL)
    return Letter(message.key, message.kind, message.to, recipient, str(petition.number), text, label, is_repeated)


def postpone(session: Session, message: OutboxMessage, until: datetime) -> None:
    """Leave a message that was taken for later; that was no attempt."""
    message.attempts -= 1
    message.next_at = until
    session.flush()


def withhold(session: Session, message: OutboxMessage) -> None:
    """Never deliver it: whom it was for may not see the petition any more, or cannot be reached."""
    message.state = WITHHELD
    session.flush()


def put_into_inbox(session: Session, letter: Letter, *, now: datetime) -> bool:
    """Lay a letter into its reader's inbox, once for its key; whether it was not there yet."""
    begin_writing(session)
    if session.scalar(select(Notice.id).where(Notice.key == letter.key)) is not None:
        return False
    session.add(
        Notice(
            key=letter.key,
            to=letter.to,
            recipient=letter.recipient,
            number=letter.number,
            text=letter.text,
            created_at=now,
        )
    )
    session.flush()
    return True


def dead_letters(session: Session, *, limit: int = 200) -> Sequence[OutboxMessage]:
    """Messages that were given up, oldest first."""
    return session.scalars(
        select(OutboxMessage).where(OutboxMessage.state == DEAD).order_by(OutboxMessage.id).limit(limit)
    ).all()


def retry_dead(session: Session, ids: Sequence[int] = (), *, now: datetime) -> int:
    """Try dead letters again from the start, all or those of these ids; how many."""
    begin_writing(session)
    statement = update(OutboxMessage).where(OutboxMessage.state == DEAD)
    if ids:
        statement = statement.where(OutboxMessage.id.in_(ids))
    return _count(session.execute(statement.values(state=PENDING, attempts=0, next_at=now)))


def purge_outbox(session: Session, *, now: datetime) -> int:
    """Delete what was delivered long ago; how many messages."""
    begin_writing(session)
    before = now - timedelta(days=own_outbox().kept_days)
    session.execute(delete(Notice).where(Notice.created_at < before))
    old = OutboxMessage.created_at < before
    return _count(session.execute(delete(OutboxMessage).where(OutboxMessage.state.in_((SENT, WITHHELD)), old)))


def _add(
    session: Session,
    petition: Petition,
    event: Event,
    to: To,
    kind: str,
    *,
    unit: str | None = None,
    petition_id: int | None = None,
) -> None:
    """A message of this event; `petition_id` is the ticket it is about where that is another."""
    session.add(
        OutboxMessage(
            key=f"{petition.id}-{event.number}-{to}" + (f"-{petition_id}" if petition_id else ""),
            petition_id=petition_id or petition.id,
            kind=kind,
            to=to,
            unit=unit,
            payload={"state": event.state_to, "request": request_id()},
            state=PENDING,
            attempts=0,
            created_at=event.at,
            next_at=event.at,
        )
    )


def _joined(session: Session, petition: Petition) -> list[int]:
    """The ids of the petitions merged into this one, and of those merged into them."""
    found: list[int] = []
    numbers = [petition.number]
    while numbers:
        rows = session.execute(
            select(Petition.id, Petition.number).where(Petition.merged_into.in_(numbers)).order_by(Petition.id)
        ).all()
        found += [row.id for row in rows]
        numbers = [row.number for row in rows]
    return found


def _is_told_otherwise(action: str) -> bool:
    return any(action in telling.after and "petitioner" in telling.to for telling in own_outbox().tell)


def _count(result: Any) -> int:  # noqa: ANN401 - execute() is typed for queries
    return result.rowcount if isinstance(result, CursorResult) else 0
