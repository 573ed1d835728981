"""What can go wrong at the residents' door."""

from __future__ import annotations

from pathlib import Path

from web.errors import WebError


class ChannelError(WebError):
    """A refusal to a resident or a program; the sentences stand in errors.yml."""

    table = Path(__file__).with_name("errors.yml")
