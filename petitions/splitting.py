"""Several matters in one message, told apart so that a split can be offered."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import yaml

from language.normalise import normalise
from petitions.category import category_model

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
    return {name: re.compile(_settings()[name]) for name in ("marks", "frames")}


@cache
def _settings() -> dict[str, str]:
    settings: dict[str, str] = yaml.safe_load(_RULES.read_text(encoding="utf-8"))
    return settings
