"""The account as it is set up: its keys, its mode, and what WeChat allows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from channels.wechat.codec import Codec, Crypt

Mode = Literal["safe", "compatible", "plain"]
# 未认证 (may only reply), 认证的公众号, 认证的服务号.
Kind = Literal["unverified", "subscription", "service"]


@dataclass(frozen=True, slots=True)
class Account:
    """An Official Account."""

    app_id: str
    token: str = field(repr=False)
    # EncodingAESKey: the present one, then the one before.
    aes_keys: tuple[str, ...] = field(repr=False)
    mode: Mode
    kind: Kind
    secret: str = field(repr=False)
    api_url: str
    # Template of notices, and under what names it takes number and state.
    notice: str = ""
    notice_is_subscription: bool = False
    notice_fields: Mapping[str, str] = field(default_factory=dict)
    # Where a browser in WeChat is sent to say whose it is.
    login_url: str = ""

    @property
    def may_send(self) -> bool:
        """Whether it may send messages of its own accord (客服消息)."""
        return self.kind != "unverified"

    @property
    def may_notify(self) -> bool:
        """Whether it may send notices at any time."""
        return self.kind == "service" and bool(self.notice)

    @property
    def may_log_in(self) -> bool:
        """Whether WeChat tells whose browser opens a page of ours (网页授权)."""
        return self.kind == "service" and bool(self.secret)

    def codec(self) -> Codec:
        """Checks and opens what is posted for this account.

        Raises:
            ValueError: a key is missing or has another shape.
        """
        crypt = Crypt(self.aes_keys, self.app_id) if self.aes_keys else None
        return Codec(token=self.token, mode=self.mode, crypt=crypt)
