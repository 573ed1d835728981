"""Personal data apart, to be sealed; who is accused; when a petition came to its end."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_ENDINGS = ("closed", "declined", "withdrawn", "merged", "concluded")
_TEXTS = ("matter", "place", "occurred")
_PERSONAL = sa.table("personal", *(sa.column(name) for name in ("petitioner_id", "kind", "key_id", "sealed")))


def upgrade() -> None:
    """Move what is personal into a table of its own, as it is: whoever has the keys seals it."""
    op.create_table(
        "personal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("petitioner_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_personal"),
        sa.ForeignKeyConstraint(["petitioner_id"], ["petitioner.id"], name="fk_personal_petitioner_id_petitioner"),
        sa.UniqueConstraint("petitioner_id", "kind", name="uq_personal_petitioner_id"),
    )
    op.create_index("ix_personal_digest", "personal", ["digest", "kind"])
    op.create_index("ix_personal_key_id", "personal", ["key_id"])
    insert = "INSERT INTO personal (petitioner_id, kind, key_id, sealed) "
    for kind in ("name", "phone"):
        op.execute(f"{insert}SELECT id, '{kind}', '', {kind} FROM petitioner WHERE {kind} <> ''")  # noqa: S608
    for kind in _TEXTS:
        op.execute(f"{insert}SELECT petitioner_id, '{kind}', '', {kind} FROM petition WHERE {kind} <> ''")  # noqa: S608
    op.add_column("petitioner", sa.Column("token", sa.String(32), nullable=True))
    op.add_column("petitioner", sa.Column("erased_at", _MOMENT, nullable=True))
    petitioner = sa.table("petitioner", sa.column("id"), sa.column("token"))
    connection = op.get_bind()
    for (number,) in connection.execute(sa.select(petitioner.c.id)).all():
        connection.execute(petitioner.update().where(petitioner.c.id == number).values(token=secrets.token_hex(16)))
    with op.batch_alter_table("petitioner") as table:
        table.alter_column("token", existing_type=sa.String(32), nullable=False)
        table.create_unique_constraint("uq_petitioner_token", ["token"])
        table.drop_column("name")
        table.drop_column("phone")
    op.add_column("petition", sa.Column("accused_unit", sa.String(60), nullable=True))
    op.add_column("petition", sa.Column("ended_at", _MOMENT, nullable=True))
    op.create_index("ix_petition_ended_at", "petition", ["ended_at"])
    endings = ", ".join(f"'{state}'" for state in _ENDINGS)
    op.execute(
        "UPDATE petition SET ended_at = (SELECT max(at) FROM event WHERE event.petition_id = petition.id "  # noqa: S608
        f"AND event.state_from <> event.state_to) WHERE state IN ({endings})"
    )


def downgrade() -> None:
    """Put back what is not sealed.

    Raises:
        RuntimeError: something is sealed, which nobody could read afterwards.
    """
    connection = op.get_bind()
    if connection.execute(sa.select(_PERSONAL.c.key_id).where(_PERSONAL.c.key_id > "").limit(1)).first():
        raise RuntimeError("personal data are sealed: run `suqiutong privacy unseal` first")
    op.drop_index("ix_petition_ended_at", table_name="petition")
    for name in ("accused_unit", "ended_at"):
        op.drop_column("petition", name)
    with op.batch_alter_table("petitioner") as table:
        table.add_column(sa.Column("name", sa.String(40), nullable=True))
        table.add_column(sa.Column("phone", sa.String(20), nullable=True))
        table.drop_constraint("uq_petitioner_token", type_="unique")
        table.drop_column("token")
        table.drop_column("erased_at")
    for kind in ("name", "phone"):
        op.execute(
            f"UPDATE petitioner SET {kind} = (SELECT sealed FROM personal "  # noqa: S608
            f"WHERE personal.petitioner_id = petitioner.id AND kind = '{kind}')"
        )
    op.drop_table("personal")
