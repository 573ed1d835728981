"""The resident's page at `/` and, for frames in other sites, at `/embed`: with and without JavaScript."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from channels import embed
from channels.chat import MESSAGE_ID, TEXT_LIMIT, UNDERSTANDING_DOWN, Chat, check_text
from channels.cookies import Conversations
from channels.kiosk import Kiosks
from channels.live import number_of
from channels.offers import examples
from channels.photos import Uploads
from channels.rasa import RasaClient
from channels.render import Pages
from channels.transcript import Transcript
from web.errors import WebError
from web.requests import address_of, field, read_form


def page_router(
    chat: Chat,
    rasa: RasaClient,
    pages: Pages,
    *,
    conversations: Conversations,
    transcript: Transcript,
    uploads: Uploads,
    embedding: embed.Embedding,
    kiosks: Kiosks,
) -> APIRouter:
    """The page, and what is said on it."""
    router = APIRouter()

    async def show(
        request: Request,
        *,
        conversation: str | None = None,
        typed: str = "",
        message_id: str = "",
        error: WebError | None = None,
    ) -> Response:
        is_embedded = request.url.path == embed.PATH
        if is_embedded and not embedding:
            raise WebError("not_found")
        # Given before the first message, so that one whose answer was lost is found when it comes again.
        conversation = conversation or conversations.of(request) or chat.tokens.new()
        messages = await run_in_threadpool(transcript.after, conversation)
        context = {
            "messages": [Markup(message["html"]) for message in messages],  # noqa: S704 - from a template
            "last": messages[-1]["number"] if messages else 0,
            "is_waiting": chat.is_busy(conversation),
            "examples": [] if messages else examples(),
            "is_embedded": is_embedded,
            "session": chat.tokens.sign(conversation) if is_embedded else "",
            "typed": typed,
            "message_id": message_id or chat.tokens.new(),
            "error": error,
            "is_ready": rasa.why_not_ready is None,
            "limit": TEXT_LIMIT,
            "photos": await uploads.own(conversation),
        }
        headers = (embedding.headers if is_embedded else {}) | (error.headers if error else {})
        status = error.status if error else 200
        response = pages.response(request, "chat.html", context, status=status, headers=headers)
        if conversations.of(request) is None or kiosks.idle_seconds(request):
            conversations.give(response, request, conversation)
        return response

    @router.get("/")
    @router.get(embed.PATH)
    async def get_page(request: Request) -> Response:
        """The conversation so far; `?kiosk=1` makes this browser one that forgets, `?kiosk=0` undoes it."""
        if (wanted := request.query_params.get("kiosk")) in {"0", "1"}:
            response = RedirectResponse(request.url.path, 303)
            kiosks.mark(response, request, is_kiosk=wanted == "1")
            return response
        return await show(request)

    @router.post("/")
    @router.post(embed.PATH)
    async def post_page(request: Request) -> Response:
        """Say something: a script gets the new messages, a plain form gets the page again."""
        is_script = request.headers.get("Accept") == "application/json"
        typed, message_id = "", ""
        response: Response
        known = conversations.of(request)
        conversation = known or chat.tokens.new()
        try:
            form = await read_form(request)
            typed, offer, given_id = (field(form, name) for name in ("text", "offer", "message_id"))
            message_id = given_id if MESSAGE_ID.fullmatch(given_id) else chat.tokens.new()
            said = (
                await run_in_threadpool(transcript.text_of_offer, known, offer, message_id)
                if offer
                else check_text(typed)
            )
            replies = await chat.reply(conversation, said, address=address_of(request), message_id=message_id)
        except WebError as error:
            if error.code != UNDERSTANDING_DOWN and (is_script or error.code == "foreign_origin"):
                raise
            typing = {"typed": typed, "message_id": message_id}
            response = (
                chat.refusal(conversation, error)
                if is_script
                else await show(request, conversation=conversation, error=error, **typing)
            )
            if error.code == UNDERSTANDING_DOWN:
                # The message waits in this conversation, which may have begun with it.
                conversations.give(response, request, conversation)
            return response
        if is_script:
            # A conversation that has just begun has nothing of what the page shows.
            number = number_of(field(form, "after")) if known else 0
            messages, is_stored = await run_in_threadpool(transcript.news, conversation, number, message_id)
            response = JSONResponse({"messages": messages, "loose": "" if is_stored else transcript.loose(replies)})
        else:
            response = RedirectResponse(f"{request.url.path}#latest", 303)
        conversations.give(response, request, conversation)
        return response

    return router
