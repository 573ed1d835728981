"""The case work: who is responsible, clocks that pause and escalate, and a log of events that nobody can change."""

import hashlib
import json
import secrets
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_SHANGHAI = timezone(timedelta(hours=8))
_SQLITE_TRIGGERS = """
CREATE TRIGGER {table}_is_not_updated BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
CREATE TRIGGER {table}_is_not_deleted BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
CREATE TRIGGER {table}_is_not_replaced BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""
_PRIVATE = sa.table(
    "event_private", sa.column("event_id", sa.Integer), sa.column("salt", sa.String), sa.column("payload", sa.JSON)
)


def _event_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("petition_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("unit", sa.String(60), nullable=False),
        sa.Column("category", sa.String(40), nullable=False),
        sa.Column("community", sa.String(40), nullable=True),
        sa.Column("state_from", sa.String(20), nullable=True),
        sa.Column("state_to", sa.String(20), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(100), nullable=True),
        sa.Column("private_hash", sa.String(64), nullable=True),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    ]


_EVENT = sa.Table("event", sa.MetaData(), *_event_columns())


def upgrade() -> None:
    """Add the columns and tables, and put the events there are into chains."""
    _widen_petition()
    clocks = _widen_clocks()
    _make_event_tables()
    _copy_events(clocks)
    op.drop_table("event_before")
    for table in ("event", "event_seal"):
        _forbid_changes(table)


def downgrade() -> None:
    """Go back to the first form of the tables; free words are put back where they were, chains and seals are lost."""
    if op.get_bind().dialect.name == "postgresql":
        for table in ("event", "event_seal"):
            op.execute(f"DROP TRIGGER {table}_is_kept ON {table}")
            op.execute(f"DROP TRIGGER {table}_is_not_emptied ON {table}")
        op.execute("DROP FUNCTION refuse_change()")
    op.rename_table("event", "event_after")
    for index in ("ix_event_at",):
        op.drop_index(index, table_name="event_after")
    _rename_event_key("event_after")
    _make_first_event_table()
    op.execute(
        "INSERT INTO event (id, petition_id, at, actor, kind, state_from, state_to, reason) "
        "SELECT id, petition_id, at, substr(actor, 1, 60), action, state_from, state_to, '' FROM event_after"
    )
    _count_on()
    connection = op.get_bind()
    event = sa.table("event", sa.column("id"), sa.column("reason"))
    for row in connection.execute(sa.select(_PRIVATE.c.event_id, _PRIVATE.c.payload)).all():
        reason = row.payload.get("reason", "")
        connection.execute(event.update().where(event.c.id == row.event_id).values(reason=reason))
    for table in ("event_seal", "event_private", "event_after"):
        op.drop_table(table)
    op.create_index("ix_event_petition_id", "event", ["petition_id"])
    for index in ("next_at", "is_provisional"):
        op.drop_index(f"ix_running_clock_{index}", table_name="running_clock")
    for name in (
        "unit", "amount", "counted_from", "is_provisional", "is_window", "extended_days", "paused_at", "step",
        "next_at",
    ):  # fmt: skip
        op.drop_column("running_clock", name)
    for name in ("offered_unit", "overseer_unit", "merged_into"):
        op.drop_index(f"ix_petition_{name}", table_name="petition")
    for name in (
        "offered_unit", "offered_office", "overseer_unit", "hops", "unsatisfied", "merged_into", "accepted_at",
        "event_count", "event_hash",
    ):  # fmt: skip
        op.drop_column("petition", name)


def _widen_petition() -> None:
    for column in (
        sa.Column("offered_unit", sa.String(60), nullable=True),
        sa.Column("offered_office", sa.String(60), nullable=True),
        sa.Column("overseer_unit", sa.String(60), nullable=True),
        sa.Column("hops", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("unsatisfied", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("merged_into", sa.String(16), nullable=True),
        sa.Column("accepted_at", _MOMENT, nullable=True),
        sa.Column("event_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("event_hash", sa.String(64), nullable=False, server_default=""),
    ):
        op.add_column("petition", column)
    for name in ("offered_unit", "overseer_unit", "merged_into"):
        op.create_index(f"ix_petition_{name}", "petition", [name])


def _widen_clocks() -> dict[int, list[dict[str, Any]]]:
    """Add the columns; the running clocks of each petition as its first event tells them."""
    with op.batch_alter_table("running_clock") as table:
        table.add_column(sa.Column("unit", sa.String(10), nullable=True))
        table.add_column(sa.Column("amount", sa.Integer(), nullable=True))
        table.add_column(sa.Column("counted_from", _MOMENT, nullable=True))
        table.add_column(sa.Column("is_provisional", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("is_window", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("extended_days", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("paused_at", _MOMENT, nullable=True))
        # The end is the next step of a clock that runs already.
        table.add_column(sa.Column("step", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("next_at", _MOMENT, nullable=True))
    connection = op.get_bind()
    clock = sa.table(
        "running_clock",
        *(sa.column(name) for name in ("id", "petition_id", "clock", "unit", "amount")),
        *(sa.column(name, _MOMENT) for name in ("started_at", "due_at", "stopped_at", "counted_from", "next_at")),
    )
    told: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(sa.select(clock).order_by(clock.c.id)).mappings().all():
        started, due = _aware(row["started_at"]), _aware(row["due_at"])
        is_days = row["clock"] in {"accept", "close"}
        days = (due.astimezone(_SHANGHAI).date() - started.astimezone(_SHANGHAI).date()).days
        connection.execute(
            clock.update()
            .where(clock.c.id == row["id"])
            .values(
                unit="days" if is_days else "minutes",
                amount=days if is_days else int((due - started).total_seconds() // 60),
                counted_from=started,
                next_at=None if row["stopped_at"] else due,
            )
        )
        if row["stopped_at"] is None:
            told.setdefault(row["petition_id"], []).append(
                {
                    "clock": row["clock"],
                    "change": "start",
                    "due_at": due.isoformat(),
                    "is_provisional": False,
                    "paused_at": None,
                }
            )
    with op.batch_alter_table("running_clock") as table:
        table.alter_column("unit", existing_type=sa.String(10), nullable=False)
        table.alter_column("amount", existing_type=sa.Integer(), nullable=False)
        table.alter_column("counted_from", existing_type=_MOMENT, nullable=False)
    op.create_index("ix_running_clock_next_at", "running_clock", ["next_at"])
    op.create_index(
        "ix_running_clock_is_provisional",
        "running_clock",
        ["is_provisional"],
        sqlite_where=sa.text("is_provisional = 1"),
        postgresql_where=sa.text("is_provisional"),
    )
    return told


def _make_event_tables() -> None:
    op.drop_index("ix_event_petition_id", table_name="event")
    op.rename_table("event", "event_before")
    _rename_event_key("event_before")
    op.create_table(
        "event",
        *_event_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.ForeignKeyConstraint(["petition_id"], ["petition.id"], name="fk_event_petition_id_petition"),
        sa.UniqueConstraint("petition_id", "number", name="uq_event_petition_id"),
        sa.UniqueConstraint("petition_id", "key", name="uq_event_key"),
    )
    op.create_index("ix_event_at", "event", ["at", "action"])
    op.create_table(
        "event_private",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_event_private"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_event_private_event_id_event"),
    )
    op.create_table(
        "event_seal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("last_event_id", sa.Integer(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_seal"),
        sa.UniqueConstraint("last_event_id", name="uq_event_seal_last_event_id"),
    )


def _rename_event_key(table: str) -> None:
    """Free the names that the new table takes; on PostgreSQL they are not the table's own."""
    if op.get_bind().dialect.name == "postgresql":
        names = ["pk_event", "fk_event_petition_id_petition"]
        if table == "event_after":
            names += ["uq_event_petition_id", "uq_event_key"]
        for name in names:
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {name}_{table[6:]}")
        op.execute(f"ALTER SEQUENCE event_id_seq RENAME TO {table}_id_seq")


