"""The sentences that an application shows, read once from its `texts.yml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml


class Texts:
    """All interface texts of one application."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def all(self) -> Mapping[str, Any]:
        """All of them as nested mappings."""
        loaded: Mapping[str, Any] = yaml.safe_load(self._path.read_text(encoding="utf-8"))
        return loaded

    def say(self, key: str, **fields: object) -> str:
        """The sentence under a dotted key, with its fields filled in.

        Raises:
            KeyError: there is no such sentence or field.
        """
        found: Any = self.all
        for part in key.split("."):
            found = found[part]
        return str(found).format(**fields)
