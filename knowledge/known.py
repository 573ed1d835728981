"""Questions whose answer, or lack of one, is known: what a new question resembles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from knowledge.question import Lexicon
from knowledge.wording import marked
from language.vectors import Vectors

if TYPE_CHECKING:
    from knowledge.base import Clause

TRAINING = Path(__file__).with_name("training")

_NEIGHBOURS = 12
# Cosine by which a neighbour may be further away and still count for a third.
_REACH = 0.015
FEATURES = ("known", "known_behind", "known_over_none", "known_over_near", "known_votes", "none_votes")

# Cosine of two questions of multilingual-e5-small that have nothing in common.
_STRANGE = 0.8


@dataclass(frozen=True, slots=True)
class Written:
    """One written question.

    Attributes:
        text: As a resident would type it.
        quote: What answers it, verbatim; None when no document does.
        near: What an unanswerable one could be confused with, verbatim.
        before: The question that it leans on.
    """

    text: str
    quote: str | None
    near: str | None = None
    before: str | None = None


def written_questions(folder: Path = TRAINING) -> Iterator[Written]:
    """All written questions, those that answer first."""
    for path in sorted(folder.glob("answerable*.yml")):
        for row in _rows(path):
            yield Written(row["q"], row["quote"])
    for path in sorted(folder.glob("unanswerable*.yml")):
        for row in _rows(path):
            yield Written(row["q"], None, near=row["near"])
    for path in sorted(folder.glob("followups*.yml")):
        for dialogue in _rows(path):
            for before, row in pairwise(dialogue):
                yield Written(row["q"], row["quote"], before=before["q"])


def _rows(path: Path) -> list[Any]:
    rows: list[Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return rows


@dataclass(frozen=True, slots=True)
class Known:
    """A written question tied to the clauses of this knowledge base.

    Attributes:
        core: Without polite frames, as it is encoded.
        terms: Its words that carry meaning.
        clauses: Indexes of the clauses that answer it or, when nothing does, that it could be confused with.
        is_answered: Whether they answer it.
    """

    core: str
    terms: tuple[str, ...]
    clauses: tuple[int, ...]
    is_answered: bool


def tie(written: Iterable[Written], clauses: Sequence[Clause], lexicon: Lexicon) -> list[Known]:
    """The written questions that stand by themselves and speak of these clauses; the others are left out."""
    by_sentence: dict[str, list[int]] = {}
    for i, clause in enumerate(clauses):
        by_sentence.setdefault(clause.sentence, []).append(i)
    places: dict[str, tuple[int, ...]] = {}
    found = []
    for one in written:
        passage = one.quote or one.near or ""
        if one.before is not None or not passage:
            continue
        if passage not in places:
            places[passage] = tuple(_touched(passage, by_sentence, clauses))
        if places[passage]:
            question = lexicon.read(one.text, 0)
            found.append(Known(question.core, question.terms, places[passage], one.quote is not None))
    return found


def touches(clause: Clause, passage: str) -> bool:
    """Whether a passage stands in the sentence of a clause and shares some of the clause."""
    at = clause.sentence.find(passage)
    start = clause.start - clause.sentence_start
    return at >= 0 and start < at + len(passage) and at < start + len(clause.text)


def _touched(passage: str, by_sentence: Mapping[str, Sequence[int]], clauses: Sequence[Clause]) -> Iterator[int]:
    for sentence, numbers in by_sentence.items():
        if passage in sentence:
            yield from (i for i in numbers if touches(clauses[i], passage))


class Memory:
    """The known questions, ready to be compared with a new one."""

    def __init__(self, known: Sequence[Known], vectors: Vectors) -> None:
        """Take the known questions and their vectors, one row a question."""
        self.known = known
        self._vectors = vectors
        self._is_answered = np.array([one.is_answered for one in known], dtype=bool)
        self._cores = np.array([one.core for one in known])
        self.marked = [marked(one.core) for one in known]
        self._of_clause: dict[tuple[int, bool], list[int]] = {}
        for number, one in enumerate(known):
            for i in one.clauses:
                self._of_clause.setdefault((i, one.is_answered), []).append(number)

    def compare(self, vector: Vectors, left_out: NDArray[np.bool_] | None = None) -> Likeness:
        """How alike `vector` is to every known question.

        Args:
            vector: Of the new question, shape (384,).
            left_out: For each known question whether to take it for unknown; None: for none.
        """
        cosines = self._vectors @ vector
        if left_out is None:
            left_out = np.zeros(len(self.known), dtype=bool)
        cosines[left_out] = _STRANGE
        return Likeness(self, cosines, left_out)

    def all(self) -> NDArray[np.bool_]:
        """All known questions."""
        return np.ones(len(self.known), dtype=bool)

    def itself(self, core: str) -> NDArray[np.bool_]:
        """Which known questions have just these words."""
        same: NDArray[np.bool_] = self._cores == core
        return same

    def numbers(self, clause: int, *, is_answered: bool) -> list[int]:
        """Known questions that a clause answers, or that could be confused with it."""
        return self._of_clause.get((clause, is_answered), [])

    def words(self, numbers: Iterable[int]) -> frozenset[str]:
        """Words of known questions."""
        return frozenset(word for n in numbers for word in self.known[n].terms)

    def text(self, numbers: Iterable[int]) -> str:
        """Known questions as one text, a line a question."""
        return "\n".join(self.marked[n] for n in numbers)

    @cached_property
    def words_of_clause(self) -> dict[tuple[int, bool], frozenset[str]]:
        """For clauses, and whether they answer, the words of their known questions."""
        return {key: self.words(numbers) for key, numbers in self._of_clause.items()}

    @cached_property
    def text_of_clause(self) -> dict[tuple[int, bool], str]:
        """For clauses, and whether they answer, their known questions as one text."""
        return {key: self.text(numbers) for key, numbers in self._of_clause.items()}


class Likeness:
    """A new question beside the known ones."""

    def __init__(self, memory: Memory, cosines: Vectors, left_out: NDArray[np.bool_]) -> None:
        self._memory = memory
        self._cosines = cosines
        self._left_out = left_out
        # What all known questions of a clause say is kept ready; what some of them say is put together.
        self._is_whole = not left_out.any()
        answered = memory._is_answered
        self._best = float(cosines[answered].max(initial=_STRANGE))
        self._best_none = float(cosines[~answered].max(initial=_STRANGE))
        # The few that count first: to sort them all would cost more than to compare them did.
        nearest = np.arange(len(cosines))
        if len(cosines) > _NEIGHBOURS:
            nearest = np.argpartition(-cosines, _NEIGHBOURS)[:_NEIGHBOURS]
        nearest = nearest[np.argsort(-cosines[nearest])]
        weights = np.exp((cosines[nearest] - cosines[nearest].max(initial=0.0)) / _REACH)
        self._votes = list(zip(nearest.tolist(), weights / (weights.sum() or 1.0), strict=True))

    def is_new(self, clause: int) -> bool:
        """Whether no known question asks for a clause."""
        return all(self._left_out[n] for n in self._memory.numbers(clause, is_answered=True))

    def nearest_clauses(self) -> set[int]:
        """Clauses that answer the nearest known questions."""
        known = [self._memory.known[n] for n, _ in self._votes if not self._left_out[n]]
        return {i for one in known if one.is_answered for i in one.clauses}

    def features(self, clause: int) -> list[float]:
        """What speaks for a clause, see `FEATURES`; for a new one nothing does and nothing is against it."""
        if self.is_new(clause):
            return [_STRANGE, *[0.0] * (len(FEATURES) - 1)]
        here = self._max(self._memory.numbers(clause, is_answered=True))
        confused = self._max(self._memory.numbers(clause, is_answered=False))
        known = self._memory.known
        vote = sum(w for n, w in self._votes if known[n].is_answered and clause in known[n].clauses)
        none = sum(w for n, w in self._votes if not known[n].is_answered)
        return [here, here - self._best, here - self._best_none, here - confused, float(vote), float(none)]

    def words(self, clause: int, *, is_answered: bool) -> frozenset[str]:
        """Words of the known questions of a clause; of a new one none."""
        if self.is_new(clause):
            return frozenset()
        if self._is_whole:
            return self._memory.words_of_clause.get((clause, is_answered), frozenset())
        return self._memory.words(self._left(clause, is_answered))

    def text(self, clause: int, *, is_answered: bool) -> str:
        """All known questions of a clause as one text, a line a question."""
        if self._is_whole:
            return self._memory.text_of_clause.get((clause, is_answered), "")
        return self._memory.text(self._left(clause, is_answered))

    def _left(self, clause: int, is_answered: bool) -> list[int]:
        return [n for n in self._memory.numbers(clause, is_answered=is_answered) if not self._left_out[n]]

    def _max(self, numbers: Sequence[int]) -> float:
        return float(self._cosines[numbers].max()) if numbers else _STRANGE
