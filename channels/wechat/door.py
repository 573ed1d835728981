"""How a message from WeChat is answered within its five seconds, once and in order.

Each message is a row before anything is done with it. One task a person answers the rows in order; every delivery of a
message waits for the same answer. Answers are rows too, handed to WeChat in the reply to a delivery, or sent as
customer-service messages when that came too late. What a process leaves behind when it dies, the worker answers.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from channels.chat import TEXT_LIMIT, Chat, check_text
from channels.fallback import off_notice
from channels.locks import ConversationLocks
from channels.sanitise import strip_hidden
from channels.services import Services
from channels.texts import say
from channels.wechat import client, store, words
from channels.wechat.account import Account
from channels.wechat.client import Api, WeChatError
from channels.wechat.messages import Forget, Hint, Ignore, Inbound, NoticeResult, Photo, Say
from channels.wechat.photos import Photos
from channels.wechat.rules import Rules, own_rules
from channels.wechat.store import Arrival, Box, BusyError, Sending, Work
from petitions import find_own_ticket, new_wechat_conversation
from petitions.numbers import query_code, shown_code
from storage.switches import WECHAT, Off
from web.errors import WebError

logger = logging.getLogger(__name__)

BUSY_POLL_SECONDS = 0.25
# A slow database does not hold safety advice back.
DANGER_STORE_SECONDS = 0.5
# Time for the process that answered a message to send the answer, before others do.
OWN_SECONDS = 20

Result = TypeVar("Result")


class Door:
    """Takes what WeChat delivers, and says what to reply."""

    def __init__(
        self, services: Services, chat: Chat, account: Account, api: Api, *, rules: Rules | None = None
    ) -> None:
        """Make it.

        Args:
            services: What the channels are given.
            chat: Answers words.
            account: The account as it is set up.
            api: The way back to WeChat.
            rules: Other rules than those beside the code.
        """
        self._services = services
        self._chat = chat
        self._account = account
        self._api = api
        self._rules = rules or own_rules()
        self._box = Box(services.secret)
        self._photos = Photos(services, account, api, self._rules)
        self._name = secrets.token_hex(16)
        self._late_limit = timedelta(minutes=services.settings.late_answer_minutes)
        self._arrivals = ConversationLocks()
        self._answerers: set[int] = set()
        self._wanted: set[int] = set()
        # By the key of a message: set once it is answered, and how many deliveries wait for it.
        self._answered: dict[str, asyncio.Event] = {}
        self._waiting: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def receive(self, inbound: Inbound, is_gone: Callable[[], Awaitable[bool]]) -> str | None:
        """The text to reply to this delivery; None when nothing is to be shown.

        It returns in time to be read, or when nobody reads it any more.

        Args:
            inbound: What WeChat delivered.
            is_gone: Whether WeChat has closed the connection.
        """
        started = asyncio.get_running_loop().time()
        meaning = inbound.meaning
        if isinstance(meaning, Forget):
            await self._forget(inbound.openid)
            return None
        if isinstance(meaning, NoticeResult):
            logger.info("wechat_notice id=%s status=%s", meaning.message_id, meaning.status)
            return None
        if isinstance(meaning, Ignore):
            return None
        if isinstance(meaning, Say):
            meaning = Say(strip_hidden(meaning.text)[:TEXT_LIMIT])
            if self._services.find_danger(meaning.text):
                return await self._warn(inbound, meaning.text)
        with self._waits(inbound.key) as answered:
            try:
                # In line, so that two messages that arrive together are stored in that order.
                async with self._arrivals.hold(inbound.openid):
                    arrival = await self._arrive(inbound, meaning)
            except SQLAlchemyError as error:
                logger.error("wechat_not_stored error=%s", type(error).__name__)
                return WebError("internal").sentence
            is_ready = arrival.is_answered or await self._wait(arrival, answered, started)
        text = await self._reply(arrival, started, is_ready=is_ready)
        if text is not None and is_ready and await is_gone():
            # A busy machine was too slow: what nobody has read is not delivered.
            await store.write(
                self._services.sessions, lambda session: store.take_back(session, arrival, now=self._services.clock())
            )
            if self._account.may_send:
                self._spawn(self._send_all(arrival.person_id, is_ours=True))
        return text

    async def catch_up(self) -> int:
        """Answer and send what nobody is at, for how many people."""
        await self._photos.fetch_due()
        due = await self._read(
            lambda session: store.due_people(
                session, may_send=self._account.may_send, reserve=self._rules.reserve, now=self._services.clock()
            )
        )
        off = await self._off()
        for person_id in due:
            # Held messages stay as they are; what was answered before is still sent.
            if off is None:
                with suppress(BusyError):
                    await self._answer_all(person_id, is_late=True)
            if self._account.may_send:
                await self._send_all(person_id, is_ours=False)
        return len(due)

    async def send_written(self) -> None:
        """Send what somebody at the desk has written: a conversation does not wait for the worker's minute."""
        now = self._services.clock()
        people = await self._read(
            lambda session: store.people_written_to(session, reserve=self._rules.reserve, now=now)
        )
        for person_id in people:
            await self._send_all(person_id, is_ours=False)

    async def finish(self) -> None:
        """Wait for what is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forget(self, openid: str) -> None:
        async with self._arrivals.hold(openid):
            conversation = await store.write(
                self._services.sessions, lambda session: store.forget(session, self._box, openid)
            )
        if conversation is not None:
            await run_in_threadpool(self._chat.late.forget, conversation)
            logger.info("wechat_forgotten conversation=%s", conversation)

    async def _warn(self, inbound: Inbound, text: str) -> str:
        """Safety advice, at once: it waits for no earlier message and needs no database."""
        # A thread that waits for the database cannot be given up, but its task can.
        storing = self._spawn(self._arrive(inbound, Say(text), is_answered=True))
        stored, _ = await asyncio.wait({storing}, timeout=DANGER_STORE_SECONDS)
        is_stored = bool(stored) and storing.exception() is None
        conversation = storing.result().conversation if is_stored else new_wechat_conversation()
        messages = await self._chat.reply(
            conversation, text, address=conversation, message_id=inbound.key, has_inbox=True
        )
        return words.split(words.text_of(messages), self._rules.text_bytes)[0]

    async def _arrive(self, inbound: Inbound, meaning: Say | Hint | Photo, *, is_answered: bool = False) -> Arrival:
        payload = _payload(meaning)
        allowance = self._rules.written if inbound.is_written else self._rules.touched
        now = self._services.clock()

        def write(session: Session) -> Arrival:
            arrival = store.arrive(
                session, self._box, key=inbound.key, openid=inbound.openid, kind=inbound.kind, payload=payload,
                allowance=allowance, is_written=inbound.is_written, now=now,
            )  # fmt: skip
            if is_answered:
                store.answer(session, self._box, arrival.inbox_id, (), send_from=now, now=now)
            return arrival

        return await store.write(self._services.sessions, write)

    @contextmanager
    def _waits(self, key: str) -> Iterator[asyncio.Event]:
        """Set when the message is answered; meanwhile nobody else sends its answer."""
        answered = self._answered.setdefault(key, asyncio.Event())
        self._waiting[key] += 1
        try:
            yield answered
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key], self._answered[key]

    async def _wait(self, arrival: Arrival, answered: asyncio.Event, started: float) -> bool:
        """Whether the answer is there in time."""
        is_early = not self._account.may_send and not self._is_last(arrival)
        seconds = self._rules.last_moment_seconds if is_early else self._rules.answer_seconds
        self._start_answering(arrival.person_id)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(started + seconds):
                await answered.wait()
        return answered.is_set()

    def _is_last(self, arrival: Arrival) -> bool:
        return arrival.deliveries >= self._rules.deliveries

    async def _reply(self, arrival: Arrival, started: float, *, is_ready: bool) -> str | None:
        if is_ready:
            return await self._carried(arrival)
        if self._account.may_send:
            return None
        if self._is_last(arrival):
            return say("wechat.later")
        # Unanswered, WeChat closes and delivers once more; what is returned after that nobody reads.
        await asyncio.sleep(max(0.0, started + self._rules.hold_seconds - asyncio.get_running_loop().time()))
        return None

    async def _carried(self, arrival: Arrival) -> str | None:
        now = self._services.clock()
        carried = await store.write(
            self._services.sessions,
            lambda session: store.carry(
                session, self._box, arrival.inbox_id, limit_bytes=self._rules.text_bytes, now=now
            ),
        )
        texts = list(carried.texts)
        if carried.left and self._account.may_send:
            self._spawn(self._send_all(arrival.person_id, is_ours=True))
        elif carried.left and texts:
            texts.append(say("wechat.more", count=carried.left))
        return "\n\n".join(texts) or None

    def _start_answering(self, person_id: int) -> None:
        self._wanted.add(person_id)
        if person_id not in self._answerers:
            self._answerers.add(person_id)
            self._spawn(self._answer_wanted(person_id))

    async def _answer_wanted(self, person_id: int) -> None:
        """Answer a person's messages as long as more arrive."""
        try:
            while person_id in self._wanted:
                self._wanted.discard(person_id)
                try:
                    await self._answer_all(person_id)
                except BusyError:
                    self._wanted.add(person_id)
                    await asyncio.sleep(BUSY_POLL_SECONDS)
        finally:
            self._answerers.discard(person_id)

    async def _answer_all(self, person_id: int, *, is_late: bool = False) -> None:
        """Answer a person's messages in order; once one has to wait, those after it wait too.

        Raises:
            BusyError: another process is at it.
        """
        after, problem = 0, None
        while work := await self._next(person_id, after):
            after, problem = work.inbox_id, await self._answer(work, problem, is_late=is_late)
            if answered := self._answered.get(work.key):
                answered.set()
            if self._account.may_send and work.key not in self._waiting:
                self._spawn(self._send_all(person_id, is_ours=True))

    async def _next(self, person_id: int, after: int) -> Work | None:
        return await store.write(self._services.sessions,
            lambda session: store.next_work(
                session, self._box, person_id, self._name,
                after=after, lease_seconds=self._rules.lease_seconds, now=self._services.clock(),
            )
        )  # fmt: skip

    async def _answer(self, work: Work, problem: WebError | None, *, is_late: bool) -> WebError | None:
        """Answer one message, or (after a problem) leave it.

        Returns:
            What makes it wait; the resident is told once, and not long after they wrote.
        """
        off = await self._off()
        if off is not None and work.payload.get("say") != say("wechat.fetch"):
            await self._hold(work, off)
            return problem
        texts: list[str] = []
        is_over = self._services.clock() - work.received_at > self._late_limit
        try:
            if problem is None and not is_over:
                texts = await self._texts(work)
        except WebError as error:
            if error.status >= 500:
                problem = error
            else:
                texts = [error.sentence]
        waits = self._rules.retry_minutes
        if is_over or (problem is not None and work.attempts >= len(waits)):
            # Once for several.
            form = self._services.settings.public_url + "/petition"
            texts = [] if work.has_waiting else [say("wechat.unanswered", form=form)]
        elif problem is not None:
            texts = [problem.sentence] if work.attempts == 0 and not is_late else []
        now = self._services.clock()
        parts = [part for text in texts for part in words.split(text, self._rules.text_bytes)]
        send_from = now + timedelta(seconds=OWN_SECONDS)
        may_wait = problem is not None and not is_over and work.attempts < len(waits)
        next_at = now + timedelta(minutes=waits[work.attempts]) if may_wait else None

        def write(session: Session) -> None:
            store.answer(session, self._box, work.inbox_id, parts, try_again_at=next_at, send_from=send_from, now=now)
            # They may have gone while it was answered.
            store.forget_if_gone(session, work.conversation)

        await store.write(self._services.sessions, write)
        return problem

    async def _off(self) -> Off | None:
        return await run_in_threadpool(self._services.switches.off, WECHAT)

    async def _hold(self, work: Work, off: Off) -> None:
        """Keep a message while WeChat is switched off; the resident is told so once."""
        text = words.text_of([await run_in_threadpool(off_notice, self._services, off)])
        now = self._services.clock()
        send_from = now + timedelta(seconds=OWN_SECONDS)

        def write(session: Session) -> None:
            # What was only touched needs no answer later.
            is_touch = "hint" in work.payload
            if is_touch or not store.was_told(session, work.inbox_id, since=off.since):
                again = None if is_touch else now
                store.answer(
                    session, self._box, work.inbox_id, [text], try_again_at=again, send_from=send_from, now=now
                )

        await store.write(self._services.sessions, write)

    async def _texts(self, work: Work) -> list[str]:
        """What answers a message.

        Raises:
            WebError: it is refused, or cannot be answered now.
        """
        if "hint" in work.payload:
            return [say(f"wechat.hints.{work.payload['hint']}")]
        if "photo" in work.payload:
            return [await self._photos.receive(work)]
        text = check_text(work.payload["say"])
        if text == say("wechat.fetch"):
            return [] if work.has_waiting else [say("wechat.nothing_waiting")]
        try:
            messages = await self._chat.reply(
                work.conversation, text, address=work.conversation, message_id=work.key, has_inbox=True
            )
        except SQLAlchemyError as error:
            logger.error("wechat_not_answered conversation=%s error=%s", work.conversation, type(error).__name__)
            raise WebError("internal") from error
        shown = await self._read(lambda session: [self._with_code(session, work, message) for message in messages])
        # Nothing is said to what a person is to answer.
        return [words.text_of(shown)] if shown else []

    def _with_code(self, session: Session, work: Work, message: dict[str, Any]) -> dict[str, Any]:
        """A ticket with its query code, which the transcript does not keep.

        A process that died after the ticket was filed may not have shown it.
        """
        hidden = say("notices.code_shown")
        if message["kind"] != "ticket" or hidden not in message["text"]:
            return message
        petition = find_own_ticket(session, work.conversation)
        if petition is None or petition.number != message["ticket"]["number"]:
            return message
        code = shown_code(query_code(self._services.secret, petition.form_key))
        return message | {"text": message["text"].replace(hidden, say("wechat.code", code=code))}

    async def _send_all(self, person_id: int, *, is_ours: bool) -> None:
        """Send what waits for a person, in order, as far as WeChat allows."""
        while True:
            sending = await store.write(self._services.sessions,
                lambda session: store.take_to_send(
                    session, self._box, person_id, is_ours=is_ours, waited_for=set(self._waiting),
                    reserve=self._rules.reserve, lease_seconds=self._rules.lease_seconds, now=self._services.clock(),
                )
            )  # fmt: skip
            if sending is None or not await self._send(sending):
                return

    async def _send(self, sending: Sending) -> bool:
        """Send one text; whether it is delivered."""
        text = sending.text
        if sending.left:
            text = f"{text}\n\n{say('wechat.more', count=sending.left)}"
        problem: WeChatError | None = None
        try:
            await self._send_text(sending.openid, text)
        except WeChatError as error:
            problem = error
            logger.warning("wechat_not_sent id=%d attempt=%d code=%s", sending.id, sending.attempts, error.code)
        now = self._services.clock()
        waits = self._rules.retry_minutes
        may_retry = problem is not None and problem.retryable and sending.attempts <= len(waits)
        next_at = now + timedelta(minutes=waits[sending.attempts - 1]) if may_retry else None
        await store.write(self._services.sessions,
            lambda session: store.sent(
                session, sending, is_delivered=problem is None,
                is_doubtful=problem is not None and problem.is_doubtful, next_at=next_at, now=now,
            )
        )  # fmt: skip
        return problem is None

    async def _send_text(self, openid: str, text: str) -> None:
        try:
            await self._api.send_text(openid, text)
        except WeChatError as error:
            if error.code != client.TOO_LONG:
                raise
            # The limit is measured, not promised.
            for half in words.split(text, max(200, len(text.encode()) // 2 + 100)):
                await self._api.send_text(openid, half)

    def _spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # The rows are still there: the worker goes on with them.
            logger.error("wechat_task_failed error=%s", type(error).__name__)

    async def _read(self, work: Callable[[Session], Result]) -> Result:
        def run() -> Result:
            with self._services.sessions() as session:
                return work(session)

        return await run_in_threadpool(run)


def _payload(meaning: Say | Hint | Photo) -> dict[str, str]:
    """A message as it is stored until it is answered."""
    match meaning:
        case Say(text):
            return {"say": text}
        case Hint(name):
            return {"hint": name}
        case Photo(media_id):
            return {"photo": media_id}
