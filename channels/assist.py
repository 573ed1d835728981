"""`POST /api/assist`: what an operator sees while a caller speaks. Files nothing and needs no Rasa."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from channels.chat import read_json, text_of
from channels.errors import ChannelError
from channels.services import Services


def assist_router(services: Services) -> APIRouter:
    """The operator's door."""
    router = APIRouter()

    @router.post("/api/assist")
    async def post_assist(request: Request) -> JSONResponse:
        """Answers, route and similar petitions for the caller's words so far."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        is_bearer = scheme.lower() == "bearer" and bool(token.strip())
        if not is_bearer or await run_in_threadpool(services.check_token, token.strip(), "operator") is None:
            raise ChannelError("unauthorized")
        text = text_of(await read_json(request))
        return JSONResponse(await run_in_threadpool(assist, services, text))

    return router


def assist(services: Services, text: str) -> dict[str, Any]:
    """The reply of the contract.

    Raises:
        ChannelError: there is no knowledge base.
    """
    if services.knowledge is None:
        raise ChannelError("knowledge_down")
    reply = services.knowledge.answer(text, None).to_json()
    answers = []
    if reply["kind"] == "answer":
        answers = [{"text": reply["text"], "score": reply.get("score", 1.0), "citations": reply["citations"]}]
    return {"answers": answers, "route": services.triage(text).to_json(), "similar": services.similar(text)}
