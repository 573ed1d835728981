"""What operators type while a caller speaks, and what they make of the proposals they are shown."""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "assist_draft",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("call", sa.String(32), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_assist_draft"),
    )
    op.create_index("ix_assist_draft_kept_at", "assist_draft", ["kept_at"])
    op.create_table(
        "assist_choice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("proposal", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("choice", sa.String(10), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_assist_choice"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_assist_choice_staff_id_staff"),
        sa.UniqueConstraint("call", "kind", "digest", name="uq_assist_choice_call"),
    )
    op.create_index("ix_assist_choice_at", "assist_choice", ["at", "kind", "choice"])


def downgrade() -> None:
    """Drop them."""
    for table in ("assist_choice", "assist_draft"):
        op.drop_table(table)
