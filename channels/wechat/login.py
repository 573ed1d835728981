"""Whose browser it is, asked of WeChat: an attempt is signed, bound to the browser that began it, and good once.

The browser keeps a nonce, WeChat carries a value that only this product can make from it. What the browser keeps in the
end is the name of a conversation, never an openid.

Source: developers.weixin.qq.com, 网页授权; RFC 6749, 10.12.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy import CursorResult, String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from channels.tokens import Tokens
from channels.wechat.store import Box, WeChatPerson
from storage import Base, UtcDateTime, begin_writing

# How long somebody may take at WeChat, and for how long what was used is remembered.
ATTEMPT_HOURS = 1
# WeChat tells again without a tap, so a browser need not be believed for long.
LOGIN_HOURS = 2


class WeChatLogin(Base):
    """An attempt that was used."""

    __tablename__ = "wechat_login"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the browser keeps, and the address at WeChat that it is sent to."""

    cookie: str
    address: str


class Logins:
    """Begins attempts, and knows those that come back."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._attempts = Tokens(secret, "wechat attempt", hours=ATTEMPT_HOURS)
        self._names = Tokens(secret, "wechat login", hours=LOGIN_HOURS)

    def begin(self, login_url: str, app_id: str, back: str) -> Attempt:
        """A new attempt.

        Args:
            login_url: WeChat's address.
            app_id: Of the account.
            back: Address of ours to which WeChat sends the browser.
        """
        nonce = secrets.token_hex(16)
        # WeChat wants these fields in this order, and the fragment.
        query = {"appid": app_id, "redirect_uri": back, "response_type": "code", "scope": "snsapi_base"}
        query["state"] = self._state(nonce)
        address = f"{login_url}/connect/oauth2/authorize?{urlencode(query)}#wechat_redirect"
        return Attempt(self._attempts.sign(nonce), address)

    def use(self, session: Session, cookie: str | None, state: str, *, now: datetime) -> bool:
        """Whether this browser began the attempt not long ago and nobody has used it; from now on it is used.

        Args:
            session: At the start of a transaction; the caller commits.
            cookie: What the browser kept.
            state: What WeChat carried.
            now: Aware.
        """
        nonce = self._attempts.read(cookie)
        if nonce is None or not hmac.compare_digest(self._state(nonce).encode(), state.encode()):
            return False
        begin_writing(session)
        try:
            with session.begin_nested():
                session.add(WeChatLogin(digest=self._state(nonce), used_at=now))
                session.flush()
        except IntegrityError:
            return False
        return True

    def sign(self, conversation: str) -> str:
        """What the browser keeps of a person."""
        return self._names.sign(conversation)

    def read(self, session: Session, cookie: str | None) -> str | None:
        """The conversation of the person whose browser it is; None when it is not known or they have gone."""
        if (conversation := self._names.read(cookie)) is None:
            return None
        return session.scalar(select(WeChatPerson.conversation).where(WeChatPerson.conversation == conversation))

    def _state(self, nonce: str) -> str:
        return hmac.digest(self._secret, f"wechat state {nonce}".encode(), "sha256").hex()


def conversation_of(session: Session, box: Box, openid: str) -> str | None:
    """The conversation of this follower; None when they never wrote, or have gone."""
    return session.scalar(select(WeChatPerson.conversation).where(WeChatPerson.digest == box.digest(openid)))


def purge_logins(session: Session, *, now: datetime) -> int:
    """Forget the attempts that are too old to come back; how many."""
    begin_writing(session)
    gone = session.execute(delete(WeChatLogin).where(WeChatLogin.used_at < now - timedelta(hours=2 * ATTEMPT_HOURS)))
    return gone.rowcount if isinstance(gone, CursorResult) else 0
