"""What WeChat posts, as what the assistant gets of it.

Source: developers.weixin.qq.com, 接收普通消息 and 接收事件推送; the fields are those of `codec.parse_xml`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from channels.wechat.codec import CodecError


@dataclass(frozen=True, slots=True)
class Say:
    """Words for the assistant: typed, recognised from speech, the name of a place, or those of a menu key."""

    text: str


@dataclass(frozen=True, slots=True)
class Hint:
    """Answered with a fixed sentence, by its name below `wechat.hints` in `texts.yml`."""

    name: str


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo for the petition, under the name that WeChat gives it for three days."""

    media_id: str


@dataclass(frozen=True, slots=True)
class Forget:
    """The resident has unfollowed the account or withdrawn their consent: what is kept of them must go."""


@dataclass(frozen=True, slots=True)
class NoticeResult:
    """What became of a notice that was sent before: `ok`, `block`, `system` or another word of WeChat's."""

    message_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Ignore:
    """Needs no answer; `is_known` is False for kinds that WeChat has added since."""

    is_known: bool = True


Meaning = Say | Hint | Photo | Forget | NoticeResult | Ignore
Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message or event.

    `key` is the same for every repetition and for nothing else. `is_written` tells what a resident wrote from what they
    touched: WeChat allows more messages after the first. `meaning` is what the assistant gets.
    """

    key: str
    openid: str
    account: str
    kind: str
    is_written: bool
    meaning: Meaning


def read_message(fields: Fields, menu: Mapping[str, str]) -> Inbound:
    """The message in these fields.

    Args:
        fields: From `codec.parse_xml`.
        menu: What is said for a menu key.

    Raises:
        CodecError: `xml` when sender, account or kind is missing, or the moment is none.
    """
    openid, account, kind = (fields.get(name, "") for name in ("FromUserName", "ToUserName", "MsgType"))
    created = fields.get("CreateTime", "")
    if not (openid and account and kind) or not (created.isascii() and created.isdecimal()):
        raise CodecError("xml")
    if kind == "event":
        event = fields.get("Event", "")
        parts = [openid, created, event, fields.get("EventKey", ""), fields.get("MsgID", "")]
        return Inbound(
            _key(account, *parts), openid, account, f"event.{event}"[:40], False, _event(event, fields, menu)
        )
    identity = [fields["MsgId"]] if fields.get("MsgId") else [openid, created, kind]
    return Inbound(_key(account, *identity), openid, account, kind[:40], True, _MESSAGES.get(kind, _unknown)(fields))


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _unknown(_fields: Fields) -> Meaning:
    return Ignore(is_known=False)


def _text(fields: Fields) -> Meaning:
    return Say(fields.get("Content", ""))


def _voice(fields: Fields) -> Meaning:
    # Empty for most accounts: WeChat has ended speech recognition step by step since 2023.
    recognised = fields.get("Recognition", "").strip()
    return Say(recognised) if recognised else Hint("voice")


def _image(fields: Fields) -> Meaning:
    media_id = fields.get("MediaId", "")
    return Photo(media_id) if media_id else Hint("image")


def _location(fields: Fields) -> Meaning:
    label = fields.get("Label", "").strip()
    return Say(label) if label else Hint("location")


def _link(fields: Fields) -> Meaning:
    words = [fields.get(name, "").strip() for name in ("Title", "Description")]
    said = "\n".join(word for word in words if word)
    return Say(said) if said else Hint("link")


_MESSAGES: Mapping[str, Callable[[Fields], Meaning]] = {
    "text": _text,
    "voice": _voice,
    "image": _image,
    "video": lambda _fields: Hint("video"),
    "shortvideo": lambda _fields: Hint("video"),
    "location": _location,
    "link": _link,
    "file": lambda _fields: Hint("file"),
}
# What was scanned, photographed or chosen arrives as a message of its own; a page that opens needs no answer.
_SILENT = frozenset(
    {
        *("VIEW", "view_miniprogram", "LOCATION", "scancode_push", "scancode_waitmsg"),
        *("pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select"),
        *("subscribe_msg_popup_event", "subscribe_msg_change_event", "MASSSENDJOBFINISH", "user_info_modified"),
    }
)
_GONE = frozenset({"unsubscribe", "user_authorization_revoke", "user_authorization_cancellation"})


def _event(event: str, fields: Fields, menu: Mapping[str, str]) -> Meaning:
    if event == "CLICK":
        said = menu.get(fields.get("EventKey", ""))
        return Say(said) if said else Ignore(is_known=False)
    if event in {"subscribe", "SCAN"}:
        return Hint(event.lower())
    if event in _GONE:
        return Forget()
    if event == "TEMPLATESENDJOBFINISH":
        # `failed:user block`, `failed: system failed`
        words = fields.get("Status", "").removeprefix("failed:").split()
        status = "ok" if words == ["success"] else (words or ["unknown"])[-1]
        return NoticeResult(fields.get("MsgID", ""), {"failed": "system"}.get(status, status)[:20])
    if event == "subscribe_msg_sent_event":
        # Of several notices in one event the first is read: we send one at a time.
        code = fields.get("SubscribeMsgSentEvent.ErrorCode", "")
        return NoticeResult("", "ok" if code == "0" else code[:20] or "unknown")
    return Ignore(is_known=event in _SILENT)
