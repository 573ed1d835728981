"""A bound on what the database may spend on a page that counts much, so that nobody waits behind it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from desk.errors import DeskError

SECONDS = 20
_SQLITE_STEPS = 20_000


@contextmanager
def bounded(session: Session, seconds: float = SECONDS) -> Iterator[None]:
    """Within it a statement that takes longer is ended by the database (in SQLite: all of them together).

    Raises:
        DeskError: `report_too_large`, one was.
    """
    connection = session.connection()
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        deadline = time.monotonic() + seconds
        driver.set_progress_handler(lambda: time.monotonic() > deadline, _SQLITE_STEPS)
    else:
        connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
    try:
        yield
    except OperationalError as error:
        raise DeskError("report_too_large") from error
    finally:
        if isinstance(driver, sqlite3.Connection):
            driver.set_progress_handler(None, 0)
