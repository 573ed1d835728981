"""Photos that residents add on the page: in the conversation, and in the petition form."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from channels.errors import ChannelError
from channels.services import Services
from petitions import PetitionError
from petitions.images import own_photos, redraw
from petitions.photos import add_photo, drop_photo, drop_photos_of, previews
from web.uploads import files, read_upload

# Of photos as phones take them, so that one too large is told so beside what else was typed.
LIMIT_BYTES = 64_000_000
DECODED_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Own:
    """A photo as its owner sees it: what names it, and the address that shows it; empty while it is being fetched."""

    token: str
    address: str


async def read_photos(request: Request) -> FormData:
    """A form that may hold photos.

    Raises:
        WebError: as `read_upload`.
    """
    rules = own_photos()
    return await read_upload(request, LIMIT_BYTES, most_files=rules.most + 1, file_limit_bytes=rules.limit_bytes)


class Uploads:
    """Takes the photos of forms, a few at a time: decoding them must not occupy the threads that all else needs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)

    async def change(self, owner: str, form: FormData) -> None:
        """Take back the photos that a form names, and add those that it holds: all of them or none.

        Raises:
            ChannelError: one of them is none, too large, or one too many.
        """
        sent = await files(form, "photos")
        dropped = [token for token in form.getlist("drop") if isinstance(token, str)]
        if sent or dropped:
            async with self._decoding:
                await run_in_threadpool(_change, self._services, owner, dropped, sent)

    async def own(self, owner: str | None) -> list[Own]:
        """The photos that this conversation or form has given so far."""
        return await run_in_threadpool(own_photos_of, self._services, owner)

    async def forget(self, owner: str) -> None:
        """Delete the photos that wait."""
        await run_in_threadpool(forget, self._services, owner)

    async def changed(self, owner: str, form: FormData) -> tuple[list[Own], str]:
        """The photos that there are after `change`, and what was wrong with it; empty when nothing was."""
        problem = ""
        try:
            await self.change(owner, form)
        except ChannelError as error:
            problem = error.sentence
        return await self.own(owner), problem


def own_photos_of(services: Services, owner: str | None) -> list[Own]:
    """The photos that this conversation or form has given so far."""
    if owner is None:
        return []
    with services.sessions() as session:
        return [Own(one.token, _address(one.small)) for one in previews(session, services.keyring, owner)]


def forget(services: Services, owner: str) -> None:
    """Delete the photos that wait, in a transaction of its own."""
    with services.sessions() as session:
        drop_photos_of(session, [owner])
        session.commit()


def refusal(error: PetitionError) -> ChannelError:
    """A refusal of the case work as one of the channels."""
    refused = ChannelError("refused", sentence=error.message)
    refused.code, refused.status = error.code, error.status
    return refused


def _change(services: Services, owner: str, dropped: list[str], sent: list[bytes]) -> None:
    try:
        pictures = [redraw(content) for content in sent]
        with services.sessions() as session:
            for token in dropped:
                drop_photo(session, token, owner=owner)
            for picture in pictures:
                add_photo(session, services.keyring, owner, picture, now=services.clock())
            session.commit()
    except PetitionError as error:
        raise refusal(error) from error


def _address(content: bytes | None) -> str:
    # Within the page itself: no address leads to a photo, so none can be guessed, kept or passed on.
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}" if content else ""
