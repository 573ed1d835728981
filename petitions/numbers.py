"""Ticket numbers and query codes: made, shown, and found again in what people type."""

from __future__ import annotations

import hmac
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from stdnum import damm

from petitions.clocks import SHANGHAI

# No 0 O, 1 I L, 2 Z, 5 S, 8 B, U V: nobody mistakes one for another, on paper or over the phone.
CODE_SIGNS = "34679ACDEFGHJKMNPQRTWXY"
CODE_LENGTH = 8
_SERIALS = 1_000_000
_NUMBER = re.compile(r"(?<![A-Z0-9])([A-Z]{2})[\s-]*((?:\d[\s-]*){12}\d)(?![A-Z0-9])")
_CODE_CUED = re.compile(
    rf"(?:查询码|校验码|密码|验证码|CODE)\W{{0,3}}(?:是|为)?\W{{0,3}}([{CODE_SIGNS}]{{4}})[\s-]*([{CODE_SIGNS}]{{4}})(?![A-Z0-9])"
)
_CODE = re.compile(rf"(?<![A-Z0-9])([{CODE_SIGNS}]{{4}})[\s-]?([{CODE_SIGNS}]{{4}})(?![A-Z0-9])")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―－_﹣−"), "-")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a text names: a ticket number, a query code (without dash), both or neither."""

    number: str | None = None
    code: str | None = None


def ticket_number(prefix: str, row_id: int, filed_at: datetime) -> str:
    """The number of a ticket: prefix, day of filing in Shanghai, serial of six digits, check digit.

    The check digit (Damm) finds every single wrong digit and every swap of neighbours.
    """
    digits = f"{filed_at.astimezone(SHANGHAI):%y%m%d}{row_id % _SERIALS:06d}"
    return f"{prefix}{digits}{damm.calc_check_digit(digits)}"


def is_ticket_number(number: str) -> bool:
    """Whether `number` has the form of a ticket number and its check digit holds."""
    return bool(re.fullmatch(r"[A-Z]{2}\d{13}", number)) and bool(damm.is_valid(number[2:]))


def query_code(secret: bytes, form_key: str) -> str:
    """The eight signs that prove a ticket is one's own; the same for every retry of a filing.

    Nothing of it is stored: the database alone, lost or stolen, opens no ticket.
    """
    value = int.from_bytes(hmac.digest(secret, f"query code {form_key}".encode(), "sha256"))
    signs = []
    for _ in range(CODE_LENGTH):
        value, rest = divmod(value, len(CODE_SIGNS))
        signs.append(CODE_SIGNS[rest])
    return "".join(signs)


def shown_code(code: str) -> str:
    """The code as people read it: XXXX-XXXX."""
    return f"{code[:4]}-{code[4:]}"


def is_code(secret: bytes, code: str, form_key: str) -> bool:
    """Whether `code` is that of the form, in constant time."""
    return hmac.compare_digest(query_code(secret, form_key).encode(), code.encode())


def parse_reference(text: str) -> Reference:
    """The ticket number and query code that stand in free text.

    Lower case, full width, spaces and a missing dash are forgiven. A number whose check digit fails counts as none.
    """
    text = unicodedata.normalize("NFKC", text).translate(_DASHES).upper()
    number = None
    for match in _NUMBER.finditer(text):
        candidate = match[1] + re.sub(r"\D", "", match[2])
        if is_ticket_number(candidate):
            number = candidate
            text = f"{text[: match.start()]}，{text[match.end() :]}"
            break
    code = _CODE_CUED.search(text) or _CODE.search(text)
    return Reference(number, code[1] + code[2] if code else None)
