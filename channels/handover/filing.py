"""What becomes of a call that nobody answers: a consultation ticket, once; and of a conversation whose holder left."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.orm import Session

from channels.handover import store
from channels.handover.calling import moment_words, promised_at
from channels.handover.model import OPEN, WAITING, Handover
from channels.handover.rules import own_hours, own_rules
from channels.handover.store import message
from channels.services import Sessions
from channels.texts import say
from channels.wechat.store import Box
from petitions import SYSTEM, Actor, Draft, Filed, Keyring, Route, channel_of, correct, file_petition
from petitions.numbers import query_code, shown_code

logger = logging.getLogger(__name__)


class Accusing(Protocol):
    """The local facts that filing reads."""

    @property
    def accusation(self) -> str:
        """The class of demand that the accused never see."""


class Services(Protocol):
    """What filing a conversation needs from the rest of the product."""

    @property
    def sessions(self) -> Sessions:
        """Database sessions."""

    @property
    def secret(self) -> bytes:
        """Key of query codes."""

    @property
    def keyring(self) -> Keyring:
        """Keys of personal data."""

    @property
    def jurisdiction(self) -> Accusing:
        """Local facts."""

    def clock(self) -> datetime:
        """Now, aware."""

    def triage(self, text: str) -> Route:
        """Where a petition goes."""

    def read_draft(self, text: str) -> Draft:
        """The draft of a petition that words make."""


def settle(services: Services) -> int:
    """Make tickets of calls that nobody answers, give back what was left, forget who typed; how many conversations.

    Any number of workers may do it at once: each step looks again under the lock of the conversation.
    """
    done = 0
    with services.sessions() as session:
        ids = store.open_ids(session)
    for handover_id in ids:
        try:
            done += _settle(services, handover_id)
        except Exception as error:  # noqa: BLE001 - one conversation must not stop the others
            logger.error("handover_not_settled id=%d error=%s", handover_id, type(error).__name__)
    with services.sessions() as session:
        store.drop_typing(session, now=services.clock())
        session.commit()
    return done


def _settle(services: Services, handover_id: int) -> bool:
    now = services.clock()
    with services.sessions() as session:
        row = session.get(Handover, handover_id)
        if row is None or row.ended_at is not None:
            return False
        is_due, is_idle = is_unanswered(session, row, now), store.is_left(row, now)
    if is_due:
        return file(services, handover_id, SYSTEM) is not None
    if not is_idle:
        return False
    with services.sessions() as session:
        is_done = store.give_back(session, Box(services.secret), handover_id, SYSTEM, "", now=now, is_idle=True)
        session.commit()
    return is_done


def is_unanswered(session: Session, row: Handover, now: datetime) -> bool:
    """Whether nobody has taken a call in time."""
    rules = own_rules()
    if row.state != WAITING or not rules.reasons[row.reason].is_filed:  # type: ignore[index]
        return False
    if own_hours().is_open(now):
        return now - row.began_at >= timedelta(minutes=rules.wait_minutes)
    last = store.last_said_at(session, row.conversation) or row.began_at
    return now - last >= timedelta(minutes=rules.quiet_minutes)


def file(services: Services, handover_id: int, actor: Actor, note: str = "") -> Filed | None:
    """Make a ticket of what the resident has said, once however often it is tried.

    Args:
        services: What filing needs.
        handover_id: Which conversation.
        actor: Who does it: whoever holds the conversation, or the product itself for one that waits.
        note: For colleagues.

    Returns:
        The ticket; None when the actor does not hold the conversation, or it needs none any more: it was taken or
        filed meanwhile.
    """
    with services.sessions() as session:
        row = session.get(Handover, handover_id)
        if row is None:
            return None
        words = store.words_of(session, row, own_rules())
    # Understanding takes its time, so it is done before the lock.
    now = services.clock()
    promised = promised_at(now)
    draft, route = _draft(services, words), _route(services, words, promised)
    with services.sessions() as session:
        row = store.locked(session, handover_id)
        if row is None or row.state not in OPEN or not _may_file(session, row, actor, now):
            return None
        if actor == SYSTEM and store.has_filed(session, row):
            store.end(session, row, "filed_self", now=now)
            session.commit()
            return None
        filed = file_petition(
            session,
            draft,
            route,
            form_key=form_key(row.id),
            conversation=row.conversation,
            channel=channel_of(row.conversation),
            secret=services.secret,
            keyring=services.keyring,
            now=now,
            photos_of=row.conversation,
        )
        row.promised_at = promised
        store.tell(session, Box(services.secret), row, _ticket_message(row, filed, actor, now), now=now)
        store.ticketed(session, row, filed.number, actor, note, now=now)
        session.commit()
    logger.info("handover_filed id=%d", handover_id)
    return filed


def with_code(payload: dict[str, Any], secret: bytes) -> dict[str, Any]:
    """A stored ticket message of ours with its query code, which the transcript does not keep, for its resident."""
    handover_id = payload.get("handover")
    if payload.get("kind") != "ticket" or handover_id is None:
        return payload
    code = shown_code(query_code(secret, form_key(handover_id)))
    return payload | {"text": payload["text"].replace(say("notices.code_shown"), say("handover.code", code=code))}


def form_key(handover_id: int) -> str:
    """Names the filing of a hand-over."""
    return f"handover:{handover_id}"


def _may_file(session: Session, row: Handover, actor: Actor, now: datetime) -> bool:
    if actor == SYSTEM:
        return is_unanswered(session, row, now)
    return row.held_by == actor.name


def _draft(services: Services, words: str) -> Draft:
    draft = services.read_draft(words) if words else Draft()
    return replace(
        draft,
        matter=words or say("handover.no_words"),
        matters=(),
        waiting=(),
        is_anonymous=not (draft.name or draft.phone),
    )


def _route(services: Services, words: str, promised: datetime) -> Route:
    route = services.triage(words or say("handover.no_words"))
    if route.unit is None:
        # Somewhere else: the office that was asked says so itself.
        route = services.triage(say("handover.no_words"))
    accusation = services.jurisdiction.accusation
    reason = say("handover.route", promised=moment_words(promised))
    if route.class_ == accusation:
        return replace(route, reasons=(*route.reasons, reason))
    return correct(route, {"class": own_rules().class_}, accusation=accusation, reason=reason)


def _ticket_message(row: Handover, filed: Filed, actor: Actor, now: datetime) -> dict[str, Any]:
    why = "staff" if actor != SYSTEM else "waited" if own_hours().is_open(now) else "outside"
    text = say(
        "handover.filed",
        why=say(f"handover.why.{why}"),
        number=filed.number,
        code=filed.code,
        unit=f"{filed.ticket['unit']}{filed.ticket['office'] or ''}",
        promised=moment_words(row.promised_at or now),
    )
    return message("ticket", text, ticket=filed.ticket, handover=row.id)
