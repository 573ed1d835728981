"""The database engine and its schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError as AlembicError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from storage import IS_WRITING
from suqiutong.errors import CommandError
from suqiutong.settings import ROOT

MIGRATIONS = ROOT / "storage" / "migrations"


def make_engine(address: str) -> Engine:
    """An engine for any SQLAlchemy address; SQLite gets what several processes on one file need.

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
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    if isinstance(connection, sqlite3.Connection):
        # The driver would begin a transaction as late as the first write, so that what was read before may be stale.
        connection.isolation_level = None
        for pragma in (
            *("busy_timeout=15000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"),
            # An erased name must not stand in the free pages of the file; not every build of SQLite sees to it.
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")


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
    with engine.connect():  # sets what SQLite keeps in the file itself, such as its journal
        _migrate(command.upgrade, engine, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to a revision; what later ones hold is lost."""
    _migrate(command.downgrade, engine, revision)


def current(engine: Engine) -> str | None:
    """The schema's revision; None when it is empty."""
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
