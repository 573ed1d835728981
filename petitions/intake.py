"""From a resident's messages to a draft of a petition, and what to ask next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

import yaml

from jurisdiction import Jurisdiction, Location
from language.normalise import normalise, simplify_signs
from language.personal import Personal, find_personal
from petitions.search import text_of
from petitions.splitting import split_matters
from petitions.triage import Route

_RULES = Path(__file__).with_name("intake.yml")
_SLOT = "petition_"
# How often an ambiguous place is asked before it is left unknown.
_PLACE_ANSWERS = 2
_LISTS = ("choices", "matters", "waiting")
_CLAUSE = re.compile(r"[^,，。;；!！\n]+")
_MATTER_CLAUSE = re.compile(r"[^,，。;；!！?？\n]+[,，。;；!！?？\n]*")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a resident has said so far.

    `place_asked` counts answers that settled no place, `choices` are the places an ambiguous name may mean,
    `matters` those of one message while it is open whether they are filed apart, `waiting` those that come after;
    `offered` is the ticket that may be the same matter, `is_same` whether the resident said so.
    """

    matter: str | None = None
    place: str | None = None
    community: str | None = None
    occurred: str | None = None
    name: str | None = None
    phone: str | None = None
    is_anonymous: bool | None = None
    place_asked: int = 0
    choices: tuple[str, ...] = ()
    matters: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    legal_seen: bool = False
    offered: str | None = None
    is_same: bool = False
    is_confirmed: bool = False

    @classmethod
    def from_slots(cls, slots: Mapping[str, Any]) -> Self:
        """The draft kept in the slots `petition_<field>`; other slots and empty ones are passed over."""
        values = {
            item.name: slots[_SLOT + item.name] for item in fields(cls) if slots.get(_SLOT + item.name) is not None
        }
        values |= {name: tuple(values[name]) for name in _LISTS if name in values}
        if "place_asked" in values:
            values["place_asked"] = int(values["place_asked"])
        return cls(**values)

    def to_slots(self) -> dict[str, Any]:
        """The draft as slot values that JSON can hold."""
        values = {_SLOT + item.name: getattr(self, item.name) for item in fields(self)}
        return values | {_SLOT + name: list(getattr(self, name)) for name in _LISTS}

    @property
    def text(self) -> str:
        """What triage reads: the matter and its place."""
        return text_of(self.matter, self.place)


def next_slot(draft: Draft, route: Route) -> str | None:
    """What to ask next, or None when the draft can be filed.

    Args:
        draft: What is known.
        route: Says whether the time matters, whether the community decides, whether a legal path comes first.
    """
    return next((_SLOT + slot for slot in open_slots(draft, route)), None)


def open_slots(draft: Draft, route: Route) -> list[str]:
    """All that is still to ask, in order: `matter`, `legal_seen`, `place`, `occurred`, `contact`, `confirmed`."""
    is_place_open = draft.place is None or (draft.community is None and route.is_community_asked)
    slots = {
        "matter": draft.matter is None,
        "apart": bool(draft.matters),
        "legal_seen": route.legal_path is not None and not draft.legal_seen,
        "place": bool(draft.choices) or (is_place_open and draft.place_asked == 0),
        "occurred": draft.occurred is None and route.is_time_asked,
        "contact": not (draft.name or draft.phone or draft.is_anonymous),
        "confirmed": not draft.is_confirmed,
    }
    return [slot for slot, is_open in slots.items() if is_open]


def read_message(draft: Draft, text: str, requested: str | None, jurisdiction: Jurisdiction) -> Draft:
    """`draft` with what `text` adds or corrects.

    Args:
        draft: What is known.
        text: The resident's message.
        requested: The slot that was asked for, as `next_slot` names it, or None.
        jurisdiction: Knows the places.

    Returns:
        A new draft, or an equal one when the text gives nothing that was asked (a question, a broken phone number).
    """
    return _Reading(draft, text, (requested or "").removeprefix(_SLOT), jurisdiction).read()


def next_matter(draft: Draft, jurisdiction: Jurisdiction) -> Draft:
    """The petition of the first matter that waits, with the petitioner of this one; `draft` itself where none waits."""
    if not draft.waiting:
        return draft
    begun = Draft(name=draft.name, phone=draft.phone, is_anonymous=draft.is_anonymous, waiting=draft.waiting[1:])
    return read_message(begun, draft.waiting[0], None, jurisdiction)


