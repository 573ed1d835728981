"""Staff with their passwords, and the access tokens of programs: made, listed, changed, withdrawn, checked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import JSON, ColumnElement, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship
from zxcvbn import zxcvbn

from petitions import Actor
from petitions.network import Network, own_network
from storage import Base, UtcDateTime

TOKEN_PREFIX = "sqt_"  # noqa: S105 - lets scanners of leaked secrets know one
LEAST_PASSWORD = 10
MOST_PASSWORD = 200
# Of 0 to 4: from here on a password withstands 10^8 guesses. What comes after so many signs only makes it better.
_LEAST_SCORE = 3
_ESTIMATED = 72
_NEAR_WORDS = ("suqiutong", "诉求通", "12345", "jiedao", "街道", "xinfang", "信访", "admin")
# No 0, 1, i, l, o: an initial password is read aloud and typed once.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_HASHER = PasswordHasher()
# What a password is compared with when there is no such account, so that the time taken tells nothing.
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))


class AccountError(Exception):
    """An account or a token cannot be made or changed so; a code for pages, and a sentence for the command line."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Role(StrEnum):
    """What a person or a token may do; an `admin` token may do all."""

    OPERATOR = "operator"
    HANDLER = "handler"
    SUPERVISOR = "supervisor"
    EDITOR = "editor"
    # Another system that files and follows tickets; no person has it.
    OPEN311 = "open311"
    ADMIN = "admin"


PERSONS = tuple(role for role in Role if role is not Role.OPEN311)


class Staff(Base):
    """A person who works with the product, for a unit of the network."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    unit: Mapped[str | None] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # None until a password is given: such an account cannot log in.
    password_hash: Mapped[str | None] = mapped_column(String(200))
    # Somebody else knows the password, so that it has to be changed first.
    must_change: Mapped[bool] = mapped_column(default=False)
    # The second factor: its secret, sealed with the key of that id, and the last time step that was used.
    factor_key_id: Mapped[str | None] = mapped_column(String(16))
    factor_sealed: Mapped[str | None] = mapped_column(Text)
    factor_step: Mapped[int] = mapped_column(default=0)
    recovery_digests: Mapped[list[str]] = mapped_column(JSON, default=list)

    @property
    def has_factor(self) -> bool:
        """Whether the second factor is set up."""
        return self.factor_sealed is not None

    @property
    def actor(self) -> Actor:
        """The person as the case work knows them: they see what their unit and those below handle."""
        return Actor(self.name, self.role, self.unit, is_confined=True)


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


def add_staff(
    session: Session, name: str, role: Role, unit: str, *, now: datetime, network: Network | None = None
) -> tuple[Staff, str]:
    """A new member of staff and their initial password, which is shown once and has to be changed at the first login.

    Raises:
        AccountError: the name is empty, too long or taken, the role is none of a person's, or there is no such unit.
    """
    name = name.strip()
    if not name or len(name) > 100:
        raise AccountError("bad_name", "the name is empty or too long")
    if find_staff(session, name):
        raise AccountError("taken", f"there is already a member of staff named {name}")
    _check_place(role, unit, network)
    member = Staff(name=name, role=role, unit=unit, created_at=now, recovery_digests=[])
    session.add(member)
    return member, give_password(session, member)


def change_staff(
    session: Session,
    name: str,
    *,
    role: Role | None = None,
    unit: str | None = None,
    now: datetime,
    network: Network | None = None,
) -> Staff:
    """Give a member another role or another unit; tokens of theirs that the new role does not carry are revoked.

    Raises:
        AccountError: there is no such member, unit, or role of a person.
    """
    member = _known(session, name)
    role, unit = role or Role(member.role), unit or member.unit or ""
    _check_place(role, unit, network)
    member.role, member.unit = role, unit
    if role is not Role.ADMIN:
        _revoke_tokens(session, member, AccessToken.role != role, now=now)
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
        AccountError: there is no such member, or they are disabled already.
    """
    member = _known(session, name)
    if member.disabled_at:
        raise AccountError("disabled", f"{name} is disabled already")
    member.disabled_at = now
    return _revoke_tokens(session, member, now=now)


def reset_password(session: Session, name: str) -> tuple[Staff, str]:
    """A new initial password, shown once; the second factor has to be set up anew.

    Raises:
        AccountError: there is no such member, or they are disabled.
    """
    member = _known(session, name)
    if member.disabled_at:
        raise AccountError("disabled", f"{name} is disabled")
    drop_factor(session, name)
    return member, give_password(session, member)


