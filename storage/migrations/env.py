"""Run by Alembic for every change of the schema."""

from alembic import context
from sqlalchemy import create_engine, event, pool

from storage import Base

engine = create_engine(context.config.attributes["engine_url"], poolclass=pool.NullPool)
if engine.dialect.name == "sqlite":
    # SQLite changes a schema as a whole or not at all, but its driver would commit before every change.
    event.listen(engine, "connect", lambda connection, _entry: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite cannot alter a table; Alembic copies it.
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
