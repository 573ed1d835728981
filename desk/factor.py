"""The second factor: six digits of a phone (TOTP), each used once, and recovery codes for a lost phone."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import datetime

import pyotp
import segno
from sqlalchemy.orm import Session

from desk.accounts import Staff, list_staff
from petitions import Keyring

RECOVERY_CODES = 10
_STEP_SECONDS = 30


def new_secret() -> str:
    """A fresh secret for a phone."""
    return pyotp.random_base32()


def is_secret(secret: str) -> bool:
    """Whether it is a secret as `new_secret` makes them."""
    return re.fullmatch(r"[A-Z2-7]{32}", secret) is not None


def address_of_secret(member: Staff, secret: str, issuer: str) -> str:
    """What a phone reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=member.name, issuer_name=issuer)


def picture(address: str) -> str:
    """A QR code as the address of an image that holds all of it."""
    code: str = segno.make(address, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    return code


def step_of(secret: str, code: str, *, now: datetime) -> int | None:
    """The time step that a code stands for, one step of a clock that is off allowed; None when it is wrong."""
    digits = "".join(code.split())
    current = int(now.timestamp()) // _STEP_SECONDS
    totp = pyotp.TOTP(secret)
    found = [
        step
        for step in (current - 1, current, current + 1)
        if hmac.compare_digest(totp.generate_otp(step).encode(), digits.encode())
    ]
    return found[0] if found else None


def set_factor(member: Staff, keyring: Keyring, secret: str, *, step: int, key: bytes) -> list[str]:
    """Give a member the second factor; the recovery codes, which are shown once."""
    _seal(member, keyring, secret)
    member.factor_step = step
    codes = ["-".join(secrets.token_hex(2) for _ in range(4)) for _ in range(RECOVERY_CODES)]
    member.recovery_digests = [_digest(key, code) for code in codes]
    return codes


def use_code(member: Staff, keyring: Keyring, code: str, *, now: datetime, key: bytes) -> bool:
    """Whether this is a code that was not used before; from now on it is. The caller has locked the row, and commits.

    Raises:
        PetitionError: the key of the secret is missing.
    """
    if member.factor_sealed is None or member.factor_key_id is None:
        return False
    secret = keyring.open(member.factor_key_id, member.factor_sealed, _context(member))
    step = step_of(secret, code, now=now)
    if step is not None and step > member.factor_step:
        member.factor_step = step
        return True
    digest = _digest(key, code)
    kept = [known for known in member.recovery_digests if not hmac.compare_digest(known, digest)]
    is_recovery = len(kept) < len(member.recovery_digests)
    member.recovery_digests = kept
    return is_recovery


def keys_in_use(session: Session) -> set[str]:
    """The ids of the keys that a second factor is sealed with."""
    return {member.factor_key_id for member in list_staff(session) if member.factor_key_id}


def reseal(session: Session, keyring: Keyring) -> int:
    """Seal every second factor with the current key; how many. The caller commits."""
    return sum(_seal_anew(member, keyring) for member in list_staff(session))


def _seal_anew(member: Staff, keyring: Keyring) -> bool:
    if member.factor_sealed is None or member.factor_key_id in {None, keyring.current}:
        return False
    _seal(member, keyring, keyring.open(str(member.factor_key_id), member.factor_sealed, _context(member)))
    return True


def _seal(member: Staff, keyring: Keyring, secret: str) -> None:
    member.factor_key_id, member.factor_sealed = keyring.current, keyring.seal(secret, _context(member))


def _context(member: Staff) -> str:
    # Moved to another account it can no longer be opened.
    return f"staff:{member.id}:factor"


def _digest(key: bytes, code: str) -> str:
    text = "".join(code.lower().split()).replace("-", "")
    return hmac.digest(key, f"recovery:{text}".encode(), "sha256").hex()
