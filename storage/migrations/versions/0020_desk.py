"""Units, passwords and second factors of staff, their sessions and failed logins, and who works on which ticket."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0013"
branch_labels = None
depends_on = None


def columns() -> tuple[sa.Column[Any], ...]:
    """What an account has besides its name and role."""
    return (
        sa.Column("unit", sa.String(60), nullable=True),
        sa.Column("password_hash", sa.String(200), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("factor_key_id", sa.String(16), nullable=True),
        sa.Column("factor_sealed", sa.Text(), nullable=True),
        sa.Column("factor_step", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("recovery_digests", sa.JSON(), nullable=False, server_default="[]"),
    )


def upgrade() -> None:
    """Make the columns and the tables."""
    with op.batch_alter_table("staff") as staff:
        for column in columns():
            staff.add_column(column)
    # The defaults were for the rows that were there.
    with op.batch_alter_table("staff") as staff:
        for column in columns():
            if column.server_default is not None:
                staff.alter_column(column.name, server_default=None)
    op.create_table(
        "staff_session",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_staff_session"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_staff_session_staff_id_staff"),
    )
    op.create_index("ix_staff_session_staff_id", "staff_session", ["staff_id"])
    op.create_table(
        "login_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_login_attempt"),
    )
    op.create_index("ix_login_attempt_subject_at", "login_attempt", ["subject", "at"])
    op.create_table(
        "presence",
        sa.Column("petition_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_claimed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("petition_id", "staff_id", name="pk_presence"),
        sa.ForeignKeyConstraint(["petition_id"], ["petition.id"], name="fk_presence_petition_id_petition"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_presence_staff_id_staff"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("presence", "login_attempt", "staff_session"):
        op.drop_table(table)
    with op.batch_alter_table("staff") as staff:
        for column in reversed(columns()):
            staff.drop_column(column.name)
