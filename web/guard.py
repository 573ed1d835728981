"""What stands around every request: its id, its log line and its security headers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry.logs import in_request, new_request_id, trace_of, valid_request_id
from web.errors import WebError

logger = logging.getLogger(__name__)

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI middleware; a plain one, so that a reply is never buffered and a handler never cancelled."""

    def __init__(
        self,
        app: ASGIApp,
        refuse: Callable[[Request, WebError], Response],
        count: Callable[[str, str], None] = lambda _route, _status: None,
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = valid_request_id(Headers(scope=scope).get("X-Request-ID")) or new_request_id()
        with in_request(request_id):
            await self._serve(request_id, scope, receive, send)

    async def _serve(self, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        status: int | None = None
        started = time.perf_counter()

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                # A page with a policy of its own says there who may frame it.
                if "Content-Security-Policy" not in headers:
                    headers["X-Frame-Options"] = "DENY"
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                # Pages and replies are one person's; only the fixed files may be kept.
                is_fixed = scope["path"].startswith("/static/")
                headers.setdefault("Cache-Control", "public, max-age=3600" if is_fixed else "no-store")
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except Exception as error:
            # Its text may hold a resident's words, so only its type and place are kept.
            logger.error("unhandled trace=%s", trace_of(error))
            if status is not None:
                raise
            await self._refuse(Request(scope), WebError("internal"))(scope, receive, send_guarded)
        finally:
            # The route's pattern, never the address as typed: an unknown one may hold words.
            route = getattr(scope.get("route"), "path", "other")
            self._count(route, str(status))
            logger.info(
                "request method=%s route=%s status=%s milliseconds=%d",
                scope["method"],
                route,
                status,
                (time.perf_counter() - started) * 1000,
            )
