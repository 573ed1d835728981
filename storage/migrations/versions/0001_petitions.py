"""Petitioners, petitions, their clocks and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "petitioner",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(40), nullable=True),
        sa.Column("phone", sa.String(20), nullable=True),
        sa.Column("is_anonymous", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_petitioner"),
    )
    op.create_table(
        "petition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(16), nullable=True),
        sa.Column("form_key", sa.String(100), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("petitioner_id", sa.Integer(), nullable=False),
        sa.Column("class", sa.String(16), nullable=False),
        sa.Column("category", sa.JSON(), nullable=False),
        sa.Column("level", sa.String(4), nullable=False),
        sa.Column("unit", sa.String(60), nullable=False),
        sa.Column("office", sa.String(60), nullable=True),
        sa.Column("community", sa.String(40), nullable=True),
        sa.Column("priority", sa.String(16), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("legal_path", sa.String(16), nullable=True),
        sa.Column("is_restricted", sa.Boolean(), nullable=False),
        sa.Column("route", sa.JSON(), nullable=False),
        sa.Column("matter", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("occurred", sa.Text(), nullable=True),
        sa.Column("conversation", sa.String(100), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_petition"),
        sa.ForeignKeyConstraint(["petitioner_id"], ["petitioner.id"], name="fk_petition_petitioner_id_petitioner"),
        sa.UniqueConstraint("number", name="uq_petition_number"),
        sa.UniqueConstraint("form_key", name="uq_petition_form_key"),
    )
    for column in ("petitioner_id", "unit", "conversation", "state"):
        op.create_index(f"ix_petition_{column}", "petition", [column])
    op.create_table(
        "running_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("petition_id", sa.Integer(), nullable=False),
        sa.Column("clock", sa.String(20), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("article", sa.String(100), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_running_clock"),
        sa.ForeignKeyConstraint(["petition_id"], ["petition.id"], name="fk_running_clock_petition_id_petition"),
    )
    for column in ("petition_id", "due_at"):
        op.create_index(f"ix_running_clock_{column}", "running_clock", [column])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("petition_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state_from", sa.String(20), nullable=True),
        sa.Column("state_to", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.ForeignKeyConstraint(["petition_id"], ["petition.id"], name="fk_event_petition_id_petition"),
    )
    op.create_index("ix_event_petition_id", "event", ["petition_id"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("event", "running_clock", "petition", "petitioner"):
        op.drop_table(table)
