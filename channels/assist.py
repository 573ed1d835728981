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
        return JSONResponse(await run_in_threadpool(_found, services, text))

    return router


def _found(services: Services, text: str) -> dict[str, Any]:
    if services.knowledge is None:
        raise ChannelError("knowledge_down")
    return services.assist(text).to_json()
