"""Turns of the transcript that somebody should look at: rated by residents, doubted by the machine, then labelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import yaml
from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.orm import Session

from channels.rasa import Said, Understood
from channels.store import RESIDENT, ChatMessage, TurnLabel
from language.normalise import strip_hidden
from language.personal import mask_personal
from storage import begin_writing

Rating = Literal["helpful", "unhelpful"]
RATINGS: tuple[Rating, ...] = ("helpful", "unhelpful")
# What a resident can find helpful or not; the rest asks, reads back or warns.
RATED_KINDS = frozenset({"answer", "no_answer", "refusal"})
# The words of a petition are for those who handle it: no editor sees a turn of one.
CASE_KINDS = frozenset({"prompt", "confirm", "ticket", "ticket_status"})

FALLBACK = "nlu_fallback"
# Below it an intent is not taken at its word (`actions.base.SURE`).
SURE = 0.45
# An answer is given from a chance of 0.4 on (`knowledge.answer.ACCEPT`); up to here it was a near thing.
NEAR = 0.5
TEXT_LIMIT_CHARACTERS = 400
LABEL_RETENTION = timedelta(days=365)
PAGE = 20

# Signs that mark an entity in training data.
_PLAIN = str.maketrans("[]{}|", "（）（）／")


@dataclass(frozen=True, slots=True)
class Turn:
    """A message that waits for a look, masked.

    Attributes:
        id: Of the message.
        text: What the resident said.
        replies: What the assistant said.
        at: When.
        intent: What was understood; None for a message from before that was kept.
        confidence: How surely, 0 to 1.
        doubt: `fallback`, `unsure`, `near`, or None.
        rating: What the resident thinks of the answer.
    """

    id: int
    text: str
    replies: tuple[str, ...]
    at: datetime
    intent: str | None
    confidence: float | None
    doubt: str | None
    rating: str | None


def doubt_of(understood: Understood, kinds: Sequence[str]) -> str | None:
    """Why a reply may be wrong: nothing understood, hardly understood, or an answer only just found."""
    if understood.intent == FALLBACK:
        return "fallback"
    if understood.confidence is not None and understood.confidence < SURE:
        return "unsure"
    return "near" if "answer" in kinds and understood.chance is not None and understood.chance < NEAR else None


def note_understood(session: Session, conversation: str, number: int, said: Said) -> None:
    """Keep beside a message what was understood of it, and put it up for review where that is doubtful.

    Args:
        session: Open transaction in which the replies have been recorded.
        conversation: Identity of the conversation.
        number: Of the resident's message.
        said: What was replied to it.
    """
    kinds = [message["kind"] for message in said.messages]
    doubt = doubt_of(said.understood, kinds)
    # What answers a question of the form means what the form makes of it, and may be a name.
    is_detail = session.scalar(
        select(func.count())
        .select_from(ChatMessage)
        .where(
            ChatMessage.conversation == conversation,
            ChatMessage.number == number - 1,
            ChatMessage.kind.in_(CASE_KINDS),
        )
    )
    if is_detail or CASE_KINDS.intersection(kinds):
        doubt = None
    session.execute(
        update(ChatMessage)
        .where(ChatMessage.conversation == conversation, ChatMessage.number == number, ChatMessage.kind == RESIDENT)
        .values(
            intent=said.understood.intent,
            confidence=said.understood.confidence,
            chance=said.understood.chance,
            doubt=doubt,
            review="wanted" if doubt else None,
        )
    )


def rate(session: Session, conversation: str, message_id: str, rating: Rating, *, now: datetime) -> bool:
    """Keep what a resident thinks of the answer to a message; the last one counts.

    Args:
        session: Open transaction.
        conversation: Identity of the conversation.
        message_id: The client's own id of the resident's message.
        rating: `helpful` or `unhelpful`.
        now: Aware.

    Returns:
        Whether there is such a message, with an answer that can be rated.
    """
    begin_writing(session)
    message = session.scalar(
        select(ChatMessage).where(
            ChatMessage.conversation == conversation,
            ChatMessage.message_id == message_id,
            ChatMessage.kind == RESIDENT,
        )
    )
    if message is None:
        return False
    kinds = session.scalars(
        select(ChatMessage.kind).where(ChatMessage.conversation == conversation, ChatMessage.answers == message.number)
    ).all()
    if not RATED_KINDS.intersection(kinds):
        return False
    message.rating, message.rated_at = rating, now
    if message.review != "done":
        is_wanted = not CASE_KINDS.intersection(kinds) and (rating == "unhelpful" or message.doubt)
        message.review = "wanted" if is_wanted else None
    return True


def waiting_count(session: Session) -> int:
    """How many turns wait for a look."""
    return session.scalar(select(func.count()).select_from(ChatMessage).where(ChatMessage.review == "wanted")) or 0


def waiting_turns(session: Session, *, before: int | None = None, limit: int = PAGE) -> list[Turn]:
    """Turns that wait for a look, newest first.

    Args:
        session: Open.
        before: Only those older than the message of this id.
        limit: How many at most.
    """
    wanted = [ChatMessage.review == "wanted"]
    if before is not None:
        wanted.append(ChatMessage.id < before)
    rows = session.scalars(select(ChatMessage).where(*wanted).order_by(ChatMessage.id.desc()).limit(limit)).all()
    return [_turn(session, row) for row in rows]


def label_turn(
    session: Session, turn_id: int, verdict: str, by: str, *, intent: str | None = None, now: datetime
) -> TurnLabel | None:
    """Keep what somebody found, once.

    Args:
        session: Open transaction.
        turn_id: Of a message that waits for a look.
        verdict: `right` or `wrong` intent, knowledge `missing`, or a matter of somebody `elsewhere`.
        by: Who found it.
        intent: The right one, for `wrong`.
        now: Aware.

    Returns:
        The label; None when nothing of that id waits any more.
    """
    begin_writing(session)
    taken = session.execute(
        update(ChatMessage).where(ChatMessage.id == turn_id, ChatMessage.review == "wanted").values(review="done")
    )
    message = session.get(ChatMessage, turn_id, populate_existing=True)
    if message is None or not (isinstance(taken, CursorResult) and taken.rowcount):
        return None
    label = TurnLabel(
        message_id=turn_id,
        text=_masked(message.payload["text"])[:TEXT_LIMIT_CHARACTERS],
        intent=message.intent,
        confidence=message.confidence,
        verdict=verdict,
        right_intent=intent if verdict == "wrong" else None,
        by=by,
        at=now,
    )
    session.add(label)
    session.flush()
    return label


def purge_labels(session: Session, before: datetime) -> int:
    """Delete the labels given before a time; how many they were."""
    gone = session.execute(delete(TurnLabel).where(TurnLabel.at < before))
    return gone.rowcount if isinstance(gone, CursorResult) else 0


def training_examples(session: Session) -> str:
    """What labels say of intents, in the format of `data/nlu`, for a person to look through and merge."""
    by_intent: dict[str, dict[str, None]] = {}
    for label in session.scalars(
        select(TurnLabel).where(TurnLabel.verdict.in_(("right", "wrong"))).order_by(TurnLabel.at)
    ):
        intent = label.intent if label.verdict == "right" else label.right_intent
        if intent and intent != FALLBACK:
            by_intent.setdefault(intent, {})[label.text.translate(_PLAIN)] = None
    rows = [
        {"intent": intent, "examples": _Lines("".join(f"- {text}\n" for text in texts))}
        for intent, texts in sorted(by_intent.items())
    ]
    data = {"version": "3.1", "nlu": rows}
    dumped: str = yaml.dump(data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10_000)
    return dumped


def replies_of(session: Session, message: ChatMessage) -> Iterator[str]:
    """What the assistant said to a message, masked, in order."""
    rows = session.scalars(
        select(ChatMessage)
        .where(ChatMessage.conversation == message.conversation, ChatMessage.answers == message.number)
        .order_by(ChatMessage.number)
    )
    return (_masked(row.payload["text"]) for row in rows)


def _turn(session: Session, row: ChatMessage) -> Turn:
    return Turn(
        id=row.id,
        text=_masked(row.payload["text"]),
        replies=tuple(replies_of(session, row)),
        at=row.created_at,
        intent=row.intent,
        confidence=row.confidence,
        doubt=row.doubt,
        rating=row.rating,
    )


def _masked(text: str) -> str:
    return " ".join(mask_personal(strip_hidden(text)).split())


class _Lines(str):
    """A text that YAML writes line by line."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    _Lines, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)
