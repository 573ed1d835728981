"""What kind of demand a message is, where it belongs in the network, and how much it hurries."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cn2an
import yaml

from jurisdiction import Jurisdiction, Location, load_jurisdiction
from jurisdiction.model import Matter, RoutingRules, expand
from language.danger import Danger, find_danger
from language.normalise import normalise
from language.vectors import Encoder
from petitions.category import Category, Judgement, category_model
from petitions.search import quantised

_TAXONOMY = Path(__file__).with_name("taxonomy.yml")
_WORDS_SHOWN = 3
# Below this chance a runner-up is noise.
_LEAST_CHANCE = 0.05

Level = Literal["1", "6", "N", "none"]
Priority = Literal["emergency", "urgent", "normal"]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a petition goes, and why."""

    class_: str
    category: tuple[str, str, str]
    level: Level
    unit: str | None
    office: str | None
    community: str | None
    priority: Priority
    flags: tuple[str, ...]
    legal_path: str | None
    reasons: tuple[str, ...]
    alternatives: tuple[dict[str, Any], ...]
    matter: str | None = None
    # Not part of the contract's object: what filing needs of the jurisdiction.
    is_restricted: bool = False
    is_time_asked: bool = False
    is_community_asked: bool = False
    prefix: str = ""
    # What the text means, as `search.quantised` keeps it; empty without an encoder.
    vector: bytes = field(default=b"", repr=False)

    def to_json(self) -> dict[str, Any]:
        """The `route` object of the contract."""
        return {
            "class": self.class_,
            "category": list(self.category),
            "level": self.level,
            "unit": self.unit,
            "office": self.office,
            "community": self.community,
            "priority": self.priority,
            "flags": list(self.flags),
            "legal_path": self.legal_path,
            "reasons": list(self.reasons),
            "alternatives": [dict(alternative) for alternative in self.alternatives],
        }


def triage(text: str, jurisdiction: Jurisdiction, encoder: Encoder | None = None) -> Route:
    """The route of the matter told in `text`.

    Args:
        text: All that is known: matter and place, in any script.
        jurisdiction: Whose rules count.
        encoder: Judges by nearness to example phrases where no word tells the matter.
    """
    return _Triage(text, jurisdiction, encoder).route()


def is_category(category: tuple[str, str, str]) -> bool:
    """Whether the national list has this category."""
    first, second, third = category
    return third in taxonomy().get(first, {}).get(second, [])


@cache
def class_names() -> tuple[str, ...]:
    """The kinds of demand that a petition of the jurisdiction beside the code may have."""
    return load_jurisdiction().classes


@cache
def taxonomy() -> dict[str, dict[str, list[str]]]:
    """The national list of matters: level 1, level 2, level 3."""
    categories: dict[str, dict[str, list[str]]] = yaml.safe_load(_TAXONOMY.read_text(encoding="utf-8"))["categories"]
    return categories


@dataclass(slots=True)
class _Score:
    """How strongly a text speaks for something, and the words that do."""

    value: float = 0.0
    words: list[str] = field(default_factory=list)

    def add(self, patterns: list[re.Pattern[str]], weight: float, text: str) -> None:
        for pattern in patterns:
            if found := pattern.search(text):
                self.value += weight
                if weight > 0:
                    self.words.append(found[0])


