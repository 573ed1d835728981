"""What came from WeChat, who answers it, and what waits to be sent: the tables and all their queries.

A message is stored before anything is done with it; its unique key decides that it is worked on once. Its answers are
rows in the transaction that marks it answered. Each row is handed to WeChat in the reply to one message, or sent by
one process at a time. Openid, words and answers are sealed: an answer may hold a query code.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography.fernet import Fernet
from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, and_, delete, false, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column
from starlette.concurrency import run_in_threadpool

from channels import store
from channels.services import Sessions
from channels.texts import say
from channels.wechat import media
from channels.wechat.rules import Allowance, Rules
from petitions import new_wechat_conversation
from storage import Base, UtcDateTime, begin_writing

Result = TypeVar("Result")


class WeChatPerson(Base):
    """A follower: under what name the conversation goes, and what may still be sent. Deleted when they unfollow."""

    __tablename__ = "wechat_person"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    openid: Mapped[str] = mapped_column(Text)
    # Random, so that nothing is left of the openid in what outlives this row.
    conversation: Mapped[str] = mapped_column(String(64), unique=True)
    window_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    quota: Mapped[int]
    # Who answers this person's messages now, and until when nobody else may.
    busy_by: Mapped[str | None] = mapped_column(String(32))
    busy_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WeChatInbox(Base):
    """A message as it came; its words go as soon as it is answered."""

    __tablename__ = "wechat_inbox"
    __table_args__ = (Index("ix_wechat_inbox_answered_at_next_at", "answered_at", "next_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("wechat_person.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    payload: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deliveries: Mapped[int]
    attempts: Mapped[int]
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WeChatOutgoing(Base):
    """One text for a resident: waiting, being sent, or delivered; `carrier` is the message whose reply it went with."""

    __tablename__ = "wechat_outgoing"
    __table_args__ = (Index("ix_wechat_outgoing_delivered_at_next_at", "delivered_at", "next_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("wechat_person.id"), index=True)
    inbox_id: Mapped[int] = mapped_column(ForeignKey("wechat_inbox.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int]
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # An attempt ended without an answer, so that it may have arrived.
    is_doubtful: Mapped[bool]
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    carrier: Mapped[int | None]


class WeChatToken(Base):
    """The access token of the account, which all processes share, and who is fetching a new one."""

    __tablename__ = "wechat_token"

    app_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    token: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refreshing_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Box:
    """Seals what the database must not tell, with a key made from the product's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._fernet = Fernet(base64.urlsafe_b64encode(hmac.digest(secret, b"wechat box", "sha256")))

    def seal(self, text: str) -> str:
        """The text, sealed."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed."""
        return self._fernet.decrypt(sealed).decode()

    def digest(self, openid: str) -> str:
        """What finds this openid without telling it."""
        return hmac.digest(self._secret, f"wechat openid {openid}".encode(), "sha256").hex()


class BusyError(Exception):
    """Another process answers this person's messages now."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A stored message: which delivery of it this is, and whether it has been answered."""

    inbox_id: int
    person_id: int
    conversation: str
    deliveries: int
    is_answered: bool


@dataclass(frozen=True, slots=True)
class Work:
    """A message to be answered; `attempts` is how often that failed, `key` names it in the conversation."""

    inbox_id: int
    conversation: str
    key: str
    payload: Mapping[str, str]
    received_at: datetime
    attempts: int
    has_waiting: bool


@dataclass(frozen=True, slots=True)
class Carried:
    """The texts that go with a reply, and how many more wait for this person."""

    texts: tuple[str, ...]
    left: int


@dataclass(frozen=True, slots=True)
class Sending:
    """A text taken to be sent; `left` more that may not follow it."""

    id: int
    person_id: int
    openid: str
    text: str
    attempts: int
    left: int


async def write(sessions: Sessions, work: Callable[[Session], Result]) -> Result:
    """What `work` gives, done by a thread in a transaction of its own."""

    def run() -> Result:
        with sessions() as session:
            result = work(session)
            session.commit()
            return result

    return await run_in_threadpool(run)


