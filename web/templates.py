"""The environment of an application's templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader


class Templates(Environment):
    """Templates of a folder, escaped.

    `mapping.name` is looked up as an entry first, so that a text named like a method of dict is found.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True)

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - Jinja's own signature
        """An entry of a mapping, otherwise an attribute."""
        return self.getitem(obj, attribute) if isinstance(obj, Mapping) else super().getattr(obj, attribute)
