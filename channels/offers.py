"""Buttons as offers: the page sends which one was pressed, and the server looks up what it had offered there."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy.orm import Session

from channels import store
from channels.errors import ChannelError
from channels.texts import load_texts

_ID = re.compile(r"(?P<number>[1-9]\d{0,8})\.(?P<index>\d{1,2})\.(?P<mark>[0-9a-f]{16})")
_EXAMPLE = re.compile(r"example\.(?P<index>\d{1,2})")

Offer = dict[str, str]


class Offers:
    """Names the buttons of a conversation, each by a mark that no other conversation can make."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"channels.offer", sha256)

    def of(self, conversation: str, number: int, buttons: Sequence[Mapping[str, str]]) -> list[Offer]:
        """The buttons of the message of that number, as the page shows them: `id`, `title`, `text`."""
        return [
            {"id": self._id(conversation, number, index), "title": button["title"], "text": button["text"]}
            for index, button in enumerate(buttons)
        ]

    def text_of(self, session: Session, conversation: str | None, offer: str, message_id: str) -> str:
        """What pressing a button says.

        Args:
            session: Open.
            conversation: In which it was pressed; None where there is none yet.
            offer: Its `id`.
            message_id: The client's own id of the press: the same press again says the same.

        Raises:
            ChannelError: nothing of that id was offered in this conversation, or something was said since.
        """
        if example := _EXAMPLE.fullmatch(offer):
            return _chosen(load_texts()["examples"], example)
        found = _ID.fullmatch(offer)
        if found is None or conversation is None:
            raise ChannelError("offer_gone")
        number, index = int(found["number"]), int(found["index"])
        if not hmac.compare_digest(self._id(conversation, number, index), offer):
            raise ChannelError("offer_gone")
        if pressed := store.find_said(session, conversation, message_id):
            return str(pressed.payload["text"])
        message = store.find_open(session, conversation, number)
        if message is None:
            raise ChannelError("offer_gone")
        return _chosen(message.payload.get("buttons", ()), found)

    def _id(self, conversation: str, number: int, index: int) -> str:
        named = f"{number}.{index}"
        return f"{named}.{hmac.digest(self._key, f'{conversation}.{named}'.encode(), sha256).hex()[:16]}"


def examples() -> list[Offer]:
    """What a resident may ask, offered before anything was said."""
    return [{"id": f"example.{index}", **example} for index, example in enumerate(load_texts()["examples"])]


def _chosen(buttons: Sequence[Mapping[str, str]], found: re.Match[str]) -> str:
    index = int(found["index"])
    if index >= len(buttons):
        raise ChannelError("offer_gone")
    return str(buttons[index]["text"])
