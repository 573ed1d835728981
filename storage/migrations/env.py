"""Run by Alembic for every change of the schema."""

from alembic import context
from sqlalchemy import create_engine, pool

from storage import Base

engine = create_engine(context.config.attributes["engine_url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite cannot alter a table; Alembic copies it.
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
