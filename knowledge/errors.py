"""What can go wrong with the knowledge base."""

from __future__ import annotations

from pathlib import Path

import yaml

_TEXTS: dict[str, str] = yaml.safe_load(Path(__file__).with_name("texts.yml").read_text(encoding="utf-8"))["errors"]


class KnowledgeError(Exception):
    """A knowledge base that cannot be built, read or trusted.

    Attributes:
        code: For machines.
        fields: What the sentence of `texts.yml` names.
    """

    def __init__(self, code: str, **fields: object) -> None:
        super().__init__(_TEXTS[code].format(**fields))
        self.code = code
        self.fields = fields
