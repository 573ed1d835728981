"""Which category of the national list a text belongs to, by linear models of plain numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from language.vectors import Vectors

_MODEL = Path(__file__).with_name("category.json")
_SHORTEST_RUN, _LONGEST_RUN = 2, 4
# A letter is read in stretches of about this many signs: most of a long one says nothing of its matter.
_STRETCH_SIGNS = 25
# What the sentence vector counts beside the words.
_VECTOR_SHARE = 0.6
# How sharply the third level is decided, and how little one stretch may say against a first level.
_LEAF_SHARPNESS = 8.0
_LEAST_CHANCE = 1e-3
_RANKED = 3
_WORDS_SHOWN = 3
_CLAUSE = re.compile(r"[^。！？!?；;\n，,]+")
_STOP = re.compile(r"[，。,!！?？:：、;；\"“”\s]")
_WORD = re.compile(r"[\u4e00-\u9fff]{2,}")
_DIGITS = re.compile(r"[0-9]")

Category = tuple[str, str, str]
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The likeliest categories, best first, and all first levels with their chances; the words for the best one."""

    ranked: tuple[tuple[Category, float], ...]
    firsts: Mapping[str, float]
    words: tuple[str, ...]

    @property
    def best(self) -> Category:
        """The likeliest category."""
        return self.ranked[0][0]

    @property
    def chance(self) -> float:
        """How likely its first level is with it, from 0 to 1."""
        return self.ranked[0][1]


