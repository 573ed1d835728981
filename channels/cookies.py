"""What ties a browser to its conversation: a cookie."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from channels.kiosk import Kiosks
from channels.tokens import Tokens
from web.requests import set_cookie

COOKIE = "conversation"
# What the page in a frame says instead, where the browser keeps no cookie for it.
HEADER = "X-Conversation"


class Conversations:
    """Reads and gives the cookie.

    Args:
        tokens: Sign the conversation.
        hours: How long the cookie lives after the last message.
        kiosks: On these it lives no longer than it takes to count as left.
        is_embedded: Whether pages of other sites may hold ours, so that browsers must send the cookie from there too.
    """

    def __init__(self, tokens: Tokens, *, hours: int, kiosks: Kiosks, is_embedded: bool) -> None:
        self._tokens = tokens
        self._hours = hours
        self._kiosks = kiosks
        self._is_embedded = is_embedded

    def of(self, request: Request) -> str | None:
        """The conversation of this browser; None before its first page."""
        known = self._tokens.read(request.cookies.get(COOKIE))
        if known is None and self._is_embedded:
            known = self._tokens.read(request.headers.get(HEADER))
        return known

    def give(self, response: Response, request: Request, conversation: str) -> None:
        """Tie the browser to the conversation, from now on for as long as it lives."""
        hours = self._kiosks.idle_seconds(request) / 3600 or self._hours
        token = self._tokens.sign(conversation)
        set_cookie(response, request, COOKIE, token, hours=hours, is_embedded=self._is_embedded)

    def forget(self, response: Response, request: Request) -> None:
        """Take the cookie away."""
        set_cookie(response, request, COOKIE, "", hours=0, is_embedded=self._is_embedded)
