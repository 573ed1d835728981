"""The documents that were added by command: each as ID.txt and ID.yml in a folder of the data."""

from __future__ import annotations

import re
import shutil
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from knowledge.build import read_sources
from knowledge.convert import Converted
from knowledge.document import Document, make_document
from knowledge.errors import KnowledgeError

_ID = re.compile(r"[\w-]{1,80}")


def describe(
    path: Path,
    converted: Converted,
    *,
    title: str | None,
    published_on: date | None,
    year: int | None,
    now: datetime,
) -> dict[str, Any]:
    """What is known of a new document: as given, else as it says itself.

    Raises:
        KnowledgeError: It does not say, and it was not given.
    """
    title = title or converted.title
    published_on = published_on or converted.published_on
    if not title:
        raise KnowledgeError("no_title", path=path.name)
    if not published_on:
        raise KnowledgeError("no_date", path=path.name)
    return {
        "title": title,
        "published_on": published_on,
        **({"year": year} if year else {}),
        "file": path.name,
        "sha256": sha256(path.read_bytes()).hexdigest(),
        "added_at": now.isoformat(timespec="seconds"),
    }


def new_document(path: Path, text: str, about: dict[str, Any], name: str | None) -> Document:
    """The document that a converted file makes, checked.

    Args:
        path: The file, which names the document where `name` does not.
        text: Converted.
        about: What `describe` gave.
        name: Its id, or None.

    Raises:
        KnowledgeError: Its id cannot be used, some of it belongs to no year, or it says nothing.
    """
    name = name or re.sub(r"[^\w-]+", "-", path.stem).strip("-")[:80]
    if not _ID.fullmatch(name):
        raise KnowledgeError("bad_id", id=name)
    document = make_document(name, text, about)
    if document.undated:
        raise KnowledgeError("no_year", section=document.undated[0])
    if not document.sentences:
        if make_document(name, text, {**about, "year": "9999"}).sentences and "year" not in about:
            raise KnowledgeError("no_year", section=document.title)
        raise KnowledgeError("nothing_said", path=path.name)
    return document


def put(folder: Path, document: Document, about: dict[str, Any]) -> None:
    """Put a new document into a folder of added ones.

    Raises:
        KnowledgeError: Its id is taken, or its content is there already.
    """
    for known in read_sources(added=folder):
        if known.digest == document.digest:
            raise KnowledgeError("already_there", id=known.id)
        if known.id == document.id:
            raise KnowledgeError("id_taken", id=known.id)
    folder.mkdir(exist_ok=True)
    (folder / f"{document.id}.yml").write_text(yaml.safe_dump(about, allow_unicode=True, sort_keys=False), "utf-8")
    (folder / f"{document.id}.txt").write_bytes(document.text.encode())


def take_out(folder: Path, name: str) -> None:
    """Take an added document out of a folder.

    Raises:
        KnowledgeError: There is none of this id, or it is shipped with the program.
    """
    if name not in {path.stem for path in folder.glob("*.txt")}:
        raise KnowledgeError(
            "is_shipped" if name in {document.id for document in read_sources()} else "not_there", id=name
        )
    for suffix in ("txt", "yml"):
        (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def copy_sources(folder: Path, target: Path) -> None:
    """The added documents of one folder, as they are, in a new one."""
    target.mkdir()
    for path in _files(folder):
        shutil.copy2(path, target)


def replace_sources(folder: Path, wanted: Path) -> None:
    """Make a folder hold what another holds; a full disk changes nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = _files(wanted)
    halves = [folder / f".{path.name}.part" for path in fresh]
    try:
        for path, half in zip(fresh, halves, strict=True):
            shutil.copy2(path, half)
    except BaseException:
        for half in halves:
            half.unlink(missing_ok=True)
        raise
    for path, half in zip(fresh, halves, strict=True):
        half.replace(folder / path.name)
    names = {path.name for path in fresh}
    for path in reversed(_files(folder)):
        if path.name not in names:
            path.unlink()


def _files(folder: Path) -> list[Path]:
    """Descriptions before texts: a text without its description could not be read, the reverse does no harm."""
    return [*sorted(folder.glob("*.yml")), *sorted(folder.glob("*.txt"))]
