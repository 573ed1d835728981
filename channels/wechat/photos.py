"""Photos from WeChat: fetched at once, or held a place for and fetched again until WeChat deletes them."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from channels.photos import DECODED_AT_ONCE
from channels.services import Services
from channels.texts import say
from channels.wechat import media, store
from channels.wechat.account import Account
from channels.wechat.client import GONE, TOO_LARGE, Api, WeChatError
from channels.wechat.media import Due
from channels.wechat.rules import Rules
from channels.wechat.store import Box, Work
from petitions import PetitionError, find_own_ticket
from petitions.images import Picture, own_photos, redraw, too_large
from petitions.photos import add_photo, drop_photo, expect_photo, fill_photo, waiting_photos
from storage import begin_writing
from web.errors import WebError

logger = logging.getLogger(__name__)


class Photos:
    """Takes photos for the conversations of one account."""

    def __init__(self, services: Services, account: Account, api: Api, rules: Rules) -> None:
        self._services = services
        self._account = account
        self._api = api
        self._rules = rules
        self._box = Box(services.secret)
        # Decoding must not occupy the threads that all else needs.
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)

    async def receive(self, work: Work) -> str:
        """What answers a message that is a photo; once this returns, the photo is kept, expected or refused.

        Raises:
            WebError: it cannot be kept now.
        """
        try:
            return await self._answer(work)
        except SQLAlchemyError as error:
            logger.error("wechat_photo_not_kept inbox=%d error=%s", work.inbox_id, type(error).__name__)
            raise WebError("internal") from error

    async def _answer(self, work: Work) -> str:
        if not self._account.may_send:
            # Such an account may fetch nothing either.
            return say("wechat.hints.image")
        media_id = work.payload["photo"]
        try:
            picture = await self._picture(media_id)
        except WeChatError as error:
            logger.warning("wechat_photo_not_fetched inbox=%d code=%s", work.inbox_id, error.code)
            return _refused(error) or await self._expect(work, media_id)
        except PetitionError as error:
            return error.message
        return await store.write(self._services.sessions, lambda session: self._keep(session, work, picture))

    async def fetch_due(self) -> int:
        """Fetch what is due; how many photos were tried."""
        tried = 0
        while due := await store.write(self._services.sessions, self._take):
            tried += 1
            await self._fetch(due)
        return tried

    async def _fetch(self, due: Due) -> None:
        now = self._services.clock()
        try:
            picture = await self._picture(due.media_id)
        except WeChatError as error:
            logger.warning("wechat_photo_not_fetched inbox=%d code=%s", due.inbox_id, error.code)
            if (text := _refused(error)) is None and now < due.until:
                waits = self._rules.retry_minutes
                next_at = now + timedelta(minutes=waits[min(due.attempts + 1, len(waits) - 1)])
                await store.write(self._services.sessions, lambda session: media.put_off(session, due, next_at=next_at))
                return
            await self._give_up(due, text or say("wechat.photos.gone"))
        except PetitionError as error:
            await self._give_up(due, error.message)
        else:
            await store.write(self._services.sessions, lambda session: self._fill(session, due, picture))

    async def _picture(self, media_id: str) -> Picture:
        content = await self._api.download(media_id)
        async with self._decoding:
            return await run_in_threadpool(redraw, content)

    async def _expect(self, work: Work, media_id: str) -> str:
        now = self._services.clock()
        until = now + timedelta(hours=self._rules.media_hours)
        next_at = now + timedelta(minutes=self._rules.retry_minutes[0])

        def write(session: Session) -> str:
            begin_writing(session)
            # A process may have come this far before it died.
            if not media.is_put(session, work.inbox_id):
                place = expect_photo(session, work.conversation, expires_at=until + timedelta(hours=1), now=now)
                media.put(session, self._box, work.inbox_id, place, media_id, next_at=next_at, until=until)
            return say("wechat.photos.expected")

        try:
            return await store.write(self._services.sessions, write)
        except PetitionError as error:
            return error.message

    def _keep(self, session: Session, work: Work, picture: Picture) -> str:
        try:
            add_photo(session, self._services.keyring, work.conversation, picture, now=self._services.clock())
        except PetitionError as error:
            return error.message
        said = {"count": waiting_photos(session, work.conversation), "hours": own_photos().staged_hours}
        if (filed := find_own_ticket(session, work.conversation)) is not None:
            return say("wechat.photos.kept_after", number=filed.number, **said)
        return say("wechat.photos.kept", **said)

    def _take(self, session: Session) -> Due | None:
        return media.take(session, self._box, lease_seconds=self._rules.lease_seconds, now=self._services.clock())

    def _fill(self, session: Session, due: Due, picture: Picture) -> None:
        fill_photo(session, self._services.keyring, due.photo, picture, now=self._services.clock())
        media.end(session, due.inbox_id)

    async def _give_up(self, due: Due, text: str) -> None:
        def write(session: Session) -> None:
            drop_photo(session, due.photo)
            media.end(session, due.inbox_id)
            store.tell(session, self._box, due.inbox_id, text, now=self._services.clock())

        await store.write(self._services.sessions, write)


def _refused(error: WeChatError) -> str | None:
    """What a resident is told of a photo that will never come; None when it may."""
    if error.code == TOO_LARGE:
        return too_large().message
    return say("wechat.photos.gone") if error.code in GONE else None
