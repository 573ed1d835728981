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
from channels.cookies import Conversations
from channels.device import device_router
from channels.embed import Embedding
from channels.form import form_router
from channels.handover.route import handover_router
from channels.health import health_router
from channels.kiosk import Kiosks
from channels.live import Live, live_router
from channels.metrics import Metrics
from channels.my import my_router
from channels.offers import Offers
from channels.open311 import open311_router
from channels.page import page_router
from channels.photos import Uploads
from channels.photos_page import photos_router
from channels.rasa import RasaClient
from channels.rating import rating_router
from channels.render import Pages
from channels.services import Services
from channels.transcript import Transcript
from channels.wechat.mine import mine_router
from channels.wechat.route import wechat_router
from web.errors import WebError, http_code
from web.guard import Guard
from web.requests import more_headers


def create_app(
    services: Services, *, rasa_transport: httpx.AsyncBaseTransport | None = None, metrics: Metrics | None = None
) -> FastAPI:
    """The application.

    Args:
        services: All that it needs from the rest of the product.
        rasa_transport: Takes the place of the network between here and Rasa.
        metrics: Where to count; by default nowhere that anybody else counts.
    """
    settings = services.settings
    metrics = metrics or Metrics()
    http = httpx.AsyncClient(
        base_url=settings.rasa_url,
        timeout=httpx.Timeout(settings.rasa_timeout_seconds, connect=2.0),
        # `at_once` bounds them, and in turn: who waits for a connection of the pool may be overtaken.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        transport=rasa_transport,
        # Rasa is on the loopback address: a proxy meant for the internet must not carry residents' words.
        trust_env=False,
    )
    rasa = RasaClient(
        http,
        timeout_seconds=settings.rasa_timeout_seconds,
        at_once=settings.rasa_at_once,
        seconds=metrics.stage_seconds.labels("understanding"),
    )
    chat = Chat(services, rasa, metrics)
    kiosks = Kiosks(settings.kiosk_addresses, idle_minutes=settings.kiosk_idle_minutes)
    embedding = Embedding(settings.embed_origins)
    pages = Pages(services.jurisdiction, kiosks)
    conversations = Conversations(chat.tokens, hours=settings.session_hours, kiosks=kiosks, is_embedded=bool(embedding))
    transcript = Transcript(services, chat, pages, Offers(services.secret))
    live = Live(services)
    uploads = Uploads(services)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (rasa.keep_ready(), live.run())]
        answering = asyncio.create_task(chat.late.keep_answering())
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
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
    # Kept beside: the application does not list the routes of what it includes.
    app.state.routers = (
        health_router(services, rasa, metrics),
        chat_router(chat),
        assist_router(services),
        open311_router(services),
        page_router(
            chat,
            rasa,
            pages,
            conversations=conversations,
            transcript=transcript,
            uploads=uploads,
            embedding=embedding,
            kiosks=kiosks,
        ),
        device_router(
            chat, conversations=conversations, live=live, uploads=uploads, embedding=embedding, kiosks=kiosks
        ),
        handover_router(services, conversations),
        live_router(services, conversations, transcript, live),
        photos_router(chat, pages, conversations, uploads),
        rating_router(services, chat, pages, conversations),
        form_router(services, chat, pages, conversations, uploads),
        my_router(services, chat, pages, conversations),
        wechat_router(services, chat, metrics),
        mine_router(services, chat, pages),
    )
    for router in app.state.routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")

    @app.exception_handler(WebError)
    async def on_web_error(request: Request, error: WebError) -> Response:
        return refuse(request, error)

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        return refuse(request, WebError(http_code(error.status_code), more_headers=more_headers(request, error)))

    return app
