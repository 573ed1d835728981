"""What a draft of a reply leaves open: requests that it does not answer, a missing legal basis, blanks to be filled in.

It warns whoever writes and blocks nothing: what it finds are words, and a person knows better.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from language.normalise import normalise
from language.vectors import Encoder
from petitions.data import load
from petitions.model import Petition
from petitions.search import words_of

_RULES = Path(__file__).with_name("replies.yml")
_SENTENCE = re.compile(r"[^。！!？?；;\n]+[！!？?]?")
_CLAUSE = re.compile(r"[^，,]+[，,]?")
# So many sentences of a draft are compared by their meaning.
_COMPARED = 40


class ReplyRules(BaseModel):
    """How requests, legal bases and blanks are recognised, and when a request counts as answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: object
    requests: re.Pattern[str]
    no_requests: re.Pattern[str]
    frames: re.Pattern[str]
    least_shared: float = Field(gt=0, le=1)
    least_nearness: float = Field(gt=0, le=1)
    basis: re.Pattern[str]
    needs_basis: frozenset[str]
    basis_source: str = Field(min_length=1)
    blank: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class ReplyCheck:
    """What a draft leaves open.

    Attributes:
        requests: All that the petition asks for, in its own words.
        unanswered: Those that the draft does not answer.
        lacks_basis: The law that asks for a legal basis, where there is none; empty otherwise.
        blanks: What a template left to be filled in.
    """

    requests: tuple[str, ...]
    unanswered: tuple[str, ...]
    lacks_basis: str
    blanks: tuple[str, ...]

    @property
    def is_clear(self) -> bool:
        """Whether nothing was found."""
        return not (self.unanswered or self.lacks_basis or self.blanks)


@cache
def own_replies() -> ReplyRules:
    """The rules beside the code."""
    return load(_RULES, ReplyRules)


def check_reply(petition: Petition, draft: str, encoder: Encoder, rules: ReplyRules | None = None) -> ReplyCheck:
    """What a draft of a reply to a petition leaves open.

    Args:
        petition: To which.
        draft: As it stands.
        encoder: Compares sentences by their meaning.
        rules: Other rules than those beside the code.
    """
    rules = rules or own_replies()
    requests = find_requests(petition.matter, rules)
    needs_basis = petition.class_ in rules.needs_basis and not rules.basis.search(draft)
    return ReplyCheck(
        requests,
        tuple(_unanswered(requests, draft, encoder, rules)),
        rules.basis_source if needs_basis else "",
        tuple(dict.fromkeys(rules.blank.findall(draft))),
    )


def find_requests(matter: str, rules: ReplyRules | None = None) -> tuple[str, ...]:
    """What a petition asks for, each with the clauses that say of what; the whole matter when it asks nothing.

    Args:
        matter: The petition's words.
        rules: Other rules than those beside the code.
    """
    rules = rules or own_replies()
    found: list[str] = []
    for sentence in _SENTENCE.findall(matter):
        number, has_asked, parts = 0, False, []
        for clause in _CLAUSE.findall(sentence):
            asks = rules.requests.search(clause) is not None
            number += asks and has_asked
            has_asked = has_asked or asks
            parts.append((number, asks, clause))
        for _, group in groupby(parts, key=lambda part: part[0]):
            clauses = list(group)
            text = "".join(clause for _, _, clause in clauses).strip(" ，,")
            if any(asks for _, asks, _ in clauses) and not rules.no_requests.search(text):
                found.append(text)
    return tuple(dict.fromkeys(found)) or (matter.strip(),)


def _unanswered(requests: tuple[str, ...], draft: str, encoder: Encoder, rules: ReplyRules) -> list[str]:
    said = set(words_of(draft))
    left = [request for request in requests if _shared(request, said, rules) < rules.least_shared]
    sentences = [normalise(sentence) for sentence in _SENTENCE.findall(draft)][:_COMPARED]
    if not left or not sentences:
        return left
    nearness = encoder.encode([normalise(request) for request in left]) @ encoder.encode(sentences).T
    return [request for request, near in zip(left, nearness.max(axis=1), strict=True) if near < rules.least_nearness]


def _shared(request: str, said: set[str], rules: ReplyRules) -> float:
    """The share of a request's words that were said."""
    words = {word for part in rules.frames.split(request) for word in words_of(part) if len(word) > 1}
    return len(words & said) / len(words) if words else 0.0
