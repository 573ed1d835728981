"""Nothing of a query code is stored: it follows from the secret and the key of the form."""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the slow hashes; the codes given out stay as they are."""
    with op.batch_alter_table("petition") as table:
        table.drop_column("code_hash")


def downgrade() -> None:
    """Bring the column back, empty: no code that was given out fits until this is undone."""
    with op.batch_alter_table("petition") as table:
        table.add_column(sa.Column("code_hash", sa.String(64), nullable=False, server_default=""))
    with op.batch_alter_table("petition") as table:
        table.alter_column("code_hash", server_default=None)
