"""The records of a jurisdiction: who is where, who handles what, which words mean danger."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jurisdiction.places import Gazetteer, Location


def _checked_pattern(pattern: str) -> str:
    try:
        re.compile(_GROUP.sub("x", pattern))
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


_GROUP = re.compile(r"<(\w+)>")
Pattern = Annotated[str, AfterValidator(_checked_pattern)]
Category = tuple[str, str, str]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Record(_Strict):
    """A fact with where it stands and when that was read."""

    source: str = Field(min_length=1)
    as_of: date


class Subdistrict(Record):
    """One of the subdistricts of the district, with its communities."""

    name: str
    communities: tuple[str, ...] = Field(min_length=1)
    variants: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()


class Place(Record):
    """A name residents use, and the community it stands in where that is certain."""

    name: str
    subdistrict: str | None = None
    community: str | None = None
    variants: tuple[str, ...] = ()


class Candidate(_Strict):
    """One of the places an ambiguous name may mean; `cues` are names in the same text that decide for it."""

    name: str
    cues: tuple[str, ...]
    subdistrict: str | None = None
    community: str | None = None
    outside: str | None = None


class AmbiguousName(Record):
    """A name that stands in several places and is never guessed."""

    name: str
    candidates: tuple[Candidate, ...] = Field(min_length=2)


class OutsideArea(Record):
    """A district or city that is not ours, with the names that stand for it."""

    name: str
    is_in_city: bool = False
    names: tuple[str, ...]


class PlaceRules(_Strict):
    """How a name is read in its sentence."""

    ignored_words: tuple[str, ...]
    denied_before: Pattern
    not_denied_before: Pattern
    home_before: Pattern
    located_before: Pattern
    origin_before: Pattern
    origin_after: Pattern
    body_in_city: str
    body_elsewhere: str


class Hall(Record):
    """A hall or station of the network."""

    name: str
    level: Literal["1", "6", "N"]
    subdistrict: str | None = None
    community: str | None = None


class Office(Record):
    """An office of the subdistrict and what it handles, in words."""

    name: str
    handles: str


class Phone(Record):
    """A number that may be shown, and for what."""

    number: str
    name: str
    use: str
    # What a question speaks of that whoever answers there can help with.
    topics: tuple[Pattern, ...] = ()


class DangerRule(Record):
    """A danger: the signs that tell it, what is not meant by them, and what to say."""

    id: str
    kind: Literal["emergency", "crisis"]
    signs: tuple[Pattern, ...] = Field(min_length=1)
    figures: tuple[Pattern, ...] = ()
    over: tuple[Pattern, ...] = ()
    advice: str
    phones: tuple[str, ...] = Field(min_length=1)


class DangerRules(_Strict):
    """All dangers, most pressing first.

    `figures` are sayings of any kind that mean no danger, `over` that it has passed, `acute` that it still goes on.
    """

    words: dict[str, tuple[str, ...]]
    figures: tuple[Pattern, ...]
    over: tuple[Pattern, ...]
    acute: tuple[Pattern, ...]
    kinds: tuple[DangerRule, ...]


class Matter(Record):
    """A kind of matter: its words by weight, its category and who handles it."""

    id: str
    name: str
    strong: tuple[Pattern, ...] = ()
    words: tuple[Pattern, ...] = ()
    weak: tuple[Pattern, ...] = ()
    against: tuple[Pattern, ...] = ()
    category: Category
    handler: Literal["office", "neighbourhood", "district"]
    office: str
    department: str | None = None
    default_class: str | None = None
    urgent: tuple[Pattern, ...] = ()
    is_time_asked: bool = False
    examples: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_department(self) -> Self:
        if (self.handler == "district") != (self.department is not None):
            raise ValueError("department is named exactly where handler is district")
        return self


class WeightedRule(_Strict):
    """A class of demand with weighted signs."""

    name: str
    signs: dict[Pattern, float]


class AccusationCategory(_Strict):
    """The category of an accusation in which one of the signs stands."""

    signs: tuple[Pattern, ...]
    category: Category


class LegalPath(_Strict):
    """A legal path that comes before a petition, and the signs of it."""

    name: Literal["诉讼", "仲裁", "行政复议"]
    signs: tuple[Pattern, ...]


class RoutingRules(Record):
    """Steps 1 to 4 of routing as data."""

    words: dict[str, tuple[str, ...]]
    classes: tuple[WeightedRule, ...]
    fallback_class: str
    accusation: str
    accusation_signs: tuple[Pattern, ...]
    accusation_exceptions: tuple[Pattern, ...]
    accusation_categories: tuple[AccusationCategory, ...]
    manner_classes: tuple[str, ...]
    manner_signs: tuple[Pattern, ...]
    legal_paths: tuple[LegalPath, ...]
    legal_exceptions: tuple[Pattern, ...]
    collective_signs: tuple[Pattern, ...]
    collective_exceptions: tuple[Pattern, ...]
    collective_households: Pattern
    where: Pattern
    collective_least: int
    repeat_signs: tuple[Pattern, ...]
    repeat_exceptions: tuple[Pattern, ...]
    urgent_signs: tuple[Pattern, ...]
    general_office: str
    dispute_office: str
    undecided_queue: str
    danger_matters: dict[str, str]
    weights: dict[Literal["strong", "words", "weak", "against", "danger"], float]
    sure: float
    fit: float
    near: float
    hint: float
    hint_signs: float
    default_class_weight: float
    praise_classes: tuple[str, ...]
    manner_matter: str
    no_hurry_classes: tuple[str, ...]
    reasons: dict[str, str]
    ticket_prefix: str = Field(pattern=r"^[A-Z]{2}$")


class Jurisdiction(_Strict):
    """A subdistrict and everything local the product knows about it."""

    name: str
    district: str
    city: str
    subdistricts: tuple[Subdistrict, ...]
    places: tuple[Place, ...]
    ambiguous: tuple[AmbiguousName, ...]
    outside: tuple[OutsideArea, ...]
    place_rules: PlaceRules
    halls: tuple[Hall, ...]
    offices: tuple[Office, ...]
    phones: dict[str, Phone]
    danger: DangerRules
    matters: tuple[Matter, ...]
    routing: RoutingRules

    @model_validator(mode="after")
    def _refers_to_known_records(self) -> Self:
        subdistricts = {subdistrict.name for subdistrict in self.subdistricts}
        if self.name not in subdistricts:
            raise ValueError(f"places.yml: subdistricts lack {self.name}")
        communities = {community for subdistrict in self.subdistricts for community in subdistrict.communities}
        matters = {matter.id for matter in self.matters}
        offices = {office.name for office in self.offices}
        stations = {hall.community for hall in self.halls if hall.level == "N"}
        named: list[tuple[str, str | None, Collection[str | None]]] = [
            (f"places.yml: place {p.name}: unknown community", p.community, communities | {None}) for p in self.places
        ]
        named += [
            (f"places.yml: place {p.name}: unknown subdistrict", p.subdistrict, subdistricts | {None})
            for p in self.places
        ]
        named += [(f"matters.yml: matter {m.id}: unknown office", m.office, offices) for m in self.matters]
        named += [
            (f"danger.yml: {r.id}: unknown phone", phone, set(self.phones))
            for r in self.danger.kinds
            for phone in r.phones
        ]
        named += [
            ("routing.yml: danger_matters: unknown matter", m, matters) for m in self.routing.danger_matters.values()
        ]
        named += [("halls.yml: no station of", community, stations) for community in self.communities]
        for fault, name, known in named:
            if name not in known:
                raise ValueError(f"{fault} {name}")
        return self

    @property
    def communities(self) -> tuple[str, ...]:
        """The communities of this subdistrict."""
        return next(s.communities for s in self.subdistricts if s.name == self.name)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of demand, accusations last."""
        return (*(rule.name for rule in self.routing.classes), self.routing.accusation)

    @property
    def accusation(self) -> str:
        """The class of demand that the accused never see."""
        return self.routing.accusation

    @property
    def place_names(self) -> frozenset[str]:
        """Names of places that are not this subdistrict or its district as a whole."""
        return self._gazetteer.narrow_names

    def locate(self, text: str) -> Location:
        """Where `text` says the matter is; never a guess.

        Args:
            text: A message in any script; it need not be normalised.
        """
        return self._gazetteer.locate(text)

    def hall(
        self, level: Literal["1", "6", "N"], *, subdistrict: str | None = None, community: str | None = None
    ) -> Hall:
        """The hall of this level, in that subdistrict or community where the level has several.

        Raises:
            LookupError: no such hall is known.
        """
        for hall in self.halls:
            if (hall.level, hall.subdistrict, hall.community) == (level, subdistrict, community):
                return hall
        raise LookupError(f"no hall {level} {subdistrict or ''} {community or ''}")

    @cached_property
    def _gazetteer(self) -> Gazetteer:
        return Gazetteer(self)


def expand(
    patterns: Mapping[str, object] | tuple[str, ...], words: Mapping[str, tuple[str, ...]]
) -> list[re.Pattern[str]]:
    """Compile patterns in which `<group>` stands for any of the words of that group.

    Raises:
        KeyError: a pattern names a group that `words` lacks.
    """

    def group(found: re.Match[str]) -> str:
        return f"(?:{'|'.join(words[found[1]])})"

    compiled = []
    for pattern in patterns:
        while _GROUP.search(pattern):
            pattern = _GROUP.sub(group, pattern)  # noqa: PLW2901 - a group may be made of groups
        compiled.append(re.compile(pattern))
    return compiled
