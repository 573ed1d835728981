"""Answers that come late: messages of the web chat that could not be answered are, in order, once that works again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from channels import store, waiting
from channels.errors import ChannelError
from channels.handover import calling
from channels.handover.model import HELD
from channels.handover.rules import Reason
from channels.handover.store import open_of
from channels.locks import ConversationLocks
from channels.rasa import RasaClient, Said, notice
from channels.services import Services
from channels.texts import say
from channels.turns import note_understood
from channels.waiting import Seal, Waiting
from petitions import find_own_ticket, ticket_of
from petitions.numbers import query_code, shown_code
from storage.switches import CHAT

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
# Answers that could not be stored yet; the oldest are asked for anew.
UNSTORED_KEPT = 500
# Long enough to repeat a request whose reply was lost, or to read the page after it was posted without JavaScript.
FRESH = timedelta(minutes=10)

Answer = Callable[[str, str], Awaitable[Said]]


class LateAnswers:
    """Answers what waits, each conversation's messages in order and under its lock."""

    def __init__(self, services: Services, rasa: RasaClient, locks: ConversationLocks, answer: Answer) -> None:
        """Make it.

        Args:
            services: What the channels are given.
            rasa: Knows whether understanding answers at all.
            locks: Those that the chat holds while it answers.
            answer: What is said to a text in a conversation; raises `ChannelError`.
        """
        self._services = services
        self._rasa = rasa
        self._locks = locks
        self._answer = answer
        self._seal = Seal(services.secret)
        self._unseen = timedelta(hours=services.settings.session_hours)
        self._limit = timedelta(minutes=services.settings.late_answer_minutes)
        # Each with whether another inbox keeps its message.
        self._unstored: dict[tuple[str, int], tuple[Said, bool]] = {}
        # Messages of a process that has ended may wait.
        self._may_wait = True
        self._is_stopped = asyncio.Event()

    def keep(self, session: Session, conversation: str, received: store.Received, text: str) -> Said | None:
        """Have a message wait while it is answered.

        Returns:
            What was said to it already, when it is said again and an earlier attempt got further than was heard.
        """
        if said := self.unstored(conversation, received.number):
            return said
        now = self._services.clock()
        if not received.is_repeat:
            waiting.keep(session, self._seal, conversation, received.number, text, now=now)
            return None
        earlier = waiting.keep_again(session, self._seal, conversation, received.number, text, now=now)
        return self._filed(session, earlier) if earlier else None

    def unstored(self, conversation: str, number: int) -> Said | None:
        """What was said to a message but could not be stored."""
        said, _ = self._unstored.get((conversation, number), (None, False))
        return said

    def seen_replies(self, session: Session, conversation: str) -> dict[int, list[dict[str, Any]]]:
        """Replies with their query codes, by the message they answer: fresh ones, and late ones that nobody awaited."""
        return waiting.kept_replies(session, self._seal, conversation, now=self._services.clock())

    def record(
        self,
        conversation: str,
        number: int,
        said: Said,
        *,
        is_late: bool = False,
        has_inbox: bool = False,
        reason: Reason | None = None,
    ) -> list[dict[str, Any]]:
        """Store the answer to a message, once, and call a person in the same transaction where it needs one.

        Returns:
            What the resident gets.

        Raises:
            SQLAlchemyError: it could not be stored; what was said is remembered, so that nothing is done twice.
        """
        now = self._services.clock()
        kept = said.messages if any(store.without_code(one) != one for one in said.messages) else ()
        until = now + (self._unseen if is_late else FRESH)
        messages = said.messages
        try:
            with self._services.sessions() as session:
                store.lock_conversation(session, conversation)
                mine = (session, self._seal, conversation, number)
                is_first = has_inbox or waiting.finish(*mine, kept=kept, until=until, now=now)
                if has_inbox and kept:
                    waiting.keep_replies(*mine, kept=kept, until=until, now=now)
                if is_first:
                    messages = calling.answered(session, conversation, number, said, reason, now=now)
                    store.record_replies(session, conversation, number, messages, now=now)
                    note_understood(session, conversation, number, said)
                session.commit()
        except SQLAlchemyError:
            self._unstored[conversation, number] = (said, has_inbox)
            while len(self._unstored) > UNSTORED_KEPT:
                del self._unstored[next(iter(self._unstored))]
            self._may_wait = True
            raise
        self._unstored.pop((conversation, number), None)
        return messages

    def forget(self, conversation: str) -> None:
        """Show no query code of a conversation any more."""
        with self._services.sessions() as session:
            waiting.forget_replies(session, conversation)
            session.commit()

    async def answer_earlier(self, conversation: str, before: int | None = None) -> list[Waiting]:
        """Answer what waits in a conversation, whose lock is held.

        Returns:
            The messages that cannot be answered although understanding works.

        Raises:
            ChannelError: understanding is down; the rest waits on.
        """
        stuck: list[Waiting] = []
        for one in await run_in_threadpool(self._waiting, conversation, before):
            try:
                said = await self._said(one)
            except ChannelError:
                await self.postpone(conversation, one.number)
                if self._rasa.why_not_ready is not None:
                    raise
                stuck.append(one)
            else:
                await run_in_threadpool(self.record, conversation, one.number, said, is_late=True)
                await self.give_up(stuck)
                stuck = []
        return stuck

    async def give_up(self, stuck: Sequence[Waiting]) -> None:
        """Ask to say again what cannot be answered: a later message was, so that its place has passed."""
        for one in stuck:
            await run_in_threadpool(self.record, one.conversation, one.number, _say_again(), is_late=True)

    async def postpone(self, conversation: str, number: int) -> None:
        """Note that answering a message has failed."""
        self._may_wait = True

        def write() -> None:
            with self._services.sessions() as session:
                waiting.postpone(session, conversation, number, now=self._services.clock())
                session.commit()

        try:
            await run_in_threadpool(write)
        except SQLAlchemyError as error:
            # Its lease ends by itself.
            logger.error("not_postponed conversation=%s error=%s", conversation, type(error).__name__)

    async def keep_answering(self) -> None:
        """Answer what waits whenever understanding works; runs until stopped."""
        while not self._is_stopped.is_set():
            if self._may_wait and self._rasa.why_not_ready is None:
                try:
                    await self.answer_due()
                except SQLAlchemyError as error:
                    self._may_wait = True
                    logger.error("waiting_not_answered error=%s", type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_stopped.wait(), EVERY_SECONDS)

    def stop(self) -> None:
        """End it after the conversation under way: a thread that writes cannot be cancelled."""
        self._is_stopped.set()

    async def answer_due(self) -> None:
        """Answer what is due, unless the chat is switched off."""
        self._may_wait = False
        await self._store_given()
        conversations, has_any = await run_in_threadpool(self._due)
        try:
            for conversation in conversations:
                if self._is_stopped.is_set() or await run_in_threadpool(self._is_off):
                    break
                async with self._locks.hold(conversation):
                    if await run_in_threadpool(self._claim, conversation):
                        await self.answer_earlier(conversation)
        except ChannelError:
            logger.info("waiting_stopped")
        self._may_wait |= has_any

    async def _store_given(self) -> None:
        """Store what was given but could not be, before another process asks Rasa again for want of it."""
        for conversation, number in [key for key, (_, has_inbox) in self._unstored.items() if not has_inbox]:
            async with self._locks.hold(conversation):
                if said := self.unstored(conversation, number):
                    await run_in_threadpool(self.record, conversation, number, said)

    async def _said(self, one: Waiting) -> Said:
        if said := self.unstored(one.conversation, one.number):
            return said
        if self._services.clock() - one.since > self._limit:
            logger.warning("answer_too_late conversation=%s number=%d", one.conversation, one.number)
            return _say_again()
        if await run_in_threadpool(self._is_held, one.conversation):
            return Said([])
        said = await run_in_threadpool(self._filed_before, one)
        return said or await self._answer(one.conversation, one.text)

    def _is_off(self) -> bool:
        return self._services.switches.off(CHAT) is not None

    def _is_held(self, conversation: str) -> bool:
        """Whether a person has the conversation: what waits in it is theirs to answer."""
        with self._services.sessions() as session:
            row = open_of(session, conversation)
            return row is not None and row.state == HELD

    def _waiting(self, conversation: str, before: int | None) -> list[Waiting]:
        with self._services.sessions() as session:
            return waiting.waiting_before(session, self._seal, conversation, before)

    def _due(self) -> tuple[Sequence[str], bool]:
        with self._services.sessions() as session:
            return waiting.due_conversations(session, now=self._services.clock())

    def _claim(self, conversation: str) -> bool:
        with self._services.sessions() as session:
            is_mine = waiting.claim(session, conversation, now=self._services.clock())
            session.commit()
            return is_mine

    def _filed_before(self, one: Waiting) -> Said | None:
        with self._services.sessions() as session:
            return self._filed(session, one)

    def _filed(self, session: Session, one: Waiting) -> Said | None:
        """The ticket that an attempt before has filed without anybody hearing of it."""
        petition = find_own_ticket(session, one.conversation)
        if petition is None or petition.number is None or petition.filed_at < one.since:
            return None
        if store.names_ticket(session, one.conversation, petition.number):
            return None
        code = shown_code(query_code(self._services.secret, petition.form_key))
        text = say("waiting.filed", number=petition.number, code=code)
        message = {"kind": "ticket", "text": text, "ticket": ticket_of(petition)}
        return Said([message | {name: [] for name in ("citations", "facts", "buttons")}])


def _say_again() -> Said:
    return Said([notice("waiting.say_again")])
