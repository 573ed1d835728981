"""Whether two questions ask the same: sentence vectors, shared words, what is asked, and what may never differ."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cn2an
import numpy as np
import yaml

from knowledge.question import Lexicon
from language.normalise import normalise
from language.vectors import Encoder, Vectors

_RULES = Path(__file__).with_name("matching.yml")

# Measured on tests/integration/curated_probes.yml with multilingual-e5-small: from this likeness on an entry is served.
ACCEPT = 0.68
# Variants nearest in meaning whose words are looked at.
_NEAREST = 12
# Cosine below which two questions share nothing but being questions, and above which they are the same.
_COSINE = (0.90, 0.98)
_WEIGHT_OF_MEANING = 0.4
_COST_OF_ANOTHER_ASPECT = 0.12
# For a word of the question that no variant of the entry says: it is what the question is about, or a synonym.
_COST_OF_A_STRANGE_WORD = 0.15

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# 一 is left out: 一个月多少钱 names no number.
_CHINESE_NUMBER = re.compile(
    "([二三四五六七八九两]?十[一二三四五六七八九]?|[二三四五六七八九两])(?=个?小时|天|日|个月|年|岁|分钟|元|块)"
)
_NO_WORD = re.compile(r"[^\w+]")


@dataclass(frozen=True, slots=True)
class Reading:
    """A question, ready to be compared.

    Attributes:
        text: Normalised, numbers before units in digits.
        words: Content words, without those that say what is asked.
        aspects: What it asks of its subject, ids of `matching.yml`; empty for a text that asks nothing.
        exact: Numbers, places and areas, year and denial: no two questions that differ in one of them are the same.
    """

    text: str
    words: tuple[str, ...]
    aspects: frozenset[str]
    exact: tuple[frozenset[str], frozenset[str], str | None, bool]


class Reader:
    """Reads questions for comparison."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def read(self, text: str) -> Reading:
        """What `text` asks of what."""
        rules = _rules()
        text = _CHINESE_NUMBER.sub(_digits, normalise(text))
        # With this year as year 0 the lexicon tells 今年, which says nothing, from other years.
        question = self._lexicon.read(text, report_year=-1)
        aspects = frozenset(name for name, pattern in rules.aspects.items() if pattern.search(question.core))
        return Reading(
            text=text,
            words=tuple(dict.fromkeys(self._lexicon.words(rules.all_aspects.sub(" ", question.core)))),
            aspects=aspects - {"whether"} or aspects,
            exact=(
                frozenset(_NUMBER.findall(text)),
                frozenset(question.places).union(rules.area.findall(text)),
                None if question.year == "0" else question.year,
                bool(rules.denial.search(rules.not_denial.sub(" ", text))),
            ),
        )

    def likeness(self, one: Reading, other: Reading, cosine: float, weight: Callable[[str], float]) -> float:
        """How surely two questions are the same, 0 to 1; 0 where something decisive differs.

        Args:
            one: A question.
            other: Another.
            cosine: Of their sentence vectors.
            weight: How telling a word is.
        """
        if one.exact != other.exact:
            return 0.0
        cost = 0.0
        if one.aspects != other.aspects and not one.aspects & other.aspects:
            if not any(group & one.aspects and group & other.aspects for group in _rules().alike):
                return 0.0
            cost = _COST_OF_ANOTHER_ASPECT
        low, high = _COSINE
        meaning = min(max((cosine - low) / (high - low), 0.0), 1.0)
        words = (self._coverage(one, other, weight) + self._coverage(other, one, weight)) / 2
        return max(_WEIGHT_OF_MEANING * meaning + (1 - _WEIGHT_OF_MEANING) * words - cost, 0.0)

    def _coverage(self, asked: Reading, other: Reading, weight: Callable[[str], float]) -> float:
        """Share of the words of `asked`, by weight, that `other` says too."""
        full = sum(map(weight, asked.words))
        if not full:
            return 0.5 if other.words else 1.0
        return sum(weight(word) * self.said(word, other) for word in asked.words) / full

    def said(self, word: str, reading: Reading) -> float:
        """How surely a word is said: as it is, by another name, or by most of its signs cut otherwise."""
        if word in reading.text:
            return 1.0
        aliases = self._lexicon.aliases
        names = set(aliases.get(word, ()))
        for other in reading.words:
            others = aliases.get(other, ())
            if other in names or word in others or names.intersection(others):
                return 0.95
        return 0.9 * sum(sign in reading.text for sign in word) / len(word) if len(word) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """The entry that answers a question, the variant that is like it, and how like (0 to 1)."""

    entry_id: str
    version: int
    variant: str
    score: float


@dataclass(frozen=True, slots=True)
class Entry:
    """What is served of a curated entry."""

    id: str
    version: int
    variants: tuple[str, ...]
    answer: str
    source: str


