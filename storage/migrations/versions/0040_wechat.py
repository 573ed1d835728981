"""WeChat: followers, what they sent, what waits for them, and the access token."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0030"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "wechat_person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("openid", sa.Text(), nullable=False),
        sa.Column("conversation", sa.String(64), nullable=False),
        sa.Column("window_until", _MOMENT, nullable=True),
        sa.Column("quota", sa.Integer(), nullable=False),
        sa.Column("busy_by", sa.String(32), nullable=True),
        sa.Column("busy_until", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_wechat_person"),
        sa.UniqueConstraint("digest", name="uq_wechat_person_digest"),
        sa.UniqueConstraint("conversation", name="uq_wechat_person_conversation"),
    )
    op.create_table(
        "wechat_inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", _MOMENT, nullable=False),
        sa.Column("answered_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_wechat_inbox"),
        sa.ForeignKeyConstraint(["person_id"], ["wechat_person.id"], name="fk_wechat_inbox_person_id_wechat_person"),
        sa.UniqueConstraint("key", name="uq_wechat_inbox_key"),
    )
    op.create_index("ix_wechat_inbox_person_id", "wechat_inbox", ["person_id"])
    op.create_index("ix_wechat_inbox_answered_at_next_at", "wechat_inbox", ["answered_at", "next_at"])
    op.create_table(
        "wechat_outgoing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("inbox_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", _MOMENT, nullable=False),
        sa.Column("taken_until", _MOMENT, nullable=True),
        sa.Column("is_doubtful", sa.Boolean(), nullable=False),
        sa.Column("delivered_at", _MOMENT, nullable=True),
        sa.Column("carrier", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_wechat_outgoing"),
        sa.ForeignKeyConstraint(["person_id"], ["wechat_person.id"], name="fk_wechat_outgoing_person_id_wechat_person"),
        sa.ForeignKeyConstraint(["inbox_id"], ["wechat_inbox.id"], name="fk_wechat_outgoing_inbox_id_wechat_inbox"),
    )
    op.create_index("ix_wechat_outgoing_person_id", "wechat_outgoing", ["person_id"])
    op.create_index("ix_wechat_outgoing_inbox_id", "wechat_outgoing", ["inbox_id"])
    op.create_index("ix_wechat_outgoing_delivered_at_next_at", "wechat_outgoing", ["delivered_at", "next_at"])
    op.create_table(
        "wechat_token",
        sa.Column("app_id", sa.String(40), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("expires_at", _MOMENT, nullable=True),
        sa.Column("refreshing_until", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("app_id", name="pk_wechat_token"),
    )


def downgrade() -> None:
    """Drop the tables; followers, waiting answers and the token are lost, petitions stay."""
    for table in ("wechat_outgoing", "wechat_inbox", "wechat_person", "wechat_token"):
        op.drop_table(table)
