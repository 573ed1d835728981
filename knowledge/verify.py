"""Does this clause answer this question? Features of the pair, and the chance that small trained networks give them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.base import Clause, Index, Passage
from knowledge.errors import KnowledgeError
from knowledge.known import FEATURES as KNOWN
from knowledge.known import Likeness
from knowledge.leftover import Leftover
from knowledge.question import BEYOND, Question
from knowledge.wording import Wording, runs_of
from language.vectors import Encoder
from language.words import sound

Features = NDArray[np.float32]

_MODEL = Path(__file__).with_name("verifier.json")

CANDIDATES = 10
# Beyond these log odds a chance is 0 or 1 to seven digits, and exp would overflow.
_CERTAIN = 30.0
# Deviations beyond which a feature says no more.
_FAR = 6.0
# Cosine of two words above which multilingual-e5-small means the same thing, and below which it means nothing.
_WORD_COSINE = (0.87, 0.95)
# Figures without which a sentence cannot tell of the parts of a whole.
_FEW = 2
# Kinds of unit that a question may name instead of the document's own: 几个 stands for most counts.
_NEAR_KINDS = {
    "item": frozenset({"item", "case", "flat", "firm", "event", "people", "text"}),
    "event": frozenset({"event", "case", "item"}),
    "case": frozenset({"case", "item"}),
    "people": frozenset({"people"}),
    "firm": frozenset({"firm"}),
    "flat": frozenset({"flat"}),
    "rate": frozenset({"rate"}),
}
NAMES = (
    "cos_clause", "cos_sentence", "cos_clause_behind", "words", "words_behind", "cover_clause", "cover_sentence",
    "cover_pair", "cover_all", "worst_clause", "worst_sentence", "worst_pair", "terms", "kind_right", "kind_wrong",
    "kind_none", "kind_beside", "count_right", "count_none", "no_figure_asked", "year_right", "year_wrong",
    "year_unknown", "plan_match", "plan_mismatch", "yes_no", "list", "names_given", "names_missing", "place_given",
    "place_not_given", "ordinal_wrong", "figure_same", "figure_other", "explained", "place_missing", *BEYOND,
    *KNOWN, "cover_known", "worst_known", "strange", "wording",
    "scope_given", "scope_missing", "decisive_given", "decisive_missing", "decisive_aside", "figure_strange",
    "parts_missing", "leftover",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clause that may answer, with what speaks for it; nobody is known to have asked for a new one."""

    index: int
    clause: Clause
    features: Features
    is_new: bool


def candidates(
    question: Question,
    index: Index,
    encoder: Encoder,
    wording: Wording,
    leftover: Leftover,
    left_out: NDArray[np.bool_] | None = None,
) -> list[Candidate]:
    """The clauses nearest by words, by meaning and by what was asked before, each with its features.

    Args:
        question: What is asked.
        index: Where it is looked up.
        encoder: That of the index.
        wording: What the question's words alone tell.
        leftover: What tells of its words that a clause leaves unsaid.
        left_out: For each known question whether to take it for unknown, see `Memory.compare`.
    """
    vector = encoder.encode([question.core or question.text])[0]
    likeness = index.memory.compare(vector, left_out)
    tone = wording.score(question.core, vector)
    score_leftover = leftover.scorer(sorted(runs_of(question.core)), index)
    cos_clause, cos_sentence = index.vectors["clauses"] @ vector, index.vectors["sentences"] @ vector
    words = index.word_scores(question.core)
    chosen = {int(i) for scores in (cos_clause, cos_sentence, words) for i in _best(scores)}
    chosen |= likeness.nearest_clauses()
    terms = [_Term(term, index, encoder) for term in question.terms]
    full = sum(term.weight for term in terms) or 1.0
    rows = []
    for i in chosen:
        coverage = _coverage(terms, index, i)
        rows.append((i, coverage, float(cos_clause[i]), float(cos_sentence[i]), float(words[i]) / full))
    best_cos = max((row[2] for row in rows), default=0.0)
    best_words = max((row[4] for row in rows), default=0.0)
    found = [
        Candidate(
            i,
            index.clauses[i],
            np.array(
                [
                    clause_cos,
                    sentence_cos,
                    best_cos - clause_cos,
                    word_score,
                    best_words - word_score,
                    *coverage,
                    *_fit(question, index, i),
                    _explained(question, index, i),
                    float(any(place not in index.clauses[i].sentence for place in question.places)),
                    *(float(name in question.asks) for name in BEYOND),
                    *likeness.features(i),
                    *_seen(terms, index, i, likeness),
                    tone,
                    *_scope(question, index.clauses[i]),
                    *_narrowed(question, index, i),
                    0.0 if likeness.is_new(i) else score_leftover(likeness, i),
                ],
                dtype=np.float32,
            ),
            likeness.is_new(i),
        )
        for i, coverage, clause_cos, sentence_cos, word_score in rows
    ]
    return sorted(found, key=lambda one: -float(one.features[0] + one.features[5]))


