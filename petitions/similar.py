"""Petitions like a text: candidates by the words that tell the most, ranked by meaning and words together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from petitions.category import category_model
from petitions.log import Actor
from petitions.model import Petition, PetitionText
from petitions.network import Network
from petitions.search import find_by_each, nearness, words_of
from petitions.visibility import STRANGER, visible_to

# So many words of the text are looked up, and of each at most so many of the newest petitions that have it.
_WORDS = 16
_EACH = 150
# So many of those that share most are compared by their meaning.
_COMPARED = 60
SHOWN_LIMIT = 5
TITLE_CHARACTERS = 30
# What shared words count beside the cosine of the vectors, which for unlike petitions is about 0.8.
_WORDS_SHARE = 0.25
LEAST_SCORE = 0.74


@dataclass(frozen=True, slots=True)
class Similar:
    """A petition like the text: `score` is 1 for the same text and about 0.6 for any two petitions."""

    petition: Petition
    score: float
    shared: float

    def to_json(self) -> dict[str, Any]:
        """What the contract shows of it."""
        petition = self.petition
        return {
            "number": petition.number,
            "title": petition.matter[:TITLE_CHARACTERS],
            "score": round(self.score, 3),
            "state": petition.state,
        }


def find_similar(
    session: Session,
    text: str,
    vector: bytes,
    actor: Actor = STRANGER,
    *,
    limit: int = SHOWN_LIMIT,
    least: float = LEAST_SCORE,
    network: Network | None = None,
) -> list[Similar]:
    """The petitions most like a text that the actor may see, best first.

    The time taken does not grow with the number of petitions: each word's stretch of the index is read for its newest
    petitions alone, and no text is turned into a vector here.

    Args:
        session: Open.
        text: What is told, masked.
        vector: What it means, as `search.quantised` keeps it; without one the words alone decide.
        actor: Who asks; of accusations a stranger learns nothing.
        limit: At most this many.
        least: Only those with this score.
        network: Another network than the jurisdiction's.
    """
    weights, shared = _candidates(session, text)
    ids = sorted(shared, key=lambda number: (-shared[number], -number))[:_COMPARED]
    if not ids:
        return []
    rows = session.execute(
        select(Petition, PetitionText.vector)
        .join(PetitionText, PetitionText.petition_id == Petition.id)
        .where(Petition.id.in_(ids), visible_to(actor, network))
    ).all()
    if not rows:
        return []
    whole = sum(weights.values())
    words = np.array([shared[petition.id] / whole for petition, _ in rows])
    if vector:
        meant = nearness(vector, [row.vector for row in rows])
        # Whose vector is not made yet is judged by its words alone.
        has_none = np.array([row.vector is None for row in rows])
        scores = np.where(has_none, words, (1 - _WORDS_SHARE) * meant + _WORDS_SHARE * words)
    else:
        scores = words
    order = sorted(range(len(rows)), key=lambda i: (-scores[i], -rows[i][0].id))[:limit]
    return [Similar(rows[i][0], float(scores[i]), float(words[i])) for i in order if scores[i] >= least]


def _candidates(session: Session, text: str) -> tuple[dict[str, float], dict[int, float]]:
    """The weight of each word that was looked up, and what the petitions share of it."""
    words = _telling(words_of(text))
    weights: dict[str, float] = {}
    shared: dict[int, float] = defaultdict(float)
    for word, ids in find_by_each(session, words, limit=_EACH).items():
        # A word that many have tells little; how many more there are than were read does not matter.
        weights[word] = 1 / math.log2(2 + len(ids))
        for number in ids:
            shared[number] += weights[word]
    return weights, shared


def _telling(words: Sequence[str]) -> list[str]:
    """The pairs and runs that are rarest in letters to an office; one that is in none of them tells most."""
    model = category_model()
    most = float(model.rarity.max())
    by_rarity = {
        word: float(model.rarity[model.runs[word]]) if word in model.runs else most for word in words if len(word) > 1
    }
    return sorted(by_rarity, key=lambda word: -by_rarity[word])[:_WORDS]