def _make_first_event_table() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("petition_id", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state_from", sa.String(20), nullable=True),
        sa.Column("state_to", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.ForeignKeyConstraint(["petition_id"], ["petition.id"], name="fk_event_petition_id_petition"),
    )


def _copy_events(clocks: dict[int, list[dict[str, Any]]]) -> None:
    """Every event there is, in the chain of its petition."""
    connection = op.get_bind()
    before = sa.table(
        "event_before",
        *(sa.column(name) for name in ("id", "petition_id", "actor", "kind", "state_from", "state_to", "reason")),
        sa.column("at", _MOMENT),
    )
    petition = sa.table(
        "petition",
        *(sa.column(name) for name in ("id", "number", "class", "level", "unit", "office", "community", "priority")),
        *(sa.column(name) for name in ("channel", "event_count", "event_hash")),
        sa.column("category", sa.JSON),
    )
    old = connection.execute(sa.select(before).order_by(before.c.petition_id, before.c.id)).mappings().all()
    rows = {row["id"]: row for row in connection.execute(sa.select(petition)).mappings()}
    for petition_id, steps in groupby(old, key=lambda row: row["petition_id"]):
        row, last, number = rows[petition_id], "0" * 64, 0
        for number, step in enumerate(steps, 1):
            last = _copy_event(connection, step, row, number, last, clocks.get(petition_id, []))
        connection.execute(
            petition.update().where(petition.c.id == petition_id).values(event_count=number, event_hash=last)
        )
    _count_on()


def _count_on() -> None:
    """Let new events come after those that were copied with their ids."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval('event_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM event), false)")


def _copy_event(
    connection: sa.Connection,
    step: sa.RowMapping,
    row: sa.RowMapping,
    number: int,
    previous: str,
    clocks: list[dict[str, Any]],
) -> str:
    opening = {
        "set": {name: row[name] for name in ("unit", "level", "office", "community")}
        | dict.fromkeys(("offered_unit", "offered_office", "overseer_unit", "merged_into", "accepted_at"))
        | {"hops": 0, "unsatisfied": 0},
        "clocks": clocks,
        **{name: row[name] for name in ("number", "class", "category", "priority", "channel")},
    }
    salt, words = secrets.token_hex(16), {"reason": step["reason"]}
    values = {
        "petition_id": step["petition_id"],
        "number": number,
        "at": _aware(step["at"]),
        "action": step["kind"],
        "actor": step["actor"],
        "role": "petitioner",
        "unit": row["unit"],
        "category": row["category"][0],
        "community": row["community"],
        "state_from": step["state_from"],
        "state_to": step["state_to"],
        "data": opening if number == 1 else {},
        "key": None,
        "private_hash": hashlib.sha256(salt.encode() + _canonical(words)).hexdigest() if step["reason"] else None,
        "previous_hash": previous,
    }
    digest = hashlib.sha256(_canonical(values | {"at": values["at"].isoformat()})).hexdigest()
    connection.execute(_EVENT.insert().values(id=step["id"], hash=digest, **values))
    if step["reason"]:
        connection.execute(_PRIVATE.insert().values(event_id=step["id"], salt=salt, payload=words))
    return digest


def _forbid_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for statement in _SQLITE_TRIGGERS.format(table=table).split("END;"):
            if statement.strip():
                op.execute(f"{statement.strip()} END")
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_is_kept BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
