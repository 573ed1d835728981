"""From the folder of sources to a knowledge base on disk, all or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spacy.language import Language

from knowledge.base import Index
from knowledge.document import Document, read_document
from knowledge.errors import KnowledgeError
from knowledge.facts import Fact, loose_figures
from knowledge.question import Lexicon
from language.vectors import Encoder

SOURCES = Path(__file__).with_name("sources")


def read_sources(folder: Path = SOURCES) -> list[Document]:
    """All documents of a folder, by name.

    Raises:
        KnowledgeError: There are none, or one cannot be read.
    """
    documents = [read_document(path) for path in sorted(folder.glob("*.txt"))]
    if not documents:
        raise KnowledgeError("no_sources", path=folder.name)
    for document in documents:
        if not document.sentences:
            raise KnowledgeError("no_sections", path=document.id)
    return documents


def build(
    target: Path,
    places: Iterable[str],
    encoder: Encoder,
    pipeline: Language,
    report: Callable[[str, int], None],
    sources: Path = SOURCES,
) -> Index:
    """Build the knowledge base into `target`; the old one stays until the new one is whole.

    Raises:
        KnowledgeError: A source cannot be read, or a check of `problems` fails.
    """
    documents = read_sources(sources)
    report("documents", len(documents))
    index = Index.build(documents, Lexicon(places), encoder, pipeline)
    report("clauses", len(index.clauses))
    if found := list(problems(documents, index)):
        raise KnowledgeError("does_not_hold", count=len(found), first=found[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=target.name, dir=target.parent))
    try:
        index.save(fresh)
        old = target.with_name(target.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        try:
            fresh.rename(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return index


def problems(documents: Iterable[Document], index: Index) -> Iterator[str]:
    """What does not hold: a quote that does not stand at its offsets, a figure in no fact and no name."""
    by_id = {document.id: document for document in documents}
    for clause in index.clauses:
        text = by_id[clause.document].text
        spans = [(clause.start, clause.end, clause.text), (clause.sentence_start, clause.sentence_end, clause.sentence)]
        spans += [(fact.start, fact.end, fact.text) for fact in clause.facts]
        for start, end, quote in spans:
            if text[start:end] != quote:
                yield f"{clause.document}:{start}: {quote}"
    for document in by_id.values():
        for figure, start in loose_figures(document, facts_of(index, document.id)):
            yield f"{document.id}:{start}: {figure}"


def facts_of(index: Index, document: str) -> list[Fact]:
    """All facts of one document, in order."""
    return [fact for clause in index.clauses if clause.document == document for fact in clause.facts]


def fact_rows(index: Index) -> Iterator[dict[str, Any]]:
    """Every fact with its clause, for `knowledge show`."""
    for clause in index.clauses:
        for fact in clause.facts:
            yield {**asdict(fact), "period": clause.period, "status": clause.status, "quote": clause.text}
