"""Answers as the conversation gets them: a curated entry in force, each hit counted, else what the documents say."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from threading import Lock

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jurisdiction import Phone
from knowledge.answer import Context, KnowledgeBase, Reply, paused, reply_texts
from knowledge.curated import count_hit, served_entries, stamp, texts, today_of
from knowledge.matching import CuratedMatcher, Entry
from knowledge.question import Lexicon
from knowledge.replacing import Replaced, replaced_answers
from language.normalise import normalise
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

    def answer(self, text: str, *, is_counted: bool = True) -> Reply | None:
        """The answer; None when no entry answers, or the database cannot say which are in force."""
        try:
            entry = _found(self.refresh(), text)
        except SQLAlchemyError as error:
            logger.error("curated_not_read error=%s", type(error).__name__)
            return None
        if entry is None:
            return None
        if is_counted:
            self._count(entry.id)
        return _reply(entry)

    def with_draft(self, draft: Entry) -> CuratedMatcher:
        """The matcher as it would be with one more entry, or with another version of one; nothing is kept of it.

        Raises:
            SQLAlchemyError: The database cannot be read.
        """
        matcher = self.refresh()
        others = [entry for entry in matcher.entries.values() if entry.id != draft.id]
        # In the order in which they are served: it decides between two that fit equally well.
        entries = sorted([*others, draft], key=lambda entry: entry.id)
        return CuratedMatcher(entries, self._encoder, self._lexicon, matcher.vectors)

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


class Answers:
    """The documents, the curated entries and the table of phones as one."""

    def __init__(
        self,
        base: KnowledgeBase,
        curated: CuratedAnswers,
        phones: Iterable[Phone],
        *,
        is_off: Callable[[], bool] = lambda: False,
        timed: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Join the parts; while `is_off` says so nothing is answered from the documents.

        Each answer is looked for within `timed`.
        """
        self.base = base
        self._curated = curated
        self._is_off = is_off
        self._phones = [phone for phone in phones if phone.topics]
        self._timed = timed

    def answer(self, text: str, context: Context | None = None, *, is_counted: bool = True) -> Reply:
        """What is known of `text`; whatever is not, with the number that may help.

        Args:
            text: One message, possibly with several questions.
            context: Of the reply before in the same conversation.
            is_counted: Whether a curated entry that answers counts a hit; words still being typed are no question.
        """
        with self._timed():
            curated = self._curated.answer(text, is_counted=is_counted)
            return self._helped(text, curated or (paused() if self._is_off() else self.base.answer(text, context)))

    def preview(self, text: str, draft: Entry | None = None) -> Reply:
        """What a resident would get, with a draft in force or as things are; no hit is counted.

        Raises:
            SQLAlchemyError: The database cannot be read.
        """
        matcher = self._curated.with_draft(draft) if draft else self._curated.refresh()
        entry = _found(matcher, text)
        return self._helped(text, _reply(entry) if entry else self.base.answer(text))

    def replaced_by(self, draft: Entry) -> list[Replaced]:
        """Answers of the documents that residents would no longer get with a draft in force.

        Raises:
            SQLAlchemyError: The database cannot be read.
        """
        return replaced_answers(self.base, self._curated.with_draft(draft), draft)

    def _helped(self, text: str, reply: Reply) -> Reply:
        """The reply, with the number that may help where it is no answer."""
        if reply.kind != "no_answer":
            return reply
        plain = normalise(text)
        phone = next((phone for phone in self._phones if any(re.search(topic, plain) for topic in phone.topics)), None)
        if phone is None:
            return reply
        help_ = reply_texts()["phone"].format(name=phone.name, number=phone.number)
        return replace(reply, text=f"{reply.text}\n{help_}")


def _found(matcher: CuratedMatcher, text: str) -> Entry | None:
    match = matcher.find(text)
    return matcher.entries[match.entry_id] if match else None


def _reply(entry: Entry) -> Reply:
    citation = {
        "document": f"curated:{entry.id}",
        "section": entry.source,
        "quote": entry.answer,
        "start": 0,
        "end": len(entry.answer),
    }
    text = texts()["answer"].format(answer=entry.answer, source=entry.source)
    return Reply("answer", text, [citation], chance=1.0)
