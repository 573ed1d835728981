"""What was filed before the case work came is in the log afterwards, and nothing is lost on the way back."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from petitions.cases import act
from petitions.filing import ticket_of
from petitions.log import replay, snapshot_of, verify
from petitions.model import Petition
from petitions.privacy import unseal
from petitions.ticking import tick
from suqiutong.database import current, downgrade, make_engine, newest, upgrade
from tests.integration.cases import KEYRING, NOW, STATION, file_case, person, run_and_kill

BEFORE = "0003"
FILED = [
    "INSERT INTO petitioner (id, name, phone, is_anonymous, created_at) "
    "VALUES (1, '陈', '13800138000', false, '2026-03-02 02:00:00+00:00')",
    "INSERT INTO petition (id, number, form_key, code_hash, petitioner_id, class, category, level, unit, community, "
    "priority, flags, is_restricted, route, matter, conversation, channel, state, filed_at, version) VALUES "
    "(1, 'GM2603020000017', 'chat:1', 'x', 1, '投诉', '[\"城乡建设\", \"a\", \"b\"]', 'N', '碧眼社区群众诉求服务大厅', "
    "'碧眼', 'normal', '[]', false, '{}', '垃圾没人清', 'c', 'chat', 'received', '2026-03-02 02:00:00+00:00', 2)",
    "INSERT INTO running_clock (id, petition_id, clock, started_at, due_at, article) VALUES "
    "(1, 1, 'accept', '2026-03-02 02:00:00+00:00', '2026-03-17 15:59:59+00:00', 'a'), "
    "(2, 1, 'dispatch', '2026-03-02 02:00:00+00:00', '2026-03-02 04:00:00+00:00', 'a')",
    "INSERT INTO event (id, petition_id, at, actor, kind, state_to, reason) VALUES "
    "(1, 1, '2026-03-02 02:00:00+00:00', 'petitioner', 'file', 'received', '事项判断为环境卫生')",
]


@pytest.fixture
def old(new_database: Callable[[], URL]) -> Engine:
    """A database as the first version left it, with one petition."""
    engine = make_engine(new_database().render_as_string(hide_password=False))
    downgrade(engine, BEFORE)
    with engine.begin() as connection:
        for statement in FILED:
            connection.execute(text(statement))
            if engine.dialect.name == "postgresql":
                table = statement.split()[2]
                connection.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))
    yield engine
    engine.dispose()


def test_an_old_petition_is_in_the_log_and_can_be_worked_on(old: Engine) -> None:
    upgrade(old)
    with Session(old) as session:
        assert verify(session).holds
        petition = session.get_one(Petition, 1)
        assert replay(session, 1, NOW) == snapshot_of(petition)
        assert [event.reason for event in petition.events] == ["事项判断为环境卫生"]
        assert [due["clock"] for due in ticket_of(petition)["due"]] == ["dispatch", "accept"]
    with Session(old) as session:
        assert tick(session, NOW + timedelta(hours=2)).overdue == 1
        act(session, 1, "accept", person("handler", STATION), {}, now=NOW)
        file_case(session)
        session.commit()
        assert verify(session).holds


def test_the_way_back_keeps_events_and_their_reasons(old: Engine) -> None:
    upgrade(old)
    with Session(old) as session:
        file_case(session)
        session.commit()
    with pytest.raises(RuntimeError, match="unseal"):
        downgrade(old, BEFORE)
    assert current(old) == newest()
    with Session(old) as session:
        assert unseal(session, KEYRING) == 2
        session.commit()
    downgrade(old, BEFORE)
    with old.connect() as connection:
        rows = connection.execute(text("SELECT id, kind, reason FROM event ORDER BY id")).all()
        assert [tuple(row) for row in rows] == [
            (1, "file", "事项判断为环境卫生"),
            (2, "file", "事项判断为“环境卫生”"),
        ]
        assert connection.execute(text("SELECT count(*) FROM running_clock")).scalar() == 6
    assert "event_private" not in inspect(old).get_table_names()
    upgrade(old)
    with Session(old) as session:
        assert verify(session).holds
    with Session(old) as session:
        file_case(session, "form-2")
        session.commit()
        assert verify(session).holds


def test_killed_half_way_the_schema_is_the_old_one(old: Engine) -> None:
    is_done, statements = False, 0
    while not is_done:
        old.dispose()
        is_done = run_and_kill(lambda _count: upgrade(old), statements)
        assert current(old) == (newest() if is_done else BEFORE)
        statements += 9
    assert statements > 60
    with Session(old) as session:
        assert verify(session).holds
