"""WeChat tells whose browser opens a page: each attempt counts once."""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "wechat_login",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_wechat_login"),
    )
    op.create_index("ix_wechat_login_used_at", "wechat_login", ["used_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("wechat_login")
