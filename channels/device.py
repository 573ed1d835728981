"""What a device keeps of its resident: the conversation, until it is cleared, and the size of the text."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from channels import embed
from channels.chat import Chat
from channels.cookies import Conversations
from channels.kiosk import Kiosks
from channels.live import Live
from channels.photos import Uploads
from channels.render import LARGE_COOKIE
from web.requests import check_origin, field, read_form, set_cookie

PAGES = frozenset({"/", embed.PATH, "/petition", "/my", "/wechat/my"})


def device_router(
    chat: Chat,
    *,
    conversations: Conversations,
    live: Live,
    uploads: Uploads,
    embedding: embed.Embedding,
    kiosks: Kiosks,
) -> APIRouter:
    """The buttons that change it."""
    router = APIRouter()

    @router.post("/clear")
    async def clear(request: Request) -> Response:
        """Forget the conversation on this device, and close the other pages that show it."""
        back = field(await read_form(request), "back")
        conversation = conversations.of(request)
        if conversation is not None:
            await run_in_threadpool(chat.late.forget, conversation)
            await uploads.forget(conversation)
            live.end(conversation)
        response = RedirectResponse(back if back == embed.PATH else "/", 303)
        conversations.forget(response, request)
        if kiosks.idle_seconds(request):
            response.delete_cookie(LARGE_COOKIE)
        return response

    @router.post("/stay", dependencies=[Depends(check_origin)])
    async def stay(request: Request) -> Response:
        """Somebody still uses the kiosk: their conversation lives on."""
        response = Response(status_code=204)
        if conversation := conversations.of(request):
            conversations.give(response, request, conversation)
        return response

    @router.post("/text-size")
    async def change_text_size(request: Request) -> Response:
        """Switch between normal and large text on this device, and return to the page."""
        back = field(await read_form(request), "back")
        response = RedirectResponse(back if back in PAGES else "/", 303)
        size = "0" if request.cookies.get(LARGE_COOKIE) == "1" else "1"
        set_cookie(response, request, LARGE_COOKIE, size, hours=24 * 365, is_embedded=bool(embedding))
        return response

    return router