def arrive(
    session: Session,
    box: Box,
    *,
    key: str,
    openid: str,
    kind: str,
    payload: Mapping[str, str],
    allowance: Allowance,
    is_written: bool,
    now: datetime,
) -> Arrival:
    """Store a message once; another delivery of it is only counted."""
    begin_writing(session)
    known = session.scalar(select(WeChatInbox).where(WeChatInbox.key == key).with_for_update())
    if known is None:
        person = _person(session, box, openid)
        _allow(person, allowance, is_written=is_written, now=now)
        row = WeChatInbox(
            key=key,
            person_id=person.id,
            kind=kind,
            payload=box.seal(json.dumps(payload, ensure_ascii=False)),
            received_at=now,
            deliveries=1,
            attempts=0,
            next_at=now,
            answered_at=None,
        )
        try:
            with session.begin_nested():
                session.add(row)
                session.flush()
        except IntegrityError:
            # Another process stored the same message between our look and our insert.
            known = session.scalars(select(WeChatInbox).where(WeChatInbox.key == key).with_for_update()).one()
        else:
            return Arrival(row.id, person.id, person.conversation, 1, is_answered=False)
    known.deliveries += 1
    person = session.get_one(WeChatPerson, known.person_id)
    session.flush()
    return Arrival(known.id, person.id, person.conversation, known.deliveries, known.answered_at is not None)


def _person(session: Session, box: Box, openid: str) -> WeChatPerson:
    by_digest = select(WeChatPerson).where(WeChatPerson.digest == box.digest(openid)).with_for_update()
    found = session.scalar(by_digest)
    if found is not None:
        return found
    person = WeChatPerson(
        digest=box.digest(openid), openid=box.seal(openid), conversation=new_wechat_conversation(), quota=0
    )
    try:
        with session.begin_nested():
            session.add(person)
            session.flush()
    except IntegrityError:
        return session.scalars(by_digest).one()
    return person


def _allow(person: WeChatPerson, allowance: Allowance, *, is_written: bool, now: datetime) -> None:
    # A tap gives less than a message did, so it opens a window only where none is open.
    if is_written or person.window_until is None or person.window_until <= now:
        person.window_until, person.quota = now + timedelta(minutes=allowance.minutes), allowance.messages


def next_work(
    session: Session, box: Box, person_id: int, worker: str, *, after: int, lease_seconds: float, now: datetime
) -> Work | None:
    """The oldest unanswered message of a person with a higher id, taken for the time of a lease.

    Returns:
        None when nothing is left: the person is free again.

    Raises:
        BusyError: somebody else's lease lasts.
    """
    begin_writing(session)
    person = _lock_person(session, person_id)
    if person is None:
        return None
    if person.busy_by not in {None, worker} and person.busy_until is not None and person.busy_until > now:
        raise BusyError
    row = session.scalar(
        select(WeChatInbox)
        .where(WeChatInbox.person_id == person_id, WeChatInbox.answered_at.is_(None), WeChatInbox.id > after)
        .order_by(WeChatInbox.id)
        .limit(1)
    )
    if row is None or row.payload is None:
        person.busy_by = person.busy_until = None
        return None
    person.busy_by, person.busy_until = worker, now + timedelta(seconds=lease_seconds)
    has_waiting = session.scalar(select(WeChatOutgoing.id).where(*_pending(person_id)).limit(1)) is not None
    payload = json.loads(box.open(row.payload))
    return Work(row.id, person.conversation, row.key, payload, row.received_at, row.attempts, has_waiting)


def answer(
    session: Session,
    box: Box,
    inbox_id: int,
    texts: Sequence[str],
    *,
    try_again_at: datetime | None = None,
    send_from: datetime,
    now: datetime,
) -> None:
    """Store what is said to a message, which is done with that.

    Args:
        session: At the start of a transaction.
        box: Seals.
        inbox_id: The message; nothing is stored when it was answered before or its sender has gone.
        texts: In order, each short enough for WeChat.
        try_again_at: Aware; the message could not be answered, and is to be tried again then.
        send_from: Aware; before that only the process that answered it sends them.
        now: Aware.
    """
    row = _unanswered(session, inbox_id)
    if row is None:
        return
    if try_again_at is None:
        row.answered_at, row.payload = now, None
    else:
        row.attempts, row.next_at = row.attempts + 1, try_again_at
    session.add_all(_outgoing(box, row, text, send_from=send_from, now=now) for text in texts)


def tell(session: Session, box: Box, inbox_id: int, text: str, *, now: datetime) -> None:
    """Tell somebody more about their message, which was answered before."""
    begin_writing(session)
    row = session.get(WeChatInbox, inbox_id)
    if row is not None and _lock_person(session, row.person_id) is not None:
        session.add(_outgoing(box, row, text, send_from=now, now=now))


def _outgoing(box: Box, row: WeChatInbox, text: str, *, send_from: datetime, now: datetime) -> WeChatOutgoing:
    return WeChatOutgoing(
        person_id=row.person_id, inbox_id=row.id, text=box.seal(text), created_at=now, attempts=0,
        next_at=send_from, taken_until=None, is_doubtful=False, delivered_at=None, carrier=None,
    )  # fmt: skip


