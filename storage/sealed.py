"""A column of JSON that stands sealed in the database, under a key that is not in it."""

from __future__ import annotations

import base64
import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import JSON, Dialect, Engine
from sqlalchemy.types import TypeDecorator

logger = logging.getLogger(__name__)

# Stands for words that no key opens.
UNREADABLE = {"text": "▒▒▒"}
_SEALED = "sealed"
_FERNET = "suqiutong_fernet"


def seal_with(engine: Engine, secret: bytes) -> None:
    """Have everything that goes through this engine into a `SealedJson` sealed from now on.

    Args:
        engine: Of the product; without this call it keeps what it is given as it is.
        secret: Key of the product, of which another is made.
    """
    key = hmac.digest(secret, b"sealed columns", "sha256")
    setattr(engine.dialect, _FERNET, Fernet(base64.urlsafe_b64encode(key)))


class SealedJson(TypeDecorator[dict[str, Any]]):
    """An object of JSON. What was kept before the engine sealed is read as it is."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> dict[str, Any] | None:
        """As it is kept."""
        fernet: Fernet | None = getattr(dialect, _FERNET, None)
        if value is None or fernet is None:
            return value
        return {_SEALED: fernet.encrypt(json.dumps(value, ensure_ascii=False).encode()).decode()}

    def process_result_value(self, value: dict[str, Any] | None, dialect: Dialect) -> dict[str, Any] | None:
        """As it was given.

        What was changed, or sealed with a key that has been replaced, is told to be unreadable: the page that shows it
        must go on.

        Raises:
            LookupError: the engine has no key.
        """
        if not isinstance(value, Mapping) or value.keys() != {_SEALED}:
            return value
        fernet: Fernet | None = getattr(dialect, _FERNET, None)
        if fernet is None:
            raise LookupError("a sealed column is read through an engine that has no key")
        try:
            opened: dict[str, Any] = json.loads(fernet.decrypt(value[_SEALED]))
        except InvalidToken:
            logger.error("sealed_not_opened")
            return dict(UNREADABLE)
        return opened
