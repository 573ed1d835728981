"""Lists that people keep at the desk; whoever works on a ticket is told by its claim, no longer by the desk."""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and drop the column; who was working there claims the ticket anew."""
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_view"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_saved_view_staff_id_staff"),
        sa.UniqueConstraint("staff_id", "name", name="uq_saved_view_staff_id"),
    )
    with op.batch_alter_table("presence") as presence:
        presence.drop_column("is_claimed")


def downgrade() -> None:
    """Drop the table, and make the column."""
    with op.batch_alter_table("presence") as presence:
        presence.add_column(sa.Column("is_claimed", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("presence") as presence:
        presence.alter_column("is_claimed", server_default=None)
    op.drop_table("saved_view")
