"""One message of a resident, from the door to the reply; and `POST /api/chat` in front of it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from channels import store
from channels.errors import ChannelError
from channels.fallback import help_words, off_notice
from channels.handover import calling
from channels.handover.rules import Reason
from channels.handover.store import hear
from channels.late import LateAnswers
from channels.locks import ConversationLocks
from channels.manners import Manners, is_abuse, own_manners
from channels.metrics import Metrics
from channels.rasa import RasaClient, RasaError, Said, command, notice
from channels.sanitise import strip_hidden
from channels.services import Danger, Services
from channels.texts import load_texts, say
from channels.tokens import Tokens
from channels.waiting import waiting_numbers
from knowledge import refusal
from knowledge.lock import unproved_in
from storage import SharedLocks
from storage.switches import CHAT
from web.errors import WebError
from web.requests import address_of, read_body

logger = logging.getLogger(__name__)

TEXT_LIMIT = 2_000
UNDERSTANDING_DOWN = "understanding_down"
MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,64}")
BUSY_RETRY_SECONDS = 5
# Neither a slow database nor an earlier message may hold safety advice back.
DANGER_WAIT_SECONDS = 1.0


def check_text(typed: str) -> str:
    """The text without hidden characters.

    Raises:
        ChannelError: nothing is left, or too much.
    """
    text = strip_hidden(typed)
    if not text:
        raise ChannelError("empty")
    if len(text) > TEXT_LIMIT:
        raise ChannelError("too_long", limit=TEXT_LIMIT)
    return text


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        ChannelError: it is too long or not a JSON object in UTF-8.
    """
    body = await read_body(request)
    try:
        loaded = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ChannelError("malformed") from error
    if not isinstance(loaded, dict):
        raise ChannelError("malformed")
    return loaded


def text_of(body: dict[str, Any]) -> str:
    """The checked `text` of a request; an absent one counts as empty.

    Raises:
        ChannelError: it is no string, empty or too long.
    """
    text = body.get("text", "")
    if not isinstance(text, str):
        raise ChannelError("malformed")
    return check_text(text)


def optional_string(body: dict[str, Any], name: str, pattern: re.Pattern[str] | None = None) -> str | None:
    """An optional string of a request.

    Raises:
        ChannelError: it is neither absent nor a string of the pattern.
    """
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or (pattern and not pattern.fullmatch(value))):
        raise ChannelError("malformed")
    return value


def danger_message(danger: Danger) -> dict[str, Any]:
    """The card that goes out before anything else: advice, and every number that the advice does not name itself."""
    text = danger.advice
    unnamed = [number for number in danger.phones if number not in text]
    if unnamed:
        text = say("danger.advice_and_phones", advice=text, phones=say("danger.joiner").join(unnamed))
    buttons = [dict(button) for button in load_texts()["danger"]["buttons"].get(danger.kind, ())]
    return {"kind": danger.kind, "text": text, "citations": [], "facts": [], "buttons": buttons}


class BusyError(ChannelError):
    """Understanding works, but has more messages before it than it can answer soon: this one waits."""


