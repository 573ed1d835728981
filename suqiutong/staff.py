"""Staff and the access tokens of programs and desks: made, listed, withdrawn, checked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from storage import Base, UtcDateTime
from suqiutong.errors import CommandError

TOKEN_PREFIX = "sqt_"  # noqa: S105 - lets scanners of leaked secrets know one


class Role(StrEnum):
    """What a person or a token may do; `admin` may do all."""

    OPERATOR = "operator"
    HANDLER = "handler"
    SUPERVISOR = "supervisor"
    EDITOR = "editor"
    # Another system that files and follows tickets.
    OPEN311 = "open311"
    ADMIN = "admin"


class Staff(Base):
    """A person who works with the product."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AccessToken(Base):
    """A bearer token; only its digest is kept."""

    __tablename__ = "access_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staff: Mapped[Staff | None] = relationship()


def add_staff(session: Session, name: str, role: Role, *, now: datetime) -> Staff:
    """A new member of staff.

    Raises:
        CommandError: the name is empty or taken.
    """
    name = name.strip()
    if not name:
        raise CommandError("the name is empty")
    if find_staff(session, name):
        raise CommandError(f"there is already a member of staff named {name}")
    member = Staff(name=name, role=role, created_at=now)
    session.add(member)
    session.flush()
    return member


def find_staff(session: Session, name: str) -> Staff | None:
    """The member of staff of that name."""
    return session.scalar(select(Staff).where(Staff.name == name))


def list_staff(session: Session) -> Sequence[Staff]:
    """All staff, by name."""
    return session.scalars(select(Staff).order_by(Staff.name)).all()


def disable_staff(session: Session, name: str, *, now: datetime) -> int:
    """End a member's access at once, with all their tokens.

    Returns:
        How many tokens were revoked.

    Raises:
        CommandError: there is no such member, or they are disabled already.
    """
    member = find_staff(session, name)
    if member is None:
        raise CommandError(f"there is no member of staff named {name}")
    if member.disabled_at:
        raise CommandError(f"{name} is disabled already")
    member.disabled_at = now
    tokens = session.scalars(
        select(AccessToken).where(AccessToken.staff_id == member.id, AccessToken.revoked_at.is_(None))
    ).all()
    for token in tokens:
        token.revoked_at = now
    return len(tokens)


def create_token(session: Session, name: str, role: Role, *, now: datetime) -> str:
    """A new token; what is returned is shown once and kept nowhere.

    Args:
        session: Open transaction.
        name: A member of staff, whose token it becomes, or what the token is for.
        role: What its holder may do.
        now: Aware.

    Raises:
        CommandError: the member of staff is disabled or has another role.
    """
    member = find_staff(session, name)
    if member and member.disabled_at:
        raise CommandError(f"{name} is disabled")
    if member and member.role not in (role, Role.ADMIN):
        raise CommandError(f"{name} has the role {member.role}, not {role}")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(AccessToken(name=name, role=role, digest=_digest(token), staff=member, created_at=now))
    session.flush()
    return token


def list_tokens(session: Session) -> Sequence[AccessToken]:
    """All tokens, oldest first."""
    return session.scalars(select(AccessToken).order_by(AccessToken.id)).all()


def revoke_token(session: Session, number: int, *, now: datetime) -> None:
    """Withdraw a token.

    Raises:
        CommandError: there is no such token, or it is withdrawn already.
    """
    token = session.get(AccessToken, number)
    if token is None:
        raise CommandError(f"there is no token {number}")
    if token.revoked_at:
        raise CommandError(f"token {number} is revoked already")
    token.revoked_at = now


def check_token(session: Session, token: str, role: str) -> str | None:
    """Name of the holder when the token is valid for the role; an admin's is valid for each."""
    found = session.scalar(select(AccessToken).where(AccessToken.digest == _digest(token)))
    if found is None or found.revoked_at or found.role not in (role, Role.ADMIN):
        return None
    return found.name


def _digest(token: str) -> str:
    # A random token of 256 bits needs no slow hash: there is nothing to guess.
    return sha256(token.encode()).hexdigest()
