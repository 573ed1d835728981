"""From documents to a knowledge base in a folder, and what holds or does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language

from knowledge.base import Index
from knowledge.document import Document, read_document
from knowledge.errors import KnowledgeError
from knowledge.facts import Fact, loose_figures
from knowledge.question import Lexicon
from language.vectors import Encoder, Vectors

SOURCES = Path(__file__).with_name("sources")
_AT_ONCE = 200
VECTOR_LENGTH = 384
_TEXTS, _ROWS = "encoded.json", "encoded.npy"

Report = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold.

    Attributes:
        text: Document, offset and words.
        is_fatal: Such a base must not be used. A loose figure of an added document is none: nobody lists its names.
    """

    text: str
    is_fatal: bool = True


def read_sources(folder: Path | None = None, added: Path | None = None) -> list[Document]:
    """All documents of a folder, by default the shipped ones, by name, and behind them those that were added.

    Raises:
        KnowledgeError: There are none, or one cannot be read.
    """
    folder = folder or SOURCES
    paths = [*sorted(folder.glob("*.txt")), *(sorted(added.glob("*.txt")) if added else [])]
    documents = [read_document(path) for path in paths]
    if not documents:
        raise KnowledgeError("no_sources", path=folder.name)
    for document in documents:
        if not document.sentences:
            raise KnowledgeError("no_sections", path=document.id)
    return documents


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document, and how many sentences and facts of it are in the base."""

    document: Document
    sentences: int
    facts: int


def build(
    folder: Path,
    documents: Sequence[Document],
    places: Iterable[str],
    encoder: Encoder,
    pipeline: Language,
    report: Report,
    before: Path | None = None,
) -> Index:
    """Build the knowledge base into an empty folder.

    Args:
        folder: Exists, and holds nothing of a base yet.
        documents: What it speaks from.
        places: Names of places that residents ask about.
        encoder: Of sentences and words.
        pipeline: Finds names.
        report: Told what has been done, and how much.
        before: Another base, from which vectors of the same texts are taken over.

    Raises:
        KnowledgeError: Something that must hold does not.
    """
    report("documents", len(documents))
    encoding = _Encoding(encoder, report, before)
    index = Index.build(documents, Lexicon(places), encoding, pipeline)
    report("clauses", len(index.clauses))
    if found := [problem.text for problem in problems(documents, index) if problem.is_fatal]:
        raise KnowledgeError("does_not_hold", count=len(found), first=found[0])
    index.save(folder)
    encoding.save(folder)
    return index


class _Encoding:
    """An encoder that does not encode again what the base before knows, and tells how far it is."""

    def __init__(self, encoder: Encoder, report: Report, before: Path | None) -> None:
        self._encoder = encoder
        self._report = report
        self._known = _encoded(before, encoder) if before else {}
        self._used: dict[str, Vectors] = {}

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._used and text not in self._known]
        for i in range(0, len(missing), _AT_ONCE):
            some = missing[i : i + _AT_ONCE]
            self._used.update(zip(some, self._encoder.encode(some), strict=True))
            self._report("encoded", len(self._used))
        self._used.update((text, self._known[text]) for text in texts if text in self._known)
        if not texts:
            return np.zeros((0, VECTOR_LENGTH), dtype=np.float32)
        return np.stack([self._used[text] for text in texts])

    def save(self, folder: Path) -> None:
        """Keep all that was encoded."""
        (folder / _TEXTS).write_text(json.dumps(list(self._used), ensure_ascii=False), encoding="utf-8")
        np.save(folder / _ROWS, np.stack(list(self._used.values())), allow_pickle=False)


def _encoded(folder: Path, encoder: Encoder) -> dict[str, Vectors]:
    """What a base has encoded; nothing where it cannot be read, or where the encoder sees its texts otherwise now."""
    try:
        texts = json.loads((folder / _TEXTS).read_text(encoding="utf-8"))
        known = dict(zip(texts, np.load(folder / _ROWS, allow_pickle=False), strict=True))
    except (OSError, ValueError, EOFError):
        return {}
    is_same = known and np.allclose(encoder.encode(texts[:1])[0], known[texts[0]], atol=1e-4)
    return known if is_same else {}


def problems(documents: Iterable[Document], index: Index) -> Iterator[Problem]:
    """What does not hold: a quote that does not stand at its offsets, a figure in no fact and no name."""
    by_id = {document.id: document for document in documents}
    for clause in index.clauses:
        text = by_id[clause.document].text if clause.document in by_id else ""
        spans = [(clause.start, clause.end, clause.text), (clause.sentence_start, clause.sentence_end, clause.sentence)]
        spans += [(fact.start, fact.end, fact.text) for fact in clause.facts]
        for start, end, quote in spans:
            if text[start:end] != quote:
                yield Problem(f"{clause.document}:{start}: {quote}")
    for document in by_id.values():
        for figure, start in loose_figures(document, facts_of(index, document.id)):
            yield Problem(f"{document.id}:{start}: {figure}", is_fatal=not document.added_at)


def document_rows(documents: Iterable[Document], index: Index) -> Iterator[DocumentRow]:
    """What the base holds of each document."""
    for document in documents:
        sentences = {clause.sentence_start for clause in index.clauses if clause.document == document.id}
        facts = len(facts_of(index, document.id))
        yield DocumentRow(document, len(sentences), facts)


def facts_of(index: Index, document: str) -> list[Fact]:
    """All facts of one document, in order."""
    return [fact for clause in index.clauses if clause.document == document for fact in clause.facts]


def fact_rows(index: Index) -> Iterator[dict[str, Any]]:
    """Every fact with its document and clause, for `knowledge show`."""
    for clause in index.clauses:
        for fact in clause.facts:
            about = {"document": clause.document, "period": clause.period, "status": clause.status}
            yield {**asdict(fact), **about, "quote": clause.text}
