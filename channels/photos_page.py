"""`/photos`: the photos that go along with the next petition of a conversation, with and without JavaScript."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from channels.chat import Chat
from channels.cookies import Conversations
from channels.errors import ChannelError
from channels.photos import Own, Uploads, read_photos
from channels.render import Pages
from web.errors import WebError
from web.requests import address_of


def photos_router(chat: Chat, pages: Pages, conversations: Conversations, uploads: Uploads) -> APIRouter:
    """The page of the photos of a conversation, and adding to them and taking them back."""
    router = APIRouter()

    def context_of(own: list[Own], error: WebError | None = None) -> dict[str, Any]:
        return {"photos": own, "error": error}

    @router.get("/photos")
    async def get_photos(request: Request) -> Response:
        """The photos that go along with the next petition: as a page, or for a script as a part of one."""
        context = context_of(await uploads.own(conversations.of(request)))
        if request.headers.get("Accept") == "application/json":
            return JSONResponse({"html": pages.fragment("photos.html", context)})
        return pages.response(request, "photos_page.html", context)

    @router.post("/photos")
    async def post_photos(request: Request) -> Response:
        """Add photos, or take some back: a script gets the part of the page, a plain form the page."""
        is_script = request.headers.get("Accept") == "application/json"
        conversation = conversations.of(request) or chat.tokens.new()
        try:
            waits = [chat.address_limit.take(address_of(request)), chat.session_limit.take(conversation)]
            if (wait_seconds := max((wait for wait in waits if wait is not None), default=None)) is not None:
                raise ChannelError("too_fast", retry_after_seconds=wait_seconds)
            await uploads.change(conversation, await read_photos(request))
        except WebError as error:
            if is_script or error.code == "foreign_origin":
                raise
            context = context_of(await uploads.own(conversation), error)
            return pages.response(request, "photos_page.html", context, status=error.status, headers=error.headers)
        response: Response
        if is_script:
            context = context_of(await uploads.own(conversation))
            response = JSONResponse({"html": pages.fragment("photos.html", context)})
        else:
            response = RedirectResponse("/photos", 303)
        conversations.give(response, request, conversation)
        return response

    return router
