"""Petitions are searched by words and meaning, listed by due time and more, and claimed by one person at a time."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0020"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_INDEXES = {
    "ix_petition_state": ["state", "id", "is_restricted"],
    "ix_petition_unit": ["unit", "state", "id", "is_restricted"],
    "ix_petition_unit_id": ["unit", "id"],
    "ix_petition_topic": ["topic", "id"],
    "ix_petition_community": ["community", "id"],
    "ix_petition_class": ["class", "id"],
    "ix_petition_priority": ["priority", "id"],
    "ix_petition_due_at": ["due_at", "id"],
    "ix_petition_represents": ["represents"],
    "ix_petition_claimed_until": ["claimed_until"],
}
_COLUMNS = ("due_at", "claimed_until", "claimed_by", "represents", "topic")
# The full-text index of SQLite keeps itself by triggers, in the transaction that writes the words.
_FULL_TEXT = {
    "sqlite": (
        "CREATE VIRTUAL TABLE petition_words USING fts5 "
        "(words, content='petition_text', content_rowid='petition_id', detail='none')",
        "CREATE TRIGGER petition_text_insert AFTER INSERT ON petition_text BEGIN "
        "INSERT INTO petition_words (rowid, words) VALUES (new.petition_id, new.words); END",
        "CREATE TRIGGER petition_text_delete AFTER DELETE ON petition_text BEGIN "
        "INSERT INTO petition_words (petition_words, rowid, words) VALUES ('delete', old.petition_id, old.words); END",
    ),
    "postgresql": (
        "ALTER TABLE petition_text ADD COLUMN terms tsvector "
        "GENERATED ALWAYS AS (array_to_tsvector(string_to_array(words, ' '))) STORED",
        "CREATE INDEX ix_petition_text_words ON petition_text USING gin (terms)",
    ),
}


def upgrade() -> None:
    """Make columns, indexes and the table of words, which the worker fills with what was filed before."""
    for name in ("ix_petition_state", "ix_petition_unit"):
        op.drop_index(name, table_name="petition")
    op.add_column("petition", sa.Column("topic", sa.String(40), nullable=False, server_default=""))
    op.add_column("petition", sa.Column("represents", sa.String(16), nullable=True))
    op.add_column("petition", sa.Column("claimed_by", sa.String(100), nullable=True))
    op.add_column("petition", sa.Column("claimed_until", _MOMENT, nullable=True))
    op.add_column("petition", sa.Column("due_at", _MOMENT, nullable=True))
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, category FROM petition")).all()
    for number, category in rows:
        first = (json.loads(category) if isinstance(category, str) else category)[0]
        connection.execute(sa.text("UPDATE petition SET topic = :topic WHERE id = :id"), {"topic": first, "id": number})
    op.execute(
        "UPDATE petition SET due_at = (SELECT min(due_at) FROM running_clock WHERE petition_id = petition.id "
        "AND stopped_at IS NULL AND paused_at IS NULL AND NOT is_window)"
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "petition", columns)
    is_open, is_restricted = sa.text("ended_at IS NULL"), sa.text("is_restricted")
    op.create_index("ix_petition_open", "petition", ["unit", "id"], sqlite_where=is_open, postgresql_where=is_open)
    is_free = sa.text("claimed_by IS NULL AND due_at IS NOT NULL")
    op.create_index(
        "ix_petition_unclaimed",
        "petition",
        ["unit", "due_at", "id"],
        sqlite_where=is_free,
        postgresql_where=is_free,
    )
    op.create_index(
        "ix_petition_restricted",
        "petition",
        ["state"],
        sqlite_where=sa.text("is_restricted = 1"),
        postgresql_where=is_restricted,
    )
    op.create_table(
        "petition_text",
        sa.Column("petition_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("petition_id", name="pk_petition_text"),
        sa.ForeignKeyConstraint(["petition_id"], ["petition.id"], name="fk_petition_text_petition_id_petition"),
    )
    is_unread = sa.text("vector IS NULL")
    op.create_index(
        "ix_petition_text_unread",
        "petition_text",
        ["petition_id"],
        sqlite_where=is_unread,
        postgresql_where=is_unread,
    )
    for statement in _FULL_TEXT[op.get_context().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Drop all of it; the words can be made anew, claims are lost."""
    if op.get_context().dialect.name == "sqlite":
        op.execute("DROP TABLE petition_words")
    op.drop_table("petition_text")
    for name in ("ix_petition_restricted", "ix_petition_unclaimed", "ix_petition_open", *_INDEXES):
        op.drop_index(name, table_name="petition")
    for name in _COLUMNS:
        op.drop_column("petition", name)
    op.create_index("ix_petition_state", "petition", ["state"])
    op.create_index("ix_petition_unit", "petition", ["unit"])
