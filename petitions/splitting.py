"""Several matters in one message, or a matter and a question, told apart so that none is passed over."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import yaml

from language.normalise import normalise
from petitions.category import category_model

_SENTENCE = re.compile(r"[^。！!?？；;\n]+[?？]?")
_RULES = Path(__file__).with_name("splitting.yml")


def split_matters(text: str) -> list[str]:
    """The matters of `text`, each in the resident's own words; the whole text alone where it holds one matter.

    Only the resident's own marks (另外, 还有一件事, 第二, 2、) part matters, and only where their sides are of
    different kinds: one matter told in several points stays together. What stands before the first mark
    and says nothing of a matter (a greeting, who writes) stays with the first.
    """
    rules = _rules()
    found: list[tuple[str, tuple[str, str] | None]] = []
    for part in _parts(text, rules["marks"]):
        kind = _kind(part, rules["frames"])
        if found and (kind is None or found[-1][1] in {None, kind}):
            found[-1] = (found[-1][0] + part, found[-1][1] or kind)
        else:
            found.append((part, kind))
    matters = [part.strip(" ，,。;；\n") for part, _ in found]
    return matters if len(matters) > 1 else [text.strip()]


def part_question(text: str) -> tuple[str, str | None]:
    """The matter of `text`, and the question that stands behind it (路灯坏了没人修，顺便问下居住证在哪办), if any."""
    rules = _rules()
    for found in rules["aside"].finditer(text):
        has_matter = len(re.sub(r"\W", "", text[: found.start()])) >= int(_settings()["least_signs"])
        if has_matter and rules["asks"].search(found["question"]):
            return text[: found.start()] + text[found.end() :], found["question"].strip()
    return text, None


def matter_beside(text: str) -> str | None:
    """The grievance that stands beside a question (去年修了几条路？我们的路灯坏了没人修) in sentences of its own."""
    rules = _rules()
    sentences = [part for whole in _SENTENCE.findall(text) for part in _parts(whole, rules["marks"])]
    asked = [bool(rules["asks"].search(part)) for part in sentences]
    told = [
        part.strip(" ，,")
        for part, is_question in zip(sentences, asked, strict=True)
        if not is_question and rules["grieves"].search(part) and _kind(part, rules["frames"])
    ]
    return "。".join(told) if told and any(asked) else None


def _parts(text: str, marks: re.Pattern[str]) -> list[str]:
    starts = [0, *(match.start("mark") for match in marks.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(starts) if start < end]


def _kind(part: str, frames: re.Pattern[str]) -> tuple[str, str] | None:
    """The first two levels of the category of a part, or None where it is too short to be a matter."""
    words = frames.sub("", normalise(part))
    if len(re.sub(r"\W", "", words)) < int(_settings()["least_signs"]):
        return None
    first, second, _ = category_model().judge(words).best
    return first, second


@cache
def _rules() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(_settings()[name]) for name in ("marks", "frames", "aside", "asks", "grieves")}


@cache
def _settings() -> dict[str, str]:
    settings: dict[str, str] = yaml.safe_load(_RULES.read_text(encoding="utf-8"))
    return settings