@dataclass(frozen=True)
class CategoryModel:
    """Linear models for the first level and, inside it, the whole category; columns are first levels, then categories.

    Attributes:
        firsts: The first levels.
        categories: The categories.
        runs: The row of each run of two to four signs.
        rarity: For each run how much it tells at all, shape (runs,).
        weights: What each run says, shape (runs, columns).
        bias: What an empty stretch says, shape (columns,).
        vector: What each part of a sentence vector says, shape (384, columns).
        vector_bias: The same for no vector, shape (columns,).
    """

    firsts: tuple[str, ...]
    categories: tuple[Category, ...]
    runs: Mapping[str, int]
    rarity: Scores
    weights: Scores
    bias: Scores
    vector: Scores
    vector_bias: Scores

    @classmethod
    def load(cls, path: Path = _MODEL) -> CategoryModel:
        """The trained model.

        Raises:
            OSError: The file is missing.
            ValueError: It is damaged.
        """
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        scale = data["scale"]
        weights = np.zeros((len(data["runs"]), len(data["bias"])), dtype=np.float32)
        for row, (_, *cells) in enumerate(data["runs"].values()):
            weights[row, cells[::2]] = np.array(cells[1::2], dtype=np.float32) / scale
        return cls(
            tuple(data["firsts"]),
            tuple((first, second, third) for first, second, third in data["categories"]),
            {run: row for row, run in enumerate(data["runs"])},
            np.array([cells[0] for cells in data["runs"].values()], dtype=np.float32) / scale,
            weights,
            np.array(data["bias"], dtype=np.float32) / scale,
            np.array(data["vector"], dtype=np.float32) / scale,
            np.array(data["vector_bias"], dtype=np.float32) / scale,
        )

    def save(self, path: Path = _MODEL, scale: int = 100) -> None:
        """Keep it as whole numbers, `scale` times as large; a run keeps only the columns that it says something for."""
        whole = np.rint(self.weights * scale).astype(int)
        rarity = np.rint(self.rarity * scale).astype(int)
        runs = {
            run: [
                int(rarity[row]),
                *(int(x) for column in np.flatnonzero(whole[row]) for x in (column, whole[row, column])),
            ]
            for run, row in self.runs.items()
        }
        data = {
            "scale": scale,
            "firsts": self.firsts,
            "categories": self.categories,
            "bias": np.rint(self.bias * scale).astype(int).tolist(),
            "vector_bias": np.rint(self.vector_bias * scale).astype(int).tolist(),
            "vector": np.rint(self.vector * scale).astype(int).tolist(),
            "runs": runs,
        }
        path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")

    def judge(
        self, text: str, vector: Vectors | None = None, hints: Mapping[Category, float] | None = None
    ) -> Judgement:
        """The categories of a normalised text.

        Args:
            text: A normalised message or letter.
            vector: Its sentence vector, shape (384,); without one the words decide alone.
            hints: Log odds that other rules add for a category and its first level.
        """
        width = len(self.firsts)
        said = np.stack([self._said(stretch) for stretch in stretches(text)])
        chances = _softmax(said[:, :width])
        # Squared, so that the stretches that are sure of something outvote those that say nothing.
        firsts = np.log(np.square(chances).sum(0) / np.square(chances).sum() + _LEAST_CHANCE)
        thirds = said[:, width:].mean(0).astype(np.float64) * _LEAF_SHARPNESS
        if vector is not None:
            meant = (vector @ self.vector + self.vector_bias).astype(np.float64)
            firsts += _VECTOR_SHARE * np.log(_softmax(meant[:width]) + _LEAST_CHANCE**2)
            thirds += meant[width:]
        for category, odds in (hints or {}).items():
            firsts[self.firsts.index(category[0])] += odds
            if category in self._numbers:
                thirds[self._numbers[category]] += odds
        within = _softmax(thirds) + _LEAST_CHANCE**3
        share = np.bincount(self._first_of, weights=within, minlength=width)
        likely = _softmax(firsts)
        whole = likely[self._first_of] * within / share[self._first_of]
        order = np.argsort(-whole)[:_RANKED]
        ranked = tuple((self.categories[i], float(whole[i])) for i in order)
        by_first = dict(zip(self.firsts, likely.tolist(), strict=True))
        return Judgement(ranked, by_first, self._words(text, int(self._first_of[order[0]])))

    @cached_property
    def _first_of(self) -> NDArray[np.intp]:
        return np.array([self.firsts.index(category[0]) for category in self.categories])

    @cached_property
    def _numbers(self) -> dict[Category, int]:
        return {category: i for i, category in enumerate(self.categories)}

    def _said(self, stretch: str) -> Scores:
        rows = [self.runs[run] for run in runs_of(stretch) if run in self.runs]
        if not rows:
            return self.bias
        rarity = self.rarity[rows]
        said: Scores = self.bias + (rarity @ self.weights[rows]) / np.float32(np.sqrt(np.square(rarity).sum()))
        return said

    def _words(self, text: str, first: int) -> tuple[str, ...]:
        """The words of `text` that speak most for a first level; none stands in another."""
        weight = {
            run: float(self.weights[self.runs[run], first]) * len(run) for run in runs_of(text) if run in self.runs
        }
        words: list[str] = []
        for run in sorted(weight, key=lambda run: (-weight[run], run)):
            if weight[run] <= 0 or len(words) == _WORDS_SHOWN:
                break
            if _WORD.fullmatch(run) and not any(set(run) & set(word) for word in words):
                words.append(run)
        return tuple(words)


@cache
def category_model() -> CategoryModel:
    """The model shipped with the product."""
    return CategoryModel.load()


def runs_of(text: str) -> set[str]:
    """Runs of two to four signs without punctuation, all digits alike."""
    text = _STOP.sub("\n", _DIGITS.sub("0", text))
    runs = {text[i : i + n] for n in range(_SHORTEST_RUN, _LONGEST_RUN + 1) for i in range(len(text) - n + 1)}
    return {run for run in runs if "\n" not in run}


def stretches(text: str) -> Sequence[str]:
    """`text` cut at its punctuation into stretches of about 25 signs; a clause is never cut."""
    found: list[str] = []
    for clause in _CLAUSE.findall(text):
        if found and len(found[-1]) + len(clause) <= _STRETCH_SIGNS:
            found[-1] += f"，{clause}"
        else:
            found.append(clause)
    return found or [text]


def _softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float64)
