"""Locks by name that all processes of a database share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from threading import Lock

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

# Apart from the locks of transactions, which take the same names.
_SEED = 1


class SharedLocks:
    """Each is held by one process at a time; on SQLite, which one web process has to itself, nothing is asked.

    All locks of a process are held by one connection of its own: a process that dies, on whatever machine, lets go of
    them at once, and a message that is answered for long holds no connection of the pool. Where that connection is
    lost, so are its locks; what is stored is guarded by keys and transactions.

    Source: https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS (session level).
    """

    def __init__(self, sessions: Callable[[], Session]) -> None:
        self._sessions = sessions
        self._asking = Lock()
        self._connection: Connection | None = None

    @cached_property
    def are_needed(self) -> bool:
        """Whether other processes may hold locks; else there is nothing to take and to give back."""
        return self._engine.dialect.name == "postgresql"

    @cached_property
    def _engine(self) -> Engine:
        with self._sessions() as session:
            return session.get_bind().engine

    def take(self, name: str) -> bool:
        """Take a lock that this process does not hold; whether it was free.

        Raises:
            SQLAlchemyError: the database cannot be asked.
        """
        if not self.are_needed:
            return True
        with self._asking:
            if self._connection is not None:
                try:
                    return self._take(self._connection, name)
                except SQLAlchemyError:
                    self._close()  # the server was started anew meanwhile
            self._connection = self._connect()
            return self._take(self._connection, name)

    def give_back(self, name: str) -> None:
        """Let others have a lock; one that went with its connection needs no giving back."""
        with self._asking:
            if self._connection is not None:
                try:
                    self._connection.scalar(select(func.pg_advisory_unlock(func.hashtextextended(name, _SEED))))
                except SQLAlchemyError:
                    self._close()

    def close(self) -> None:
        """Let go of all."""
        with self._asking:
            self._close()

    def _connect(self) -> Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # It is never given back: out of the pool it takes the place of no other.
        connection.detach()
        return connection

    def _take(self, connection: Connection, name: str) -> bool:
        return bool(connection.scalar(select(func.pg_try_advisory_lock(func.hashtextextended(name, _SEED)))))

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
