"""`/photos`: the photos that go along with the next petition of a conversation, with and without JavaScript."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from channels.chat import Chat
from channels.errors import ChannelError
from channels.page import COOKIE
from channels.photos import Own, Uploads, own_photos_of, read_photos
from channels.render import Pages
from channels.services import Services
from web.errors import WebError
from web.requests import address_of, set_cookie


def photos_router(services: Services, chat: Chat, pages: Pages, uploads: Uploads) -> APIRouter:
    """The page of the photos of a conversation, and adding to them and taking them back."""
    router = APIRouter()

    def context_of(own: list[Own], error: WebError | None = None) -> dict[str, Any]:
        return {"photos": own, "error": error}

    @router.get("/photos")
    async def get_photos(request: Request) -> Response:
        """The photos that go along with the next petition: as a page, or for a script as a part of one."""
        conversation = chat.tokens.read(request.cookies.get(COOKIE))
        context = context_of(await run_in_threadpool(own_photos_of, services, conversation))
        if request.headers.get("Accept") == "application/json":
            return JSONResponse({"html": pages.fragment("photos.html", context)})
        return pages.response(request, "photos_page.html", context)

    @router.post("/photos")
    async def post_photos(request: Request) -> Response:
        """Add photos, or take some back: a script gets the part of the page, a plain form the page."""
        is_script = request.headers.get("Accept") == "application/json"
        conversation = chat.tokens.read(request.cookies.get(COOKIE)) or chat.tokens.new()
        try:
            waits = [chat.address_limit.take(address_of(request)), chat.session_limit.take(conversation)]
            if (wait_seconds := max((wait for wait in waits if wait is not None), default=None)) is not None:
                raise ChannelError("too_fast", retry_after_seconds=wait_seconds)
            await uploads.change(conversation, await read_photos(request))
        except WebError as error:
            if is_script or error.code == "foreign_origin":
                raise
            context = context_of(await run_in_threadpool(own_photos_of, services, conversation), error)
            return pages.response(request, "photos_page.html", context, status=error.status, headers=error.headers)
        response: Response
        if is_script:
            context = context_of(await run_in_threadpool(own_photos_of, services, conversation))
            response = JSONResponse({"html": pages.fragment("photos.html", context)})
        else:
            response = RedirectResponse("/photos", 303)
        set_cookie(response, request, COOKIE, chat.tokens.sign(conversation), hours=services.settings.session_hours)
        return response

    return router
