"""Train the category model on written petitions, and measure it on those it has not seen."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from language.normalise import normalise
from language.vectors import Vectors
from petitions.category import Category, CategoryModel, runs_of

_FOLDER = Path(__file__).parent
_FOLDS = 5
# A run of signs has to be in so many petitions to be learnt.
_LEAST = 2
_REGULARISATION_WORDS = 10.0
_REGULARISATION_VECTOR = 5.0
# Brings vectors, whose parts are small, to the scale of the runs.
_VECTOR_SCALE = 3.0


@dataclass(frozen=True, slots=True)
class Example:
    """A written petition, normalised, and where it belongs."""

    text: str
    category: Category


@dataclass(frozen=True, slots=True)
class Figures:
    """How often unseen petitions find each level of their category, as shares of 1."""

    first: float
    second: float
    third: float


def written_examples(folder: Path = _FOLDER) -> list[Example]:
    """All petitions in the text files of `folder`: a line `## first/second/third`, then one petition a line."""
    examples = []
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("## "):
                first, second, third = line[3:].split("/")
            elif line:
                examples.append(Example(normalise(line), (first, second, third)))
    return examples


def fit_categories(examples: Sequence[Example], vectors: Vectors) -> CategoryModel:
    """Learn from petitions and their sentence vectors, shape (n, 384)."""
    # Needed for training alone: the running product carries no scikit-learn.
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    categories = sorted({example.category for example in examples})
    firsts = sorted({category[0] for category in categories})
    # A category's own name is an example of it.
    names = ["。".join((second + third, second, third)) for _, second, third in categories]
    texts = [*(example.text for example in examples), *names]
    of_text = [*(example.category for example in examples), *categories]
    table = TfidfVectorizer(analyzer=runs_of, min_df=_LEAST)
    cells = table.fit_transform(texts)
    by_words = LogisticRegression(C=_REGULARISATION_WORDS, max_iter=400, class_weight="balanced")
    by_words.fit(cells, [category[0] for category in of_text])
    number = {category: i for i, category in enumerate(categories)}
    counts = Counter(of_text)
    # The middle of a category's petitions: too few stand in most of them for more.
    middles = np.zeros((len(categories), cells.shape[1]), dtype=np.float32)
    for row, category in enumerate(of_text):
        middles[number[category]] += cells[row].toarray()[0] / counts[category] ** 0.5
    mean = vectors.mean(0)
    centred = (vectors - mean) * _VECTOR_SCALE
    by_first = LogisticRegression(C=_REGULARISATION_VECTOR, max_iter=1000, class_weight="balanced")
    by_first.fit(centred, [example.category[0] for example in examples])
    by_third = LogisticRegression(C=_REGULARISATION_VECTOR, max_iter=200)
    with warnings.catch_warnings():
        # The last digits of five hundred classes do not matter.
        warnings.simplefilter("ignore")
        by_third.fit(centred, [number[example.category] for example in examples])
    thirds = np.zeros((len(categories), vectors.shape[1]), dtype=np.float32)
    thirds_bias = np.full(len(categories), by_third.intercept_.min(), dtype=np.float32)
    thirds[by_third.classes_], thirds_bias[by_third.classes_] = by_third.coef_, by_third.intercept_
    vector = np.vstack([by_first.coef_, thirds]).astype(np.float32).T * np.float32(_VECTOR_SCALE)
    return CategoryModel(
        tuple(firsts),
        tuple(categories),
        {str(run): int(row) for run, row in sorted(table.vocabulary_.items(), key=lambda item: item[1])},
        table.idf_.astype(np.float32),
        np.vstack([by_words.coef_, middles]).astype(np.float32).T,
        np.concatenate([by_words.intercept_, np.zeros(len(categories))]).astype(np.float32),
        vector,
        np.concatenate([by_first.intercept_, thirds_bias]).astype(np.float32) - mean @ vector,
    )


def figures(examples: Sequence[Example], vectors: Vectors) -> Figures:
    """How the model does on each fifth of the petitions when trained on the others; no rules help it."""
    fold_of = np.random.default_rng(0).permutation(len(examples)) % _FOLDS
    right = np.zeros(3)
    for fold in range(_FOLDS):
        seen = np.flatnonzero(fold_of != fold)
        model = fit_categories([examples[i] for i in seen.tolist()], vectors[seen])
        for i in np.flatnonzero(fold_of == fold).tolist():
            right += _levels_right(model.judge(examples[i].text, vectors[i]).best, examples[i].category)
    return Figures(*(right / len(examples)))


def _levels_right(judged: Category, given: Category) -> NDArray[np.bool_]:
    return np.array([judged[: n + 1] == given[: n + 1] for n in range(3)])
