"""What an operator has typed of the call they are on: sealed, one row a login, gone after the call or twelve hours."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, String, Text, delete, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, Session, mapped_column

from desk.accounts import digest_of
from petitions import Keyring, PetitionError
from storage import Base, UtcDateTime, begin_writing

LONGEST = timedelta(hours=12)


class AssistDraft(Base):
    """The call of one login: the key that names it, and the caller's words, sealed."""

    __tablename__ = "assist_draft"

    # Of the cookie: whoever has another one cannot find it.
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    call: Mapped[str] = mapped_column(String(32))
    key_id: Mapped[str] = mapped_column(String(16))
    sealed: Mapped[str] = mapped_column(Text)
    # Grows with every pause: what a page sent earlier never replaces what it sent later.
    turn: Mapped[int] = mapped_column(BigInteger)
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True, slots=True)
class Call:
    """The call that an operator is on; without a key nothing was typed yet."""

    key: str = ""
    text: str = ""


def new_call_key() -> str:
    """A key that nobody guesses: what is filed from a call is filed once under it."""
    return secrets.token_hex(16)


def is_call_key(key: str) -> bool:
    """Whether it is one that `new_call_key` may have made."""
    return len(key) == 32 and all(sign in "0123456789abcdef" for sign in key)


def read_call(session: Session, keyring: Keyring, token: str, *, now: datetime) -> Call:
    """The call of the login with this cookie."""
    row = session.get(AssistDraft, digest_of(token))
    if row is None or now - row.kept_at > LONGEST:
        return Call()
    try:
        return Call(row.call, keyring.open(row.key_id, row.sealed, row.call))
    except PetitionError:
        # Sealed with a key that is gone: nobody can read it any more.
        return Call()


def keep_call(session: Session, keyring: Keyring, token: str, text: str, *, turn: int, now: datetime) -> Call:
    """Keep what was typed; the call as it is kept then. The caller commits.

    Args:
        session: At the start of a transaction.
        keyring: Seals it.
        token: The cookie of the login.
        text: All of the caller's words.
        turn: Grows with every pause.
        now: Aware.
    """
    begin_writing(session)
    row = session.scalar(select(AssistDraft).where(AssistDraft.digest == digest_of(token)).with_for_update())
    if row is not None and now - row.kept_at > LONGEST:
        session.delete(row)
        session.flush()
        row = None
    if row is None:
        row = AssistDraft(digest=digest_of(token), call=new_call_key(), turn=turn)
        session.add(row)
    elif turn < row.turn:
        return Call(row.call, text)
    row.key_id, row.sealed, row.turn, row.kept_at = keyring.current, keyring.seal(text, row.call), turn, now
    session.flush()
    return Call(row.call, text)


def end_call(session: Session, token: str) -> None:
    """Forget the call of a login. The caller commits."""
    session.execute(delete(AssistDraft).where(AssistDraft.digest == digest_of(token)))


def drop_old_calls(session: Session, *, now: datetime) -> int:
    """Forget the calls that are over by their age; how many. The caller commits."""
    found = session.execute(delete(AssistDraft).where(AssistDraft.kept_at < now - LONGEST))
    return found.rowcount if isinstance(found, CursorResult) else 0
