"""What can go wrong with a petition, said to a person."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

_ERRORS = Path(__file__).with_name("errors.yml")


class PetitionError(Exception):
    """A refusal with a machine code, a Chinese sentence for the person and an HTTP status.

    Args:
        code: One of the codes in errors.yml.
        fields: Values for the placeholders of the sentence.
    """

    def __init__(self, code: str, **fields: str) -> None:
        entry = _entries()[code]
        self.code = code
        self.fields = fields
        self.status = int(entry["status"])
        self.message = str(entry["message"]).format(**fields)
        super().__init__(code)


@cache
def _entries() -> dict[str, dict[str, str | int]]:
    errors: dict[str, dict[str, str | int]] = yaml.safe_load(_ERRORS.read_text(encoding="utf-8"))["errors"]
    return errors
