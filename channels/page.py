"""The resident's page at `/`: the conversation from the server's transcript, with and without JavaScript."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from channels import store
from channels.chat import MESSAGE_ID, TEXT_LIMIT, UNDERSTANDING_DOWN, Chat, check_text
from channels.rasa import RasaClient
from channels.render import LARGE_COOKIE, Pages
from channels.services import Services
from channels.waiting import waiting_numbers
from web.errors import WebError
from web.requests import address_of, check_origin, field, read_form, set_cookie

COOKIE = "conversation"
PAGES = frozenset({"/", "/petition", "/petition/status"})


@dataclass(frozen=True, slots=True)
class Turn:
    """What the resident said and what the assistant replied."""

    text: str
    replies: list[dict[str, Any]]
    message_id: str | None = None
    rating: str | None = None
    is_waiting: bool = False


def turns_of(services: Services, chat: Chat, conversation: str | None) -> list[Turn]:
    """The conversation so far, with the replies that are still fresh as they were sent."""
    if conversation is None:
        return []
    with services.sessions() as session:
        rows = store.transcript(session, conversation)
        late = chat.late.seen_replies(session, conversation)
        waits = waiting_numbers(session, conversation)
    turns: dict[int, Turn] = {}
    for row in rows:
        if row.kind == store.RESIDENT:
            turns[row.number] = Turn(row.payload["text"], [], row.message_id, row.rating, row.number in waits)
        elif row.answers in turns:
            turns[row.answers].replies.append(row.payload)
    for number, turn in turns.items():
        turn.replies[:] = chat.fresh.get(conversation, number) or late.get(number) or turn.replies
    return list(turns.values())


def page_router(services: Services, chat: Chat, rasa: RasaClient, pages: Pages) -> APIRouter:
    """The page and the three things its buttons do."""
    router = APIRouter()
    hours = services.settings.session_hours

    def conversation_of(request: Request) -> str | None:
        return chat.tokens.read(request.cookies.get(COOKIE))

    async def show(
        request: Request,
        conversation: str | None,
        *,
        typed: str = "",
        message_id: str = "",
        error: WebError | None = None,
    ) -> Response:
        context = {
            "turns": await run_in_threadpool(turns_of, services, chat, conversation),
            "typed": typed,
            "message_id": message_id or chat.tokens.new(),
            "error": error,
            "is_ready": rasa.why_not_ready is None,
            "limit": TEXT_LIMIT,
        }
        if error is None:
            return pages.response(request, "chat.html", context)
        return pages.response(request, "chat.html", context, status=error.status, headers=error.headers)

    async def refuse_kept(
        request: Request, conversation: str, typed: str, message_id: str, error: WebError, *, is_script: bool
    ) -> Response:
        if is_script:
            return chat.refusal(conversation, error)
        return await show(request, conversation, typed=typed, message_id=message_id, error=error)

    @router.get("/")
    async def get_page(request: Request) -> Response:
        """The conversation so far."""
        return await show(request, conversation_of(request))

    @router.post("/")
    async def post_page(request: Request) -> Response:
        """Say something: a script gets the new replies as HTML, a plain form gets the page again."""
        is_script = request.headers.get("Accept") == "application/json"
        typed, message_id = "", ""
        conversation = conversation_of(request) or chat.tokens.new()
        try:
            form = await read_form(request)
            typed = field(form, "choice") or field(form, "text")
            given_id = field(form, "message_id")
            message_id = given_id if MESSAGE_ID.fullmatch(given_id) else chat.tokens.new()
            replies = await chat.reply(
                conversation, check_text(typed), address=address_of(request), message_id=message_id
            )
        except WebError as error:
            if error.code == UNDERSTANDING_DOWN:
                # The message waits in this conversation, which may have begun with it.
                response = await refuse_kept(request, conversation, typed, message_id, error, is_script=is_script)
                set_cookie(response, request, COOKIE, chat.tokens.sign(conversation), hours=hours)
                return response
            if is_script or error.code == "foreign_origin":
                raise
            return await show(request, conversation, typed=typed, message_id=message_id, error=error)
        if is_script:
            context = {"replies": replies, "is_last": True, "message_id": message_id}
            response = JSONResponse({"html": pages.fragment("replies.html", context)})
        else:
            response = RedirectResponse("/#latest", 303)
        set_cookie(response, request, COOKIE, chat.tokens.sign(conversation), hours=hours)
        return response

    @router.post("/clear", dependencies=[Depends(check_origin)])
    async def clear(request: Request) -> Response:
        """Forget the conversation on this device."""
        conversation = conversation_of(request)
        if conversation is not None:
            chat.fresh.forget(conversation)
        response = RedirectResponse("/", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response

    @router.post("/text-size")
    async def change_text_size(request: Request) -> Response:
        """Switch between normal and large text on this device, and return to the page."""
        back = field(await read_form(request), "back")
        response = RedirectResponse(back if back in PAGES else "/", 303)
        is_large = request.cookies.get(LARGE_COOKIE) == "1"
        set_cookie(response, request, LARGE_COOKIE, "0" if is_large else "1", hours=24 * 365)
        return response

    return router
