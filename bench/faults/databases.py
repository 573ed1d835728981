"""The two kinds of database, each with the faults that it can have."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import psycopg

from bench.faults.disk import Disk
from tests.postgresql import PostgresqlServer

# Those that most of a message is written to.
TABLES = "petition, event, chat_message, chat_waiting"
# As a server has them by itself: what is committed is on the disk.
OPTIONS = ("max_connections=100", "jit=off", "shared_buffers=32MB", "min_wal_size=32MB", "max_wal_size=64MB")


class Database(Protocol):
    """A database in a folder of the disk."""

    url: str

    def start(self) -> None:
        """Have it answer."""

    def stop(self) -> None:
        """Have it answer no more; nothing is saved on the way."""

    def close(self) -> None:
        """Take it away."""

    def locked(self) -> Iterator[None]:
        """Somebody else writes and does not end."""

    def gone(self) -> Iterator[None]:
        """It is not there."""

    def read_only(self) -> Iterator[None]:
        """It takes nothing."""


class Sqlite:
    """A file of SQLite."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._path = disk.folder / "suqiutong.db"
        self.url = f"sqlite:///{self._path}"

    def start(self) -> None:
        """It needs no start."""

    def stop(self) -> None:
        """It needs no end."""

    def close(self) -> None:
        """It goes with the disk."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another process holds the lock of whoever writes."""
        with closing(sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Its files are somewhere else."""
        away = self._disk.folder / "away"
        away.mkdir()
        for path in self._disk.folder.glob("suqiutong.db*"):
            path.rename(away / path.name)
        try:
            yield
        finally:
            for path in away.iterdir():
                path.rename(self._disk.folder / path.name)
            away.rmdir()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Its files cannot be written, nor can those of the conversations and of the queue beside it."""
        with self._disk.read_only("*.db*"):
            yield


class Postgresql:
    """A server of PostgreSQL whose cluster lies on the disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        # Short, because the path of a socket has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._server = PostgresqlServer(self._folder, disk.folder / "postgresql", OPTIONS)
        self.url = self._server.url.render_as_string(hide_password=False)
        self._address = f"host={self._folder} user=postgres dbname=postgres"
        self._server.start()

    def start(self) -> None:
        """Start the server; what a failure left behind it puts in order by itself."""
        # After a power cut no process has the number that stands there; here one that has just ended may have.
        (self._disk.folder / "postgresql" / "postmaster.pid").unlink(missing_ok=True)
        self._server.start()

    def stop(self) -> None:
        """Stop it without its putting anything in order."""
        self._server.stop()

    def close(self) -> None:
        """Stop it for good."""
        self._server.stop()
        shutil.rmtree(self._folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another client holds the tables."""
        with psycopg.connect(self._address) as connection:
            connection.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
            yield
            connection.rollback()

    @contextmanager
    def gone(self) -> Iterator[None]:
        """The server does not run."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Every transaction may only read, as on a standby."""
        self._set_read_only(is_on=True)
        try:
            yield
        finally:
            self._set_read_only(is_on=False)

    def _set_read_only(self, *, is_on: bool) -> None:
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if is_on else 'off'}")
            connection.execute("SELECT pg_reload_conf()")


KINDS: dict[str, type[Sqlite | Postgresql]] = {"sqlite": Sqlite, "postgresql": Postgresql}
