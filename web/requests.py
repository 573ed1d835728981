"""Reading a request: where it comes from, its body within bounds, its form; and giving the browser a cookie."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from web.errors import WebError

# The longest message of a resident as JSON escapes of twelve bytes a sign, beside a token and a message id.
BODY_LIMIT_BYTES = 32_768


def check_origin(request: Request) -> None:
    """Refuse a form that another site's page has sent.

    Browsers say where a request comes from in `Sec-Fetch-Site`, older ones in `Origin`; a client that sends neither is
    no browser and carries nobody's cookie.

    Raises:
        WebError: it came from elsewhere.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise WebError("foreign_origin")
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        raise WebError("foreign_origin")


async def read_body(request: Request, limit_bytes: int = BODY_LIMIT_BYTES) -> bytes:
    """The body, read no further than the limit.

    Raises:
        WebError: the body is longer.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise WebError("too_long")
    return bytes(body)


async def read_form(request: Request, limit_bytes: int = BODY_LIMIT_BYTES) -> FormData:
    """The fields of a form without files.

    Raises:
        WebError: the form is too large or comes from another site.
    """
    check_origin(request)
    # Starlette parses the body it has read, so the size is checked first.
    request._body = await read_body(request, limit_bytes)
    return await request.form(max_files=0)


def field(form: FormData, name: str) -> str:
    """A text field of a form; empty when absent."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def address_of(request: Request) -> str:
    """The sender's network address, as the server in front reports it."""
    return request.client.host if request.client else "unknown"


def more_headers(request: Request, error: HTTPException) -> dict[str, str]:
    """Headers of a refusal of the framework itself: `Allow` with every method that the address serves."""
    if error.status_code != 405:
        return {}
    routes = [route for router in request.app.state.routers for route in router.routes if isinstance(route, Route)]
    served = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {"Allow": ", ".join(sorted({method for route in served for method in route.methods or ()}))}


def set_cookie(
    response: Response, request: Request, name: str, value: str, *, hours: float, is_embedded: bool = False
) -> None:
    """Give the browser a cookie that scripts cannot read and other sites cannot send.

    Args:
        response: Carries it.
        request: What is answered.
        name: Of the cookie.
        value: Its value.
        hours: How long it lives.
        is_embedded: It is also sent from a frame in another site's page, which browsers allow over HTTPS alone.
    """
    is_secure = is_embedded or request.url.scheme == "https"
    same_site: Literal["none", "lax"] = "none" if is_embedded else "lax"
    response.set_cookie(name, value, max_age=round(hours * 3600), httponly=True, samesite=same_site, secure=is_secure)
    if is_embedded:
        # Browsers that keep no cookies of frames keep this one, apart for each site. Python writes it from 3.14 on.
        header, cookie = response.raw_headers[-1]
        response.raw_headers[-1] = (header, cookie + b"; Partitioned")
