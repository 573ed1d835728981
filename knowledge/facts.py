"""Facts: what a figure of a document counts, when, and whether it was reached or is planned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.document import Document, Sentence, Span
from language.quantities import Quantity, find_quantities

_EDGE = re.compile(r"^[的、:“”\"]+|[的了达至为到共约超近降、:“\"]+$")
# Verbs that say nothing of what is counted.
_BARE = re.compile(r"^(?:|.|完成|开展|投入|组织|位居|均居|实施|达成|建成|通过)$")
_DATE_PART = r"(?:19|20)\d\d年|\d{1,2}[月日]"
_DIGITS = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure with what it counts.

    Attributes:
        indicator: What is counted, in the document's words.
        value: The number as written, such as "9113".
        unit: Its unit as written, magnitude included, such as "个" or "万余人次".
        kind: Group of the unit, see `language.quantities`.
        text: The figure as it stands in the source.
        amount: Number times magnitude, as a plain decimal, for comparison.
        clause: Index of the clause in the knowledge base.
        start: Offset of the figure in the source.
        end: Offset behind it.
    """

    indicator: str
    value: str
    unit: str
    kind: str
    text: str
    amount: str
    clause: int
    start: int
    end: int


def facts_of_clause(clause: Span, index: int, not_facts: tuple[str, ...]) -> list[Fact]:
    """The figures of one clause that are not part of a name."""
    names = [(m.start(), m.end()) for name in not_facts for m in re.finditer(re.escape(name), clause.text)]
    quantities = [
        quantity
        for quantity in find_quantities(clause.text)
        if not any(start <= quantity.start < end for start, end in names)
    ]
    return [
        Fact(
            indicator=_indicator(clause.text, quantity, quantities),
            value=quantity.value,
            unit=quantity.unit,
            kind=quantity.kind,
            text=quantity.text,
            amount=str(quantity.amount.normalize()),
            clause=index,
            start=clause.start + quantity.start,
            end=clause.start + quantity.end,
        )
        for quantity in quantities
    ]


def _indicator(clause: str, quantity: Quantity, quantities: list[Quantity]) -> str:
    """The words that say what is counted: those before the figure, or behind it where none stand before it."""
    before = [other.end for other in quantities if other.end <= quantity.start]
    after = [other for other in quantities if other.start >= quantity.end]
    left = _EDGE.sub("", clause[max(before, default=0) : quantity.start])
    # 36户7096平方米安置房: what stands behind the second figure says what both count.
    gaps = zip([quantity.end, *(other.end for other in after)], [*(other.start for other in after), None], strict=True)
    right = next((words for start, end in gaps if (words := _EDGE.sub("", clause[start:end]))), "")
    return left + right if _BARE.match(left) else left


def loose_figures(document: Document, facts: list[Fact]) -> Iterator[tuple[str, int]]:
    """Numbers of the document's sentences that are in no fact and in no name, with their offsets."""
    covered = {position for fact in facts for position in range(fact.start, fact.end)}
    names = [re.escape(name) for name in document.not_facts]
    # Nobody lists the dates of an added document.
    for pattern in [*names, _DATE_PART] if document.added_at else names:
        for match in re.finditer(pattern, document.text):
            covered.update(range(match.start(), match.end()))
    for sentence in document.sentences:
        yield from _loose_in(sentence, covered)


def _loose_in(sentence: Sentence, covered: set[int]) -> Iterator[tuple[str, int]]:
    for match in _DIGITS.finditer(sentence.span.text):
        start = sentence.span.start + match.start()
        if start not in covered:
            yield match[0], start
