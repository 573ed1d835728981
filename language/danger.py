"""Danger to life in a message, before anything else is read in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from jurisdiction import Jurisdiction
from jurisdiction.model import DangerRule, DangerRules, expand
from language.normalise import normalise

_SENTENCE = re.compile(r"[^。！？!?;；\n]+")
# What people say or type between the characters of a word: fillers of speech, dots, spaces.
_FILLERS = re.compile(r"(?:[\s·.…~～_*-]|嗯+|呃+|额+(?=[^头外度])|那个那个|就是就是|这个这个)+(?=[\u3400-\u9fff])")
# A saying that means no danger is replaced by this, so that the words around it do not grow together.
_BLANK = "▢"


@dataclass(frozen=True, slots=True)
class Danger:
    """What threatens, what to say first, and the numbers to call (most pressing first)."""

    kind: Literal["emergency", "crisis"]
    name: str
    advice: str
    phones: tuple[str, ...]


def find_danger(text: str, jurisdiction: Jurisdiction) -> Danger | None:
    """The most pressing danger that `text` tells of, or None.

    Self-harm comes first and is never explained away by time words; any other danger must not lie in the past, in a
    plan or in a fear, unless the same sentence says that it goes on.

    Args:
        text: A message as typed or spoken, in any script.
        jurisdiction: Knows the signs, the advice and the numbers.
    """
    rules = _compiled(jurisdiction.danger)
    whole = _FILLERS.sub("", normalise(text))
    plain = rules.without_figures(whole)
    for danger in rules.dangers:
        own = danger.without_figures(plain)
        if danger.rule.kind == "crisis":
            is_found = any(sign.search(own) for sign in danger.signs)
        else:
            is_found = any(
                rules.is_present(sentence) and any(sign.search(sentence) for sign in danger.signs)
                for sentence in _SENTENCE.findall(own)
            )
        if is_found:
            numbers = tuple(jurisdiction.phones[phone].number for phone in danger.rule.phones)
            return Danger(danger.rule.kind, danger.rule.id, danger.rule.advice, numbers)
    return None


def is_harmless(text: str, jurisdiction: Jurisdiction) -> bool:
    """Whether what sounds of danger in `text` is a saying, denied or past, and nothing says that it goes on."""
    rules = _compiled(jurisdiction.danger)
    whole = _FILLERS.sub("", normalise(text))
    sayings = [*rules.figures, *(figure for danger in rules.dangers for figure in danger.figures)]
    is_said = any(saying.search(whole) for saying in sayings) or any(sign.search(whole) for sign in rules.over)
    return is_said and not any(sign.search(whole) for sign in rules.acute)


@dataclass(frozen=True, slots=True)
class _CompiledDanger:
    rule: DangerRule
    signs: list[re.Pattern[str]]
    figures: list[re.Pattern[str]]

    def without_figures(self, text: str) -> str:
        return _cut(text, self.figures)


@dataclass(frozen=True, slots=True)
class _CompiledRules:
    dangers: list[_CompiledDanger]
    figures: list[re.Pattern[str]]
    over: list[re.Pattern[str]]
    acute: list[re.Pattern[str]]

    def without_figures(self, text: str) -> str:
        return _cut(text, self.figures)

    def is_present(self, sentence: str) -> bool:
        """Whether what the sentence tells goes on now."""
        return not any(sign.search(sentence) for sign in self.over) or any(sign.search(sentence) for sign in self.acute)


def _cut(text: str, patterns: list[re.Pattern[str]]) -> str:
    for pattern in patterns:
        text = pattern.sub(_BLANK, text)
    return text


# By identity: rules are frozen and too large to hash at every message.
_known: dict[int, tuple[DangerRules, _CompiledRules]] = {}


def _compiled(rules: DangerRules) -> _CompiledRules:
    known = _known.get(id(rules))
    if known is None or known[0] is not rules:
        words = rules.words
        compiled = _CompiledRules(
            [_CompiledDanger(rule, expand(rule.signs, words), expand(rule.figures, words)) for rule in rules.kinds],
            expand(rules.figures, words),
            expand(rules.over, words),
            expand(rules.acute, words),
        )
        known = _known[id(rules)] = (rules, compiled)
    return known[1]
