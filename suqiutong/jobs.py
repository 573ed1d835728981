"""What the worker does on schedule; each job may run twice at once or after an outage, and does nothing twice."""

# ruff: noqa: PLC0415 - each job imports what it alone needs
from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

import httpx

from petitions.log import Actor
from petitions.outbox import (
    DeliveryError,
    Letter,
    Send,
    letter_of,
    mark,
    own_outbox,
    postpone,
    purge_outbox,
    put_into_inbox,
    take,
    withhold,
)
from petitions.rules import own_rules
from petitions.ticking import Ticked
from petitions.visibility import may_see
from suqiutong.wiring import Services
from telemetry.logs import in_request, request_id

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 10.0


def tick(services: Services) -> Ticked:
    """Write what the clocks are due to say, and seal the log."""
    from petitions import log, ticking

    now = services.clock()
    done = Ticked()
    while True:
        with services.writing() as session:
            one = ticking.tick(session, now)
        done = Ticked(*(getattr(done, name) + getattr(one, name) for name in Ticked.__slots__))
        if not one.looked_at:
            break
    with services.writing() as session:
        log.seal(session, now=now)
    return done


def recompute(services: Services) -> int:
    """Compute provisional due times anew; how many changed."""
    from petitions.ticking import recompute_provisional

    with services.writing() as session:
        return recompute_provisional(session, now=services.clock())


def clean(services: Services) -> int:
    """Delete what is kept longer than it may be, from what was said to what was delivered; how much."""
    from channels import waiting
    from channels.store import TRANSCRIPT_RETENTION, purge_transcripts
    from channels.turns import LABEL_RETENTION, purge_labels
    from channels.wechat.login import purge_logins
    from channels.wechat.rules import own_rules as wechat_rules
    from channels.wechat.store import purge as purge_wechat
    from desk import choices, drafts, sessions
    from knowledge.unanswered import RETENTION, purge_unanswered
    from petitions.privacy import purge

    now = services.clock()
    with services.writing() as session:
        done = purge_unanswered(session, now - RETENTION) + purge_labels(session, now - LABEL_RETENTION)
        done += purge_transcripts(session, now - TRANSCRIPT_RETENTION)
        done += choices.purge_choices(session, now - choices.RETENTION)
        done += drafts.drop_old_calls(session, now=now)
        done += waiting.purge(session, now)
        sessions.drop_ended(session, now=now, longest=timedelta(hours=services.settings.desk_session_hours))
    with services.writing() as session:
        done += purge_outbox(session, now=now)
    with services.writing() as session:
        done += purge_wechat(session, wechat_rules(), now=now)
        done += purge_logins(session, now=now)
    while True:
        with services.writing() as session:
            count = purge(session, now=now)
        done += count
        if not count:
            return done


def photos(services: Services) -> int:
    """Delete the photos that no petition has taken in their time; how many."""
    from petitions.photos import purge_photos

    with services.writing() as session:
        return purge_photos(session, now=services.clock())


def index(services: Services) -> int:
    """Make the sentence vectors that filing left out; how many."""
    from petitions.search import has_unread, read_unread

    done = 0
    while True:
        with services.sessions() as session:
            # The model behind the vectors is large: it is loaded only when it is needed.
            if not has_unread(session):
                return done
        with services.writing() as session:
            done += read_unread(session, services.encoder)


def write_texts(services: Services) -> int:
    """Write the words by which petitions are searched where there are none; how many."""
    from petitions.search import write_missing_texts

    done = 0
    while True:
        with services.writing() as session:
            count = write_missing_texts(session)
        done += count
        if not count:
            return done


def deliver(services: Services, send: Send | None = None) -> dict[str, int]:
    """Deliver every message that is due; how many ended in which state."""
    send = send or sender(services)
    ended: dict[str, int] = {}
    while state := _deliver_one(services, send):
        ended[state] = ended.get(state, 0) + 1
    return ended


