"""What the resident's page asks while a person is called or writes: the place in line, and who is typing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from channels.cookies import Conversations
from channels.errors import ChannelError
from channels.handover import store
from channels.handover.model import WAITING
from channels.handover.rules import own_hours
from channels.services import Services
from channels.store import RESIDENT
from channels.texts import say
from web.requests import address_of, check_origin

# A page asks every few seconds and tells while somebody types; a service hall shares one address.
PER_MINUTE = 2_000


def handover_router(services: Services, conversations: Conversations) -> APIRouter:
    """`GET /chat/person` and `POST /chat/typing`."""
    router = APIRouter(prefix="/chat")
    limit = services.limit("handover", PER_MINUTE)

    def conversation_of(request: Request) -> str | None:
        if (wait_seconds := limit.take(address_of(request))) is not None:
            raise ChannelError("too_fast", retry_after_seconds=wait_seconds)
        return conversations.of(request)

    @router.get("/person")
    async def get_person(request: Request) -> JSONResponse:
        """Whether a person is called or there, their place in line, and a sentence that says so."""
        conversation = conversation_of(request)
        return JSONResponse(await run_in_threadpool(standing, services, conversation) if conversation else nobody())

    @router.post("/typing", dependencies=[Depends(check_origin)])
    async def post_typing(request: Request) -> Response:
        """The resident is typing."""
        if conversation := conversation_of(request):
            await run_in_threadpool(note_typing, services, conversation)
        return Response(status_code=204)

    return router


def nobody() -> dict[str, Any]:
    """The standing of a conversation that is the assistant's."""
    return {"state": "none", "place": None, "is_typing": False, "text": ""}


def standing(services: Services, conversation: str) -> dict[str, Any]:
    """Who has a conversation: `state` is `none`, `waiting` or `held`; `text` says it to the resident."""
    now = services.clock()
    with services.sessions() as session:
        row = store.open_of(session, conversation)
        # A person at risk is not shown a line to wait in.
        if row is None or (row.state == WAITING and row.reason == "crisis"):
            return nobody()
        is_typing = store.is_typing(session, row.id, store.STAFF, now=now)
        place = store.place_of(session, row) if row.state == WAITING else None
    if place is None:
        text = say("handover.is_typing") if is_typing else say("handover.is_held")
    elif own_hours().is_open(now):
        text = say("handover.is_waiting", place=place)
    else:
        text = say("handover.is_waiting_outside")
    return {"state": row.state, "place": place, "is_typing": is_typing, "text": text}


def note_typing(services: Services, conversation: str) -> None:
    """Tell the desk that the resident is typing, where a person is called."""
    with services.sessions() as session:
        row = store.open_of(session, conversation)
        if row is None:
            return
        handover_id = row.id
        session.rollback()
        store.type_now(session, handover_id, RESIDENT, now=services.clock())
        session.commit()