def was_told(session: Session, inbox_id: int, *, since: datetime) -> bool:
    """Whether the sender of a message was told since then, of this message or one before it, that it has to wait."""
    begin_writing(session)
    row = session.get(WeChatInbox, inbox_id)
    if row is None:
        return True
    earlier = select(WeChatInbox.id).where(
        WeChatInbox.person_id == row.person_id,
        WeChatInbox.id < row.id,
        WeChatInbox.answered_at.is_(None),
        WeChatInbox.received_at >= since,
    )
    return row.attempts > 0 or session.scalar(earlier.limit(1)) is not None


def _unanswered(session: Session, inbox_id: int) -> WeChatInbox | None:
    """The message, its sender locked first as everywhere; None when it is answered or its sender has gone."""
    begin_writing(session)
    row = session.get(WeChatInbox, inbox_id)
    if row is None or _lock_person(session, row.person_id) is None:
        return None
    session.refresh(row)
    return row if row.answered_at is None else None


def _lock_person(session: Session, person_id: int) -> WeChatPerson | None:
    return session.get(WeChatPerson, person_id, with_for_update=True, populate_existing=True)


def carry(session: Session, box: Box, inbox_id: int, *, limit_bytes: int, now: datetime) -> Carried:
    """What goes with the reply to a message: all that waits up to and with its own answers, as far as it fits.

    The next delivery of the same message gets the same: WeChat may not have read the first reply.
    """
    begin_writing(session)
    row = session.get(WeChatInbox, inbox_id)
    # One at a time hands out what waits for a person.
    if row is None or _lock_person(session, row.person_id) is None:
        return Carried((), 0)
    carried = session.scalars(
        select(WeChatOutgoing).where(WeChatOutgoing.carrier == inbox_id).order_by(WeChatOutgoing.id)
    ).all()
    pending = session.scalars(select(WeChatOutgoing).where(*_pending(row.person_id)).order_by(WeChatOutgoing.id)).all()
    if carried:
        return Carried(tuple(_text(box, one) for one in carried), len(pending))
    taken: list[str] = []
    for one in pending:
        text = _text(box, one)
        is_held = one.taken_until is not None and one.taken_until > now
        size = sum(len(other.encode()) + 2 for other in taken) + len(text.encode())
        if is_held or one.inbox_id > inbox_id or (taken and size > limit_bytes):
            break
        one.delivered_at, one.carrier = now, inbox_id
        taken.append(text)
    session.flush()
    return Carried(tuple(taken), len(pending) - len(taken))


def take_back(session: Session, arrival: Arrival, *, now: datetime) -> None:
    """What went with the reply to this delivery waits again: WeChat had closed before, and has not delivered once more.

    Args:
        session: At the start of a transaction.
        arrival: The delivery. A later one of the same message has been given the same texts, and they stay with it.
        now: Aware.
    """
    begin_writing(session)
    if _lock_person(session, arrival.person_id) is None:
        return
    row = session.get_one(WeChatInbox, arrival.inbox_id, populate_existing=True)
    if row.deliveries == arrival.deliveries:
        mine = update(WeChatOutgoing).where(WeChatOutgoing.carrier == arrival.inbox_id)
        session.execute(mine.values(delivered_at=None, carrier=None, next_at=now))


def take_to_send(
    session: Session,
    box: Box,
    person_id: int,
    *,
    is_ours: bool,
    waited_for: Collection[str],
    reserve: int,
    lease_seconds: float,
    now: datetime,
) -> Sending | None:
    """The next text of a person to be sent, if it may be sent now.

    Args:
        session: At the start of a transaction; the caller commits before it sends.
        box: Opens.
        person_id: Whose.
        is_ours: This process answered it, so that its first attempt need not wait.
        waited_for: Keys of messages whose next reply will carry their answers.
        reserve: So many messages of the window are not used.
        lease_seconds: Whoever took it and was killed has this long before another takes it.
        now: Aware.
    """
    begin_writing(session)
    person = _lock_person(session, person_id)
    if person is None or person.window_until is None or person.window_until <= now or person.quota <= reserve:
        return None
    pending = session.scalars(
        select(WeChatOutgoing).where(*_pending(person_id)).order_by(WeChatOutgoing.id).limit(20)
    ).all()
    if not pending:
        return None
    one = pending[0]
    is_held = one.taken_until is not None and one.taken_until > now
    is_due = one.next_at <= now or (is_ours and one.attempts == 0)
    if is_held or not is_due or session.get_one(WeChatInbox, one.inbox_id).key in waited_for:
        return None
    text = _text(box, one)
    one.taken_until = now + timedelta(seconds=lease_seconds)
    # Killed while sending, it may have arrived.
    one.is_doubtful = True
    one.attempts += 1
    person.quota -= 1
    session.flush()
    left = len(pending) - 1 if person.quota <= reserve else 0
    return Sending(one.id, person_id, box.open(person.openid), text, one.attempts, left)


