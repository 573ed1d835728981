"""What can go wrong at the door, and its one mapping to replies."""

from __future__ import annotations

from channels.texts import say

STATUS = {
    "malformed": 400,
    "unauthorized": 401,
    "foreign_origin": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_long": 413,
    "empty": 422,
    "too_fast": 429,
    "internal": 500,
    "understanding_down": 503,
    "knowledge_down": 503,
}


class ChannelError(Exception):
    """A refusal with a machine code, a Chinese sentence and an HTTP status."""

    def __init__(self, code: str, *, retry_after_seconds: int | None = None, **fields: object) -> None:
        super().__init__(code)
        self.code = code
        self.status = STATUS[code]
        self.sentence = say(f"errors.{code}", **fields)
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        """Headers that the refusal carries."""
        headers: dict[str, str] = {}
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(self.retry_after_seconds)
        if self.code == "unauthorized":
            headers["WWW-Authenticate"] = "Bearer"
        return headers

    def to_json(self) -> dict[str, dict[str, str]]:
        """The error object of the contract."""
        return {"error": {"code": self.code, "message": self.sentence}}
