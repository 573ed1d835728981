"""What a check of the installation found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from suqiutong.errors import CommandError

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: Of the check.
        level: `ok`; `warn`: the product works, but somebody should act; `fail`: something is broken.
        text: What was found.
        advice: What to do about it; empty where all is well or the text says it.
    """

    name: str
    level: Level
    text: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.level:<4} {self.name}: {self.text}" + (f" -> {self.advice}" if self.advice else "")


def found(name: str, level: Level, text: str, advice: str) -> Finding:
    """A finding whose advice is given where it is needed alone."""
    return Finding(name, level, text, "" if level == "ok" else advice)


def whether(name: str, check: Callable[[], object], text: str, advice: str = "") -> Finding:
    """Ok with this text, or broken for the reason that the check gives."""
    try:
        check()
    except CommandError as error:
        return Finding(name, "fail", str(error), advice)
    return Finding(name, "ok", text)