def _text(box: Box, row: WeChatOutgoing) -> str:
    text = box.open(row.text)
    return say("wechat.repeated", text=text) if row.is_doubtful else text


def sent(
    session: Session,
    sending: Sending,
    *,
    is_delivered: bool,
    is_doubtful: bool,
    next_at: datetime | None,
    now: datetime,
) -> None:
    """Write down how an attempt ended: delivered, or to be tried again, or (no `next_at`) left for the next reply."""
    begin_writing(session)
    person = _lock_person(session, sending.person_id)
    row = session.get(WeChatOutgoing, sending.id, with_for_update=True)
    if person is None or row is None or row.delivered_at is not None:
        return
    row.taken_until, row.is_doubtful = None, is_doubtful
    if is_delivered:
        row.delivered_at = now
    elif next_at is None:
        _close_window(person)
    else:
        row.next_at = next_at
        # What WeChat has not taken does not count.
        person.quota += not is_doubtful


def _close_window(person: WeChatPerson) -> None:
    """Nothing more may be sent to this person before they write again."""
    person.quota, person.window_until = 0, None


def due_people(session: Session, *, may_send: bool, reserve: int, now: datetime) -> Sequence[int]:
    """Whose messages wait to be answered, or whose answers may be sent, with nobody at it."""
    free = or_(WeChatPerson.busy_until.is_(None), WeChatPerson.busy_until <= now)
    unanswered = select(WeChatInbox.person_id).where(WeChatInbox.answered_at.is_(None), WeChatInbox.next_at <= now)
    unsent = select(WeChatOutgoing.person_id).where(
        WeChatOutgoing.delivered_at.is_(None),
        WeChatOutgoing.next_at <= now,
        or_(WeChatOutgoing.taken_until.is_(None), WeChatOutgoing.taken_until <= now),
    )
    is_open = and_(WeChatPerson.window_until > now, WeChatPerson.quota > reserve) if may_send else false()
    statement = select(WeChatPerson.id).where(
        free, or_(WeChatPerson.id.in_(unanswered), and_(is_open, WeChatPerson.id.in_(unsent)))
    )
    return session.scalars(statement.order_by(WeChatPerson.id)).all()


def people_written_to(session: Session, *, reserve: int, now: datetime) -> Sequence[int]:
    """To whom something that answers no message of theirs waits to be sent the first time, and may be sent."""
    is_open = and_(WeChatPerson.window_until > now, WeChatPerson.quota > reserve)
    written = select(WeChatOutgoing.person_id).where(
        WeChatOutgoing.delivered_at.is_(None),
        WeChatOutgoing.attempts == 0,
        # An answer waits for its own process first.
        WeChatOutgoing.next_at == WeChatOutgoing.created_at,
    )
    return session.scalars(select(WeChatPerson.id).where(is_open, WeChatPerson.id.in_(written))).all()


@dataclass(frozen=True, slots=True)
class Reached:
    """Who a conversation is with; `is_open`: a message may be sent, and is counted."""

    person_id: int
    openid: str
    is_open: bool


def reach(session: Session, box: Box, conversation: str, *, now: datetime) -> Reached | None:
    """Whom a conversation is with, to tell them something; None when they have gone."""
    begin_writing(session)
    person = session.scalar(select(WeChatPerson).where(WeChatPerson.conversation == conversation).with_for_update())
    if person is None:
        return None
    is_open = person.window_until is not None and person.window_until > now and person.quota > 0
    person.quota -= is_open
    session.flush()
    return Reached(person.id, box.open(person.openid), is_open)


def post(session: Session, box: Box, conversation: str, texts: Sequence[str], *, now: datetime) -> bool:
    """Have texts sent to whom a conversation is with, below what waits for them.

    Args:
        session: Open transaction.
        box: Seals.
        conversation: Identity of the conversation.
        texts: In order, each short enough for WeChat.
        now: Aware.

    Returns:
        False when they are not on WeChat, have gone, or wrote too long ago to be sent anything.
    """
    begin_writing(session)
    person = session.scalar(select(WeChatPerson).where(WeChatPerson.conversation == conversation).with_for_update())
    if person is None:
        return False
    last = session.scalar(select(func.max(WeChatInbox.id)).where(WeChatInbox.person_id == person.id))
    if last is None:
        return False
    session.add_all(
        WeChatOutgoing(
            person_id=person.id, inbox_id=last, text=box.seal(text), created_at=now, attempts=0,
            next_at=now, taken_until=None, is_doubtful=False, delivered_at=None, carrier=None,
        )
        for text in texts
    )  # fmt: skip
    session.flush()
    return True


