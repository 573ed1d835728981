"""The figure lock: no number leaves in an answer that does not stand in what the answer cites."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?!\d)")


def unproved_figures(text: str, sources: Iterable[str]) -> list[str]:
    """The numbers of `text` that stand in none of the sources, in order.

    Args:
        text: What would be said.
        sources: What it cites: quotes, titles and sections of documents, the years they speak of.
    """
    proved = {number for source in sources for number in _numbers(source)}
    return [number for number in _numbers(text) if number not in proved]


def _numbers(text: str) -> list[str]:
    """Numbers in digits, of any width, without thousands separators."""
    plain = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), unicodedata.normalize("NFKC", text))
    return _NUMBER.findall(plain)
