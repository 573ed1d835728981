"""What can go wrong at the desk."""

from __future__ import annotations

from pathlib import Path

from web.errors import WebError


class DeskError(WebError):
    """A refusal to a member of staff; the sentences stand in errors.yml."""

    table = Path(__file__).with_name("errors.yml")
