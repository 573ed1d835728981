"""A database of its own for every test, migrated once; the same tests run on every kind of database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL, make_url

from suqiutong.database import make_engine, upgrade

# Address of a PostgreSQL server on which databases may be made; without it the tests run on SQLite alone.
SERVER = os.environ.get("SUQIUTONG_TEST_POSTGRESQL", "")
KINDS = ("sqlite", "postgresql") if SERVER else ("sqlite",)


def on_server(statement: str) -> None:
    """Run a statement that no transaction may hold."""
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(statement))
    server.dispose()


@pytest.fixture(scope="session", params=KINDS)
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
    name = f"suqiutong_test_{uuid4().hex}"
    made = [name]
    on_server(f"CREATE DATABASE {name}")
    migrate(make_url(SERVER).set(database=name))

    def copy_database() -> URL:
        made.append(f"suqiutong_test_{uuid4().hex}")
        on_server(f"CREATE DATABASE {made[-1]} TEMPLATE {name}")
        return make_url(SERVER).set(database=made[-1])

    yield copy_database
    for database in made:
        on_server(f"DROP DATABASE {database} WITH (FORCE)")


def migrate(url: URL) -> None:
    """Bring an empty database to the newest schema."""
    engine = make_engine(url.render_as_string(hide_password=False))
    upgrade(engine)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


@pytest.fixture
def database_url(new_database: Callable[[], URL]) -> str:
    """Address of a new, migrated database."""
    return new_database().render_as_string(hide_password=False)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The engine of a new, migrated database."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()
