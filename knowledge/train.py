"""Train the verifier on written questions, and measure it on questions that it has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from knowledge.answer import Context, KnowledgeBase, lean_on
from knowledge.document import Document
from knowledge.verify import NAMES, Candidate, Verifier

_FOLDER = Path(__file__).with_name("training")
_FOLDS = 5
_REGULARISATION = 0.02


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its candidates.

    Attributes:
        text: As a resident would type it.
        is_answerable: Whether the document answers it.
        candidates: What the search found for it.
        right: For each candidate, whether it proves the answer.
        near: For each candidate, whether its sentence does.
    """

    text: str
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


def training_rows(folder: Path = _FOLDER) -> Iterator[tuple[str, str | None, str | None]]:
    """Every written question, the quote that answers it (None: nothing does), and the question before it, if any."""
    for row in yaml.safe_load((folder / "answerable.yml").read_text(encoding="utf-8")):
        yield row["q"], row["quote"], None
    for row in yaml.safe_load((folder / "unanswerable.yml").read_text(encoding="utf-8")):
        yield row["q"], None, None
    for dialogue in yaml.safe_load((folder / "followups.yml").read_text(encoding="utf-8")):
        for before, row in pairwise(dialogue):
            yield row["q"], row["quote"], before["q"]


def training_examples(base: KnowledgeBase, document: Document) -> Iterator[Example]:
    """Every written question with its labelled candidates; one that leans on another is read in its light."""
    for text, quote, before in training_rows():
        question = base.read(text)
        if before is not None:
            question = lean_on(question, Context.of(base.read(before)))
        yield label(text, quote, base.candidates(question), document)


def label(text: str, quote: str | None, found: list[Candidate], document: Document) -> Example:
    """What is right among the candidates of one question."""
    start = document.text.find(quote) if quote else -1
    end = start + len(quote or "")
    here = [one.clause if start >= 0 and one.clause.document == document.id else None for one in found]
    right = [clause is not None and clause.start < end and start < clause.end for clause in here]
    near = [clause is not None and clause.sentence_start < end and start < clause.sentence_end for clause in here]
    return Example(text, quote is not None, found, np.array(right, dtype=bool), np.array(near, dtype=bool))


def fit(examples: Iterable[Example]) -> Verifier:
    """A verifier: logistic regression on all features and their products, as plain numbers."""
    # Needed for training alone: the running product carries no scikit-learn.
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    known = list(examples)
    features = np.stack([one.features for example in known for one in example.candidates])
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale == 0] = 1.0
    blank = Verifier(NAMES, mean, scale, np.zeros(0, dtype=np.float32), 0.0)
    model = LogisticRegression(C=_REGULARISATION, max_iter=3000)
    model.fit(blank.products(features), np.concatenate([example.right for example in known]))
    return Verifier(NAMES, mean, scale, model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def cross_validate(examples: list[Example], threshold: float) -> tuple[Figures, list[tuple[float, bool]]]:
    """Figures on questions outside of each training fold, and every (chance, was right) for a reliability plot."""
    chances: list[tuple[float, bool]] = []
    outcomes: list[tuple[bool, float, bool]] = []
    for fold in range(_FOLDS):
        verifier = fit(example for i, example in enumerate(examples) if i % _FOLDS != fold)
        for example in examples[fold::_FOLDS]:
            scores = verifier.chances(example.candidates)
            chances += [(float(score), bool(right)) for score, right in zip(scores, example.right, strict=True)]
            score, near = max(zip(scores, example.near, strict=True), key=lambda pair: pair[0], default=(0.0, False))
            outcomes.append((example.is_answerable, float(score), bool(near)))
    return _figures(outcomes, threshold), chances


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
