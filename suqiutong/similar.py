"""Petitions like the one that a caller describes, so that an operator sees what is known already."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from language.normalise import normalise
from language.vectors import Encoder
from petitions.log import Actor
from petitions.model import Petition
from petitions.visibility import STRANGER, visible_to

# Vectors take 20 ms each, so they decide only among the petitions that share most characters with the text.
READ_LIMIT = 500
COMPARED_LIMIT = 20
SHOWN_LIMIT = 5
TITLE_CHARACTERS = 30
LEAST_SCORE = 0.88


def find_similar(session: Session, text: str, encoder: Encoder, actor: Actor = STRANGER) -> list[dict[str, Any]]:
    """The most similar of the newest petitions that the actor may see: `number`, `title`, `score`, `state`."""
    newest = session.execute(
        select(Petition.number, Petition.matter, Petition.state)
        .where(visible_to(actor), Petition.number.is_not(None))
        .order_by(Petition.id.desc())
        .limit(READ_LIMIT)
    ).all()
    wanted = _pairs(text)
    nearest = sorted(newest, key=lambda row: -_overlap(wanted, _pairs(row.matter)))[:COMPARED_LIMIT]
    if not nearest:
        return []
    vectors = encoder.encode([normalise(text), *(normalise(row.matter) for row in nearest)])
    scores = (vectors[1:] @ vectors[0]).tolist()
    ranked = sorted(zip(scores, nearest, strict=True), key=lambda pair: -pair[0])[:SHOWN_LIMIT]
    return [
        {"number": row.number, "title": row.matter[:TITLE_CHARACTERS], "score": round(score, 3), "state": row.state}
        for score, row in ranked
        if score >= LEAST_SCORE
    ]


def _pairs(text: str) -> set[str]:
    characters = normalise(text)
    return {characters[i : i + 2] for i in range(len(characters) - 1)}


def _overlap(one: set[str], other: set[str]) -> float:
    return len(one & other) / (len(one | other) or 1)