class CuratedMatcher:
    """Finds the entry that answers a question. Safe from threads: nothing changes after it is made."""

    def __init__(
        self, entries: Sequence[Entry], encoder: Encoder, lexicon: Lexicon, known: Mapping[str, Vectors] | None = None
    ) -> None:
        """Read and encode every variant.

        Args:
            entries: Those that may be served.
            encoder: Makes sentence vectors.
            lexicon: Cuts words and knows their other names.
            known: Vectors of an earlier matcher, which are not made again.
        """
        self.entries = {entry.id: entry for entry in entries}
        self._encoder = encoder
        self._reader = Reader(lexicon)
        self._variants = [(entry, variant) for entry in entries for variant in entry.variants]
        self._readings = [self._reader.read(variant) for _, variant in self._variants]
        self._same = {key_of(variant): i for i, (_, variant) in enumerate(self._variants)}
        known = known or {}
        self.vectors = {
            reading.text: known[reading.text] if reading.text in known else encoder.encode([reading.text])[0]
            for reading in self._readings
        }
        self._matrix = np.stack([self.vectors[reading.text] for reading in self._readings]) if self._readings else None
        self._rarity = self._rarities()
        self._of_entry: dict[str, list[Reading]] = {}
        for (entry, _), reading in zip(self._variants, self._readings, strict=True):
            self._of_entry.setdefault(entry.id, []).append(reading)

    def find(self, text: str) -> Match | None:
        """The entry that answers `text`; None unless that is as good as certain."""
        if self._matrix is None:
            return None
        if (i := self._same.get(key_of(text))) is not None:
            return self._match(i, 1.0)
        asked = self._reader.read(text)
        # A sentence vector costs more than all variants' words, and most questions are far from every entry.
        if not asked.aspects or not any(self._score(asked, i, 1.0) >= ACCEPT for i in range(len(self._variants))):
            return None
        cosines = self._matrix @ self._encoder.encode([asked.text])[0]
        scored = [
            (self._score(asked, int(i), float(cosines[i])), int(i))
            for i in np.argsort(-cosines, kind="stable")[:_NEAREST]
        ]
        score, i = max(scored, key=lambda pair: (pair[0], -pair[1]))
        return self._match(i, score) if score >= ACCEPT else None

    def _score(self, asked: Reading, i: int, cosine: float) -> float:
        score = self._reader.likeness(asked, self._readings[i], cosine, self._weight)
        if score < ACCEPT:
            return score
        variants = self._of_entry[self._variants[i][0].id]
        said = (max(self._reader.said(word, variant) for variant in variants) for word in asked.words)
        strange = max(
            (self._weight(word) * (1 - sure) for word, sure in zip(asked.words, said, strict=True)), default=0
        )
        return score - _COST_OF_A_STRANGE_WORD * strange

    def _match(self, i: int, score: float) -> Match:
        entry, variant = self._variants[i]
        return Match(entry.id, entry.version, variant, score)

    def _weight(self, word: str) -> float:
        return self._rarity.get(word, 1.0)

    def _rarities(self) -> dict[str, float]:
        """How telling each word of the variants is: 1 in a single entry, near 0 in all."""
        words: dict[str, set[str]] = {}
        for (entry, _), reading in zip(self._variants, self._readings, strict=True):
            words.setdefault(entry.id, set()).update(reading.words)
        counts = Counter(word for said in words.values() for word in said)
        most = math.log(len(words) + 1)
        return {word: math.log((len(words) + 1) / count) / most for word, count in counts.items()}


def key_of(text: str) -> str:
    """What two texts share that differ in punctuation, script, width or spaces alone."""
    return _NO_WORD.sub("", normalise(text))


def _digits(match: re.Match[str]) -> str:
    # The space keeps the digits apart from those before them: 12345二十四小时.
    return f" {cn2an.cn2an(match[1].replace('两', '二'), 'smart')}"


@dataclass(frozen=True, slots=True)
class _Rules:
    aspects: dict[str, re.Pattern[str]]
    all_aspects: re.Pattern[str]
    alike: list[frozenset[str]]
    area: re.Pattern[str]
    denial: re.Pattern[str]
    not_denial: re.Pattern[str]


@cache
def _rules() -> _Rules:
    data: dict[str, Any] = yaml.safe_load(_RULES.read_text(encoding="utf-8"))
    return _Rules(
        aspects={name: re.compile(pattern) for name, pattern in data["aspects"].items()},
        all_aspects=re.compile("|".join(f"(?:{pattern})" for pattern in data["aspects"].values())),
        alike=[frozenset(group) for group in data["alike"]],
        area=re.compile(data["area"]),
        denial=re.compile(data["denial"]),
        not_denial=re.compile(data["not_denial"]),
    )
