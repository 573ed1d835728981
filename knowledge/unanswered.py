"""Questions that found no answer: kept without personal data, counted, and grouped into a work list for editors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from sqlalchemy import CursorResult, ForeignKey, String, Text, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from knowledge.curated import find_entry, texts, today_of
from knowledge.errors import KnowledgeError
from knowledge.matching import Reader, Reading, key_of
from knowledge.question import Lexicon
from language.normalise import strip_hidden
from language.personal import mask_personal
from language.vectors import Encoder, Vectors
from storage import Base, UtcDateTime

TEXT_LIMIT_CHARACTERS = 400
# A year shows what comes back with the seasons, such as school places; who needs longer keeps an entry, not a question.
RETENTION = timedelta(days=365)
# Likeness from which two questions are one piece of work; lower than for answers, since an editor looks at them.
SAME_WORK = 0.65
EXAMPLES = 5
# A question takes 20 ms to encode, and nobody works through more at once.
READ_LIMIT = 500

QuestionState = Literal["open", "answered", "dismissed"]


class UnansweredQuestion(Base):
    """A question as it was first asked, masked, with how often it was asked and what became of it."""

    __tablename__ = "unanswered_question"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    text: Mapped[str] = mapped_column(String(TEXT_LIMIT_CHARACTERS))
    kind: Mapped[str] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(20))
    asks: Mapped[int]
    first_asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_asked_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    state: Mapped[str] = mapped_column(String(20), index=True)
    entry_id: Mapped[str | None] = mapped_column(ForeignKey("curated_entry.id"))
    closed_by: Mapped[str | None] = mapped_column(String(100))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Work:
    """Questions that ask the same.

    Attributes:
        id: Of the representative question, the one asked most.
        question: That question.
        asks: How often all of them were asked.
        first_asked_at: The first time.
        last_asked_at: The last time.
        examples: A few of the others, most asked first.
        ids: Of all of them.
    """

    id: int
    question: str
    asks: int
    first_asked_at: datetime
    last_asked_at: datetime
    examples: tuple[str, ...]
    ids: tuple[int, ...]


def record_unanswered(session: Session, text: str, *, kind: str, channel: str, now: datetime) -> None:
    """Keep a question that found no answer; one that was asked before is counted.

    One that was answered meanwhile is open again: an answer that does not reach the question is none.

    Args:
        session: Open transaction.
        text: As typed; what is personal in it is masked before it is kept.
        kind: Of the message that was said instead of an answer, such as `no_answer`.
        channel: Where it was asked.
        now: Aware.
    """
    # Masked before it is cut, so that no half of a number is left at the end.
    masked = " ".join(mask_personal(strip_hidden(text)).split())[:TEXT_LIMIT_CHARACTERS]
    key = key_of(masked)
    if not key:
        return
    digest = sha256(key.encode()).hexdigest()
    if _count(session, digest, now):
        return
    question = UnansweredQuestion(
        digest=digest,
        text=masked,
        kind=kind,
        channel=channel,
        asks=1,
        first_asked_at=now,
        last_asked_at=now,
        state="open",
    )
    try:
        with session.begin_nested():
            session.add(question)
    except IntegrityError:  # asked for the first time by two at once
        _count(session, digest, now)


def _count(session: Session, digest: str, now: datetime) -> bool:
    """Count one more ask of a question that is kept; False when it is not."""
    same = UnansweredQuestion.digest == digest
    found = session.execute(
        update(UnansweredQuestion).where(same).values(asks=UnansweredQuestion.asks + 1, last_asked_at=now)
    )
    if not isinstance(found, CursorResult) or not found.rowcount:
        return False
    session.execute(
        update(UnansweredQuestion)
        .where(same, UnansweredQuestion.state == "answered")
        .values(state="open", entry_id=None, closed_by=None, closed_at=None)
    )
    return True


def group_unanswered(
    session: Session, encoder: Encoder, lexicon: Lexicon, *, since: datetime | None = None
) -> list[Work]:
    """The open questions as a work list, most asked first; the same questions always give the same list.

    A question joins the group to whose least similar member it is most similar, if that is similar enough.

    Args:
        session: Open.
        encoder: Makes sentence vectors.
        lexicon: Cuts words.
        since: Only questions asked at or after this time.
    """
    wanted = [UnansweredQuestion.state == "open"]
    if since:
        wanted.append(UnansweredQuestion.last_asked_at >= since)
    rows = session.scalars(
        select(UnansweredQuestion)
        .where(*wanted)
        .order_by(UnansweredQuestion.asks.desc(), UnansweredQuestion.id)
        .limit(READ_LIMIT)
    ).all()
    reader = Reader(lexicon)
    readings = [reader.read(row.text) for row in rows]
    vectors = encoder.encode([reading.text for reading in readings])
    groups: list[list[int]] = []
    for i in range(len(rows)):
        nearest = max(groups, key=lambda group: _farthest(reader, readings, vectors, i, group), default=None)
        if nearest is not None and _farthest(reader, readings, vectors, i, nearest) >= SAME_WORK:
            nearest.append(i)
        else:
            groups.append([i])
    work = [_work([rows[i] for i in group]) for group in groups]
    return sorted(work, key=lambda one: (-one.asks, one.id))


def stamp_unanswered(session: Session) -> tuple[int, int, int, str]:
    """What differs whenever the open questions or their counts have changed."""
    one = UnansweredQuestion
    count, ids, asks, last = session.execute(
        select(func.count(), func.sum(one.id), func.sum(one.asks), func.max(one.last_asked_at)).where(
            one.state == "open"
        )
    ).one()
    return int(count), int(ids or 0), int(asks or 0), str(last)


def find_questions(session: Session, ids: Iterable[int]) -> Sequence[UnansweredQuestion]:
    """The questions of these ids that are open, most asked first."""
    one = UnansweredQuestion
    return session.scalars(
        select(one).where(one.id.in_(list(ids)), one.state == "open").order_by(one.asks.desc(), one.id)
    ).all()


def dismiss(session: Session, ids: Iterable[int], by: str, reason: str, now: datetime) -> None:
    """Say that these questions need no answer, and why.

    Raises:
        KnowledgeError: Nobody is named, or one of them is not open.
    """
    for question in _open_questions(session, ids):
        _close(question, "dismissed", by, now)
        question.reason = reason.strip()
    session.flush()


def link(session: Session, ids: Iterable[int], entry_id: str, by: str, now: datetime) -> None:
    """Say that an entry answers these questions.

    Raises:
        KnowledgeError: Nobody is named, one of them is not open, or there is no such entry in use.
    """
    entry = find_entry(session, entry_id)
    if entry.retired_at:
        raise KnowledgeError("entry_state", id=entry_id, state=texts()["states"][entry.state(today_of(now))])
    for question in _open_questions(session, ids):
        _close(question, "answered", by, now)
        question.entry_id = entry_id
    session.flush()


def purge_unanswered(session: Session, before: datetime) -> int:
    """Delete the questions last asked before a time; how many they were."""
    gone = session.execute(delete(UnansweredQuestion).where(UnansweredQuestion.last_asked_at < before))
    return gone.rowcount if isinstance(gone, CursorResult) else 0


def _farthest(reader: Reader, readings: Sequence[Reading], vectors: Vectors, i: int, group: Sequence[int]) -> float:
    """How like question `i` is to the member of the group that it is least like."""
    return min(
        reader.likeness(readings[i], readings[j], float(vectors[i] @ vectors[j]), lambda _word: 1.0) for j in group
    )


def _work(rows: Sequence[UnansweredQuestion]) -> Work:
    return Work(
        id=rows[0].id,
        question=rows[0].text,
        asks=sum(row.asks for row in rows),
        first_asked_at=min(row.first_asked_at for row in rows),
        last_asked_at=max(row.last_asked_at for row in rows),
        examples=tuple(row.text for row in rows[1 : EXAMPLES + 1]),
        ids=tuple(row.id for row in rows),
    )


def _open_questions(session: Session, ids: Iterable[int]) -> list[UnansweredQuestion]:
    found = []
    for question_id in ids:
        question = session.get(UnansweredQuestion, question_id)
        if question is None or question.state != "open":
            raise KnowledgeError("question_unknown", id=question_id)
        found.append(question)
    return found


def _close(question: UnansweredQuestion, state: QuestionState, by: str, now: datetime) -> None:
    if not by.strip():
        raise KnowledgeError("nameless")
    question.state, question.closed_by, question.closed_at = state, by.strip(), now
