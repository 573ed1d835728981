"""The application of the desk, made from what it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from desk.assist import assist_router
from desk.entry import Detour
from desk.errors import DeskError
from desk.hotline import hotline_router
from desk.live import Live, live_router
from desk.login import account_router, login_router
from desk.pages import Pages
from desk.people import people_router
from desk.services import Services
from desk.tickets import queue_router, tickets_router
from desk.vendor import vendor_router
from petitions import PetitionError
from web.errors import WebError, http_code
from web.guard import Guard


def create_app(services: Services) -> FastAPI:
    """The application.

    Args:
        services: All that it needs from the rest of the product.
    """
    pages = Pages(services)
    live = Live(services)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with live.running():
            yield

    def refuse(request: Request, error: WebError) -> Response:
        if "text/html" in request.headers.get("Accept", ""):
            return pages.response(request, "error.html", {"error": error}, status=error.status, headers=error.headers)
        return JSONResponse(error.to_json(), error.status, error.headers)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    app.add_middleware(Guard, refuse=refuse)
    # Kept beside: the application does not list the routes of what it includes.
    app.state.routers = (
        login_router(services, pages),
        account_router(services, pages),
        queue_router(services, pages),
        tickets_router(services, pages),
        people_router(services, pages),
        assist_router(services, pages),
        hotline_router(services, pages),
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

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        return refuse(request, DeskError(http_code(error.status_code)))

    return app


def said_by_petitions(error: PetitionError) -> WebError:
    """A refusal of the case work as one of the desk."""
    refusal = DeskError("refused", sentence=error.message)
    refusal.code, refusal.status = error.code, error.status
    return refusal
