"""The figure lock: no number leaves in an answer that does not stand in what the answer cites."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

# Kinds of message that speak from documents.
LOCKED = frozenset({"answer", "no_answer", "clarify"})
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


def unproved_in(message: Mapping[str, Any], known: Iterable[str] = ()) -> list[str]:
    """The numbers of a contract message that speaks from documents, which neither it cites nor `known` holds.

    Args:
        message: Any message; of a kind other than `LOCKED` it says what is ours, such as the number of a ticket.
        known: Where a number may also stand: the resident's own words, the dated table of phones.
    """
    if message["kind"] not in LOCKED:
        return []
    parts = ("quote", "document", "section", "year")
    cited = [str(row.get(part, "")) for row in message.get("citations", ()) for part in parts]
    years = [str(row["period"]) for row in message.get("facts", ())]
    offers = [str(button["text"]) for button in message.get("buttons", ())]
    return unproved_figures(message["text"], [*cited, *years, *offers, *known])


def _numbers(text: str) -> list[str]:
    """Numbers in digits, of any width, without thousands separators."""
    plain = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), unicodedata.normalize("NFKC", text))
    return _NUMBER.findall(plain)
