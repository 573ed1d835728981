"""What was made from which inputs, so that what is up to date is not made again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from suqiutong.settings import ROOT, Settings

KNOWLEDGE_INPUTS = ("knowledge", "language", "jurisdiction", "requirements.txt")
MODEL_INPUTS = ("bot", "data", "config.yml", "language/e5.py", "language/weights.py")
STAMP = "stamp"


def digest(inputs: Iterable[str], *extra: str, root: Path = ROOT) -> str:
    """A digest of all files of these files and folders, by path and content, and of further values."""
    state = sha256("\0".join(extra).encode())
    for name in inputs:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                state.update(f"\0{file.relative_to(root)}\0".encode() + sha256(file.read_bytes()).digest())
    return state.hexdigest()


def knowledge_digest(settings: Settings, sources: Path | None = None) -> str:
    """A digest of all that the knowledge base is made from.

    Args:
        settings: Say which pipeline finds the names.
        sources: Folder of the added documents, where it is not that of the settings.
    """
    added = digest(["."], root=sources or settings.sources_folder)
    return digest(KNOWLEDGE_INPUTS, settings.base_pipeline, added)


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, by its stamp: a short name of its inputs, and when in seconds of the Unix epoch."""

    version: str
    at: float


def made(folder: Path) -> Made | None:
    """What stands in the folder; None when nothing was made there."""
    stamp = folder / STAMP
    try:
        return Made(stamp.read_text(encoding="utf-8")[:12], stamp.stat().st_mtime)
    except OSError:
        return None


def is_fresh(stamp: Path, value: str) -> bool:
    """Whether what stands beside this stamp was made from these inputs."""
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == value


def write_stamp(stamp: Path, value: str) -> None:
    """Say, after success alone, what it was made from."""
    stamp.write_text(value, encoding="utf-8")
