"""Photos of petitions."""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "photo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(120), nullable=True),
        sa.Column("petition_id", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=True),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("large", sa.LargeBinary(), nullable=True),
        sa.Column("small", sa.LargeBinary(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("added_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_photo"),
        sa.ForeignKeyConstraint(["petition_id"], ["petition.id"], name="fk_photo_petition_id_petition"),
        sa.UniqueConstraint("token", name="uq_photo_token"),
        sa.UniqueConstraint("owner", "position", name="uq_photo_owner_position"),
        sa.UniqueConstraint("owner", "digest", name="uq_photo_owner_digest"),
        sa.UniqueConstraint("petition_id", "position", name="uq_photo_petition_id_position"),
        sa.UniqueConstraint("petition_id", "digest", name="uq_photo_petition_id_digest"),
    )
    op.create_index("ix_photo_key_id", "photo", ["key_id"])
    op.create_index("ix_photo_expires_at", "photo", ["expires_at"])
    op.create_table(
        "wechat_media",
        sa.Column("inbox_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("photo", sa.String(32), nullable=False),
        sa.Column("media_id", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.PrimaryKeyConstraint("inbox_id", name="pk_wechat_media"),
        sa.ForeignKeyConstraint(["inbox_id"], ["wechat_inbox.id"], name="fk_wechat_media_inbox_id_wechat_inbox"),
    )
    op.create_index("ix_wechat_media_next_at", "wechat_media", ["next_at"])


def downgrade() -> None:
    """Drop them; the photos are lost."""
    op.drop_table("wechat_media")
    op.drop_table("photo")
