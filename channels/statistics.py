"""How much the assistant did by itself, from the transcripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from channels.store import RESIDENT, ChatMessage


@dataclass(frozen=True, slots=True)
class AssistantShare:
    """What became of the conversations in which a resident wrote in a stretch of time.

    Attributes:
        conversations: How many there were.
        answered: Of those, with an answer and without a ticket.
        filed: Of those, with a ticket.
        kinds: How many replies of each kind of the contract were given.
    """

    conversations: int
    answered: int
    filed: int
    kinds: Mapping[str, int]

    @property
    def rate(self) -> float | None:
        """The share of conversations answered without a ticket, from 0 to 1; None of nothing."""
        return self.answered / self.conversations if self.conversations else None


def assistant_share(session: Session, *, since: datetime, until: datetime) -> AssistantShare:
    """What the assistant did in a stretch of time; transcripts that were deleted meanwhile are missing.

    Args:
        session: Open.
        since: Aware; what was said at that moment counts.
        until: Aware; what was said at that moment does not.
    """
    within = (ChatMessage.created_at >= since, ChatMessage.created_at < until)
    by_kind = (
        select(ChatMessage.kind, func.count()).where(*within).group_by(ChatMessage.kind).order_by(ChatMessage.kind)
    )
    kinds: dict[str, int] = {kind: count for kind, count in session.execute(by_kind)}  # noqa: C416 - rows are no pairs
    kinds.pop(RESIDENT, None)
    has = {
        kind: func.max(case((ChatMessage.kind == kind, 1), else_=0)).label(kind)
        for kind in (RESIDENT, "answer", "ticket")
    }
    each = select(*has.values()).where(*within).group_by(ChatMessage.conversation).subquery()
    written = each.c[RESIDENT] == 1
    of_conversations = select(
        func.count(),
        func.count(case(((each.c.answer == 1) & (each.c.ticket == 0), 1))),
        func.count(case((each.c.ticket == 1, 1))),
    ).where(written)
    conversations, answered, filed = session.execute(of_conversations).one()
    return AssistantShare(conversations, answered, filed, kinds)
