"""What tells a demonstration from what is real."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from petitions import SYSTEM, Petition
from petitions.visibility import visible_to

CONVERSATION = "demo"


def holds_demo(session: Session) -> bool:
    """Whether there is a petition of a demonstration."""
    made_up = select(Petition.id).where(visible_to(SYSTEM), Petition.conversation == CONVERSATION).limit(1)
    return session.scalar(made_up) is not None
