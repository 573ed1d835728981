"""Signed values that travel through the resident's hands: the conversation's token and the key of a form."""

from __future__ import annotations

import secrets
import time

from itsdangerous import BadData, URLSafeTimedSerializer


class Tokens:
    """Makes and reads values of one purpose; each purpose has a signature of its own."""

    def __init__(self, secret: bytes, purpose: str, *, hours: int) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt=f"channels.{purpose}")
        self._seconds = hours * 3600

    def new(self) -> str:
        """A fresh identity that nobody can guess."""
        return secrets.token_urlsafe(24)

    def sign(self, value: str) -> str:
        """The value as a token."""
        token = self._serializer.dumps(value)
        return token if isinstance(token, str) else token.decode("ascii")

    def read(self, token: str | None) -> str | None:
        """The value of a token, or None when it is absent, expired or not ours.

        One that was signed in the future is ours too: the clock was ahead, and has been corrected.
        """
        if not token:
            return None
        try:
            value, signed_at = self._serializer.loads(token, return_timestamp=True)
        except (BadData, UnicodeError):
            return None
        is_expired = time.time() - signed_at.timestamp() > self._seconds
        return value if isinstance(value, str) and not is_expired else None
