"""The log cannot be changed, and what was changed all the same is found."""

import secrets

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from petitions.cases import lock_petitions
from petitions.log import SYSTEM, erase_words, seal, verify
from petitions.model import Event, Petition
from storage import begin_writing
from tests.integration.cases import ACCEPTED, NOW, OTHER_STATION, STATION, file_case, person, step

TABLES = ("event", "event_seal")


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Three petitions, the first handled to its end, the log sealed twice, one event after."""
    with Session(engine) as session:
        one, *_ = (file_case(session, f"form-{number}") for number in range(3))
        handler = person("handler", STATION)
        step(session, one, "accept", handler, note="张三来电")
        session.commit()
        seal(session, now=NOW)
        session.commit()
        step(session, one, "reply", handler, answer="已清理，联系人李四")
        session.commit()
        seal(session, now=NOW)
        session.commit()
        step(session, one, "follow_up", **ACCEPTED)
        session.commit()
    return engine


def problems(engine: Engine) -> set[str]:
    with Session(engine) as session:
        return {fault.problem for fault in verify(session).faults}


def tamper(engine: Engine, *statements: str) -> None:
    """Change the tables as somebody with all rights and without the triggers."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.execute(text(f"DROP TRIGGER {name}"))
            connection.commit()
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()
        connection.invalidate()


def test_an_untouched_log_holds(filled: Engine) -> None:
    with Session(filled) as session:
        found = verify(session)
    assert found.holds
    assert (found.petitions, found.events, found.seals, found.erased) == (3, 6, 2, 0)


def test_nothing_is_sealed_twice(filled: Engine) -> None:
    with Session(filled) as session:
        assert seal(session, now=NOW) is not None
        session.commit()
        assert seal(session, now=NOW) is None
        session.commit()
        assert verify(session).holds


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {table} SET hash = 'x'", "DELETE FROM {table}"])
def test_the_database_refuses_to_change_the_log(filled: Engine, table: str, statement: str) -> None:
    with filled.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text(statement.format(table=table)))
    assert problems(filled) == set()


@pytest.mark.parametrize("table", TABLES)
def test_the_database_refuses_to_replace_or_empty_the_log(filled: Engine, table: str) -> None:
    is_sqlite = filled.dialect.name == "sqlite"
    statement = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" if is_sqlite else f"TRUNCATE {table} CASCADE"
    with filled.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text(statement))
    assert problems(filled) == set()


LAST = "(SELECT max(id) FROM event WHERE petition_id = 1)"
COLUMNS = [column.name for column in Event.__table__.columns if column.name != "id"]
CHANGED = {
    "petition_id": "2", "number": "77", "at": "'2026-01-01 00:00:00+00:00'", "data": "'{}'", "community": "'翠湖'",
}  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_is_found(filled: Engine, column: str) -> None:
    value = CHANGED.get(column, "'x'")
    where = "action = 'reply'" if column != "private_hash" else "action = 'follow_up'"
    tamper(filled, f"UPDATE event SET {column} = {value} WHERE {where}")
    assert problems(filled)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (
            ["DELETE FROM event_private WHERE event_id IN (SELECT id FROM event WHERE action = 'accept')"],
            "words_missing",
        ),
        (['UPDATE event_private SET payload = \'{"answer": "x"}\''], "words_changed"),
        (["UPDATE event_private SET salt = 'x'"], "words_changed"),
        (["DELETE FROM event WHERE action = 'accept'"], "out_of_order"),
        ([f"DELETE FROM event WHERE id = {LAST}"], "end_differs"),
        (["UPDATE event SET number = number + 1000 WHERE action = 'accept'"], "out_of_order"),
        (["UPDATE petition SET state = 'closed' WHERE id = 2"], "row_differs"),
        (["UPDATE petition SET unit = 'x' WHERE id = 2"], "row_differs"),
        (["UPDATE petition SET event_count = 9 WHERE id = 2"], "end_differs"),
        (["DELETE FROM event WHERE petition_id = 2"], "without_events"),
        (["DELETE FROM petition WHERE id = 2"], "without_petition"),
        (["UPDATE event_seal SET events = 7 WHERE id = 2"], "seal_2"),
        (["DELETE FROM event_seal WHERE id = 1"], "seal_2"),
    ],
)
def test_what_was_done_behind_the_triggers_is_found(filled: Engine, statements: list[str], expected: str) -> None:
    tamper(filled, *statements)
    assert expected in problems(filled)


def test_a_petition_that_vanishes_with_all_its_rows_is_missed(filled: Engine) -> None:
    tamper(
        filled,
        "DELETE FROM event_private WHERE event_id IN (SELECT id FROM event WHERE petition_id = 2)",
        "DELETE FROM event WHERE petition_id = 2",
        "DELETE FROM running_clock WHERE petition_id = 2",
        "DELETE FROM petition WHERE id = 2",
    )
    assert problems(filled) == {"seal_1"}


def test_an_event_inserted_in_between_is_found(filled: Engine) -> None:
    columns = ", ".join(name for name in COLUMNS if name not in {"number", "key"})
    tamper(
        filled,
        f"INSERT INTO event (id, number, {columns}) SELECT 1000, 1000, {columns} FROM event WHERE action = 'accept'",
    )
    assert {"out_of_order", "unlinked", "changed", "end_differs"} <= problems(filled)


def test_two_events_in_another_order_are_found(filled: Engine) -> None:
    tamper(
        filled,
        "UPDATE event SET number = -2 WHERE petition_id = 1 AND number = 2",
        "UPDATE event SET number = 2 WHERE petition_id = 1 AND number = 3",
        "UPDATE event SET number = 3 WHERE petition_id = 1 AND number = -2",
    )
    assert {"unlinked", "changed"} <= problems(filled)


def test_words_are_erased_and_the_chain_still_holds(filled: Engine) -> None:
    with Session(filled) as session:
        petition = locked(session, 1)
        assert erase_words(session, petition, SYSTEM, now=NOW) == 3
        assert erase_words(session, petition, SYSTEM, now=NOW) == 0
        session.commit()
        found = verify(session)
        assert found.holds
        assert found.erased == 3
        assert all(event.reason == "" for event in petition.events)
        raw = str(session.execute(text("SELECT * FROM event_private")).all())
    assert "张三" not in raw
    assert "李四" not in raw


def locked(session: Session, petition_id: int) -> Petition:
    begin_writing(session)
    return lock_petitions(session, [petition_id])[0]


def test_free_words_are_only_where_they_can_be_erased(engine: Engine) -> None:
    secret = secrets.token_hex(8)
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "transfer", person("operator", STATION), unit=OTHER_STATION, reason=secret)
        session.commit()
        rows = [str(session.execute(text(f"SELECT * FROM {table}")).all()) for table in ("event", "event_private")]
    assert secret not in rows[0]
    assert secret in rows[1]


def test_the_digest_stands_for_the_whole_log(filled: Engine) -> None:
    with Session(filled) as session:
        before = verify(session).digest
        assert verify(session).digest == before
    with Session(filled) as session:
        file_case(session, "form-9")
        session.commit()
        assert verify(session).digest != before
