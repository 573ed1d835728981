"""The knowledge base: clauses with facts, searched by words and by meaning."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import bm25s
import numpy as np
from numpy.typing import NDArray
from spacy.language import Language

from knowledge.digests import check_digests, write_digests
from knowledge.document import Document, Status
from knowledge.errors import KnowledgeError
from knowledge.facts import Fact, facts_of_clause
from knowledge.known import Known, Memory, tie, written_questions
from knowledge.question import Lexicon
from knowledge.shipped import encode_shipped
from language.normalise import normalise
from language.pipeline import NAME_LABELS
from language.vectors import Encoder, Vectors
from language.words import sound

FILES = ("clauses.json", "known.json", "vectors.npz")


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of a document with what stands around it.

    Attributes:
        text: Verbatim.
        sentence: The sentence that it stands in, verbatim.
        document: Id of the document.
        title: Title of the document.
        section: Chapter and heading.
        heading: The heading alone.
        period: Year that its chapter speaks of.
        status: Whether its chapter gives results or plans.
        start: Offset of the clause in the source.
        end: Offset behind it.
        sentence_start: Offset of the sentence.
        sentence_end: Offset behind it.
        facts: Its figures.
        names: Places, bodies and people that it names.
    """

    text: str
    sentence: str
    document: str
    title: str
    section: str
    heading: str
    period: str
    status: Status
    start: int
    end: int
    sentence_start: int
    sentence_end: int
    facts: tuple[Fact, ...]
    names: tuple[str, ...]


def clauses_of(documents: Sequence[Document], pipeline: Language) -> list[Clause]:
    """All clauses of all documents, in order, their names found by `pipeline`."""
    clauses: list[Clause] = []
    for document in documents:
        for sentence in document.sentences:
            for span in sentence.clauses:
                clauses.append(
                    Clause(
                        text=span.text,
                        sentence=sentence.span.text,
                        document=document.id,
                        title=document.title,
                        section=sentence.section.name,
                        heading=sentence.section.title,
                        period=sentence.section.period,
                        status=sentence.section.status,
                        start=span.start,
                        end=span.end,
                        sentence_start=sentence.span.start,
                        sentence_end=sentence.span.end,
                        facts=tuple(facts_of_clause(span, len(clauses), document.not_facts)),
                        names=tuple(name.text for name in pipeline(span.text).ents if name.label_ in NAME_LABELS),
                    )
                )
    return clauses


@dataclass(frozen=True, slots=True)
class Passage:
    """A text to be searched: normalised, with its sound and the numbers of its words in the vocabulary."""

    text: str
    sound: str
    words: NDArray[np.int64]


