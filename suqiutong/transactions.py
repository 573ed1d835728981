"""A transaction for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.orm import Session

from suqiutong.settings import Settings
from suqiutong.wiring import Services


@contextmanager
def transaction(settings: Settings) -> Iterator[tuple[Session, datetime]]:
    """A session that commits at the end, on an upgraded schema, and the time.

    Raises:
        CommandError: the schema is an older one.
    """
    services = Services(settings)
    with services.writing() as session:
        yield session, services.clock()
