"""A database of its own for every test, migrated once; the same tests run on every kind of database."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry, Pool, QueuePool

from storage import IS_WRITING
from suqiutong.database import make_engine, upgrade
from tests.conftest import ROOT
from tests.postgresql import postgresql_server

HAS_READ = "has_read"
RETURN_SECONDS = 20


ENTRY_POINTS = tuple(f"{ROOT}/{name}/" for name in ("actions", "channels", "desk", "suqiutong", "web"))


def is_in_an_entry_point() -> bool:
    """Whether code that opens sessions is at work, and not a test that opens its own."""
    return any(frame.filename.startswith(ENTRY_POINTS) for frame in traceback.extract_stack())


@pytest.fixture(scope="session", autouse=True)
def no_late_writes() -> Iterator[None]:
    """On SQLite a transaction that reads and then writes fails when another one writes in between: none may."""

    def begin(_session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
        connection.info[HAS_READ] = False

    def execute(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        verb = statement.split(maxsplit=1)[0].upper()
        if verb == "SELECT" and HAS_READ in connection.info:
            connection.info[HAS_READ] = True
        is_late = connection.info.get(HAS_READ) and not connection.get_execution_options().get(IS_WRITING)
        is_on_sqlite = connection.dialect.name == "sqlite"
        if verb in {"INSERT", "UPDATE", "DELETE"} and is_late and is_on_sqlite and is_in_an_entry_point():
            pytest.fail(f"written after reading, without begin_writing: {statement}")

    def end(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info.pop(HAS_READ, None)

    listeners: list[tuple[Any, str, Callable[..., None]]] = [
        (Session, "after_begin", begin),
        (Engine, "before_cursor_execute", execute),
        (Pool, "checkin", end),
    ]
    for listener in listeners:
        event.listen(*listener)
    yield
    for listener in listeners:
        event.remove(*listener)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], URL]]:
    """Makes one more migrated database, and says where it is."""
    folder = tmp_path_factory.mktemp("databases")
    if request.param == "sqlite":
        template = folder / "template.db"
        migrate(make_url(f"sqlite:///{template}"))

        def copy_file() -> URL:
            path = folder / f"{uuid4().hex}.db"
            shutil.copy(template, path)
            return make_url(f"sqlite:///{path}")

        yield copy_file
        return
    with postgresql_server() as server:
        name = f"template_{uuid4().hex}"
        on_server(server, f"CREATE DATABASE {name}")
        migrate(server.set(database=name))

        def copy_database() -> URL:
            database = f"test_{uuid4().hex}"
            on_server(server, f"CREATE DATABASE {database} TEMPLATE {name} STRATEGY FILE_COPY")
            return server.set(database=database)

        yield copy_database


def on_server(server: URL, statement: str) -> None:
    """Run a statement that no transaction may hold."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def migrate(url: URL) -> None:
    """Bring an empty database to the newest schema."""
    engine = make_engine(url.render_as_string(hide_password=False))
    upgrade(engine)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


@pytest.fixture
def database_url(new_database: Callable[[], URL]) -> Iterator[str]:
    """Address of a new, migrated database."""
    url = new_database()
    yield url.render_as_string(hide_password=False)
    if url.get_backend_name() == "postgresql":
        # Hundreds of them are gigabytes.
        on_server(url.set(database="postgres"), f"DROP DATABASE {url.database} WITH (FORCE)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The engine of a new, migrated database."""
    engine = make_engine(database_url)
    yield engine
    wait_for_connections(engine)
    engine.dispose()


def wait_for_connections(engine: Engine) -> None:
    """Let threads end that a test has left behind: what they give back after the end of a pool is never closed."""
    pool = engine.pool
    ends_at = time.monotonic() + RETURN_SECONDS
    while isinstance(pool, QueuePool) and pool.checkedout():
        assert time.monotonic() < ends_at, "a session is open at the end of the test"
        time.sleep(0.01)
