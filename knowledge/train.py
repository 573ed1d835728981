"""Train the verifier on written questions, and measure it on questions that it has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.answer import Context, KnowledgeBase, lean_on
from knowledge.base import Index
from knowledge.known import Likeness, Written, touches, written_questions
from knowledge.leftover import Leftover, Pair, fit_leftover, standings
from knowledge.question import Question
from knowledge.verify import NAMES, Candidate, Verifier, Verifiers, candidates
from knowledge.wording import Wording, fit_wording, runs_of

_FOLDS = 5
_NETWORKS = 3
_INNER_LAYERS = (64, 32)
_REGULARISATION = 0.1
_ROUNDS = 15
# Below it a feature does not vary: what is left is rounding.
_LEAST_DEVIATION = 1e-3


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its candidates.

    Attributes:
        text: As a resident would type it.
        is_new: Whether it was compared with no known question.
        is_answerable: Whether the document answers it.
        candidates: What the search found for it.
        right: For each candidate, whether it proves the answer.
        near: For each candidate, whether its sentence does.
    """

    text: str
    is_new: bool
    is_answerable: bool
    candidates: list[Candidate]
    right: NDArray[np.bool_]
    near: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figures:
    """How a verifier does at one threshold, as shares of 1."""

    right: float
    wrong: float
    refused: float


def training_examples(base: KnowledgeBase) -> tuple[list[Example], Wording, Leftover]:
    """Every written question with its labelled candidates, as if it were new, and what all their wordings tell.

    Each comes twice: compared with all known questions but itself, and as if nobody had ever asked anything, as it is
    for a document that was just added. The weights of its wording, and of what a clause leaves of it unsaid, are learnt
    from the other folds; one that leans on another is read in its light.
    """
    rows = [(written, _read(base, written)) for written in written_questions()]
    cores = [question.core for _, question in rows]
    vectors = np.stack([base.encoder.encode([core])[0] for core in cores])
    is_answered = np.array([written.quote is not None for written, _ in rows])
    fold_of = np.arange(len(rows)) % _FOLDS
    wordings = [
        fit_wording(list(compress(cores, fold_of != fold)), vectors[fold_of != fold], is_answered[fold_of != fold])
        for fold in range(_FOLDS)
    ]
    index, memory = base.index, base.index.memory
    pairs = [
        list(_pairs(index, memory.compare(vector, memory.itself(core)), sorted(runs_of(core)), written))
        for (written, _), core, vector in zip(rows, cores, vectors, strict=True)
    ]
    leftovers = [fit_leftover(chain.from_iterable(compress(pairs, fold_of != fold))) for fold in range(_FOLDS)]
    examples = []
    for (written, question), fold in zip(rows, fold_of, strict=True):
        for is_new, left_out in ((False, memory.itself(question.core)), (True, memory.all())):
            found = candidates(question, index, base.encoder, wordings[fold], leftovers[fold], left_out)
            examples.append(label(written, is_new, found))
    return examples, fit_wording(cores, vectors, is_answered), fit_leftover(chain.from_iterable(pairs))


def _pairs(index: Index, likeness: Likeness, runs: list[str], written: Written) -> Iterator[Pair]:
    """A question with the clauses that it is about or is like."""
    quote, passage = written.quote, written.quote or written.near
    nearest = likeness.nearest_clauses()
    for i, clause in enumerate(index.clauses):
        if not likeness.is_new(i) and (i in nearest or (passage is not None and touches(clause, passage))):
            yield Pair(runs, standings(runs, index, likeness, i), quote is not None and touches(clause, quote))


def _read(base: KnowledgeBase, written: Written) -> Question:
    question = base.read(written.text)
    return question if written.before is None else lean_on(question, Context.of(base.read(written.before)))


def label(written: Written, is_new: bool, found: list[Candidate]) -> Example:
    """What is right among the candidates of one question."""
    quote = written.quote
    right = [quote is not None and touches(one.clause, quote) for one in found]
    near = [quote is not None and quote in one.clause.sentence for one in found]
    return Example(
        written.text, is_new, quote is not None, found, np.array(right, dtype=bool), np.array(near, dtype=bool)
    )


def fit(examples: Iterable[Example], networks: int = _NETWORKS) -> Verifiers:
    """Verifiers for questions like known ones and for others."""
    both = list(examples)
    return Verifiers(*(_fit([one for one in both if one.is_new == is_new], networks) for is_new in (False, True)))


def _fit(known: Sequence[Example], networks: int) -> Verifier:
    """A verifier: small networks on all features, as plain numbers."""
    # Needed for training alone: the running product carries no scikit-learn.
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415

    features = np.stack([one.features for example in known for one in example.candidates])
    right = np.concatenate([example.right for example in known])
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < _LEAST_DEVIATION] = 1.0
    plain = replace(Verifier.blank(), mean=mean, scale=scale).standardise(features)
    trained = []
    for seed in range(networks):
        model = MLPClassifier(
            _INNER_LAYERS, alpha=_REGULARISATION, batch_size=2048, learning_rate_init=0.004, random_state=seed,
            max_iter=_ROUNDS, n_iter_no_change=_ROUNDS,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that the rounds came to their end, which is meant
            model.fit(plain, right)
        layers = zip(model.coefs_, model.intercepts_, strict=True)
        trained.append(tuple((weights.astype(np.float32), bias.astype(np.float32)) for weights, bias in layers))
    return Verifier(NAMES, mean, scale, tuple(trained))


def cross_validate(examples: list[Example], threshold: float) -> tuple[Figures, Figures, list[tuple[float, bool]]]:
    """Figures on questions outside of each training fold, and every (chance, was right) for a reliability plot.

    Returns:
        Figures where like questions are known, figures where none are, and the chances.
    """
    chances: list[tuple[float, bool]] = []
    outcomes: dict[bool, list[tuple[bool, float, bool]]] = {False: [], True: []}
    # The two examples of a question stay together.
    fold_of = [i // 2 % _FOLDS for i in range(len(examples))]
    for fold in range(_FOLDS):
        verifiers = fit((one for one, k in zip(examples, fold_of, strict=True) if k != fold), networks=1)
        for example in (one for one, k in zip(examples, fold_of, strict=True) if k == fold):
            scores = (verifiers.new if example.is_new else verifiers.known).chances(example.candidates)
            chances += [(float(score), bool(right)) for score, right in zip(scores, example.right, strict=True)]
            score, near = max(zip(scores, example.near, strict=True), key=lambda pair: pair[0], default=(0.0, False))
            outcomes[example.is_new].append((example.is_answerable, float(score), bool(near)))
    return _figures(outcomes[False], threshold), _figures(outcomes[True], threshold), chances


def _figures(outcomes: list[tuple[bool, float, bool]], threshold: float) -> Figures:
    answerable = [(score >= threshold, near) for is_answerable, score, near in outcomes if is_answerable]
    rest = [score < threshold for is_answerable, score, _ in outcomes if not is_answerable]
    return Figures(
        right=float(np.mean([said and near for said, near in answerable])),
        wrong=float(np.mean([said and not near for said, near in answerable])),
        refused=float(np.mean(rest)),
    )


def describe(figures: Figures) -> dict[str, Any]:
    """The figures as JSON values."""
    return {"right": round(figures.right, 3), "wrong": round(figures.wrong, 3), "refused": round(figures.refused, 3)}
