"""The knowledge base from the command line: documents added and removed, built, shown, checked, rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from errno import EDQUOT, ENOSPC
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from knowledge import KnowledgeBase, KnowledgeError, train
from knowledge.answer import ACCEPT
from knowledge.base import Index, asked_words
from knowledge.build import DocumentRow, Problem, build, document_rows, fact_rows, facts_of, problems, read_sources
from knowledge.builds import SOURCES, Builds
from knowledge.convert import convert
from knowledge.document import Document
from knowledge.facts import loose_figures
from knowledge.leftover import Leftover
from knowledge.library import copy_sources, describe, new_document, put, take_out
from knowledge.question import Lexicon
from knowledge.shipped import ship
from knowledge.verify import Verifiers
from knowledge.wording import Wording
from suqiutong.errors import CommandError
from suqiutong.freshness import STAMP, knowledge_digest, write_stamp
from suqiutong.wiring import Services

Report = Callable[[str], None]
_DIGITS_SHOWN = 10


def build_knowledge(services: Services, report: Report) -> None:
    """Build the knowledge base from all sources."""
    _rebuild(services, report, lambda _sources: None)


def add_document(
    services: Services,
    path: Path,
    report: Report,
    *,
    title: str | None = None,
    published_on: date | None = None,
    year: int | None = None,
    name: str | None = None,
) -> Document:
    """Take a document in and build the knowledge base with it: both or nothing.

    Args:
        services: Make the parts.
        path: A file that `knowledge.convert` can read.
        report: Told what is done, what the document was taken for, and which of its figures no answer will give.
        title: Where the document does not say it right; the same for the day and the year.
        published_on: The day it was published.
        year: The year of all that stands under no heading with a year.
        name: Its id; by default the name of the file.

    Raises:
        KnowledgeError: It cannot be taken in.
    """
    report(f"  reading {path.name}")
    converted = convert(path, report)
    about = describe(path, converted, title=title, published_on=published_on, year=year, now=services.clock())
    document = new_document(path, converted.text, about, name)
    report(f"  id: {document.id}")
    report(f"  title: {document.title}")
    report(f"  published on: {document.published_on}")
    report(f"  years: {', '.join(document.years)}")
    report(f"  sentences: {len(document.sentences)}")
    index = _rebuild(services, report, lambda sources: put(sources, document, about))
    found = facts_of(index, document.id)
    report(f"  facts: {len(found)}")
    loose = [f"{document.id}:{start}: {figure}" for figure, start in loose_figures(document, found)]
    for text in loose[:_DIGITS_SHOWN]:
        report(f"  warning: no figure of a known unit: {text}")
    if len(loose) > _DIGITS_SHOWN:
        report(f"  warning: and {len(loose) - _DIGITS_SHOWN} more; `suqiutong knowledge check` lists them")
    return document


def remove_document(services: Services, name: str, report: Report) -> None:
    """Take an added document out and build the knowledge base without it: both or nothing."""
    _rebuild(services, report, lambda sources: take_out(sources, name))


def roll_back(services: Services, report: Report) -> None:
    """Bring the build before back, with the documents that it was made from.

    Raises:
        KnowledgeError: There is none, or it cannot be read any more.
    """
    builds = Builds(services.settings.knowledge_folder)
    with _told(), builds.lock(report):
        if (before := builds.before) is None:
            raise KnowledgeError("nothing_before")
        Index.load(before, _lexicon(services))
        builds.use(before, services.settings.sources_folder)
        report(f"  in use: build {before.name}")


def list_documents(services: Services) -> Iterator[tuple[str, str, int, int, str, str]]:
    """Every document: id, years, sentences and facts in the base, since when, title."""
    for row in documents_in_use(services):
        one = row.document
        since = (one.added_at[:10] if row.sentences else "not built yet") if one.added_at else "shipped"
        yield one.id, ",".join(one.years), row.sentences, row.facts, since, one.title


def documents_in_use(services: Services) -> list[DocumentRow]:
    """Every document, with what the base in use holds of it."""
    return list(document_rows(read_sources(added=services.settings.sources_folder), _index(services)))


def builds_of(services: Services) -> tuple[str, str]:
    """The number of the build in use, and of the one before; empty where there is none."""
    builds = Builds(services.settings.knowledge_folder)
    return (builds.current.name if builds.current else "", builds.before.name if builds.before else "")


def show_knowledge(services: Services) -> Iterator[dict[str, Any]]:
    """Every fact that has been built, with the clause it stands in."""
    return fact_rows(_index(services))


def check_knowledge(services: Services) -> tuple[int, list[Problem]]:
    """How many facts have been built, and what does not hold against the sources."""
    index = _index(services)
    documents = read_sources(added=services.settings.sources_folder)
    return sum(1 for _ in fact_rows(index)), list(problems(documents, index))


def _rebuild(services: Services, report: Report, change: Callable[[Path], None]) -> Index:
    """Build from the added documents as they are after a change; the old ones and the old base stay until all is whole.

    Args:
        services: Make the parts.
        report: Told how far it is.
        change: Changes a copy of the folder of added documents.
    """
    settings = services.settings
    builds = Builds(settings.knowledge_folder)
    with _told(), builds.lock(report), builds.stage() as folder:
        sources = folder / SOURCES
        copy_sources(settings.sources_folder, sources)
        change(sources)
        value = knowledge_digest(settings, sources)
        index = build(
            folder,
            read_sources(added=sources),
            services.jurisdiction.place_names,
            services.encoder,
            services.pipeline,
            lambda what, count: report(f"  {what}: {count}"),
            builds.current,
        )
        write_stamp(folder / STAMP, value)
        builds.publish(folder, settings.sources_folder)
    return index


@contextmanager
def _told() -> Iterator[None]:
    """What the system refuses, told as a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in {ENOSPC, EDQUOT}:
            raise KnowledgeError("disk_full") from error
        raise KnowledgeError("cannot_write", path=error.filename or "", reason=error.strerror or "") from error


def _index(services: Services) -> Index:
    return Index.load(services.settings.knowledge_folder.resolve(), _lexicon(services))


def _lexicon(services: Services) -> Lexicon:
    return Lexicon(services.jurisdiction.place_names)


def train_verifier(services: Services, report: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Train the verifier on the written questions, put it in place; its figures on questions left out in turn.

    Raises:
        CommandError: scikit-learn, which only training needs, is not installed.
    """
    if find_spec("sklearn") is None:
        raise CommandError("scikit-learn is not installed: the development lock brings it")
    base = KnowledgeBase(_index(services), services.encoder, Verifiers.blank(), Wording.blank(), Leftover.blank())
    examples, wording, leftover = train.training_examples(base)
    report(f"  questions: {len(examples)}")
    known, new, _ = train.cross_validate(examples, ACCEPT)
    train.fit(examples).save()
    wording.save()
    leftover.save()
    index = base.index
    words = asked_words(index.memory.known, index.vocabulary)
    cores = {one.core: row for one, row in zip(index.memory.known, index.vectors["known"], strict=True)}
    vectors = cores | dict(zip(words, index.vectors["asked"], strict=True))
    ship(list(vectors), np.stack(list(vectors.values())))
    return {"known": train.describe(known), "new": train.describe(new)}