class _Triage:
    """One message on its way through the steps of routing."""

    def __init__(self, text: str, jurisdiction: Jurisdiction, encoder: Encoder | None) -> None:
        self._jurisdiction = jurisdiction
        self._rules = _compiled(jurisdiction)
        self._data = jurisdiction.routing
        self._text = normalise(text)
        self._vector = encoder.encode([self._text])[0] if encoder and self._text else None
        self._danger: Danger | None = find_danger(text, jurisdiction)
        self._location: Location = jurisdiction.locate(text)
        self._reasons: list[str] = []

    def route(self) -> Route:
        accused = self._accused()
        judged, scores = self._judged()
        matter = self._matter(judged, scores)
        category = self._category(judged, accused)
        class_, other_class = self._class(matter, accused)
        collective, repeat = self._collective(), self._repeat()
        path = None if accused else self._legal_path()
        priority = self._priority(matter, class_)
        level, unit, office = self._unit(matter, class_, accused, path, collective or repeat)
        signs = {"collective": collective, "repeat": repeat, "legal_path": path is not None}
        community = self._location.community if level == "N" or (level == "6" and self._is_inside()) else None
        return Route(
            class_=class_,
            category=category,
            level=level,
            unit=unit,
            office=office,
            community=None if accused else community,
            priority=priority,
            flags=tuple(flag for flag, is_set in signs.items() if is_set),
            legal_path=path,
            reasons=tuple(self._reasons),
            alternatives=(*self._other_categories(judged, category), *other_class),
            matter=matter.id if matter else None,
            is_restricted=accused,
            is_time_asked=matter is not None and matter.is_time_asked,
            is_community_asked=office == self._data.undecided_queue,
            prefix=self._data.ticket_prefix,
            vector=b"" if self._vector is None else quantised(self._vector),
        )

    def _say(self, reason: str, words: list[str] | str = (), **fields: str) -> None:  # type: ignore[assignment]
        shown = words if isinstance(words, str) else "、".join(dict.fromkeys(words[:_WORDS_SHOWN]))
        self._reasons.append(self._data.reasons[reason].format(words=shown, **fields))

    def _is_inside(self) -> bool:
        return self._location.status == "inside"

    def _judged(self) -> tuple[Judgement, list[tuple[Matter, _Score]]]:
        """Step 5, done first because the steps before need it: category and kinds of matter, best first."""
        weights = self._data.weights
        scores: list[tuple[Matter, _Score]] = []
        by_danger = self._data.danger_matters.get(self._danger.name) if self._danger else None
        for matter, groups in self._rules.matters:
            score = _Score()
            for group, patterns in groups.items():
                score.add(patterns, weights[group], self._text)
            if matter.id == by_danger:
                score.value += weights["danger"]
            scores.append((matter, score))
        scores.sort(key=lambda pair: -pair[1].value)
        hints: dict[Category, float] = {}
        for matter, score in scores:
            if score.value > 0:
                hints[matter.category] = max(hints.get(matter.category, 0), self._hint(score.value))
        return category_model().judge(self._without_places(), self._vector, hints), scores

    def _without_places(self) -> str:
        """The text as its category is judged: the community in which something happened tells nothing of what it is."""
        return self._rules.where.sub("", self._text) or self._text

    def _hint(self, score: float) -> float:
        """Log odds for a category: a rule in a short message says more than the same words somewhere in a letter."""
        return self._data.hint * score / (1 + (len(self._text) / self._data.hint_signs) ** 2)

    def _matter(self, judged: Judgement, scores: list[tuple[Matter, _Score]]) -> Matter | None:
        """The kind of matter: by its words, where they leave several by the category, else by the category alone."""
        (best, score), *_ = scores
        if sure := [pair for pair in scores if pair[1].value >= self._data.sure]:
            best, score = max(sure, key=lambda pair: self._hint(pair[1].value) + self._fit(judged, pair[0]))
            self._say("matter", score.words or best.name, name=best.name)
            return best
        of_category = [matter for matter in self._jurisdiction.matters if matter.category == judged.best]
        if of_category and judged.chance >= self._data.near:
            self._say("matter_like", name=of_category[0].name)
            return of_category[0]
        if score.value > 0:
            self._say("matter", score.words, name=best.name)
            return best
        self._say("matter_none")
        return None

    def _fit(self, judged: Judgement, matter: Matter) -> float:
        """Log odds that a text whose category is so judged is of this kind."""
        return self._data.fit * math.log(judged.firsts.get(matter.category[0], 0) + _LEAST_CHANCE)

    def _accused(self) -> bool:
        text = _cut(self._text, self._rules.accusation_exceptions)
        if words := _found(self._rules.accusation_signs, text):
            self._say("accusation", words)
            return True
        return False

    def _category(self, judged: Judgement, accused: bool) -> Category:
        if accused:
            return next(category for signs, category in self._rules.accusation_categories if _found(signs, self._text))
        next_best = judged.ranked[1]
        self._say(
            "category",
            list(judged.words) or "—",
            name=" / ".join(judged.best),
            chance=f"{judged.chance:.2f}",
            other=" / ".join(next_best[0]),
            other_chance=f"{next_best[1]:.2f}",
        )
        return judged.best

    def _other_categories(self, judged: Judgement, category: Category) -> list[dict[str, Any]]:
        """The runners-up, each with the office of the first kind of matter in it."""
        return [
            {
                "matter": next((m.name for m in self._jurisdiction.matters if m.category == other), other[2]),
                "category": list(other),
                "office": next((m.office for m in self._jurisdiction.matters if m.category == other), None),
                "score": round(chance, 2),
            }
            for other, chance in judged.ranked
            if other != category
        ][:1]

    def _class(self, matter: Matter | None, accused: bool) -> tuple[str, list[dict[str, Any]]]:
        """Step 1, with the runner-up."""
        if accused:
            return self._data.accusation, []
        scores: dict[str, _Score] = {}
        for name, signs in self._rules.classes:
            score = scores.setdefault(name, _Score())
            for pattern, weight in signs:
                score.add([pattern], weight, self._text)
        if matter and matter.default_class:
            scores[matter.default_class].value += self._data.default_class_weight
        name, score = max(scores.items(), key=lambda item: item[1].value)
        if score.value <= 0:
            self._say("class_none", name=self._data.fallback_class)
            return self._data.fallback_class, []
        self._say("class", score.words or name, name=name)
        powers = {name: math.exp(score.value) for name, score in scores.items()}
        second = sorted(scores, key=lambda name: -powers[name])[1]
        chance = powers[second] / sum(powers.values())
        return name, [{"class": second, "score": round(chance, 2)}] if chance >= _LEAST_CHANCE else []

    def _legal_path(self) -> str | None:
        text = _cut(self._text, self._rules.legal_exceptions)
        for name, signs in self._rules.legal_paths:
            if words := _found(signs, text):
                self._say("legal_path", words, name=name)
                return name
        return None

    def _collective(self) -> bool:
        text = _cut(self._text, self._rules.collective_exceptions)
        words = _found(self._rules.collective_signs, text)
        words += [
            found[0]
            for found in self._rules.collective_households.finditer(text)
            if _number(found[1]) >= self._data.collective_least
        ]
        if words:
            self._say("collective", words)
        return bool(words)

    def _repeat(self) -> bool:
        words = _found(self._rules.repeat_signs, _cut(self._text, self._rules.repeat_exceptions))
        if words:
            self._say("repeat", words)
        return bool(words)

    def _priority(self, matter: Matter | None, class_: str) -> Priority:
        """Step 2."""
        if self._danger:
            self._say("emergency")
            return "emergency"
        if class_ in self._data.no_hurry_classes:
            return "normal"
        words = _found(self._rules.urgent_signs, self._text)
        if matter:
            words += _found(self._rules.matter_urgent[matter.id], self._text)
        if words:
            self._say("urgent", words)
            return "urgent"
        return "normal"

    def _unit(  # noqa: PLR0911 - the rules of routing, first that fits
        self, matter: Matter | None, class_: str, accused: bool, path: str | None, together: bool
    ) -> tuple[Level, str | None, str | None]:
        """Steps 3 and 4: the first rule that fits."""
        here, data = self._location, self._data
        own_hall = self._jurisdiction.hall("6", subdistrict=self._jurisdiction.name).name
        if here.status == "outside":
            self._say("outside", body=here.body or "")
            return "none", None, None
        if accused:
            return "1", self._jurisdiction.hall("1").name, None
        if here.status == "other_subdistrict" and here.subdistrict:
            self._say("other_subdistrict", subdistrict=here.subdistrict)
            return "6", self._jurisdiction.hall("6", subdistrict=here.subdistrict).name, None
        if here.words and self._is_inside():
            self._say("place", here.words)
        office = matter.office if matter else data.general_office
        if path:
            return "6", own_hall, office if matter and matter.handler == "office" else data.dispute_office
        if matter and matter.handler == "district" and matter.department and class_ not in data.praise_classes:
            self._say("district", department=matter.department)
            return "1", self._jurisdiction.hall("1").name, matter.department
        station = self._jurisdiction.hall("N", community=here.community).name if here.community else None
        if class_ in data.manner_classes or _found(self._rules.manner_signs, self._text):
            self._say("manner", office=data.general_office)
            concerns_station = class_ in data.praise_classes or matter is None or matter.handler == "neighbourhood"
            concerns_station = concerns_station or (matter is not None and matter.id == data.manner_matter)
            if station and concerns_station:
                return "N", station, data.general_office
            return "6", own_hall, data.general_office
        if matter is None or matter.handler != "neighbourhood" or together:
            self._say("office", office=office)
            return "6", own_hall, office
        if station and here.community:
            self._say("neighbourhood", community=here.community)
            return "N", station, None
        self._say("undecided")
        return "6", own_hall, data.undecided_queue


