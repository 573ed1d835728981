"""Conversations as Rasa keeps them, sealed: after a restart, and on another Rasa, each goes on where it was.

They are kept in a file of SQLite or, where several processes of Rasa share them, in PostgreSQL. Without an address in
the environment they are kept in memory, as Rasa does it by itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from rasa.core.tracker_store import InMemoryTrackerStore
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import QueuePool

from bot.shortening import shortened

ADDRESS = "SUQIUTONG_CONVERSATIONS"
KEY = "SUQIUTONG_CONVERSATIONS_KEY"
# What nobody has gone on with for so long goes.
KEPT_SECONDS = 48 * 3600
CLEAN_EVERY = 500
# A database that is gone must not hold the messages of all conversations.
CONNECT_SECONDS = 3
# Of the lock under which the table is made: of two that make it at once PostgreSQL refuses one.
_MAKING = 7_325_001


class SealedConversations(MutableMapping[str, str]):
    """The text of each conversation by its id, sealed, the last time it was changed beside it."""

    def __init__(self, address: str, key: bytes, now: Callable[[], float] = time.time) -> None:
        """Open the database, and make the table; a file is readable by its owner alone."""
        self._fernet = Fernet(key)
        self._now = now
        self._changes = 0
        self._engine = _make_engine(address)

    def __getitem__(self, conversation: str) -> str:
        rows = self._read("SELECT sealed FROM conversation WHERE id = :id", id=conversation)
        if not rows:
            raise KeyError(conversation)
        return self._fernet.decrypt(bytes(rows[0].sealed)).decode()

    def __setitem__(self, conversation: str, said: str) -> None:
        if self._changes % CLEAN_EVERY == 0:
            self._write("DELETE FROM conversation WHERE at < :at", at=self._now() - KEPT_SECONDS)
        self._changes += 1
        self._write(
            "INSERT INTO conversation (id, sealed, at) VALUES (:id, :sealed, :at)"
            " ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, at = excluded.at",
            id=conversation,
            sealed=self._fernet.encrypt(said.encode()),
            at=self._now(),
        )

    def __delitem__(self, conversation: str) -> None:
        if not self._write("DELETE FROM conversation WHERE id = :id", id=conversation):
            raise KeyError(conversation)

    def __contains__(self, conversation: object) -> bool:
        return bool(self._read("SELECT 1 FROM conversation WHERE id = :id", id=conversation))

    def __iter__(self) -> Iterator[str]:
        return (row.id for row in self._read("SELECT id FROM conversation"))

    def __len__(self) -> int:
        return int(self._read("SELECT count(*) AS count FROM conversation")[0].count)

    def _read(self, statement: str, **values: Any) -> Sequence[Any]:  # noqa: ANN401 - values and rows of any type
        with self._engine.connect() as connection:
            return connection.execute(text(statement), values).fetchall()

    def _write(self, statement: str, **values: Any) -> int:  # noqa: ANN401 - as above
        """How many rows it changed."""
        with self._engine.connect() as connection:
            return connection.execute(text(statement), values).rowcount


def _make_engine(address: str) -> Engine:
    url = make_url(address)
    is_shared = url.get_backend_name() == "postgresql"
    if not is_shared:
        Path(url.database).touch(mode=0o600)
    arguments = {"connect_timeout": CONNECT_SECONDS} if is_shared else {"check_same_thread": False}
    # Each statement is whole by itself. SQLAlchemy 1.4 would open a file anew for every one of them.
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=QueuePool,
        pool_pre_ping=is_shared,
        hide_parameters=True,
        connect_args=arguments,
    )
    with engine.connect() as connection:
        if is_shared:
            connection.execute(text("SELECT pg_advisory_lock(:making)"), {"making": _MAKING})
        else:
            # The other database remembers every word after a power cut: a place lost here would not fit to it.
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                connection.execute(text(f"PRAGMA {pragma}"))
        connection.execute(
            text(
                "CREATE TABLE IF NOT EXISTS conversation"
                f" (id TEXT PRIMARY KEY, sealed {'BYTEA' if is_shared else 'BLOB'} NOT NULL,"
                " at DOUBLE PRECISION NOT NULL)"
            )
        )
        if is_shared:
            connection.execute(text("SELECT pg_advisory_unlock(:making)"), {"making": _MAKING})
    return engine


class SealedTrackerStore(InMemoryTrackerStore):
    """Rasa's store in memory, with a sealed table in the place of the memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Rasa's own
        super().__init__(*args, **kwargs)
        if address := os.environ.get(ADDRESS):
            self.store = SealedConversations(address, os.environ[KEY].encode())

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Keep the conversation, without its turns of long ago."""
        await super().save(shortened(tracker, self.domain))
