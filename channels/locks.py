"""One message of a conversation at a time, in order of arrival."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool

from storage import SharedLocks

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
# A process that lives but answers nothing any more keeps a conversation no longer than that.
ELSEWHERE_SECONDS = 60.0


class ConversationLocks:
    """A fair lock for each conversation in use; one that nobody holds or awaits takes no memory.

    Args:
        shared: Also keeps away the other processes that serve residents; by default there are none. Among processes
            the order is that of luck: the proxy in front sends the messages of a conversation to one of them.
    """

    def __init__(self, shared: SharedLocks | None = None) -> None:
        self._shared = shared
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, conversation: str) -> AsyncIterator[None]:
        """Wait for the messages of this conversation that came earlier, then hold it.

        Raises:
            SQLAlchemyError: the database cannot be asked whether another process holds it.
        """
        lock, users = self._locks.get(conversation, (asyncio.Lock(), 0))
        self._locks[conversation] = (lock, users + 1)
        try:
            async with lock, self._hold_everywhere(conversation):
                yield
        finally:
            lock, users = self._locks[conversation]
            if users == 1:
                del self._locks[conversation]
            else:
                self._locks[conversation] = (lock, users - 1)

    def is_held(self, conversation: str) -> bool:
        """Whether somebody holds or awaits this conversation."""
        return conversation in self._locks

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def _hold_everywhere(self, conversation: str) -> AsyncIterator[None]:
        if self._shared is None or not self._shared.are_needed:
            yield
            return
        is_mine = await self._take(self._shared, conversation)
        try:
            yield
        finally:
            if is_mine:
                await run_in_threadpool(self._shared.give_back, conversation)

    async def _take(self, shared: SharedLocks, conversation: str) -> bool:
        gives_up_at = asyncio.get_running_loop().time() + ELSEWHERE_SECONDS
        while not await run_in_threadpool(shared.take, conversation):
            if asyncio.get_running_loop().time() > gives_up_at:
                logger.warning("conversation_held_elsewhere conversation=%s", conversation)
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True