def _found(patterns: list[re.Pattern[str]], text: str) -> list[str]:
    return [match[0] for pattern in patterns if (match := pattern.search(text))]


def _cut(text: str, patterns: list[re.Pattern[str]]) -> str:
    for pattern in patterns:
        text = pattern.sub("▢", text)
    return text


def _number(digits: str) -> int:
    try:
        return int(cn2an.cn2an(digits.replace("两", "二"), "smart"))
    except ValueError:
        return 0


@dataclass(frozen=True, slots=True)
class _Compiled:
    matters: list[tuple[Matter, dict[Literal["strong", "words", "weak", "against"], list[re.Pattern[str]]]]]
    matter_urgent: dict[str, list[re.Pattern[str]]]
    classes: list[tuple[str, list[tuple[re.Pattern[str], float]]]]
    accusation_signs: list[re.Pattern[str]]
    accusation_exceptions: list[re.Pattern[str]]
    accusation_categories: list[tuple[list[re.Pattern[str]], tuple[str, str, str]]]
    manner_signs: list[re.Pattern[str]]
    legal_paths: list[tuple[str, list[re.Pattern[str]]]]
    legal_exceptions: list[re.Pattern[str]]
    collective_signs: list[re.Pattern[str]]
    collective_exceptions: list[re.Pattern[str]]
    collective_households: re.Pattern[str]
    repeat_signs: list[re.Pattern[str]]
    repeat_exceptions: list[re.Pattern[str]]
    urgent_signs: list[re.Pattern[str]]
    where: re.Pattern[str]