def close_window(session: Session, person_id: int) -> None:
    """Nothing more may be sent to this person before they write again."""
    begin_writing(session)
    if person := _lock_person(session, person_id):
        _close_window(person)


def forget(session: Session, box: Box, openid: str) -> str | None:
    """Delete all that is kept of a person here, with transcript and photos of their conversation; its id."""
    begin_writing(session)
    person = session.scalar(select(WeChatPerson).where(WeChatPerson.digest == box.digest(openid)).with_for_update())
    if person is None:
        return None
    store.forget(session, [person.conversation])
    inbox_ids = session.scalars(select(WeChatInbox.id).where(WeChatInbox.person_id == person.id)).all()
    media.forget(session, person.conversation, inbox_ids)
    session.execute(delete(WeChatOutgoing).where(WeChatOutgoing.person_id == person.id))
    session.execute(delete(WeChatInbox).where(WeChatInbox.person_id == person.id))
    session.execute(delete(WeChatPerson).where(WeChatPerson.id == person.id))
    return person.conversation


def forget_if_gone(session: Session, conversation: str) -> None:
    """Delete the transcript and the photos of a conversation whose person has gone."""
    if session.scalar(select(WeChatPerson.id).where(WeChatPerson.conversation == conversation)) is None:
        store.forget(session, [conversation])
        media.forget(session, conversation, ())


def purge(session: Session, rules: Rules, *, now: datetime) -> int:
    """Delete delivered answers and answered messages of long ago, and answers that nobody fetched; how many rows."""
    begin_writing(session)
    answered_before = now - timedelta(hours=rules.kept_hours)
    created_before = now - timedelta(days=rules.kept_answers_days)
    old = or_(
        and_(WeChatOutgoing.delivered_at.is_not(None), WeChatOutgoing.delivered_at < answered_before),
        WeChatOutgoing.created_at < created_before,
    )
    rows = session.scalars(select(WeChatOutgoing.id).where(old)).all()
    session.execute(delete(WeChatOutgoing).where(WeChatOutgoing.id.in_(rows)))
    kept = select(WeChatOutgoing.inbox_id).union(select(media.WeChatMedia.inbox_id))
    done = session.scalars(
        select(WeChatInbox.id).where(WeChatInbox.answered_at < answered_before, WeChatInbox.id.not_in(kept))
    ).all()
    session.execute(delete(WeChatInbox).where(WeChatInbox.id.in_(done)))
    return len(rows) + len(done)


def _pending(person_id: int) -> tuple[ColumnElement[bool], ...]:
    return WeChatOutgoing.person_id == person_id, WeChatOutgoing.delivered_at.is_(None)


def known_token(session: Session, box: Box, app_id: str, *, now: datetime) -> str | None:
    """The access token, if it is still good at that moment."""
    row = session.get(WeChatToken, app_id)
    if row is None or row.token is None or row.expires_at is None or row.expires_at <= now:
        return None
    return box.open(row.token)


def begin_refresh(session: Session, app_id: str, *, seconds: float, now: datetime) -> bool:
    """Become the one who fetches a new token, for so long; False when somebody else is."""
    begin_writing(session)
    row = session.get(WeChatToken, app_id, with_for_update=True)
    if row is None:
        try:
            with session.begin_nested():
                session.add(WeChatToken(app_id=app_id, refreshing_until=now + timedelta(seconds=seconds)))
                session.flush()
        except IntegrityError:
            return False
        return True
    if row.refreshing_until is not None and row.refreshing_until > now:
        return False
    row.refreshing_until = now + timedelta(seconds=seconds)
    session.flush()
    return True


def end_refresh(session: Session, box: Box, app_id: str, token: str | None, *, expires_at: datetime | None) -> None:
    """Keep the new token for everybody, or (None) let somebody else try."""
    begin_writing(session)
    values: dict[str, object] = {"refreshing_until": None}
    if token is not None:
        values |= {"token": box.seal(token), "expires_at": expires_at}
    session.execute(update(WeChatToken).where(WeChatToken.app_id == app_id).values(**values))
