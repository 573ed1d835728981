"""An index of what a person's sight depends on, in place of one of accusations alone."""

import sqlalchemy as sa
from alembic import op

revision = "0068"
down_revision = "0064"
branch_labels = None
depends_on = None

_SEEN = ["state", "is_restricted", "unit", "offered_unit", "overseer_unit", "accused_unit"]


def upgrade() -> None:
    """Make it and drop the other."""
    op.create_index("ix_petition_seen", "petition", _SEEN)
    op.drop_index("ix_petition_restricted", "petition")


def downgrade() -> None:
    """The other one again."""
    op.create_index(
        "ix_petition_restricted",
        "petition",
        ["state"],
        sqlite_where=sa.text("is_restricted = 1"),
        postgresql_where=sa.text("is_restricted"),
    )
    op.drop_index("ix_petition_seen", "petition")