class _Reading:
    """One message read against a draft."""

    def __init__(self, draft: Draft, text: str, requested: str, jurisdiction: Jurisdiction) -> None:
        self._draft = draft
        self._raw = text.strip()
        self._text = normalise(text)
        self._requested = requested
        self._jurisdiction = jurisdiction
        self._rules = _rules()
        self._personal = _own_data(text, is_asked=requested == "contact")

    def read(self) -> Draft:  # noqa: PLR0911 - one line a state
        if self._draft.matter is None:
            return self._first()
        if self._draft.matters:
            return self._parted()
        if corrected := self._corrected():
            return replace(corrected, is_confirmed=False)
        is_same = self._draft.offered is not None and self._matches("same")
        if self._requested == "confirmed" and (is_same or self._matches("agrees")):
            return replace(self._draft, is_same=is_same, is_confirmed=True)
        if self._requested == "legal_seen":
            is_agreed = self._matches("still_files") and not self._matches("cancel")
            return replace(self._draft, legal_seen=True) if is_agreed else self._draft
        # Who gives a name or a phone answers, whatever else the message asks.
        if self._requested == "contact" and self._matches("no_contact"):
            return replace(self._draft, is_anonymous=True, name=None, phone=None, is_confirmed=False)
        if (self._is_question() and not self._personal) or self._matches("cancel"):
            return self._draft
        new = self._with_contact(self._draft)
        new = self._with_time(new)
        new = self._with_place(new)
        if new != self._draft or self._requested in {"", "matter", "confirmed"}:
            new = self._with_detail(new)
        return replace(new, is_confirmed=False) if new != self._draft else new

    def _first(self) -> Draft:
        """The first message: all of it is the matter, but for contact data."""
        new = self._draft
        matter = self._without_contact()
        has_matter = not any(
            re.fullmatch(self._rules[rule].pattern, normalise(matter))
            for rule in ("no_matter", "no_matter_kind", "no_matter_alone", "no_matter_fillers")
        )
        if has_matter:
            matters = split_matters(matter)
            new = replace(new, matter=matter)
            if len(matters) > 1:
                # Place and time are read once it is settled whose they are.
                return self._with_contact(replace(new, matters=tuple(matters)))
        elif self._is_question():
            return self._draft
        return self._with_place(self._with_time(self._with_contact(new)))

    def _parted(self) -> Draft:
        """The draft of the first matter (the others wait, or are let go) or of all together, as the message wishes."""
        first, *others = self._draft.matters
        if self._matches("first_alone"):
            return self._settled(replace(self._draft, matter=first, matters=()))
        if self._matches("together"):
            return self._settled(replace(self._draft, matters=()))
        if self._matches("apart") or self._matches("agrees"):
            return self._settled(replace(self._draft, matter=first, matters=(), waiting=tuple(others)))
        return self._draft

    def _settled(self, draft: Draft) -> Draft:
        """`draft` with place and time of its matter."""
        own = _Reading(draft, draft.matter or "", "", self._jurisdiction)
        return own._with_place(own._with_time(draft))

    def _matches(self, rule: str) -> bool:
        return self._rules[rule].search(self._text) is not None

    def _is_question(self) -> bool:
        return self._matches("question") and not (self._requested == "place" and self._matches("unknown_place"))

    # ---- contact

    def _with_contact(self, draft: Draft) -> Draft:
        is_asked = self._requested == "contact"
        for personal in self._personal:
            if personal.kind == "phone" and (draft.phone is None or is_asked):
                draft = replace(draft, phone=_digits(personal.text), is_anonymous=False)
            if personal.kind == "name" and (draft.name is None or is_asked):
                draft = replace(draft, name=personal.text, is_anonymous=False)
        has_data = any(personal.kind in {"phone", "name"} for personal in self._personal)
        if (draft.name is None or is_asked) and (own := self._titled_with_phone()):
            draft = replace(draft, name=own, is_anonymous=False)
        if self._matches("named"):
            return replace(draft, is_anonymous=False)
        if self._matches("anonymous") and not has_data:
            return replace(draft, is_anonymous=True, name=None, phone=None)
        if is_asked and not has_data and not self._rules["phone_like"].search(self._text):
            return self._with_name_alone(draft, self._raw)
        if is_asked and draft.name is None and not any(personal.kind == "name" for personal in self._personal):
            rest = self._raw
            for personal in self._personal:
                rest = rest.replace(personal.text, "", 1)
            return self._with_name_alone(draft, self._rules["contact_label"].sub("", rest).strip())
        return draft

    def _with_name_alone(self, draft: Draft, said: str) -> Draft:
        """`draft` with the name that is all of `said`, as it was written."""
        found = self._rules["name_alone"].match(simplify_signs(said))
        if not found or not found[1] or self._rules["not_a_name"].match(found[1]):
            return draft
        written = said[found.start(1) : found.end(1)]
        named = find_personal(f"我叫{written}") if len(written) > 1 else []
        if not named and self._rules["titled"].search(self._text):
            named = find_personal(f"我姓{written}")
        return replace(draft, name=named[0].text, is_anonymous=False) if named else draft

    def _titled_with_phone(self) -> str | None:
        """The resident's own name where a title and a number follow it."""
        found = self._rules["titled_with_phone"].search(simplify_signs(self._raw))
        if not found or not any(personal.kind == "phone" for personal in self._personal):
            return None
        written = self._raw[found.start(1) : found.end(1)]
        names = find_personal(f"我姓{written}") or find_personal(f"我叫{written}")
        return names[0].text if names else None

    def _without_contact(self) -> str:
        """The message as written, without the clauses and words that give contact data."""
        kept = []
        for clause in _MATTER_CLAUSE.finditer(self._raw):
            rest = clause[0]
            for personal in _own_data(rest, is_asked=False):
                rest = rest.replace(personal.text, "", 1)
            plain = self._rules["contact_words"].sub("", normalise(rest))
            if rest != clause[0] and len(plain) <= 2:
                continue
            is_about_name = self._rules["anonymous"].search(normalise(rest)) or self._rules["named"].search(
                normalise(rest)
            )
            if is_about_name and len(rest) <= 12:
                continue
            kept.append(rest)
        return "".join(kept).strip().rstrip(",，;；")

    # ---- time

    def _with_time(self, draft: Draft) -> Draft:
        if draft.occurred is not None and self._requested != "occurred":
            return draft
        times = [clause for clause in _CLAUSE.findall(self._text) if self._rules["time"].search(clause)]
        if times:
            return replace(draft, occurred=self._time_words(times[0]))
        if self._requested == "occurred" and self._matches("unknown_time"):
            return replace(draft, occurred=self._rules["unknown_said"].pattern)
        return draft

    def _time_words(self, clause: str) -> str:
        """The stretch of a clause from its first to its last word of time."""
        found = list(self._rules["time"].finditer(clause))
        return clause[found[0].start() : found[-1].end()]

    # ---- place

    def _with_place(self, draft: Draft) -> Draft:  # noqa: PLR0911 - one line a kind of answer
        is_asked = self._requested == "place"
        if draft.place is not None and not is_asked and not draft.choices:
            return draft
        if is_asked and draft.choices and (choice := self._chosen(draft.choices)):
            return self._placed(draft, choice, self._jurisdiction.locate(choice))
        location = self._jurisdiction.locate(self._text)
        if draft.choices and draft.place:
            together = self._jurisdiction.locate(f"{self._text}，{draft.place}")
            if together.status not in {"ambiguous", "unknown"}:
                words = self._place_words(location) if location.status != "unknown" else self._text
                return self._placed(draft, f"{words}{draft.place}" if draft.place not in words else words, together)
        if location.status == "ambiguous":
            asked = draft.place_asked + is_asked
            choices = location.choices if asked < _PLACE_ANSWERS else ()
            return replace(draft, place=self._place_words(location), community=None, choices=choices, place_asked=asked)
        if location.status != "unknown":
            return self._placed(draft, self._place_words(location), location)
        if not is_asked:
            return draft
        asked = draft.place_asked + 1
        if self._matches("unknown_place"):
            return replace(draft, place_asked=asked, choices=())
        said = "，".join(clause for clause in _CLAUSE.findall(self._text) if self._is_place_like(clause))
        if not said:
            return draft
        if draft.choices:
            return replace(draft, place_asked=asked, choices=draft.choices if asked < _PLACE_ANSWERS else ())
        return replace(draft, place=self._rules["place_cue"].sub("", said, count=1), community=None, place_asked=asked)

    def _placed(self, draft: Draft, place: str, location: Location) -> Draft:
        asked = draft.place_asked + (self._requested == "place" and location.community is None)
        return replace(draft, place=place, community=location.community, choices=(), place_asked=asked)

    def _chosen(self, choices: tuple[str, ...]) -> str | None:
        """The choice that the message names by its order: 第一个, 2."""
        found = self._rules["order"].match(self._text)
        index = (
            "一二三四五六".find(found[1]) if found and not found[1].isdigit() else int(found[1]) - 1 if found else -1
        )
        return choices[index] if 0 <= index < len(choices) else None

    def _place_words(self, location: Location) -> str:
        """The named place with what the clause says around it: 碧眼社区菜市场旁边."""
        first = location.words.split("、")[0]
        for clause in _CLAUSE.findall(self._text):
            if first in clause:
                stretch = clause[clause.index(first) :]
                tail = self._rules["place_tail"].match(stretch, len(first))
                return stretch[: tail.end()] if tail else first
        return location.words

    def _is_place_like(self, clause: str) -> bool:
        return (
            not any(
                self._rules[rule].search(clause)
                for rule in ("not_a_place", "phone_like", "named", "anonymous", "end_of_telling", "agrees", "phone_cue")
            )
            and not find_personal(clause)
            and not (
                self._rules["time"].search(clause) and len(clause) > 2 and not self._rules["place_cue"].match(clause)
            )
        )

    # ---- detail and corrections

    def _with_detail(self, draft: Draft) -> Draft:
        """Clauses that are neither contact, place nor time are more of the matter."""
        known = normalise(draft.matter or "")
        details = [
            clause.strip()
            for clause in _CLAUSE.findall(self._without_contact())
            if self._is_detail(normalise(clause), known, draft)
        ]
        if not details:
            return draft
        return replace(draft, matter=f"{(draft.matter or '').rstrip('。')}。{'，'.join(details)}")

    def _is_detail(self, clause: str, known: str, draft: Draft) -> bool:
        if len(clause) < 5 or clause in known or (draft.place and (clause in draft.place or draft.place in clause)):
            return False
        if draft.occurred and self._time_words_cover(clause):
            return False
        rules = (
            "end_of_telling",
            "agrees",
            "phone_like",
            "named",
            "anonymous",
            "unknown_place",
            "cancel",
            "no_matter",
            "no_matter_kind",
        )
        if any(self._rules[rule].search(clause) for rule in rules):
            return False
        if self._requested == "place" and self._jurisdiction.locate(clause).status not in {"unknown"}:
            return False
        return not (self._requested == "contact" and len(clause) < 6)

    def _time_words_cover(self, clause: str) -> bool:
        left = self._rules["time"].sub("", clause)
        return left != clause and len(left) <= 4

    def _corrected(self) -> Draft | None:  # noqa: PLR0911 - one line a field
        """The draft with the field that the message corrects, or None."""
        for name in ("phone", "name", "occurred", "place", "matter"):
            if not self._rules[f"corrects_{name}"].search(self._text):
                continue
            draft = self._draft
            if name == "place" and (location := self._jurisdiction.locate(self._text)).status not in {"unknown"}:
                place = self._place_words(location)
                return replace(draft, place=place, community=location.community, choices=location.choices)
            if name == "phone" and (phones := [p for p in find_personal(self._raw) if p.kind == "phone"]):
                return replace(draft, phone=_digits(phones[-1].text), is_anonymous=False)
            values = self._rules["correction_value"].findall(self._text)
            value = values[-1].strip() if values else ""
            if not value or self._is_question():
                continue
            if name == "name" and (named := find_personal(f"我叫{value}") or find_personal(f"我姓{value}")):
                return replace(draft, name=named[0].text, is_anonymous=False)
            if name == "occurred":
                return replace(draft, occurred=value)
            if name == "matter":
                return replace(draft, matter=value)
            if name == "place" and self._rules["names_place"].search(self._text):
                return replace(draft, place=value, community=None, choices=())
        return None


def _own_data(text: str, *, is_asked: bool) -> list[Personal]:
    """Personal data in `text` that is the resident's own: not the number of somebody the message is about."""
    theirs = _rules()["theirs"]
    return [
        personal
        for personal in find_personal(text)
        if is_asked or personal.kind != "phone" or not theirs.search(text[: personal.start])
    ]


_SPOKEN = str.maketrans("零〇洞一幺二两三四五六七八九", "00011223456789")


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", normalise(phone).translate(_SPOKEN))


@cache
def _rules() -> dict[str, re.Pattern[str]]:
    data = yaml.safe_load(_RULES.read_text(encoding="utf-8"))["patterns"]
    return {name: re.compile(pattern) for name, pattern in data.items()}
