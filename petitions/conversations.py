"""The names of conversations. The product alone makes them, and they tell through which door a conversation came."""

from __future__ import annotations

import re
import secrets

CHAT, WECHAT = "chat", "wechat"
# The page's names are shorter and have no such beginning.
_WECHAT = re.compile(rf"{WECHAT}-[0-9a-f]{{32}}")


def new_wechat_conversation() -> str:
    """A name for a conversation on WeChat that nothing tells of whom it is."""
    return f"{WECHAT}-{secrets.token_hex(16)}"


def channel_of(conversation: str) -> str:
    """The channel of what is filed in a conversation."""
    return WECHAT if _WECHAT.fullmatch(conversation) else CHAT
