"""What is said later reaches an open page: messages by number, as a stream of events, and as a list for whoever polls.

All streams of a process share one look at the table a second, so that an idle one costs nothing but its heartbeat.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from channels import store
from channels.cookies import Conversations
from channels.services import Services
from channels.transcript import Transcript
from web.errors import WebError
from web.requests import address_of

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 15
# A browser that was cut off comes back after this long.
RETRY_MILLISECONDS = 2_000
# A stream ends now and then, and the browser opens it anew: a cookie that has run out is noticed.
STREAM_SECONDS = 1_800
STREAMS_KEPT = 5_000
STREAMS_EACH = 6
# On PostgreSQL a transaction may commit after one that got a higher id: so many looks back are read again.
LOOKS_BACK = 10
# A page that cannot stream asks thirty times a minute, and a hall shares an address.
LISTS_PER_MINUTE = 6_000
BUSY_RETRY_SECONDS = 30


class Watch:
    """An open page that waits for more of its conversation."""

    def __init__(self) -> None:
        self.number = 0
        self.is_ended = False
        self.changed = asyncio.Event()


class Live:
    """Wakes the open pages of a conversation when something was stored in it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watches: dict[str, set[Watch]] = {}
        self._marks: deque[int] = deque(maxlen=LOOKS_BACK)

    def __len__(self) -> int:
        return sum(len(watches) for watches in self._watches.values())

    def is_full(self, conversation: str) -> bool:
        """Whether no further page may stream this conversation."""
        return len(self) >= STREAMS_KEPT or len(self._watches.get(conversation, ())) >= STREAMS_EACH

    @contextmanager
    def watch(self, conversation: str) -> Iterator[Watch]:
        """A watch over the conversation while its page is open."""
        watch = Watch()
        self._watches.setdefault(conversation, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[conversation]
            watches.discard(watch)
            if not watches:
                del self._watches[conversation]

    def end(self, conversation: str) -> None:
        """Close the open pages of a conversation that its resident has cleared."""
        for watch in self._watches.get(conversation, ()):
            watch.is_ended = True
            watch.changed.set()

    async def run(self) -> None:
        """Look every second, while anybody watches; runs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except SQLAlchemyError as error:
                logger.warning("transcript_not_read error=%s", type(error).__name__)

    async def look(self) -> None:
        """Wake whoever watches a conversation that has grown."""
        if not self._watches:
            self._marks.clear()
            return
        for conversation, number in (await run_in_threadpool(self._grown)).items():
            for watch in self._watches.get(conversation, ()):
                if number > watch.number:
                    watch.number = number
                    watch.changed.set()

    def _grown(self) -> dict[str, int]:
        with self._services.sessions() as session:
            newest = store.newest_id(session)
            grown = (
                {} if self._marks and newest == self._marks[0] else store.numbers_since(session, self._since(newest))
            )
        self._marks.append(newest)
        return grown

    def _since(self, newest: int) -> int:
        # At the first look some may have been stored since the page was read.
        return self._marks[0] if self._marks else newest - 1_000


def live_router(services: Services, conversations: Conversations, transcript: Transcript, live: Live) -> APIRouter:
    """`GET /chat/messages` and `GET /chat/events`."""
    router = APIRouter()
    limit = services.limit("lists", LISTS_PER_MINUTE)

    @router.get("/chat/messages")
    async def get_messages(request: Request) -> JSONResponse:
        """The messages after a number."""
        if (wait_seconds := limit.take(address_of(request))) is not None:
            raise WebError("too_fast", retry_after_seconds=wait_seconds)
        number = number_of(request.query_params.get("after"))
        return JSONResponse({"messages": await run_in_threadpool(transcript.after, conversations.of(request), number)})

    @router.get("/chat/events")
    async def get_events(request: Request) -> Response:
        """The messages after a number, and each later one as it comes."""
        conversation = conversations.of(request)
        if conversation is None:
            # A browser does not come back after this one.
            return Response(status_code=204)
        if live.is_full(conversation):
            raise WebError("too_fast", retry_after_seconds=BUSY_RETRY_SECONDS)
        number = max(number_of(request.query_params.get("after")), number_of(request.headers.get("Last-Event-ID")))
        return EventSourceResponse(events(conversation, number), ping=HEARTBEAT_SECONDS)

    async def events(conversation: str, number: int) -> AsyncIterator[ServerSentEvent]:
        with live.watch(conversation) as watch:
            yield ServerSentEvent(comment="open", retry=RETRY_MILLISECONDS)
            ends_at = time.monotonic() + STREAM_SECONDS
            while not watch.is_ended:
                watch.changed.clear()
                for message in await run_in_threadpool(transcript.after, conversation, number):
                    number = message["number"]
                    yield ServerSentEvent(json.dumps(message, ensure_ascii=False), id=str(number))
                try:
                    await asyncio.wait_for(watch.changed.wait(), ends_at - time.monotonic())
                except TimeoutError:
                    return
            # An event without data would not be dispatched.
            yield ServerSentEvent("1", event="cleared")

    return router


def number_of(text: str | None) -> int:
    """The number of a message as a browser names it; 0 for anything else."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 9 else 0
