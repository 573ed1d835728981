"""What can go wrong at the door, and its one mapping to replies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml


class WebError(Exception):
    """A refusal with a machine code, a Chinese sentence and an HTTP status, which stand in a table.

    Args:
        code: One of the codes of the class's own table, or of the table that all share.
        retry_after_seconds: When it may be tried again.
        more_headers: Headers that the reply must carry besides, such as the `Allow` of a method that is not served.
        fields: Values for the placeholders of the sentence.
    """

    table: ClassVar[Path] = Path(__file__).with_name("errors.yml")

    def __init__(
        self,
        code: str,
        *,
        retry_after_seconds: int | None = None,
        more_headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> None:
        entry = (_entries(WebError.table) | _entries(self.table))[code]
        super().__init__(code)
        self.code = code
        self.status = int(entry["status"])
        self.sentence = str(entry["message"]).format(**fields)
        self.retry_after_seconds = retry_after_seconds
        self._more_headers = dict(more_headers or {})

    @classmethod
    def codes(cls) -> list[str]:
        """Every code that this class knows."""
        return [*(_entries(WebError.table) | _entries(cls.table))]

    @property
    def headers(self) -> dict[str, str]:
        """Headers that the refusal carries."""
        headers = dict(self._more_headers)
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(self.retry_after_seconds)
        if self.code == "unauthorized":
            headers["WWW-Authenticate"] = "Bearer"
        return headers

    def to_json(self) -> dict[str, dict[str, str]]:
        """The error object of the contract."""
        return {"error": {"code": self.code, "message": self.sentence}}


def http_code(status: int) -> str:
    """The code for a refusal of the framework itself."""
    return {404: "not_found", 405: "method_not_allowed"}.get(status, "malformed")


@cache
def _entries(path: Path) -> dict[str, Mapping[str, Any]]:
    entries: dict[str, Mapping[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return entries