# By identity: rules are frozen and too large to hash at every message.
_known: dict[int, tuple[RoutingRules, _Compiled]] = {}


def _compiled(jurisdiction: Jurisdiction) -> _Compiled:
    rules = jurisdiction.routing
    known = _known.get(id(rules))
    if known is None or known[0] is not rules:
        known = _known[id(rules)] = (rules, _compile(jurisdiction))
    return known[1]


def _compile(jurisdiction: Jurisdiction) -> _Compiled:
    rules, words = jurisdiction.routing, jurisdiction.routing.words
    return _Compiled(
        matters=[
            (
                matter,
                {
                    "strong": expand(matter.strong, words),
                    "words": expand(matter.words, words),
                    "weak": expand(matter.weak, words),
                    "against": expand(matter.against, words),
                },
            )
            for matter in jurisdiction.matters
        ],
        matter_urgent={matter.id: expand(matter.urgent, words) for matter in jurisdiction.matters},
        classes=[
            (rule.name, list(zip(expand(rule.signs, words), rule.signs.values(), strict=True)))
            for rule in rules.classes
        ],
        accusation_signs=expand(rules.accusation_signs, words),
        accusation_exceptions=expand(rules.accusation_exceptions, words),
        accusation_categories=[(expand(kind.signs, words), kind.category) for kind in rules.accusation_categories],
        manner_signs=expand(rules.manner_signs, words),
        legal_paths=[(path.name, expand(path.signs, words)) for path in rules.legal_paths],
        legal_exceptions=expand(rules.legal_exceptions, words),
        collective_signs=expand(rules.collective_signs, words),
        collective_exceptions=expand(rules.collective_exceptions, words),
        collective_households=expand((rules.collective_households,), words)[0],
        repeat_signs=expand(rules.repeat_signs, words),
        repeat_exceptions=expand(rules.repeat_exceptions, words),
        urgent_signs=expand(rules.urgent_signs, words),
        where=expand((rules.where,), words)[0],
    )