class Chat:
    """Takes one message at a time of each conversation through danger check, transcript and Rasa."""

    def __init__(self, services: Services, rasa: RasaClient, metrics: Metrics) -> None:
        settings = services.settings
        self._services = services
        self._rasa = rasa
        self._metrics = metrics
        self._shared = SharedLocks(services.sessions)
        self._locks = ConversationLocks(self._shared)
        self._placed: set[str] = set()
        self.late = LateAnswers(services, rasa, self._locks, self._answer_late)
        self._tasks: set[asyncio.Task[None]] = set()
        self._down_since: datetime | None = None
        self.session_limit = services.limit("session", settings.messages_per_minute)
        self.address_limit = services.limit("address", settings.address_messages_per_minute)
        self.tokens = Tokens(services.secret, "conversation", hours=settings.session_hours)
        self._manners = Manners(own_manners())

    async def reply(
        self,
        conversation: str,
        text: str,
        *,
        address: str,
        message_id: str | None = None,
        has_inbox: bool = False,
    ) -> list[dict[str, Any]]:
        """The messages that answer a checked text.

        Args:
            conversation: Identity of the conversation.
            text: From `check_text`.
            address: Network address of the sender, for the rate limit.
            message_id: The client's own id of the message, for repeats.
            has_inbox: The channel keeps its messages until they are answered and has a switch of its own, so that
                neither is looked after here.

        Raises:
            ChannelError: too fast, or it cannot be answered or stored now; never when the text reports a danger.
        """
        # Nothing is awaited from here to the place in the queue, so messages keep their order of arrival.
        with self._metrics.stage("danger"):
            danger = self._services.find_danger(text)
        waits = [
            self.address_limit.take(address),
            self.session_limit.take(conversation),
            self._manners.take(conversation),
        ]
        wait_seconds = max((wait for wait in waits if wait is not None), default=None)
        if wait_seconds is not None:
            # Safety advice goes out at any pace, but a flood of danger words reaches neither database nor Rasa.
            if danger is None:
                raise ChannelError("too_fast", retry_after_seconds=wait_seconds)
            return self._counted([danger_message(danger)])
        answered: asyncio.Future[list[dict[str, Any]]] = asyncio.get_running_loop().create_future()
        # A task of its own: a caller who hangs up neither loses the reply nor lets the next message overtake.
        task = asyncio.create_task(self._exchange(conversation, text, message_id, danger, answered, has_inbox))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if danger is None:
            return self._counted(await answered)
        try:
            await asyncio.wait_for(answered, DANGER_WAIT_SECONDS)
        except Exception as error:  # noqa: BLE001 - nothing holds safety advice back
            logger.error("danger_not_stored conversation=%s error=%s", conversation, type(error).__name__)
        return self._counted([danger_message(danger)])

    def is_busy(self, conversation: str) -> bool:
        """Whether a message of this conversation is being answered."""
        return self._locks.is_held(conversation)

    def refusal(self, conversation: str, error: WebError) -> JSONResponse:
        """The error of the contract for a message that waits now, with the session in which it will be answered."""
        self._metrics.refusals.labels(error.code).inc()
        body = error.to_json() | {"session": self.tokens.sign(conversation)}
        return JSONResponse(body, error.status, error.headers)

    async def finish(self) -> None:
        """Wait for the messages under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await run_in_threadpool(self._shared.close)

    def _counted(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for message in messages:
            self._metrics.replies.labels(message["kind"]).inc()
        return messages

    async def _exchange(
        self,
        conversation: str,
        text: str,
        message_id: str | None,
        danger: Danger | None,
        answered: asyncio.Future[list[dict[str, Any]]],
        has_inbox: bool,
    ) -> None:
        try:
            async with self._locks.hold(conversation), self._place(conversation):
                received, said, has_earlier, is_held = await run_in_threadpool(
                    self._receive, conversation, text, message_id, danger, has_inbox
                )
                messages = list(received.replies)
                if not messages and (danger is not None or not is_held):
                    messages = await self._answer_or_call(
                        conversation, received.number, text, said, has_inbox, has_earlier
                    )
                _settle(answered, messages)
                # While a person has the conversation, the assistant hears nothing of it.
                if danger is not None and not received.replies and not is_held:
                    await self._forward(conversation, text, danger)
        except SQLAlchemyError as error:
            logger.error("not_stored conversation=%s error=%s", conversation, type(error).__name__)
            # The form could not store it either.
            words = help_words(self._services, has_form=False)
            _settle(answered, error if has_inbox else ChannelError("not_stored", help=words))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller who waits must hear of it
            _settle(answered, error)

    async def _answer_or_call(
        self, conversation: str, number: int, text: str, said: Said | None, has_inbox: bool, has_earlier: bool
    ) -> list[dict[str, Any]]:
        """The assistant's reply, recorded; what fails calls a person, who finds what was typed."""
        try:
            said = said or await self._say(conversation, text, number, has_inbox, has_earlier)
            return await self._record(conversation, number, said, has_inbox)
        except SQLAlchemyError:
            raise
        except Exception as error:
            reason = self._reason_of(error)
            if reason is None:
                raise
            logger.error("handed_over conversation=%s error=%s", conversation, type(error).__name__)
            return await self._record(conversation, number, said or Said([]), has_inbox, reason)

    async def _say(self, conversation: str, text: str, number: int, has_inbox: bool, has_earlier: bool) -> Said:
        """What is said to a message, after those before it that wait."""
        if has_inbox:
            await self._check_place(conversation)
            return await self._answer(conversation, text, None)
        try:
            await self._check_place(conversation)
            stuck = await self.late.answer_earlier(conversation, number) if has_earlier else []
            said = await self._answer(conversation, text, None)
        except ChannelError:
            await self.late.postpone(conversation, number)
            raise
        await self.late.give_up(stuck)
        return said

    @asynccontextmanager
    async def _place(self, conversation: str) -> AsyncIterator[None]:
        """Give the message of a conversation a place among those that are answered at once, if there is one left."""
        if len(self._placed) < self._services.settings.messages_at_once:
            self._placed.add(conversation)
        try:
            yield
        finally:
            self._placed.discard(conversation)

    async def _check_place(self, conversation: str) -> None:
        """Ask Rasa for no message without a place: behind too many, each would run into its time-out.

        Raises:
            BusyError: it has none.
        """
        if conversation in self._placed:
            return
        logger.warning("understanding_busy conversation=%s", conversation)
        words = await run_in_threadpool(help_words, self._services)
        raise BusyError(UNDERSTANDING_DOWN, help=words, retry_after_seconds=BUSY_RETRY_SECONDS)

    async def _record(
        self, conversation: str, number: int, said: Said, has_inbox: bool, reason: Reason | None = None
    ) -> list[dict[str, Any]]:
        """Store what is said, and call a person in the same transaction where it needs one; what the resident gets.

        What cannot be stored now is given all the same, and stored later.
        """
        record = partial(self.late.record, conversation, number, said, has_inbox=has_inbox, reason=reason)
        try:
            return await run_in_threadpool(record)
        except SQLAlchemyError as error:
            logger.error("reply_not_stored conversation=%s error=%s", conversation, type(error).__name__)
            if has_inbox:
                raise
            return said.messages

    async def _answer_late(self, conversation: str, text: str) -> Said:
        return await self._answer(conversation, text, self._services.find_danger(text))

    async def _answer(self, conversation: str, text: str, danger: Danger | None) -> Said:
        if danger is not None:
            return Said([danger_message(danger)])
        if calling.is_called_off(text) and (said := await run_in_threadpool(self._call_off, conversation)):
            return said
        try:
            said = await self._rasa.say(conversation, text)
        except RasaError as error:
            self._down_since = self._down_since or self._services.clock()
            logger.warning("understanding_down conversation=%s reason=%s", conversation, error.reason)
            words = await run_in_threadpool(help_words, self._services)
            raise ChannelError(UNDERSTANDING_DOWN, help=words) from error
        self._down_since = None
        if is_abuse(said) and self._manners.note(conversation):
            rules = self._manners.rules
            slowed = notice("notices.slowed", minutes=rules.slowed_minutes, count=rules.slowed_per_minute)
            return Said([slowed], said.understood)
        return Said([self._locked(message, text) for message in said.messages], said.understood)

    def _locked(self, message: dict[str, Any], text: str) -> dict[str, Any]:
        """The message, or an honest refusal when it holds a figure that nothing proves."""
        phones = [phone.number for phone in self._services.jurisdiction.phones.values()]
        loose = unproved_in(message, [text, *phones])
        if not loose:
            return message
        logger.error("figure_lock_closed kind=%s figures=%s", message["kind"], len(loose))
        self._metrics.locked.inc()
        return refusal().to_json()

    async def _forward(self, conversation: str, text: str, danger: Danger) -> None:
        """Let the conversation know of the danger that was answered here."""
        try:
            await self._rasa.tell(conversation, command(danger.kind, danger_text=text))
        except RasaError as error:
            logger.warning("danger_not_forwarded conversation=%s reason=%s", conversation, error.reason)

    def _receive(
        self, conversation: str, text: str, message_id: str | None, danger: Danger | None, has_inbox: bool
    ) -> tuple[store.Received, Said | None, bool, bool]:
        """Store a message.

        Returns:
            It; what is said to it where understanding is not asked; whether others wait before it; whether a person
            has the conversation.
        """
        with self._services.sessions() as session:
            received = store.receive(session, conversation, text, message_id, now=self._services.clock())
            session.flush()
            is_held = not received.replies and hear(session, conversation, received.number)
            said, has_earlier = self.late.unstored(conversation, received.number), False
            if received.replies:
                kept = self.late.seen_replies(session, conversation).get(received.number)
                received = replace(received, replies=tuple(kept or received.replies))
            elif not has_inbox and (danger is not None or not is_held):
                said = self.late.keep(session, conversation, received, text)
                has_earlier = min(waiting_numbers(session, conversation), default=received.number) < received.number
            session.commit()
        if danger is not None:
            said = Said([danger_message(danger)])
        elif not has_inbox and (off := self._services.switches.off(CHAT)):
            said = said or Said([off_notice(self._services, off)])
        return received, said, has_earlier, is_held

    def _call_off(self, conversation: str) -> Said | None:
        with self._services.sessions() as session:
            said = calling.called_off(session, conversation, now=self._services.clock())
            session.commit()
            return said

    def _reason_of(self, error: Exception) -> Reason | None:
        """Why an exchange that failed needs a person; None when its message waits."""
        if isinstance(error, BusyError):
            return None
        is_down = isinstance(error, ChannelError)
        down_for = self._services.clock() - self._down_since if is_down and self._down_since else None
        return calling.reason_of_error(down_for)


def _settle(answered: asyncio.Future[list[dict[str, Any]]], outcome: list[dict[str, Any]] | Exception) -> None:
    """Give the caller the outcome, unless the caller has it or has gone."""
    if isinstance(outcome, Exception):
        if answered.done():
            logger.error("message_failed_after_reply error=%s", type(outcome).__name__)
        else:
            answered.set_exception(outcome)
    elif not answered.done():
        answered.set_result(outcome)


def chat_router(chat: Chat) -> APIRouter:
    """`POST /api/chat`."""
    router = APIRouter()

    @router.post("/api/chat")
    async def post_chat(request: Request) -> JSONResponse:
        """Answer one message of the contract."""
        body = await read_json(request)
        session = optional_string(body, "session")
        message_id = optional_string(body, "message_id", MESSAGE_ID)
        text = text_of(body)
        conversation = chat.tokens.read(session) or chat.tokens.new()
        try:
            messages = await chat.reply(conversation, text, address=address_of(request), message_id=message_id)
        except ChannelError as error:
            if error.code != UNDERSTANDING_DOWN:
                raise
            return chat.refusal(conversation, error)
        return JSONResponse({"session": chat.tokens.sign(conversation), "messages": messages})

    return router
