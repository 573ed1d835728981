"""Whether the process lives, whether it can serve, and what it has counted."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from channels.metrics import Metrics
from channels.rasa import RasaClient
from channels.services import Services

logger = logging.getLogger(__name__)


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

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        """Each part that an answer needs: ready, or why not."""
        whys = {
            "database": await run_in_threadpool(why_no_database),
            "understanding": rasa.why_not_ready,
            "knowledge": None if services.knowledge is not None else "not_loaded",
        }
        parts: dict[str, Any] = {
            name: {"ok": True} if why is None else {"ok": False, "why": why} for name, why in whys.items()
        }
        is_ready = not any(whys.values())
        return JSONResponse({"status": "ok" if is_ready else "unready", **parts}, 200 if is_ready else 503)

    @router.get("/metrics")
    async def read_metrics() -> Response:
        """Counters and times for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
