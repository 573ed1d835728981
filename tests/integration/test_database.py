"""What SQLite leaves of a row that was deleted, and a file that is away for a while or another one."""

import shutil
import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from suqiutong import database
from suqiutong.cli import _upgrade
from suqiutong.database import current, is_missing, make_engine, newest, upgrade
from suqiutong.errors import CommandError
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.conftest import PRAGMAS


def test_a_deleted_row_is_not_left_in_the_file(tmp_path):
    path = tmp_path / "test.db"
    engine = make_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER PRIMARY KEY, said TEXT)"))
        connection.execute(text("INSERT INTO kept (said) VALUES ('13800138000'), ('stays')"))
        connection.commit()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"13800138000" in path.read_bytes()
        connection.execute(text("DELETE FROM kept WHERE id = 1"))
        connection.commit()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    assert b"stays" in path.read_bytes()
    assert b"13800138000" not in path.read_bytes()


def write(engine, text_):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO kept VALUES (:said)"), {"said": text_})


def said(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT said FROM kept ORDER BY said")).scalars().all()


@pytest.fixture
def path(tmp_path):
    """The file of a database with one row."""
    path = tmp_path / "a b#c.db"
    engine = make_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (said TEXT)"))
    write(engine, "first")
    engine.dispose()
    return path


@pytest.fixture
def engine(path):
    engine = make_engine(f"sqlite:///{path}", may_make=False)
    yield engine
    engine.dispose()


def test_a_file_that_is_away_is_not_made_anew_and_is_used_again_when_it_is_back(path, engine):
    write(engine, "second")
    # What was written last stands in the journal beside it.
    away = path.parent / "away"
    away.mkdir()
    for one in path.parent.glob("*.db*"):
        one.rename(away / one.name)
    for _ in range(2):
        with pytest.raises(OperationalError, match="unable to open"):
            write(engine, "lost")
    assert [one.name for one in path.parent.iterdir()] == ["away"]
    for one in away.iterdir():
        one.rename(path.parent / one.name)
    write(engine, "third")
    assert said(engine) == ["first", "second", "third"]


def test_nothing_is_written_to_a_file_in_whose_place_another_was_put(path, engine):
    assert said(engine) == ["first"]
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    copy.replace(path)
    write(engine, "second")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
    connection.close()


def test_a_connection_that_cannot_write_is_not_used_again(engine):
    """As one that was opened while the disk was read-only."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(OperationalError, match="readonly"):
        write(engine, "second")
    write(engine, "second")
    assert said(engine) == ["first", "second"]


def test_an_upgrade_makes_the_file(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'new.db'}", may_make=False)
    assert is_missing(engine)
    assert current(engine) is None
    assert not list(tmp_path.iterdir())
    upgrade(engine)
    assert current(engine) == newest()
    engine.dispose()


def test_a_database_that_was_lost_is_not_replaced_by_an_empty_one(tmp_path):
    def upgrade_all():
        services = Services(Settings(data=tmp_path))
        _upgrade(services)
        services.engine.dispose()

    upgrade_all()
    (tmp_path / "suqiutong.db").unlink()
    with pytest.raises(CommandError, match="is missing: put it back or `suqiutong restore` it"):
        upgrade_all()
    assert not (tmp_path / "suqiutong.db").exists()
    with pytest.raises(CommandError, match="the database is missing"), Services(Settings(data=tmp_path)).writing():
        pass
    (tmp_path / "keys.json").unlink()
    upgrade_all()


def test_what_is_committed_is_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "_PRAGMAS", PRAGMAS)
    with make_engine(f"sqlite:///{tmp_path / 'test.db'}").connect() as connection:
        # 2 is FULL: every commit waits for the disk.
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2


def test_nobody_waits_without_end_for_what_others_hold(new_database):
    engine = make_engine(new_database().render_as_string(hide_password=False))
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 15_000
        else:
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "15s"
    engine.dispose()
