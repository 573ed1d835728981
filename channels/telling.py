"""Word of a petition where its petitioner wrote: on the page below what was said, on WeChat with the next reply."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from channels import store
from channels.rasa import notice
from channels.wechat.store import Box, post
from petitions import channel_of
from petitions.conversations import WECHAT
from storage import begin_writing


def leave_word(session: Session, secret: bytes, conversation: str, text: str, *, now: datetime) -> None:
    """Leave a text in a conversation, if there still is one.

    Args:
        session: At the start of a transaction, or in one that writes.
        secret: The product's.
        conversation: Identity of the conversation.
        text: What happened.
        now: Aware.
    """
    begin_writing(session)
    if channel_of(conversation) == WECHAT:
        post(session, Box(secret), conversation, [text], now=now)
    elif store.transcript(session, conversation, limit=1):
        store.add_message(session, conversation, notice("notices.told", text=text), now=now)
