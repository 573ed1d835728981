"""Ratings of answers, what was understood of each message, labels of reviewers, and reasons beside curated versions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

_OF_MESSAGE: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("intent", sa.String(60)),
    ("confidence", sa.Double()),
    ("chance", sa.Double()),
    ("doubt", sa.String(12)),
    ("rating", sa.String(12)),
    ("rated_at", sa.DateTime(timezone=True)),
    ("review", sa.String(8)),
)


def upgrade() -> None:
    """Make the columns and the table."""
    with op.batch_alter_table("chat_message") as message:
        for name, kind in _OF_MESSAGE:
            message.add_column(sa.Column(name, kind, nullable=True))
    op.create_index("ix_chat_message_review", "chat_message", ["review"])
    op.create_table(
        "turn_label",
        sa.Column("message_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.String(400), nullable=False),
        sa.Column("intent", sa.String(60), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("right_intent", sa.String(60), nullable=True),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_turn_label"),
    )
    with op.batch_alter_table("curated_entry") as entry:
        entry.add_column(sa.Column("returned_reason", sa.Text(), nullable=True))
    with op.batch_alter_table("curated_version") as version:
        version.add_column(sa.Column("reason", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("curated_version") as version:
        version.drop_column("reason")
    with op.batch_alter_table("curated_entry") as entry:
        entry.drop_column("returned_reason")
    op.drop_table("turn_label")
    op.drop_index("ix_chat_message_review", "chat_message")
    with op.batch_alter_table("chat_message") as message:
        for name, _ in reversed(_OF_MESSAGE):
            message.drop_column(name)