class Index:
    """Clauses with the means to find them: BM25 over words and pairs of signs, sentence vectors and word vectors."""

    def __init__(
        self,
        clauses: Sequence[Clause],
        lexicon: Lexicon,
        vectors: Mapping[str, Vectors],
        known: Sequence[Known] = (),
    ) -> None:
        """Prepare the search.

        Args:
            clauses: In the order of the documents.
            lexicon: Cuts words; the same as at build time.
            vectors: `clauses` and `sentences`, one row a clause, `words`, one row a word of `vocabulary_of`,
                `known`, one row a known question, and `asked`, one row a word of `asked_words`.
            known: Written questions about these clauses.
        """
        self.clauses = clauses
        self.lexicon = lexicon
        self.vectors = vectors
        self.memory = Memory(known, vectors["known"])
        self.vocabulary = vocabulary_of(clauses, lexicon)
        self._number = {word: i for i, word in enumerate(self.vocabulary)}
        self._asked = {word: i for i, word in enumerate(asked_words(known, self.vocabulary))}
        passages = {text: self._passage(text) for clause in clauses for text in _texts(clause)}
        self.passages = [passages[clause.text] for clause in clauses]
        self.sentences = [passages[clause.sentence] for clause in clauses]
        self.headings = [passages[clause.heading] for clause in clauses]
        self._nothing = self._passage("")
        tokens = [self._tokens(passage.text) for passage in self.passages]
        self._bm25 = bm25s.BM25()
        self._bm25.index(tokens, show_progress=False)
        self._known_tokens = frozenset(token for row in tokens for token in row)
        self._rarity = _rarity([set(row) for row in tokens])

    @classmethod
    def build(
        cls,
        documents: Sequence[Document],
        lexicon: Lexicon,
        encoder: Encoder,
        pipeline: Language,
    ) -> Index:
        """Read documents into an index; encodes every clause, sentence, word and written question once."""
        clauses = clauses_of(documents, pipeline)
        known = tie(written_questions(), clauses, lexicon)
        vocabulary = vocabulary_of(clauses, lexicon)
        vectors = {
            "clauses": encoder.encode([normalise(clause.text) for clause in clauses]),
            "sentences": encoder.encode([normalise(clause.sentence) for clause in clauses]),
            "words": encoder.encode(vocabulary),
            "known": encode_shipped([one.core for one in known], encoder),
            "asked": encode_shipped(asked_words(known, vocabulary), encoder),
        }
        return cls(clauses, lexicon, vectors, known)

    def save(self, folder: Path) -> None:
        """Write all that cannot be computed quickly."""
        for name, rows in (("clauses", self.clauses), ("known", self.memory.known)):
            text = json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=0)
            (folder / f"{name}.json").write_text(text, encoding="utf-8")
        np.savez(folder / "vectors.npz", allow_pickle=False, **self.vectors)
        write_digests(folder, FILES)

    @classmethod
    def load(cls, folder: Path, lexicon: Lexicon) -> Index:
        """What `save` wrote.

        Raises:
            KnowledgeError: A file is missing or damaged.
        """
        try:
            check_digests(folder)
            clauses = [_clause(row) for row in _rows(folder / "clauses.json")]
            known = [_known(row) for row in _rows(folder / "known.json")]
            with (folder / "vectors.npz").open("rb") as stored, np.load(stored) as file:
                vectors = {name: file[name] for name in ("clauses", "sentences", "words", "known", "asked")}
            vocabulary = vocabulary_of(clauses, lexicon)
            asked = asked_words(known, vocabulary)
            sizes = [len(clauses), len(clauses), len(vocabulary), len(known), len(asked)]
            if not clauses or [len(rows) for rows in vectors.values()] != sizes:
                raise ValueError("files of two builds")
            return cls(clauses, lexicon, vectors, known)
        except FileNotFoundError as error:
            raise KnowledgeError("not_built") from error
        except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError) as error:
            raise KnowledgeError("broken", path=folder.name) from error

    def word_scores(self, text: str) -> NDArray[np.float32]:
        """BM25 of every clause for a normalised text, shape (clauses,)."""
        tokens = [token for token in self._tokens(text) if token in self._known_tokens]
        if not tokens:
            return np.zeros(len(self.clauses), dtype=np.float32)
        scores: NDArray[np.float32] = self._bm25.get_scores(tokens)
        return scores

    def sentence_of(self, i: int) -> list[Clause]:
        """All clauses of the sentence in which clause `i` stands."""
        here = self.clauses[i]
        return [clause for clause in self.clauses[max(0, i - 12) : i + 13] if _sentence(clause) == _sentence(here)]

    def before(self, i: int) -> Passage:
        """The clause before clause `i` in its sentence; an empty one for the first."""
        if i and _sentence(self.clauses[i - 1]) == _sentence(self.clauses[i]):
            return self.passages[i - 1]
        return self._nothing

    def vector_of(self, word: str) -> Vectors | None:
        """The vector of a word of the documents or of the known questions; None for any other."""
        for name, numbers in (("words", self._number), ("asked", self._asked)):
            if word in numbers:
                vector: Vectors = self.vectors[name][numbers[word]]
                return vector
        return None

    def rarity(self, word: str) -> float:
        """How telling a word is: 0 for one in every clause, 1 for one in none or in a single one."""
        return self._rarity.get(word, 1.0)

    def _passage(self, text: str) -> Passage:
        text = normalise(text)
        numbers = [self._number[word] for word in self.lexicon.words(text) if word in self._number]
        return Passage(text, sound(text), np.array(numbers, dtype=np.int64))

    def _tokens(self, text: str) -> list[str]:
        words = self.lexicon.words(text)
        pairs = [word[i : i + 2] for word in words if len(word) > 2 for i in range(len(word) - 1)]
        return words + pairs


def _sentence(clause: Clause) -> tuple[str, int]:
    return clause.document, clause.sentence_start


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def _known(row: dict[str, Any]) -> Known:
    return Known(**{**row, "terms": tuple(row["terms"]), "clauses": tuple(row["clauses"])})


def _clause(row: dict[str, Any]) -> Clause:
    facts = tuple(Fact(**fact) for fact in row["facts"])
    return Clause(**{**row, "facts": facts, "names": tuple(row["names"])})


def vocabulary_of(clauses: Sequence[Clause], lexicon: Lexicon) -> list[str]:
    """All words of clauses and headings, sorted."""
    texts = {text for clause in clauses for text in _texts(clause)}
    return sorted({word for text in texts for word in lexicon.words(normalise(text))})


def asked_words(known: Sequence[Known], vocabulary: Sequence[str]) -> list[str]:
    """Words of the known questions that are not in the vocabulary, sorted."""
    return sorted({word for one in known for word in one.terms}.difference(vocabulary))


def _texts(clause: Clause) -> tuple[str, str, str]:
    return clause.text, clause.sentence, clause.heading


def _rarity(rows: Sequence[set[str]]) -> dict[str, float]:
    counts = Counter(token for row in rows for token in row)
    most = np.log(len(rows) + 1)
    return {token: float(np.log((len(rows) + 1) / count) / most) for token, count in counts.items()}
