"""What changes while a page is open: told to every reader, as far as they may see it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from desk.assist import OPERATORS
from desk.entry import CASEWORKERS, Entry, Person
from desk.services import Services
from petitions import SYSTEM, Actor, Petition, own_rules
from petitions.model import Event
from petitions.visibility import may_see, visible_to

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
# A stream ends by itself and the browser opens it anew: then it is looked again who the reader is.
STREAM_SECONDS = 60.0
MOST_CHANGES = 500


class Live:
    """Looks once a second for new events, however many readers there are."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._readers: dict[asyncio.Queue[dict[str, str]], Actor] = {}
        # The last event that was told; None while nobody reads.
        self._last: int | None = None
        # What the conversations looked like then.
        self._marks: Mapping[int, str] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look for events as long as the application runs."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def changes(self, actor: Actor) -> AsyncIterator[dict[str, str]]:
        """The numbers of tickets and conversations that changed, as server-sent events, for one reader."""
        inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        if self._last is None:
            # From now on, not from the next look on.
            now = await run_in_threadpool(self._look)
            if self._last is None:
                self._last, self._marks = now
        self._readers[inbox] = actor
        ends_at = asyncio.get_running_loop().time() + STREAM_SECONDS
        try:
            while (left := ends_at - asyncio.get_running_loop().time()) > 0:
                with suppress(TimeoutError):
                    yield await asyncio.wait_for(inbox.get(), left)
        finally:
            del self._readers[inbox]

    async def _watch(self) -> None:
        while True:
            # Without readers nothing is asked, and what happened meanwhile is on the page that opens.
            if not self._readers:
                self._last = None
            elif self._last is not None:
                try:
                    self._last = await run_in_threadpool(self._tell, self._last, asyncio.get_running_loop())
                except SQLAlchemyError as error:
                    logger.error("events_not_read error=%s", type(error).__name__)
            await asyncio.sleep(EVERY_SECONDS)

    def _look(self) -> tuple[int, Mapping[int, str]]:
        with self._services.sessions() as session:
            return newest_event(session), self._services.conversations.marks(session, now=self._services.clock())

    def _tell(self, last: int, loop: asyncio.AbstractEventLoop) -> int:
        with self._services.sessions() as session:
            self._tell_of_conversations(session, loop)
            last, changed = changed_since(session, last)
            network = own_rules().network
            for inbox, actor in list(self._readers.items()):
                numbers = [number for number, petition in changed.items() if may_see(petition, actor, network)]
                if numbers:
                    loop.call_soon_threadsafe(inbox.put_nowait, {"event": "tickets", "data": json.dumps(numbers)})
        return last

    def _tell_of_conversations(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        before, self._marks = self._marks, self._services.conversations.marks(session, now=self._services.clock())
        if before == self._marks:
            return
        changed = sorted(id_ for id_ in before.keys() | self._marks.keys() if before.get(id_) != self._marks.get(id_))
        for inbox, actor in list(self._readers.items()):
            if actor.role in OPERATORS:
                event = {"event": "conversations", "data": json.dumps(changed)}
                loop.call_soon_threadsafe(inbox.put_nowait, event)


def newest_event(session: Session) -> int:
    """The id of the last event."""
    return session.scalar(select(func.max(Event.id)).where(visible_to(SYSTEM))) or 0


def changed_since(session: Session, last: int) -> tuple[int, Mapping[str, Petition]]:
    """The id of the last event, and the tickets that have events after the given one."""
    rows = session.execute(
        select(Event.id, Petition)
        .join(Petition, Petition.id == Event.petition_id)
        .where(Event.id > last, visible_to(SYSTEM))
        .order_by(Event.id)
        .limit(MOST_CHANGES)
    ).all()
    return (rows[-1][0] if rows else last), {str(petition.number): petition for _, petition in rows}


def live_router(live: Live) -> APIRouter:
    """The stream."""
    router = APIRouter()

    @router.get("/events")
    async def get_events(person: Annotated[Person, Depends(Entry(CASEWORKERS))]) -> Response:
        """The tickets and conversations that change from now on, as far as this person may see them."""
        return EventSourceResponse(live.changes(person.member.actor), headers={"X-Accel-Buffering": "no"})

    return router
