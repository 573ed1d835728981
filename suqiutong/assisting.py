"""What an operator is shown while a caller speaks: one function for the desk's page and for `POST /api/assist`."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from language.danger import Danger
    from petitions import Actor, Route

logger = logging.getLogger(__name__)

_Found = TypeVar("_Found")
# The caller waits on the line: what takes longer than this is left out, and said to be.
PATIENCE_SECONDS = 2.0


class Parts(Protocol):
    """What is asked."""

    @property
    def knowledge(self) -> Any:  # noqa: ANN401 - `knowledge.serving.Answers`, or what stands in for it
        """What answers questions; None when it could not be loaded."""

    def triage(self, text: str) -> Route:
        """Where a petition goes."""

    def similar(self, text: str, actor: Actor | None = None) -> list[dict[str, Any]]:
        """Petitions like this one that the actor may see."""

    def find_danger(self, text: str) -> Danger | None:
        """The danger that the text reports."""


@dataclass(frozen=True, slots=True)
class Assistance:
    """All that is found for a caller's words so far.

    Attributes:
        reply: A message of the contract; None when the knowledge base is missing, failed or took too long.
        route: Where it would go.
        similar: Petitions like it; None when they could not be looked for in time.
        danger: What threatens somebody.
    """

    reply: Mapping[str, Any] | None
    route: Route
    similar: Sequence[dict[str, Any]] | None
    danger: Danger | None

    def to_json(self) -> dict[str, Any]:
        """The reply of `POST /api/assist`."""
        answers = []
        if self.reply is not None and self.reply["kind"] == "answer":
            answers = [
                {
                    "text": self.reply["text"],
                    "score": self.reply.get("score", 1.0),
                    "citations": self.reply["citations"],
                }
            ]
        return {"answers": answers, "route": self.route.to_json(), "similar": list(self.similar or [])}


def assist(
    parts: Parts, pool: Executor, text: str, actor: Actor | None = None, *, patience_seconds: float = PATIENCE_SECONDS
) -> Assistance:
    """What is known of a caller's words so far; files nothing and counts nothing.

    The answer is looked for beside the route, then similar petitions; one of the two that fails or takes too long
    costs only itself.

    Args:
        parts: What is asked.
        pool: Bounded; where the two run.
        text: Checked.
        actor: Whose similar petitions; without one, those that everybody may see.
        patience_seconds: How long all of it may take before the two are left out.
    """
    ends_at = time.monotonic() + patience_seconds
    # The log lines of the threads belong to the same request.
    answer = pool.submit(copy_context().run, _answer, parts, text)
    route, danger = parts.triage(text), parts.find_danger(text)
    # After the route, which makes the vector that similar petitions are looked for by.
    similar = pool.submit(copy_context().run, parts.similar, text, actor)
    return Assistance(_in_time("answer", answer, ends_at), route, _in_time("similar", similar, ends_at), danger)


def _answer(parts: Parts, text: str) -> Mapping[str, Any] | None:
    knowledge = parts.knowledge
    if knowledge is None:
        return None
    reply: Mapping[str, Any] = knowledge.answer(text, None, is_counted=False).to_json()
    return reply


def _in_time(name: str, part: Future[_Found], ends_at: float) -> _Found | None:
    try:
        return part.result(max(0.0, ends_at - time.monotonic()))
    except (TimeoutError, SQLAlchemyError) as error:
        # What has not begun yet would only keep others waiting.
        part.cancel()
        logger.error("assist_part_missing part=%s error=%s", name, type(error).__name__)
        return None
