"""What the wording of a question alone tells of its being answered: 申请, 电话 and 2021年 speak against it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import KnowledgeError
from language.vectors import Vectors

_MODEL = Path(__file__).with_name("wording.json")
_LONGEST = 3
# A run of signs has to be in so many questions to be learnt.
_LEAST = 3
# Brings vectors, whose parts are small, to the scale of the runs.
_VECTOR_SCALE = 3.0
_REGULARISATION = 3.0


@dataclass(frozen=True, slots=True)
class Wording:
    """Logistic regression on runs of one to three signs and on the sentence vector."""

    runs: Mapping[str, float]
    vector: Vectors
    bias: float

    @classmethod
    def load(cls, path: Path = _MODEL) -> Wording:
        """The trained model.

        Raises:
            KnowledgeError: The file is missing or damaged.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(data["runs"], np.array(data["vector"], dtype=np.float32), float(data["bias"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KnowledgeError("broken", path=path.name) from error

    @classmethod
    def blank(cls) -> Wording:
        """One that has learnt nothing."""
        return cls({}, np.zeros(384, dtype=np.float32), 0.0)

    def save(self, path: Path = _MODEL) -> None:
        """Keep it as numbers."""
        runs = {run: round(weight, 3) for run, weight in sorted(self.runs.items())}
        vector = [round(float(x), 3) for x in self.vector]
        data = {"runs": runs, "vector": vector, "bias": round(self.bias, 4)}
        path.write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf-8")

    def score(self, core: str, vector: Vectors) -> float:
        """Log odds that a question with these words is answered."""
        runs = runs_of(core)
        weight = sum(self.runs.get(run, 0.0) for run in runs) / size_of(runs)
        return weight + float(self.vector @ vector) + self.bias


def fit_wording(cores: Sequence[str], vectors: Vectors, is_answered: NDArray[np.bool_]) -> Wording:
    """Learn from questions without frames, their vectors and whether they are answered."""
    # Needed for training alone: the running product carries no scikit-learn.
    from scipy.sparse import csr_matrix, hstack  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    rows = [runs_of(core) for core in cores]
    counts = Counter(run for row in rows for run in row)
    numbers = {run: i for i, run in enumerate(sorted(run for run, count in counts.items() if count >= _LEAST))}
    cells = [(k, numbers[run], 1 / size_of(row)) for k, row in enumerate(rows) for run in row if run in numbers]
    where = (np.array([cell[0] for cell in cells]), np.array([cell[1] for cell in cells]))
    table = csr_matrix((np.array([cell[2] for cell in cells]), where), shape=(len(rows), len(numbers)))
    model = LogisticRegression(C=_REGULARISATION, max_iter=3000)
    model.fit(hstack([table, csr_matrix(vectors * _VECTOR_SCALE)]).tocsr(), is_answered)
    weights = model.coef_[0]
    return Wording(
        {run: float(weights[i]) for run, i in numbers.items()},
        (weights[len(numbers) :] * _VECTOR_SCALE).astype(np.float32),
        float(model.intercept_[0]),
    )


def marked(core: str) -> str:
    """A text with signs for its begin and end, all digits alike."""
    return f"^{re.sub(r'[0-9]', '0', core)}$"


def runs_of(core: str) -> set[str]:
    """Runs of one to three signs of a marked text."""
    text = marked(core)
    return {text[i : i + n] for n in range(1, _LONGEST + 1) for i in range(len(text) - n + 1)}


def size_of(runs: set[str]) -> float:
    """By what their weights are divided, so that long questions count no more than short ones."""
    return float(np.sqrt(len(runs)))
