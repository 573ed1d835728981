"""What operators made of the proposals they were shown: the next training set, and how often a proposal was right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, delete, func, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, Session, mapped_column

from desk.accounts import Staff
from language.personal import mask_personal
from petitions.correcting import CORRECTABLE
from storage import Base, UtcDateTime, begin_writing

KINDS = ("answer", *CORRECTABLE)
ChoiceName = Literal["accepted", "changed", "rejected"]
CHOICES: tuple[ChoiceName, ...] = ("accepted", "changed", "rejected")
# A mask does not find everything: words of callers are kept no longer than a training set needs them.
RETENTION = timedelta(days=365)


class AssistChoice(Base):
    """What an operator chose for one proposal in one call; choosing anew for the same proposal replaces it."""

    __tablename__ = "assist_choice"
    __table_args__ = (
        UniqueConstraint("call", "kind", "digest", name="uq_assist_choice_call"),
        Index("ix_assist_choice_at", "at", "kind", "choice"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    call: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(12))
    # The caller's words so far, masked.
    text: Mapped[str] = mapped_column(Text)
    proposal: Mapped[str] = mapped_column(Text)
    # Of the proposal, which may be too long for an index.
    digest: Mapped[str] = mapped_column(String(64))
    choice: Mapped[str] = mapped_column(String(10))
    # What the operator put in place of the proposal.
    value: Mapped[str | None] = mapped_column(Text)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How many proposals of a kind were accepted, changed, rejected."""

    accepted: int = 0
    changed: int = 0
    rejected: int = 0

    @property
    def rate(self) -> float | None:
        """The share that was accepted as it was; None without any."""
        count = self.accepted + self.changed + self.rejected
        return self.accepted / count if count else None


def record_choice(
    session: Session,
    call: str,
    kind: str,
    choice: ChoiceName,
    *,
    text: str,
    proposal: str,
    value: str | None,
    member: Staff,
    now: datetime,
) -> None:
    """Keep what was chosen, in place of what the same call chose for the same proposal. The caller commits.

    Args:
        session: At the start of a transaction.
        call: Key of the call.
        kind: One of `KINDS`.
        choice: One of `CHOICES`.
        text: The caller's words so far; kept masked.
        proposal: What was proposed.
        value: What is right instead, for `changed`.
        member: Who chose.
        now: Aware.
    """
    begin_writing(session)
    digest = sha256(proposal.encode()).hexdigest()
    same = (AssistChoice.call == call, AssistChoice.kind == kind, AssistChoice.digest == digest)
    row = session.scalar(select(AssistChoice).where(*same).with_for_update())
    if row is None:
        row = AssistChoice(call=call, kind=kind, digest=digest)
        session.add(row)
    row.text, row.proposal, row.choice = mask_personal(text), mask_personal(proposal), choice
    row.value = None if value is None else mask_personal(value)
    row.staff_id, row.at = member.id, now
    session.flush()


def choices_of(session: Session, call: str) -> dict[str, AssistChoice]:
    """What was chosen last in a call, by kind."""
    rows = select(AssistChoice).where(AssistChoice.call == call).order_by(AssistChoice.at, AssistChoice.id)
    return {row.kind: row for row in session.scalars(rows)}


def acceptance(session: Session, *, since: datetime, until: datetime) -> dict[str, Acceptance]:
    """How often proposals were right, by kind, for choices made from `since` to before `until`."""
    rows = session.execute(
        select(AssistChoice.kind, AssistChoice.choice, func.count())
        .where(AssistChoice.at >= since, AssistChoice.at < until)
        .group_by(AssistChoice.kind, AssistChoice.choice)
    )
    counts: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    for kind, choice, count in rows:
        counts[kind][choice] = count
    return {kind: Acceptance(**found) for kind, found in counts.items()}


def examples(session: Session, *, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """The choices as training examples, oldest first, without who made them.

    `label` is what the operator held to be right: the proposal, or what they put in its place; None where they only
    said that it is wrong.
    """
    rows = session.scalars(
        select(AssistChoice).where(AssistChoice.at >= since, AssistChoice.at < until).order_by(AssistChoice.id)
    )
    for row in rows:
        yield {
            "text": row.text,
            "kind": row.kind,
            "proposal": row.proposal,
            "choice": row.choice,
            "label": row.proposal if row.choice == "accepted" else row.value,
            "on": row.at.date().isoformat(),
        }


def purge_choices(session: Session, before: datetime) -> int:
    """Delete choices older than this; how many. The caller commits."""
    found = session.execute(delete(AssistChoice).where(AssistChoice.at < before))
    return found.rowcount if isinstance(found, CursorResult) else 0
