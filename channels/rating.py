"""What residents think of an answer: two buttons under it on their page, and `POST /api/chat/rating` for programs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from channels.chat import MESSAGE_ID, Chat, optional_string, read_json
from channels.cookies import Conversations
from channels.errors import ChannelError
from channels.render import Pages
from channels.services import Services
from channels.turns import RATINGS, Rating, rate
from web.requests import address_of, field, read_form


def rating_router(services: Services, chat: Chat, pages: Pages, conversations: Conversations) -> APIRouter:
    """Both doors."""
    router = APIRouter()
    limit = services.limit("rating", services.settings.address_messages_per_minute)

    async def keep(request: Request, conversation: str | None, message_id: str | None, rating: str | None) -> Rating:
        """Keep a rating.

        Raises:
            ChannelError: too fast, no such rating, or no such answer in this conversation.
        """
        if (wait_seconds := limit.take(address_of(request))) is not None:
            raise ChannelError("too_fast", retry_after_seconds=wait_seconds)
        if rating not in RATINGS or message_id is None or not MESSAGE_ID.fullmatch(message_id):
            raise ChannelError("malformed")
        if conversation is None or not await run_in_threadpool(
            store_rating, services, conversation, message_id, rating
        ):
            raise ChannelError("not_rated")
        return rating

    @router.post("/api/chat/rating")
    async def post_rating(request: Request) -> JSONResponse:
        """Rate the answer to the message of that id, in the conversation of that session."""
        body: dict[str, Any] = await read_json(request)
        session, message_id, rating = (optional_string(body, name) for name in ("session", "message_id", "rating"))
        return JSONResponse({"rating": await keep(request, chat.tokens.read(session), message_id, rating)})

    @router.post("/rating")
    async def post_page_rating(request: Request) -> Response:
        """Rate an answer on the page: a script gets the buttons anew, a plain form the page."""
        form = await read_form(request)
        message_id = field(form, "message_id")
        rating = await keep(request, conversations.of(request), message_id, field(form, "rating"))
        if request.headers.get("Accept") == "application/json":
            html = pages.fragment("rating.html", {"message_id": message_id, "rating": rating})
            return JSONResponse({"html": html})
        return RedirectResponse(f"/#rate-{message_id}", 303)

    return router


def store_rating(services: Services, conversation: str, message_id: str, rating: Rating) -> bool:
    """Keep a rating in a transaction of its own; whether there is such an answer."""
    with services.sessions() as session:
        is_kept = rate(session, conversation, message_id, rating, now=services.clock())
        session.commit()
    return is_kept
