"""Every sentence that the channels show, read once from `texts.yml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def load_texts() -> Mapping[str, Any]:
    """All interface texts as nested mappings."""
    loaded: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("texts.yml").read_text(encoding="utf-8"))
    return loaded


def say(key: str, **fields: object) -> str:
    """The sentence under a dotted key, with its fields filled in.

    Raises:
        KeyError: there is no such sentence or field.
    """
    found: Any = load_texts()
    for part in key.split("."):
        found = found[part]
    return str(found).format(**fields)
