"""Whether the process lives, whether it can serve, and what it has counted; the details are for those who run it."""

from __future__ import annotations

import hmac
import logging
from ipaddress import IPv6Address, ip_address
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from channels.metrics import Metrics
from channels.rasa import RasaClient
from channels.services import Services
from channels.waiting import count_waiting
from storage.switches import NAMES
from web.errors import WebError
from web.requests import address_of

logger = logging.getLogger(__name__)

# A proxy says so in one of them: then the address is its own, or whatever it was told.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


def may_look(request: Request, token: str) -> bool:
    """Whether the reader runs the product: is on this machine, shows the token or, where none is set, is nearby.

    Args:
        request: Of the reader.
        token: From the settings; empty when none is set.
    """
    given = request.headers.get("Authorization", "")
    if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return True
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ip_address(address_of(request))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or (not token and address.is_private)


def health_router(services: Services, rasa: RasaClient, metrics: Metrics) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`."""
    router = APIRouter()

    def why_no_database() -> str | None:
        try:
            with services.sessions() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            logger.warning("database_down error=%s", type(error).__name__)
            return "unreachable"
        return None

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    def count() -> None:
        off = {one.name for one in services.switches.all_off()}
        for name in NAMES:
            metrics.switched_off.labels(name).set(name in off)
        try:
            with services.sessions() as session:
                metrics.waiting.set(count_waiting(session))
        except SQLAlchemyError as error:
            logger.warning("waiting_not_counted error=%s", type(error).__name__)

    @router.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        """Each part that an answer needs: ready, or why not; to others only what a message would tell them."""
        whys = {
            "database": await run_in_threadpool(why_no_database),
            "understanding": rasa.why_not_ready,
            "knowledge": None if services.knowledge is not None else "not_loaded",
        }
        parts: dict[str, Any] = {
            name: {"ok": True} if why is None else {"ok": False, "why": why} for name, why in whys.items()
        }
        is_ready = not any(whys.values())
        if not may_look(request, services.settings.monitor_token):
            parts = {"understanding": {"ok": parts["understanding"]["ok"]}}
        return JSONResponse({"status": "ok" if is_ready else "unready", **parts}, 200 if is_ready else 503)

    @router.get("/metrics")
    async def read_metrics(request: Request) -> Response:
        """Counters and times for Prometheus."""
        if not may_look(request, services.settings.monitor_token):
            raise WebError("not_found")
        await run_in_threadpool(count)
        # Some of it is read from the database.
        return Response(await run_in_threadpool(generate_latest, metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