def sender(services: Services) -> Send:
    """Where letters go: to the address in the settings, otherwise to WeChat or into the inboxes of the product."""
    from channels.telling import leave_word

    def to_inbox(letter: Letter) -> None:
        with services.writing() as session:
            is_new = put_into_inbox(session, letter, now=services.clock())
            if is_new and letter.to == "petitioner" and letter.kind not in own_outbox().said:
                leave_word(session, services.secret, letter.recipient, letter.text, now=services.clock())

    def to_wechat_or_inbox(letter: Letter) -> None:
        if letter.to != "petitioner" or not _told_on_wechat(services, letter):
            to_inbox(letter)

    def to_address(letter: Letter) -> None:
        try:
            reply = httpx.post(
                services.settings.notify_url,
                json=letter.to_json(),
                headers={"Idempotency-Key": letter.key},
                timeout=TIMEOUT_SECONDS,
            )
        except httpx.HTTPError as error:
            raise DeliveryError(type(error).__name__) from error
        if reply.is_success:
            return
        is_final = reply.is_client_error and reply.status_code not in {408, 409, 425, 429}
        raise DeliveryError(f"status_{reply.status_code}", is_final=is_final)

    if services.settings.notify_url:
        return to_address
    return to_wechat_or_inbox if services.wechat else to_inbox


def _told_on_wechat(services: Services, letter: Letter) -> bool:
    from channels.wechat.client import WeChatError
    from channels.wechat.notices import tell

    try:
        return asyncio.run(
            tell(
                services,
                letter.recipient,
                text=letter.text,
                number=letter.number,
                label=letter.label,
                key=letter.key,
                is_repeated=letter.is_repeated,
            )
        )
    except WeChatError as error:
        raise DeliveryError(f"wechat_{error.code}", is_doubtful=error.is_doubtful) from error


def wechat(services: Services) -> int:
    """Answer on WeChat what was left behind, for how many people."""
    from channels.wechat.route import catch_up

    return asyncio.run(catch_up(services))


def handover(services: Services) -> int:
    """Make tickets of calls for a person that nobody took, and give back what was left; how many conversations."""
    from channels.handover.filing import settle

    return settle(services)


def _deliver_one(services: Services, send: Send) -> str | None:
    with services.writing() as session:
        message = take(session, now=services.clock())
        if message is None:
            return None
        petition = message.petition
        reader = Actor("outbox", "petitioner" if message.unit is None else "operator", message.unit)
        letter = letter_of(message, petition)
        # Whoever has become the accused meanwhile is not told; a form leaves no conversation to answer into.
        is_lost = not letter.recipient and not services.settings.notify_url
        if is_lost or not may_see(petition, reader, own_rules().network):
            withhold(session, message)
            return message.state
        if until := own_outbox().quiet.held_until(message, petition, now=services.clock()):
            postpone(session, message, until)
            return "held"
        message_id, attempt, made_in = message.id, message.attempts, message.payload.get("request")
    # A message that a request caused is told under the id of that request.
    with in_request(made_in or request_id()):
        return _send_one(services, send, letter, message_id, attempt)


def _send_one(services: Services, send: Send, letter: Letter, message_id: int, attempt: int) -> str:
    problem: DeliveryError | None = None
    try:
        send(letter)
    except DeliveryError as error:
        problem = error
    except Exception as error:  # noqa: BLE001 - one letter must not stop the others; its text may be personal
        problem = DeliveryError(type(error).__name__)
    with services.writing() as session:
        state = mark(session, message_id, attempt, problem, now=services.clock())
    if problem is not None:
        logger.warning(
            "delivery_failed key=%s attempt=%d problem=%s state=%s", letter.key, attempt, problem.code, state
        )
    else:
        logger.info("delivered key=%s attempt=%d state=%s", letter.key, attempt, state)
    return state if problem is None or state == "dead" else "failed"


JOBS: dict[str, Callable[[Services], object]] = {
    "deliver": deliver,
    "tick": tick,
    "index": index,
    "wechat": wechat,
    "photos": photos,
    "handover": handover,
    "recompute": recompute,
    "write_texts": write_texts,
    "clean": clean,
}
