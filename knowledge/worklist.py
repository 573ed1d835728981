"""The work list of editors, made once for each state of the open questions and in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from sqlalchemy.orm import Session

from knowledge.question import Lexicon
from knowledge.unanswered import Work, find_questions, group_unanswered, stamp_unanswered
from language.vectors import Encoder

# So long a page waits for a new list before it shows that one is being made.
WAIT_SECONDS = 1.5


class WorkList:
    """Groups the open questions when they have changed, and never because somebody looks. Safe from threads.

    Args:
        sessions: Make database sessions.
        encoder: Makes the encoder at its first use.
        lexicon: Cuts words.
    """

    def __init__(self, sessions: Callable[[], Session], encoder: Callable[[], Encoder], lexicon: Lexicon) -> None:
        self._sessions = sessions
        self._encoder = encoder
        self._lexicon = lexicon
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="work-list")
        self._made: tuple[object, Future[list[Work]]] | None = None
        self._last: list[Work] | None = None

    def get(self, wait_seconds: float = WAIT_SECONDS) -> Sequence[Work] | None:
        """The groups, most asked first; while they are made anew, those before that are still open; None at first.

        Args:
            wait_seconds: How long to wait for them.
        """
        with self._sessions() as session:
            state = stamp_unanswered(session)
        with self._lock:
            # One that failed is made again; one that is being made is waited for, whatever has changed since.
            is_usable = self._made and (not self._made[1].done() or not self._made[1].exception())
            if not self._made or not is_usable or (self._made[0] != state and self._made[1].done()):
                self._made = state, self._thread.submit(self._group)
            made = self._made[1]
        try:
            return made.result(wait_seconds)
        except TimeoutError:
            return self._still_open()

    def _still_open(self) -> list[Work] | None:
        last = self._last
        if last is None:
            return None
        with self._sessions() as session:
            found = {one.id for one in find_questions(session, [number for work in last for number in work.ids])}
        return [work for work in last if found.issuperset(work.ids)]

    def _group(self) -> list[Work]:
        with self._sessions() as session:
            self._last = group_unanswered(session, self._encoder(), self._lexicon)
            return self._last
