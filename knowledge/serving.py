"""Curated answers as the conversation gets them: always those in force now, each one counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from knowledge.curated import count_hit, served_entries, stamp, texts, today_of
from knowledge.matching import CuratedMatcher, Entry
from knowledge.question import Lexicon
from language.vectors import Encoder

logger = logging.getLogger(__name__)


class CuratedAnswers:
    """Answers questions from the curated entries. Safe from threads."""

    def __init__(
        self,
        sessions: Callable[[], Session],
        encoder: Encoder,
        lexicon: Lexicon,
        clock: Callable[[], datetime],
    ) -> None:
        """Join the parts; nothing is read before the first question or `refresh`."""
        self._sessions = sessions
        self._encoder = encoder
        self._lexicon = lexicon
        self._clock = clock
        self._lock = Lock()
        self._matcher: tuple[object, CuratedMatcher] | None = None

    def answer(self, text: str) -> dict[str, Any] | None:
        """A message of the contract; None when no entry answers, or the database cannot say which are in force."""
        try:
            matcher = self.refresh()
        except SQLAlchemyError as error:
            logger.error("curated_not_read error=%s", type(error).__name__)
            return None
        match = matcher.find(text)
        if match is None:
            return None
        self._count(match.entry_id)
        return _message(matcher.entries[match.entry_id])

    def refresh(self) -> CuratedMatcher:
        """The matcher of the entries in force; made anew when one cheap query tells of a change, or the day is another.

        Raises:
            SQLAlchemyError: The database cannot be read.
        """
        today = today_of(self._clock())
        with self._lock, self._sessions() as session:
            current = (today, stamp(session))
            if self._matcher is None or self._matcher[0] != current:
                known = self._matcher[1].vectors if self._matcher else {}
                entries = served_entries(session, today)
                self._matcher = current, CuratedMatcher(entries, self._encoder, self._lexicon, known)
            return self._matcher[1]

    def _count(self, entry_id: str) -> None:
        """Count the hit; one that cannot be counted never costs the answer."""
        try:
            with self._sessions() as session, session.begin():
                count_hit(session, entry_id, self._clock())
        except SQLAlchemyError as error:
            logger.warning("curated_hit_not_counted entry=%s error=%s", entry_id, type(error).__name__)


def _message(entry: Entry) -> dict[str, Any]:
    citation = {
        "document": f"curated:{entry.id}",
        "section": entry.source,
        "quote": entry.answer,
        "start": 0,
        "end": len(entry.answer),
    }
    return {
        "kind": "answer",
        "text": texts()["answer"].format(answer=entry.answer, source=entry.source),
        "citations": [citation],
        "facts": [],
        "buttons": [],
    }
