"""Where a message says its matter is."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from opencc import OpenCC

if TYPE_CHECKING:
    from jurisdiction.model import AmbiguousName, Jurisdiction

Status = Literal["inside", "other_subdistrict", "outside", "ambiguous", "unknown"]
_CJK = r"[\u3400-\u9fff]"
_SPACE_IN_CHINESE = re.compile(rf"(?<={_CJK})\s+(?={_CJK})")
# How much of the sentence before a name is read for "not", "I live in", "I come from".
_LOOK_BACK = 6
_LOOK_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Location:
    """Where a matter is.

    `words` are the names that decided, `choices` the full names to offer for an ambiguous one, `body` whom to turn to
    outside.
    """

    status: Status
    community: str | None = None
    subdistrict: str | None = None
    words: str = ""
    choices: tuple[str, ...] = ()
    body: str | None = None


@dataclass(frozen=True, slots=True)
class _Name:
    """What a name in the gazetteer stands for."""

    kind: Literal["inside", "other_subdistrict", "outside", "ambiguous", "district", "ignored"]
    community: str | None = None
    subdistrict: str | None = None
    area: str = ""


@dataclass(frozen=True, slots=True)
class _Mention:
    """A name found in a text."""

    text: str
    start: int
    end: int
    name: _Name
    is_home: bool = False
    is_located: bool = False


class Gazetteer:
    """All names of a jurisdiction, found longest first."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        self._own = jurisdiction.name
        self._rules = jurisdiction.place_rules
        self._in_city = {area.name for area in jurisdiction.outside if area.is_in_city}
        self._ambiguous = {name.name: name for name in jurisdiction.ambiguous}
        self._names = dict(_names_of(jurisdiction))
        self._pattern = re.compile("|".join(map(re.escape, sorted(self._names, key=len, reverse=True))))
        self._before = {
            key: re.compile(f"(?:{pattern})$")
            for key, pattern in {
                "denied": self._rules.denied_before,
                "not_denied": self._rules.not_denied_before,
                "home": self._rules.home_before,
                "located": self._rules.located_before,
                "origin": self._rules.origin_before,
            }.items()
        }
        self._origin_after = re.compile(self._rules.origin_after)

    @property
    def narrow_names(self) -> frozenset[str]:
        """Names of places that are not the own subdistrict or district as a whole."""
        whole = _Name("inside", None, self._own)
        return frozenset(
            word
            for word, name in self._names.items()
            if name.kind not in {"ignored", "district"} and name != whole and word not in self._own
        )

    def locate(self, text: str) -> Location:  # noqa: PLR0911 - one line a status, in order of certainty
        """Where `text` says the matter is; see `Jurisdiction.locate`."""
        mentions = _without_homes(self._mentions(fold(text)))
        inside = [m for m in mentions if m.name.kind == "inside"]
        resolved, open_names = self._resolve([m for m in mentions if m.name.kind == "ambiguous"], mentions)
        inside += [m for m in resolved if m.name.kind == "inside"]
        others = [m for m in [*mentions, *resolved] if m.name.kind == "other_subdistrict"]
        outside = [m for m in [*mentions, *resolved] if m.name.kind == "outside"]
        located = [m for m in outside if m.is_located]
        if located and all(m.is_home for m in inside):
            return self._outside(located)
        if inside and (others or not open_names or any(m.name.community for m in inside)):
            return self._inside(inside)
        if others:
            # A community says more than a subdistrict, whose borders were redrawn while old names stayed in use.
            surest = next((m for m in others if m.name.community), others[-1])
            return Location("other_subdistrict", None, surest.name.subdistrict, _words(others))
        if outside:
            return self._outside(outside)
        if open_names:
            return self._open(open_names, mentions)
        if inside:
            return self._inside(inside)
        return Location("unknown", words=_words([m for m in mentions if m.name.kind == "district"]))

    def _mentions(self, text: str) -> list[_Mention]:
        found: list[_Mention] = []
        is_denied, denied_end = False, -1
        for match in self._pattern.finditer(text):
            name = self._names[match[0]]
            if name.kind == "ignored":
                continue
            before, after = text[max(0, match.start() - _LOOK_BACK) : match.start()], text[match.end() :][:_LOOK_AHEAD]
            is_denied = (is_denied and match.start() == denied_end) or (
                bool(self._before["denied"].search(before)) and not self._before["not_denied"].search(before)
            )
            if is_denied:
                denied_end = match.end()
                continue
            if name.kind == "outside" and (self._before["origin"].search(before) or self._origin_after.match(after)):
                continue
            run = found[-1] if found and found[-1].end == match.start() else None
            found.append(
                _Mention(
                    match[0],
                    match.start(),
                    match.end(),
                    name,
                    is_home=run.is_home if run else bool(self._before["home"].search(before)),
                    is_located=run.is_located if run else bool(self._before["located"].search(before)),
                )
            )
        return found

    def _resolve(self, unsure: list[_Mention], mentions: list[_Mention]) -> tuple[list[_Mention], list[_Mention]]:
        """The ambiguous mentions that the rest of the text decides, and those it leaves open."""
        resolved, left = [], []
        for mention in unsure:
            others = [m.text for m in mentions if (m.start, m.end) != (mention.start, mention.end)]
            fitting = [
                candidate
                for candidate in self._ambiguous[mention.text].candidates
                if any(cue in other for cue in candidate.cues for other in others)
            ]
            if len(fitting) != 1:
                left.append(mention)
                continue
            only = fitting[0]
            if only.outside is not None:
                name = _Name("outside", area=only.outside)
            else:
                kind: Literal["inside", "other_subdistrict"] = (
                    "inside" if only.subdistrict == self._own else "other_subdistrict"
                )
                name = _Name(kind, only.community, only.subdistrict)
            resolved.append(replace(mention, name=name))
        return resolved, left

    def _inside(self, mentions: list[_Mention]) -> Location:
        communities = {m.name.community for m in mentions} - {None}
        community = communities.pop() if len(communities) == 1 else None
        return Location("inside", community, self._own, _words(mentions))

    def _outside(self, mentions: list[_Mention]) -> Location:
        area = mentions[0].name.area
        form = self._rules.body_in_city if area in self._in_city else self._rules.body_elsewhere
        return Location("outside", words=_words(mentions), body=form.format(area=area))

    def _open(self, open_names: list[_Mention], mentions: list[_Mention]) -> Location:
        """Ask for the first open name that is more than the name of the district itself."""
        rank = {m: i for i, m in enumerate(self._ambiguous)}
        mention = min(open_names, key=lambda m: rank[m.text])
        name: AmbiguousName = self._ambiguous[mention.text]
        own = any(m.name.kind == "inside" for m in mentions)
        candidates = [c for c in name.candidates if not own or c.subdistrict == self._own] or name.candidates
        return Location("ambiguous", words=mention.text, choices=tuple(c.name for c in candidates))


