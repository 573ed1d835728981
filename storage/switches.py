"""Kill switches: what of the product is off, why, who did it and until when.

They stand below every other part because every part reads them. A row is one flip and is never changed: the newest of
a switch is its state, the others are its history.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import String, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.base import Base, UtcDateTime, begin_writing

logger = logging.getLogger(__name__)

CHAT, WECHAT, OPEN311, FORM, ANSWERS = NAMES = ("chat", "wechat", "open311", "form", "answers")
REASON_LIMIT_CHARACTERS = 200
# So soon every process knows of a flip.
READ_EVERY_SECONDS = 2.0


class SwitchError(Exception):
    """A switch cannot be flipped so: a machine code, and a sentence for the command line."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class SwitchFlip(Base):
    """One flip of a switch."""

    __tablename__ = "switch_flip"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), index=True)
    is_off: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(REASON_LIMIT_CHARACTERS))
    # Residents read the reason too.
    is_public: Mapped[bool]
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Off:
    """A switch that is off.

    Attributes:
        name: Of the switch.
        reason: Why.
        is_public: Whether residents may read why.
        by: Who turned it off.
        since: Aware.
        until: Aware; it goes on by itself then; None when somebody has to turn it on.
    """

    name: str
    reason: str
    is_public: bool
    by: str
    since: datetime
    until: datetime | None


def turn_off(
    session: Session,
    name: str,
    *,
    reason: str,
    by: str,
    now: datetime,
    until: datetime | None = None,
    is_public: bool = False,
) -> None:
    """Turn a switch off; one that is off already gets the new reason and end.

    Args:
        session: At the start of a transaction.
        name: One of `NAMES`.
        reason: Why, for colleagues and for later.
        by: Who.
        now: Aware.
        until: Aware; when it goes on by itself.
        is_public: Whether residents may read why.

    Raises:
        SwitchError: `unknown`, `reason` (missing or too long), `until` (over already).
    """
    reason = " ".join(reason.split())
    if name not in NAMES:
        raise SwitchError("unknown", f"there is no switch {name!r}: {', '.join(NAMES)}")
    if not 0 < len(reason) <= REASON_LIMIT_CHARACTERS or not reason.isprintable():
        raise SwitchError("reason", f"a reason of 1 to {REASON_LIMIT_CHARACTERS} characters is needed")
    if until is not None and until <= now:
        raise SwitchError("until", "the end lies in the past")
    begin_writing(session)
    session.add(
        SwitchFlip(name=name, is_off=True, reason=reason, is_public=is_public, by=by[:100], at=now, until=until)
    )


def turn_on(session: Session, name: str, *, by: str, now: datetime) -> None:
    """Turn a switch on again.

    Raises:
        SwitchError: `unknown`, `is_on`.
    """
    if name not in NAMES:
        raise SwitchError("unknown", f"there is no switch {name!r}: {', '.join(NAMES)}")
    begin_writing(session)
    if not any(off.name == name for off in switched_off(session, now=now)):
        raise SwitchError("is_on", f"{name} is on")
    session.add(SwitchFlip(name=name, is_off=False, reason="", is_public=False, by=by[:100], at=now, until=None))


def switched_off(session: Session, *, now: datetime) -> list[Off]:
    """What is off at that moment, in the order of `NAMES`."""
    newest = select(func.max(SwitchFlip.id)).group_by(SwitchFlip.name)
    rows = session.scalars(select(SwitchFlip).where(SwitchFlip.id.in_(newest), SwitchFlip.is_off)).all()
    known = [Off(row.name, row.reason, row.is_public, row.by, row.at, row.until) for row in rows if row.name in NAMES]
    return sorted(_lasting(known, now), key=lambda off: NAMES.index(off.name))


def flips(session: Session, *, limit: int = 50) -> Sequence[SwitchFlip]:
    """The last flips of all switches, newest first."""
    return session.scalars(select(SwitchFlip).order_by(SwitchFlip.id.desc()).limit(limit)).all()


def _lasting(known: Sequence[Off], now: datetime) -> list[Off]:
    return [off for off in known if off.until is None or off.until > now]


class Switches:
    """What is off, as one process knows it. Safe from threads.

    One small query every two seconds, however often it is asked; while the database is away, what was known last.
    """

    def __init__(
        self,
        sessions: Callable[[], Session],
        clock: Callable[[], datetime],
        *,
        every_seconds: float = READ_EVERY_SECONDS,
    ) -> None:
        """Join the parts; nothing is read before the first question."""
        self._sessions = sessions
        self._clock = clock
        self._every_seconds = every_seconds
        self._known: Sequence[Off] = ()
        self._read_again_at = 0.0
        self._reading = Lock()

    def off(self, name: str) -> Off | None:
        """Why a switch is off; None when it is on."""
        return next((off for off in self.all_off() if off.name == name), None)

    def all_off(self) -> list[Off]:
        """All that is off now."""
        # One thread reads; a database that hangs holds up no other.
        if time.monotonic() >= self._read_again_at and self._reading.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._reading.release()
        return _lasting(self._known, self._clock())

    def read_anew(self) -> None:
        """Know of a flip of this process at once."""
        self._read_again_at = 0.0

    def _read(self) -> None:
        # Set before the look, so that `read_anew` during it asks for another one.
        self._read_again_at = time.monotonic() + self._every_seconds
        try:
            with self._sessions() as session:
                self._known = switched_off(session, now=self._clock())
        except SQLAlchemyError as error:
            logger.error("switches_not_read error=%s", type(error).__name__)