def drop_factor(session: Session, name: str) -> Staff:
    """Take the second factor of a member away; where it is needed they have to set it up anew.

    Raises:
        AccountError: there is no such member.
    """
    member = _known(session, name)
    member.factor_key_id = member.factor_sealed = None
    member.recovery_digests = []
    return member


def give_password(session: Session, member: Staff) -> str:
    """An initial password, which has to be changed at the next login."""
    password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    set_password(member, password)
    member.must_change = True
    session.flush()
    return password


def set_password(member: Staff, password: str) -> None:
    """Give a member the password that they chose."""
    member.password_hash = _HASHER.hash(password)
    member.must_change = False


def is_weak(member: Staff, password: str, words: Sequence[str] = ()) -> bool:
    """Whether a password may not be chosen: too short, too long, or guessed from what is common or stands near.

    Args:
        member: Whose password.
        password: What was chosen.
        words: What somebody who guesses would try first: names of the office.
    """
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        return True
    near = [word for word in (member.name, member.unit, *_NEAR_WORDS, *words) if word]
    return bool(zxcvbn(password[:_ESTIMATED], user_inputs=near)["score"] < _LEAST_SCORE)


def is_password(member: Staff | None, password: str) -> bool:
    """Whether this is the password of a member who may log in; it takes as long when there is no such member."""
    may_enter = member is not None and member.disabled_at is None and member.password_hash is not None
    # A longer one is wrong whatever it begins with, and costs no more time than any other.
    may_enter = may_enter and len(password) <= MOST_PASSWORD
    known = member.password_hash if member is not None and may_enter else None
    try:
        _HASHER.verify(known or _NOBODY, password[:MOST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return known is not None


def create_token(session: Session, name: str, role: Role, *, now: datetime) -> str:
    """A new token; what is returned is shown once and kept nowhere.

    Args:
        session: Open transaction.
        name: A member of staff, whose token it becomes, or what the token is for.
        role: What its holder may do.
        now: Aware.

    Raises:
        AccountError: the member of staff is disabled or has another role.
    """
    member = find_staff(session, name)
    if member and member.disabled_at:
        raise AccountError("disabled", f"{name} is disabled")
    if member and member.role not in (role, Role.ADMIN):
        raise AccountError("role", f"{name} has the role {member.role}, not {role}")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(AccessToken(name=name, role=role, digest=digest_of(token), staff=member, created_at=now))
    session.flush()
    return token


def list_tokens(session: Session) -> Sequence[AccessToken]:
    """All tokens, oldest first."""
    return session.scalars(select(AccessToken).order_by(AccessToken.id)).all()


def revoke_token(session: Session, number: int, *, now: datetime) -> None:
    """Withdraw a token.

    Raises:
        AccountError: there is no such token, or it is withdrawn already.
    """
    token = session.get(AccessToken, number)
    if token is None:
        raise AccountError("no_token", f"there is no token {number}")
    if token.revoked_at:
        raise AccountError("revoked", f"token {number} is revoked already")
    token.revoked_at = now


def check_token(session: Session, token: str, role: str) -> str | None:
    """Name of the holder when the token is valid for the role; an admin's is valid for each."""
    found = session.scalar(select(AccessToken).where(AccessToken.digest == digest_of(token)))
    if found is None or found.revoked_at or found.role not in (role, Role.ADMIN):
        return None
    return found.name


def digest_of(token: str) -> str:
    """What is kept of a random token: with 256 bits there is nothing to guess, so no slow hash is needed."""
    return sha256(token.encode()).hexdigest()


def _revoke_tokens(session: Session, member: Staff, *which: ColumnElement[bool], now: datetime) -> int:
    tokens = session.scalars(
        select(AccessToken).where(AccessToken.staff_id == member.id, AccessToken.revoked_at.is_(None), *which)
    ).all()
    for token in tokens:
        token.revoked_at = now
    return len(tokens)


def _known(session: Session, name: str) -> Staff:
    member = find_staff(session, name)
    if member is None:
        raise AccountError("unknown", f"there is no member of staff named {name}")
    return member


def _check_place(role: Role, unit: str, network: Network | None) -> None:
    if role not in PERSONS:
        raise AccountError("role", f"{role} is a role of tokens, not of people")
    if (network or own_network()).find(unit) is None:
        raise AccountError("unit", f"there is no unit named {unit or '(none)'} in the jurisdiction")
