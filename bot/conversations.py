"""Conversations as Rasa keeps them, sealed in a file: after a restart each goes on where it was.

Without a file in the environment they are kept in memory, as Rasa does it by itself.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from rasa.core.tracker_store import InMemoryTrackerStore
from rasa.shared.core.trackers import DialogueStateTracker

from bot.shortening import shortened

FILE = "SUQIUTONG_CONVERSATIONS"
KEY = "SUQIUTONG_CONVERSATIONS_KEY"
# What nobody has gone on with for so long goes.
KEPT_SECONDS = 48 * 3600
CLEAN_EVERY = 500


class SealedConversations(MutableMapping[str, str]):
    """The text of each conversation by its id, sealed, the last time it was changed beside it."""

    def __init__(self, path: Path, key: bytes, now: Callable[[], float] = time.time) -> None:
        """Open the file, or make it, readable by its owner alone."""
        path.touch(mode=0o600)
        self._fernet = Fernet(key)
        self._now = now
        self._changes = 0
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode=WAL",
            # The other database remembers every word after a power cut: a place lost here would not fit to it.
            "PRAGMA synchronous=FULL",
            "CREATE TABLE IF NOT EXISTS conversation (id TEXT PRIMARY KEY, sealed BLOB NOT NULL, at REAL NOT NULL)",
        ):
            self._file.execute(statement)

    def __getitem__(self, conversation: str) -> str:
        row = self._file.execute("SELECT sealed FROM conversation WHERE id = ?", (conversation,)).fetchone()
        if row is None:
            raise KeyError(conversation)
        return self._fernet.decrypt(row[0]).decode()

    def __setitem__(self, conversation: str, text: str) -> None:
        if self._changes % CLEAN_EVERY == 0:
            self._file.execute("DELETE FROM conversation WHERE at < ?", (self._now() - KEPT_SECONDS,))
        self._changes += 1
        self._file.execute(
            "INSERT OR REPLACE INTO conversation VALUES (?, ?, ?)",
            (conversation, self._fernet.encrypt(text.encode()), self._now()),
        )

    def __delitem__(self, conversation: str) -> None:
        if not self._file.execute("DELETE FROM conversation WHERE id = ?", (conversation,)).rowcount:
            raise KeyError(conversation)

    def __contains__(self, conversation: object) -> bool:
        found = self._file.execute("SELECT 1 FROM conversation WHERE id = ?", (conversation,))
        return found.fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return (row[0] for row in self._file.execute("SELECT id FROM conversation").fetchall())

    def __len__(self) -> int:
        return int(self._file.execute("SELECT count(*) FROM conversation").fetchone()[0])


class SealedTrackerStore(InMemoryTrackerStore):
    """Rasa's store in memory, with a sealed file in the place of the memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Rasa's own
        super().__init__(*args, **kwargs)
        if path := os.environ.get(FILE):
            self.store = SealedConversations(Path(path), os.environ[KEY].encode())

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Keep the conversation, without its turns of long ago."""
        await super().save(shortened(tracker, self.domain))
