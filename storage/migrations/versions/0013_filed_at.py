"""Petitions are found by the day of their filing."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_petition_filed_at", "petition", ["filed_at"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_petition_filed_at", table_name="petition")
