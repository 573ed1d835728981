"""Every sentence that the channels show, read once from `texts.yml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from web.texts import Texts

_TEXTS = Texts(Path(__file__).with_name("texts.yml"))
say = _TEXTS.say


def load_texts() -> Mapping[str, Any]:
    """All interface texts as nested mappings."""
    return _TEXTS.all
