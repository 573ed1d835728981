"""The application of the desk, made from what it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from desk.assist import assist_router
from desk.audits import audit_router
from desk.conversations import conversations_router
from desk.curating import entries_router, entry_router, status_of
from desk.documents import documents_router
from desk.entry import Detour
from desk.errors import DeskError
from desk.exports import exports_router
from desk.hotline import hotline_router
from desk.lists import queue_router
from desk.live import Live, live_router
from desk.login import account_router, login_router, oidc_router
from desk.oidc import OpenId
from desk.pages import Pages
from desk.people import people_router
from desk.photos import photos_router
from desk.relations import relations_router
from desk.reports import Reports, reports_router
from desk.services import Services
from desk.switches import switches_router
from desk.tickets import tickets_router
from desk.turns import turns_router
from desk.unanswered import work_router
from desk.vendor import vendor_router
from knowledge import KnowledgeError
from petitions import PetitionError
from telemetry.metrics import Metrics
from web.errors import WebError, http_code
from web.guard import Guard
from web.requests import more_headers


def create_app(
    services: Services, oidc_transport: httpx.BaseTransport | None = None, metrics: Metrics | None = None
) -> FastAPI:
    """The application.

    Args:
        services: All that it needs from the rest of the product.
        oidc_transport: Another way to the provider of logins than the network; for tests.
        metrics: Where to count; by default nowhere that anybody else counts.
    """
    metrics = metrics or Metrics()
    pages = Pages(services)
    live = Live(services)
    reports = Reports(services)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with live.running():
            yield

    def refuse(request: Request, error: WebError) -> Response:
        metrics.refusals.labels(error.code).inc()
        if "text/html" in request.headers.get("Accept", ""):
            return pages.response(request, "error.html", {"error": error}, status=error.status, headers=error.headers)
        return JSONResponse(error.to_json(), error.status, error.headers)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    app.add_middleware(Guard, refuse=refuse, count=metrics.count_request)
    # Kept beside: the application does not list the routes of what it includes.
    app.state.routers = (
        login_router(services, pages),
        oidc_router(services, OpenId(services, oidc_transport)),
        account_router(services, pages),
        queue_router(services, pages),
        tickets_router(services, pages),
        photos_router(services),
        relations_router(services, pages),
        work_router(services, pages),
        entries_router(services, pages),
        entry_router(services, pages),
        turns_router(services, pages),
        documents_router(services, pages),
        people_router(services, pages),
        reports_router(services, pages, reports),
        exports_router(services, reports),
        audit_router(services, pages),
        switches_router(services, pages),
        assist_router(services, pages),
        hotline_router(services, pages),
        conversations_router(services, pages),
        live_router(live),
        vendor_router(),
    )
    for router in app.state.routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")

    @app.exception_handler(Detour)
    async def on_detour(request: Request, detour: Detour) -> Response:
        path = detour.path
        if request.method == "GET" and path == "/login" and request.url.path != "/":
            query = f"?{request.url.query}" if request.url.query else ""
            path += f"?next={quote(request.url.path + query, safe='')}"
        if "HX-Request" in request.headers:
            # A part of a page cannot show the login: the whole page goes there.
            return Response(status_code=401, headers={"HX-Redirect": detour.path})
        if "text/html" in request.headers.get("Accept", "") or request.method == "POST":
            return RedirectResponse(path, 303)
        return refuse(request, DeskError("login_needed"))

    @app.exception_handler(WebError)
    async def on_web_error(request: Request, error: WebError) -> Response:
        return refuse(request, error)

    @app.exception_handler(PetitionError)
    async def on_petition_error(request: Request, error: PetitionError) -> Response:
        return refuse(request, said_by_petitions(error))

    @app.exception_handler(KnowledgeError)
    async def on_knowledge_error(request: Request, error: KnowledgeError) -> Response:
        return refuse(request, said_by_knowledge(error))

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        return refuse(request, DeskError(http_code(error.status_code), more_headers=more_headers(request, error)))

    return app


def said_by_knowledge(error: KnowledgeError) -> WebError:
    """A refusal of the knowledge base as one of the desk."""
    refusal = DeskError("refused", sentence=str(error))
    refusal.code, refusal.status = error.code, status_of(error)
    return refusal


def said_by_petitions(error: PetitionError) -> WebError:
    """A refusal of the case work as one of the desk."""
    refusal = DeskError("refused", sentence=error.message)
    refusal.code, refusal.status = error.code, error.status
    return refusal