def _best(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    count = min(CANDIDATES, len(scores))
    top: NDArray[np.int64] = np.argpartition(-scores, count - 1)[:count]
    return top[scores[top] > 0]


class _Term:
    """A word of the question, ready to be looked for in many passages."""

    def __init__(self, word: str, index: Index, encoder: Encoder) -> None:
        self.word = word
        self.weight = index.rarity(word)
        self._aliases = [alias.lower() for alias in index.lexicon.aliases.get(word, ())]
        self._sound = sound(word) if len(word) > 1 else "\0"
        self._index, self._encoder = index, encoder
        self._found: dict[int, float] = {}

    def found_in(self, passage: Passage) -> float:
        """How surely the word stands in the passage: as it is, by another name, by its sound, or by its meaning."""
        key = id(passage)
        if key not in self._found:
            self._found[key] = self._look(passage)
        return self._found[key]

    def _look(self, passage: Passage) -> float:
        if self.word in passage.text:
            return 1.0
        if any(alias in passage.text for alias in self._aliases):
            return 0.95
        if self._sound in passage.sound:
            return 0.9
        return float(self._nearness[passage.words].max()) if len(passage.words) else 0.0

    @cached_property
    def _nearness(self) -> Features:
        """How near in meaning the word is to each of the vocabulary; made only when nothing else finds it."""
        low, high = _WORD_COSINE
        vector = self._index.vector_of(self.word)
        cosines = self._index.vectors["words"] @ (self._encoder.encode([self.word])[0] if vector is None else vector)
        nearness: Features = (0.8 * np.clip((cosines - low) / (high - low), 0, 1)).astype(np.float32)
        return nearness


def _coverage(terms: Sequence[_Term], index: Index, i: int) -> list[float]:
    """How far the words of the question are found in clause, clause with the one before, sentence and heading."""
    pair = index.before(i)
    rows = []
    for term in terms:
        here = term.found_in(index.passages[i])
        near = max(here, term.found_in(index.sentences[i]))
        rows.append((here, near, max(here, term.found_in(pair)), max(near, 0.7 * term.found_in(index.headings[i]))))
    shares = np.array(rows or [(0.5, 0.5, 0.5, 0.5)]).T
    weight = np.array([term.weight for term in terms] or [1.0])
    means = [float((weight * row).sum() / weight.sum()) for row in shares]
    worst = [float((weight * (1 - row)).max()) for row in shares[:3]]
    return [*means, *worst, min(len(terms), 8) / 8]


def _scope(question: Question, clause: Clause) -> list[float]:
    """Whether the clause speaks of a wider area that the question names, and whether it leaves one out."""
    given = [any(name in clause.sentence for name in names) for names in question.scopes]
    return [float(any(given)), float(not all(given))]


def _narrowed(question: Question, index: Index, i: int) -> list[float]:
    """Whether the clause, or its sentence, tells of the part or the stage that the question is narrowed to."""
    clause, beside = index.clauses[i], index.sentence_of(i)
    around = clause.sentence + clause.heading
    missing = sum(not words.search(around) for words in question.decisive)
    elsewhere = sum(not words.search(clause.text) for words in question.decisive)
    kinds = {fact.kind for other in beside for fact in other.facts} | {"rank"}
    parts = sum(len(other.facts) for other in beside)
    return [
        float(len(question.decisive) > missing),
        min(missing, 2),
        min(elsewhere, 2),
        float(any(figure.kind not in kinds for figure in question.figures)),
        float("breakdown" in question.asks and parts < _FEW),
    ]


def _seen(terms: Sequence[_Term], index: Index, i: int, likeness: Likeness) -> list[float]:
    """How far the question's words are the clause's or those by which it was asked for, and whose they are else."""
    asked, confused = likeness.words(i, is_answered=True), likeness.words(i, is_answered=False)
    rows = [
        (term.weight, max(term.found_in(index.sentences[i]), float(term.word in asked)), term.word) for term in terms
    ]
    full = sum(weight for weight, _, _ in rows)
    if not full:
        return [0.5, 0.0, 0.0]
    return [
        sum(weight * found for weight, found, _ in rows) / full,
        max(weight * (1 - found) for weight, found, _ in rows),
        max(weight * (1 - found) * (word in confused) for weight, found, word in rows),
    ]


def _fit(question: Question, index: Index, i: int) -> list[float]:
    """Whether kind of figure, year, status, names and places are those that were asked for."""
    clause = index.clauses[i]
    held = {fact.kind for fact in clause.facts}
    beside = {fact.kind for other in index.sentence_of(i) for fact in other.facts}
    wanted = question.kinds
    near = {kind for one in wanted for kind in _NEAR_KINDS.get(one, frozenset({one}))}
    counted = "count" in question.asks and not wanted
    named = "names" in question.asks
    gives_names = bool(clause.names) or any(sign in clause.text for sign in "、“")
    placed = "place" in question.asks
    ordinals = {figure.amount for figure in question.figures if figure.kind == "rank" and figure.measure}
    figures = {str(figure.amount.normalize()) for figure in question.figures if figure.kind != "rank"}
    amounts = {fact.amount for fact in clause.facts}
    return [
        float(bool(held & near)),
        float(bool(wanted and held) and not held & near),
        float(bool(wanted) and not held),
        float(bool(wanted and beside & near) and not held & near),
        float(counted and bool(held - {"rank"})),
        float(counted and not held - {"rank"}),
        float(not wanted and not counted),
        float(question.year == clause.period),
        float(question.year is not None and question.year != clause.period),
        float(question.year is None),
        float(question.is_plan and clause.status == "planned"),
        float(question.is_plan and clause.status != "planned"),
        float(question.is_yes_no),
        float("list" in question.asks),
        float(named and gives_names),
        float(named and not gives_names),
        float(placed and bool(clause.names)),
        float(placed and not clause.names),
        float(bool(ordinals) and not {str(one.normalize()) for one in ordinals} & amounts),
        float(bool(figures & amounts)),
        float(bool(figures) and not figures & amounts),
    ]


def _explained(question: Question, index: Index, i: int) -> float:
    """How much of the clause the question speaks of."""
    words = [index.vocabulary[number] for number in index.passages[i].words]
    weights = [index.rarity(word) for word in words]
    hits = [
        weight
        for word, weight in zip(words, weights, strict=True)
        if word in question.text or any(word in index.lexicon.aliases.get(term, ()) for term in question.terms)
    ]
    return sum(hits) / (sum(weights) or 1.0)


@dataclass(frozen=True, slots=True)
class Verifier:
    """The chance that a candidate answers: a few small networks on its features, their chances averaged.

    Trained by `knowledge.train`, kept as numbers in `verifier.json`: the running product needs no training library.

    Attributes:
        names: Of the features, in order.
        mean: Of each feature in training.
        scale: Deviation of each feature in training.
        networks: For each network its layers, (weights of shape (inputs, outputs), biases).
    """

    names: tuple[str, ...]
    mean: Features
    scale: Features
    networks: tuple[tuple[tuple[Features, Features], ...], ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verifier:
        """What `to_json` gave.

        Raises:
            KnowledgeError: It is damaged or belongs to other features.
        """
        try:
            mean, scale = _numbers(data["mean"]), _numbers(data["scale"])
            networks = tuple(
                tuple((_numbers(weights), _numbers(biases)) for weights, biases in layers)
                for layers in data["networks"]
            )
            names = tuple(data["names"])
        except (ValueError, KeyError, TypeError) as error:
            raise KnowledgeError("broken", path=_MODEL.name) from error
        if names != NAMES:
            raise KnowledgeError("broken", path=_MODEL.name)
        return cls(names, mean, scale, networks)

    @classmethod
    def blank(cls) -> Verifier:
        """One that has learnt nothing and holds nothing for an answer, for training."""
        size = len(NAMES)
        mean, scale = np.zeros(size, dtype=np.float32), np.ones(size, dtype=np.float32)
        layer = (np.zeros((size, 1), dtype=np.float32), np.full(1, -_CERTAIN, dtype=np.float32))
        return cls(NAMES, mean, scale, ((layer,),))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "names": self.names,
            "mean": _rounded(self.mean),
            "scale": _rounded(self.scale),
            "networks": [[[_rounded(part) for part in layer] for layer in layers] for layers in self.networks],
        }

    def standardise(self, features: Features) -> Features:
        """Features with mean 0 and deviation 1, none far out; shape (n, features) as given."""
        plain: Features = np.clip((features - self.mean) / self.scale, -_FAR, _FAR)
        return plain

    def chances(self, found: Sequence[Candidate]) -> Features:
        """For each candidate the chance, from 0 to 1, that it answers."""
        if not found:
            return np.zeros(0, dtype=np.float32)
        plain = self.standardise(np.stack([one.features for one in found]))
        chances: Features = np.mean([_run(layers, plain) for layers in self.networks], axis=0)
        return chances


@dataclass(frozen=True, slots=True)
class Verifiers:
    """One verifier for clauses that known questions ask for, and one for new clauses, such as those just added."""

    known: Verifier
    new: Verifier

    @classmethod
    def load(cls, path: Path = _MODEL) -> Verifiers:
        """The trained verifiers.

        Raises:
            KnowledgeError: The file is missing or belongs to other features.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(Verifier.from_json(data["known"]), Verifier.from_json(data["new"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KnowledgeError("broken", path=path.name) from error

    @classmethod
    def blank(cls) -> Verifiers:
        """Some that have learnt nothing, for training."""
        return cls(Verifier.blank(), Verifier.blank())

    def save(self, path: Path = _MODEL) -> None:
        """Keep them as numbers."""
        data = {"known": self.known.to_json(), "new": self.new.to_json()}
        path.write_text(json.dumps(data) + "\n", encoding="utf-8")

    def chances(self, found: Sequence[Candidate]) -> Features:
        """For each candidate the chance, from 0 to 1, that it answers."""
        is_new = np.array([one.is_new for one in found], dtype=bool)
        chances: Features = np.where(is_new, self.new.chances(found), self.known.chances(found))
        return chances


def _run(layers: Sequence[tuple[Features, Features]], values: Features) -> Features:
    """A network with rectified inner layers and one logistic output."""
    for weights, biases in layers[:-1]:
        values = np.maximum(values @ weights + biases, 0)
    weights, biases = layers[-1]
    score = (values @ weights + biases)[:, 0]
    chances: Features = 1 / (1 + np.exp(-np.clip(score, -_CERTAIN, _CERTAIN)))
    return chances


def _numbers(values: Any) -> Features:  # noqa: ANN401 - nested lists of any depth
    return np.array(values, dtype=np.float32)


def _rounded(values: Features) -> list[Any]:
    rows: list[Any] = np.round(values.astype(float), 4).tolist()
    return rows
