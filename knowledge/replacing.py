"""Which answers of the documents a curated entry would take the place of: shown before it is approved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from knowledge.answer import KnowledgeBase, Reply
from knowledge.matching import CuratedMatcher, Entry, key_of
from language.normalise import normalise

# Known questions nearest to the variants that are asked; each costs an answer, tens of milliseconds.
_NEAREST = 30
# Cosine below which no question is answered by a variant, whatever its words are.
_LEAST_COSINE = 0.88


@dataclass(frozen=True, slots=True)
class Replaced:
    """A question that the documents answer now and the entry would answer instead."""

    question: str
    is_variant: bool
    reply: Reply


def replaced_answers(base: KnowledgeBase, matcher: CuratedMatcher, draft: Entry) -> list[Replaced]:
    """The variants of a draft that the documents answer, and known questions of the documents that it would answer.

    Args:
        base: Answers from the documents.
        matcher: With the draft among its entries.
        draft: The entry to be looked at.
    """
    variants = {key_of(variant): variant for variant in draft.variants}
    known = {key_of(core): core for core in _near(base, draft)}
    taken = {
        key: core
        for key, core in known.items()
        if key not in variants and (match := matcher.find(core)) and match.entry_id == draft.id
    }
    asked = [(variant, True) for variant in variants.values()] + [(core, False) for core in taken.values()]
    found = [Replaced(question, is_variant, base.answer(question)) for question, is_variant in asked]
    return [one for one in found if one.reply.kind == "answer"]


def _near(base: KnowledgeBase, draft: Entry) -> Iterator[str]:
    """The known questions that the documents answer and that are nearest to a variant, nearest first."""
    known = base.index.memory.known
    if not known:
        return
    variants = base.encoder.encode([normalise(variant) for variant in draft.variants])
    cosines = (base.index.vectors["known"] @ variants.T).max(axis=1)
    near = (int(i) for i in np.argsort(-cosines, kind="stable") if cosines[i] >= _LEAST_COSINE)
    answered = (known[i].core for i in near if known[i].is_answered)
    yield from (core for _, core in zip(range(_NEAREST), answered, strict=False))
