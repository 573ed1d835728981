"""What a clause leaves of a question: 入职 stands neither in it nor in what it was asked before, and that tells."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from knowledge.errors import KnowledgeError
from knowledge.wording import marked

if TYPE_CHECKING:
    from knowledge.base import Index
    from knowledge.known import Likeness

_MODEL = Path(__file__).with_name("leftover.json")
# Where a run of signs stands, first of these: in the sentence or its heading, in a question that the clause answers, in
# one that it could be confused with, nowhere.
STANDINGS = ("said", "asked", "confused", "strange")
# A run has to stand so in as many pairs to be learnt.
_LEAST = 4
_REGULARISATION = 4.0
# Weights below this one change nothing.
_SMALL = 0.03


@dataclass(frozen=True)
class Leftover:
    """Logistic regression on the runs of one to three signs of a question, each by where it stands."""

    weights: Mapping[str, Mapping[str, float]]
    bias: float

    @classmethod
    def load(cls, path: Path = _MODEL) -> Leftover:
        """The trained model.

        Raises:
            KnowledgeError: The file is missing or damaged.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls({name: data["weights"][name] for name in STANDINGS}, float(data["bias"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KnowledgeError("broken", path=path.name) from error

    @classmethod
    def blank(cls) -> Leftover:
        """One that has learnt nothing."""
        return cls({name: {} for name in STANDINGS}, 0.0)

    def save(self, path: Path = _MODEL) -> None:
        """Keep it as numbers."""
        data = {
            "weights": {
                name: {run: round(weight, 2) for run, weight in sorted(self.weights[name].items())}
                for name in STANDINGS
            },
            "bias": round(self.bias, 4),
        }
        path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")

    @cached_property
    def _learnt(self) -> dict[str, tuple[float, ...]]:
        """Each run that tells something, with its weight in every standing."""
        runs = {run for weights in self.weights.values() for run in weights}
        return {run: tuple(self.weights[name].get(run, 0.0) for name in STANDINGS) for run in runs}

    def scorer(self, runs: Sequence[str], index: Index) -> Callable[[Likeness, int], float]:
        """What gives for a clause the log odds that it answers a question with these runs."""
        learnt = [(run, self._learnt[run]) for run in runs if run in self._learnt]
        telling, size = [run for run, _ in learnt], float(np.sqrt(len(runs)))

        def score(likeness: Likeness, i: int) -> float:
            stands = standings(telling, index, likeness, i)
            return sum(weights[k] for (_, weights), k in zip(learnt, stands, strict=True)) / size + self.bias

        return score


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a clause: the runs, where each stands, and whether the clause answers."""

    runs: Sequence[str]
    stands: bytes
    is_right: bool


def standings(runs: Sequence[str], index: Index, likeness: Likeness, i: int) -> bytes:
    """For each run of a question the number in `STANDINGS` of where it stands for clause `i`."""
    said = marked(f"{index.sentences[i].text} {index.headings[i].text}")
    asked, confused = (likeness.text(i, is_answered=is_answered) for is_answered in (True, False))
    return bytes(0 if run in said else 1 if run in asked else 2 if run in confused else 3 for run in runs)


def fit_leftover(pairs: Iterable[Pair]) -> Leftover:
    """Learn from questions and clauses."""
    # Needed for training alone: the running product carries no scikit-learn.
    from scipy.sparse import csr_matrix  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    rows = list(pairs)
    counts = Counter(cell for row in rows for cell in zip(row.runs, row.stands, strict=True))
    numbers = {cell: n for n, cell in enumerate(sorted(cell for cell, count in counts.items() if count >= _LEAST))}
    # Arrays of machine numbers: there are millions of cells.
    columns, ends, values = array("i"), array("q", [0]), array("f")
    for row in rows:
        columns.extend(numbers[cell] for cell in zip(row.runs, row.stands, strict=True) if cell in numbers)
        values.extend([1 / float(np.sqrt(len(row.runs)))] * (len(columns) - ends[-1]))
        ends.append(len(columns))
    table = csr_matrix((values, columns, ends), shape=(len(rows), len(numbers)))
    model = LogisticRegression(C=_REGULARISATION, solver="liblinear")
    model.fit(table, [row.is_right for row in rows])
    weights: dict[str, dict[str, float]] = {name: {} for name in STANDINGS}
    for (run, k), n in numbers.items():
        if abs(weight := float(model.coef_[0][n])) >= _SMALL:
            weights[STANDINGS[k]][run] = weight
    return Leftover(weights, float(model.intercept_[0]))