def _names_of(jurisdiction: Jurisdiction) -> list[tuple[str, _Name]]:
    """Every name with its meaning; where a name is given twice the later counts."""
    rules, own = jurisdiction.place_rules, jurisdiction.name
    names: list[tuple[str, _Name]] = [(word, _Name("ignored")) for word in rules.ignored_words]
    names += [(jurisdiction.district, _Name("district"))]
    for area in jurisdiction.outside:
        names += [(word, _Name("outside", area=area.name)) for word in (area.name, *area.names)]
    for subdistrict in jurisdiction.subdistricts:
        kind: Literal["inside", "other_subdistrict"] = "inside" if subdistrict.name == own else "other_subdistrict"
        whole = _Name(kind, None, subdistrict.name)
        names += [(word, whole) for word in (subdistrict.name, *subdistrict.variants)]
        for community in subdistrict.communities:
            part = _Name(kind, community, subdistrict.name)
            names += [(f"{community}{ending}", part) for ending in ("社区", "村", "居委会", "工作站")]
        names += [(word, _Name(kind, word, subdistrict.name)) for word in subdistrict.bare]
    for place in jurisdiction.places:
        subdistrict_name = place.subdistrict or own
        meaning = _Name("inside" if subdistrict_name == own else "other_subdistrict", place.community, subdistrict_name)
        names += [(word, meaning) for word in (place.name, *place.variants)]
    names += [(name.name, _Name("ambiguous")) for name in jurisdiction.ambiguous]
    return names


def _without_homes(mentions: list[_Mention]) -> list[_Mention]:
    """Where somebody lives counts only when nothing else says where the matter is."""
    away = [m for m in mentions if not m.is_home]
    has_place = any(m.is_located or m.name.kind == "inside" for m in away)
    return away if has_place else mentions


def _words(mentions: list[_Mention]) -> str:
    return "、".join(dict.fromkeys(m.text for m in mentions))


def fold(text: str) -> str:
    """`text` in simplified, half-width characters without spaces between Chinese ones."""
    simplified: str = _simplifier().convert(_SPACE_IN_CHINESE.sub("", unicodedata.normalize("NFKC", text)).lower())
    return simplified


@cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")
