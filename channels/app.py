"""The application that faces residents and operators, made from what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from channels.assist import assist_router
from channels.chat import Chat, chat_router
from channels.form import form_router
from channels.health import health_router
from channels.metrics import Metrics
from channels.open311 import open311_router
from channels.page import page_router
from channels.rasa import RasaClient
from channels.rating import rating_router
from channels.render import Pages
from channels.services import Services
from channels.wechat.route import wechat_router
from web.errors import WebError, http_code
from web.guard import Guard


def create_app(services: Services, *, rasa_transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The application.

    Args:
        services: All that it needs from the rest of the product.
        rasa_transport: Takes the place of the network between here and Rasa.
    """
    settings = services.settings
    metrics = Metrics()
    http = httpx.AsyncClient(
        base_url=settings.rasa_url,
        timeout=httpx.Timeout(settings.rasa_timeout_seconds, connect=2.0),
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
        transport=rasa_transport,
        # Rasa is on the loopback address: a proxy meant for the internet must not carry residents' words.
        trust_env=False,
    )
    rasa = RasaClient(http, timeout_seconds=settings.rasa_timeout_seconds, seconds=metrics.understanding_seconds)
    chat = Chat(services, rasa, metrics)
    pages = Pages(services.jurisdiction)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(rasa.keep_ready())
        answering = asyncio.create_task(chat.late.keep_answering())
        yield
        warming.cancel()
        with suppress(asyncio.CancelledError):
            await warming
        chat.late.stop()
        await answering
        await chat.finish()
        await http.aclose()

    def refuse(request: Request, error: WebError) -> Response:
        metrics.refusals.labels(error.code).inc()
        if "text/html" in request.headers.get("Accept", ""):
            return pages.response(request, "error.html", {"error": error}, status=error.status, headers=error.headers)
        return JSONResponse(error.to_json(), error.status, error.headers)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, refuse=refuse, count=metrics.count_request)
    app.include_router(health_router(services, rasa, metrics))
    app.include_router(chat_router(chat))
    app.include_router(assist_router(services))
    app.include_router(open311_router(services))
    app.include_router(page_router(services, chat, rasa, pages))
    app.include_router(rating_router(services, chat, pages))
    app.include_router(form_router(services, chat, pages))
    app.include_router(wechat_router(services, chat, metrics))
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")

    @app.exception_handler(WebError)
    async def on_web_error(request: Request, error: WebError) -> Response:
        return refuse(request, error)

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        return refuse(request, WebError(http_code(error.status_code)))

    return app
