"""Digests of the files of a knowledge base: one wrong digit in them would be quoted as the source's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from knowledge.errors import KnowledgeError

DIGESTS = "digests.json"


def write_digests(folder: Path, names: Iterable[str]) -> None:
    """Keep the digests of these files beside them."""
    digests = {name: _digest(folder / name) for name in names}
    (folder / DIGESTS).write_text(json.dumps(digests), encoding="utf-8")


def check_digests(folder: Path) -> None:
    """Check that the files are those that were written; what an older version wrote without digests is taken as it is.

    Raises:
        KnowledgeError: A file is missing or damaged.
    """
    if not (folder / DIGESTS).exists():
        return
    try:
        digests = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
        is_whole = all(_digest(folder / name) == digest for name, digest in digests.items())
    except FileNotFoundError as error:
        raise KnowledgeError("not_built") from error
    except (OSError, ValueError, AttributeError):
        is_whole = False
    if not is_whole:
        raise KnowledgeError("broken", path=folder.name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
