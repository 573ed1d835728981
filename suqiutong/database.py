"""The database engine and its schema."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError as AlembicError
from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from storage import IS_WRITING
from suqiutong.errors import CommandError
from suqiutong.settings import ROOT

MIGRATIONS = ROOT / "storage" / "migrations"
CONNECT_SECONDS, LOCK_SECONDS = 5, 15
_PRAGMAS = (
    f"busy_timeout={LOCK_SECONDS * 1000}",
    "journal_mode=WAL",
    # With less than FULL a power cut takes what was committed, and told to a resident, seconds before.
    "synchronous=FULL",
    "foreign_keys=ON",
    # An erased name must not stand in the free pages of the file; not every build of SQLite sees to it.
    "secure_delete=ON",
)
_MEMORY = ":memory:"
_PLACE = "place"


def make_engine(address: str, *, may_make: bool = True) -> Engine:
    """An engine for any SQLAlchemy address; SQLite gets what several processes on one file need.

    Args:
        address: Of the database.
        may_make: Whether a file of SQLite that is not there is made. The product makes one by `upgrade` alone: a
            process that made an empty one in the place of a file that is away for a while would never find back.

    Raises:
        CommandError: the address cannot be read or its driver is not installed.
    """
    try:
        url = make_url(address)
        is_sqlite = url.get_backend_name() == "sqlite"
        # The text of an error holds the values of the row unless they are hidden: a name, a phone, what was written.
        engine = create_engine(url, pool_pre_ping=not is_sqlite, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise CommandError(f"SUQIUTONG_DATABASE_URL: {error}") from error
    if is_sqlite:
        if not may_make:
            event.listen(engine, "do_connect", _open_sqlite)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "checkout", _check_sqlite)
        event.listen(engine, "handle_error", _leave_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    if url.get_backend_name() == "postgresql":
        event.listen(engine, "do_connect", _limit_postgresql)
    return engine


def is_missing(engine: Engine) -> bool:
    """Whether the database is a file that is not there."""
    name = engine.url.database
    return engine.dialect.name == "sqlite" and bool(name) and name != _MEMORY and not Path(name or "").exists()


def _open_sqlite(
    dialect: Dialect, _record: ConnectionPoolEntry, arguments: list[Any], options: dict[str, Any]
) -> DBAPIConnection | None:
    """A connection to a file that is there; None leaves it to SQLAlchemy."""
    name = arguments[0]
    if name == _MEMORY:
        return None
    address = f"{Path(name).absolute().as_uri()}?mode=rw"
    return cast(DBAPIConnection, dialect.loaded_dbapi.connect(address, uri=True, **options))


def _limit_postgresql(
    _dialect: Dialect, _record: ConnectionPoolEntry, _arguments: list[Any], options: dict[str, Any]
) -> None:
    """Wait no longer for a server, or for what others hold, than residents do; what the address says goes before."""
    options.setdefault("connect_timeout", CONNECT_SECONDS)
    options.setdefault("options", f"-c lock_timeout={LOCK_SECONDS}s")


def _prepare_sqlite(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    if isinstance(connection, sqlite3.Connection):
        name = connection.execute("PRAGMA database_list").fetchone()[2]
        entry.info[_PLACE] = name, _place_of(name)
        # The driver would begin a transaction as late as the first write, so that what was read before may be stale.
        connection.isolation_level = None
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.Error:
            connection.close()
            raise


def _check_sqlite(connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Refuse a kept connection whose file is no longer the one of that name: what it wrote would be lost with it.

    Raises:
        DisconnectionError: SQLAlchemy opens another connection in its place.
    """
    if isinstance(connection, sqlite3.Connection):
        name, place = entry.info[_PLACE]
        if _place_of(name) != place:
            raise DisconnectionError("the file of the database is another one")


def _leave_sqlite(context: ExceptionContext) -> None:
    """Close all connections after a failure of the disk.

    While one that was opened on a read-only disk is open, no other of the process can write either: they share what
    SQLite maps of the file.
    """
    name = getattr(context.original_exception, "sqlite_errorname", "")
    if name.startswith(("SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN")):
        context.is_disconnect = True
        # SQLite keeps a connection open as long as one of its statements is; the error, which holds it, may live long.
        if context.execution_context is not None and context.execution_context.cursor is not None:
            context.execution_context.cursor.close()
        if context.engine is not None:
            context.engine.dispose()


def _place_of(name: str) -> tuple[int, int] | None:
    """What tells the file that now has this name from every other; None where there is none."""
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin_sqlite(connection: Connection) -> None:
    """Begin at once: with the lock when the transaction writes, without when it reads and hinders nobody.

    Source: SQLAlchemy, SQLite dialect, "Using SQLAlchemy to emit BEGIN in lieu of SQLite's transaction control".
    """
    is_writing = connection.get_execution_options().get(IS_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def alembic_config(engine: Engine | None = None) -> Config:
    """Where the migrations are, and the database that they change."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    if engine:
        config.attributes["engine_url"] = engine.url
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to a revision."""
    if is_missing(engine):
        Path(engine.url.database or "").touch()
    with engine.connect():  # sets what SQLite keeps in the file itself, such as its journal
        _migrate(command.upgrade, engine, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to a revision; what later ones hold is lost."""
    _migrate(command.downgrade, engine, revision)


def current(engine: Engine) -> str | None:
    """The schema's revision; None when it is empty or a file that is not there."""
    if is_missing(engine):
        return None
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def newest() -> str | None:
    """The newest revision that the code knows; looked up once, since every transaction that writes asks."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def revisions() -> frozenset[str]:
    """Every revision that the code knows."""
    return frozenset(one.revision for one in ScriptDirectory.from_config(alembic_config()).walk_revisions())


def _migrate(change: Callable[[Config, str], None], engine: Engine, revision: str) -> None:
    try:
        change(alembic_config(engine), revision)
    except AlembicError as error:
        raise CommandError(f"the database schema cannot be changed: {error}") from error
