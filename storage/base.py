"""The declarative base of all tables, a timestamp that is never naive, and transactions that write."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, MetaData
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

# Execution option of a connection whose transaction writes; the engine of SQLite begins it with its lock.
IS_WRITING = "is_writing"
_WRITING_TRANSACTION = "writing_transaction"

# Names given to constraints, so that a migration can drop them on every database.
_CONSTRAINT_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of the tables of every package."""

    metadata = MetaData(naming_convention=_CONSTRAINT_NAMES)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC.

        Raises:
            ValueError: the value has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a timestamp needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def begin_writing(session: Session) -> None:
    """Begin the session's transaction as one that writes; nothing when it already is.

    Call it before the first query. On SQLite a transaction that has read and then writes fails at once, without
    waiting, when another one has committed in between; one that takes the lock as it begins waits its turn. Other
    databases lock rows, so that there it changes nothing. In a transaction that has begun to read it is too late, and
    SQLAlchemy warns.

    Source: https://www.sqlite.org/lang_transaction.html (deferred and immediate transactions).
    """
    if session.info.get(_WRITING_TRANSACTION) is not (session.get_transaction() or session):
        session.connection(execution_options={IS_WRITING: True})
        session.info[_WRITING_TRANSACTION] = session.get_transaction()
