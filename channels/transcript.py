"""A conversation as the page shows it: its stored messages, each by its number and as HTML."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from channels import store
from channels.chat import Chat
from channels.handover.filing import with_code
from channels.offers import Offers
from channels.render import Pages
from channels.services import Services
from channels.store import RESIDENT, ChatMessage
from channels.texts import say
from channels.turns import RATED_KINDS
from channels.waiting import waiting_numbers

logger = logging.getLogger(__name__)

ASSISTANT, STAFF = "assistant", "staff"
_LISTS: dict[str, Any] = {"citations": (), "facts": (), "buttons": ()}

# number, author, html, and where there are any: message_id, answers
Shown = dict[str, Any]


def author_of(row: ChatMessage) -> str:
    """Who said it: `resident`, `staff` or `assistant`."""
    if row.kind == RESIDENT:
        return RESIDENT
    return STAFF if STAFF in {row.kind, row.payload.get("author")} else ASSISTANT


class Transcript:
    """Reads conversations for the page."""

    def __init__(self, services: Services, chat: Chat, pages: Pages, offers: Offers) -> None:
        self._services = services
        self._chat = chat
        self._pages = pages
        self._offers = offers

    def after(self, conversation: str | None, number: int = 0) -> list[Shown]:
        """The messages with a number above the given one, in order.

        Args:
            conversation: None gives nothing.
            number: Of the last message that the page has.
        """
        if conversation is None:
            return []
        is_busy = self._chat.is_busy(conversation)
        with self._services.sessions() as session:
            if number and store.last_number(session, conversation) <= number:
                return []
            rows = store.transcript(session, conversation)
            kept = self._chat.late.seen_replies(session, conversation)
            waits = waiting_numbers(session, conversation)
        said = {row.number: row for row in rows if row.kind == RESIDENT}
        replies: dict[int, list[ChatMessage]] = {}
        for row in rows:
            if row.answers is not None:
                replies.setdefault(row.answers, []).append(row)
        last_said = max(said, default=0)
        shown: list[Shown] = []
        for row in rows:
            if row.number <= number:
                continue
            mine = replies.get(row.answers or 0, [])
            context = {
                "message": _LISTS | self._whole(row, mine, kept),
                "author": author_of(row),
                "number": row.number,
                "message_id": row.message_id,
                # Only what was said last may still be answered by a button.
                "offers": self._offers_of(row) if row.number > last_said else [],
                "rated": said.get(row.answers or 0) if row is _rated(mine) else None,
                "is_latest": row.number == last_said,
                "silence": "" if is_busy or row.number not in said or row.number in replies else _silence(row, waits),
            }
            shown.append(
                {
                    "number": row.number,
                    "author": author_of(row),
                    "message_id": row.message_id,
                    "answers": row.answers,
                    "html": self._pages.fragment("message.html", context),
                }
            )
        return shown

    def news(self, conversation: str, number: int, message_id: str) -> tuple[list[Shown], bool]:
        """What was stored after that number, and whether the answer to that message was; a failure tells neither."""
        try:
            with self._services.sessions() as session:
                is_answered = store.is_answered(session, conversation, message_id)
            return self.after(conversation, number), is_answered
        except SQLAlchemyError as error:
            logger.warning("transcript_not_read error=%s", type(error).__name__)
            return [], False

    def text_of_offer(self, conversation: str | None, offer: str, message_id: str) -> str:
        """What pressing a button of this conversation says.

        Raises:
            ChannelError: nothing of that id is offered there any more.
        """
        with self._services.sessions() as session:
            return self._offers.text_of(session, conversation, offer, message_id)

    def loose(self, replies: list[dict[str, Any]]) -> str:
        """Replies that are not stored yet, as HTML; what they offer could not be looked up, so it is left out."""
        return "".join(
            self._pages.fragment("message.html", {"message": reply, "author": ASSISTANT}) for reply in replies
        )

    def _offers_of(self, row: ChatMessage) -> list[dict[str, str]]:
        return self._offers.of(row.conversation, row.number, row.payload.get("buttons", ()))

    def _whole(
        self, row: ChatMessage, replies: list[ChatMessage], kept: Mapping[int, list[dict[str, Any]]]
    ) -> dict[str, Any]:
        """The message as it was sent, while that is known."""
        number = row.answers or 0
        sent = kept.get(number, [])
        # What was said to it later stands below the replies that are kept.
        place = replies.index(row) if row in replies else len(sent)
        return sent[place] if place < len(sent) else with_code(row.payload, self._services.secret)


def _silence(row: ChatMessage, waits: Collection[int]) -> str:
    """What a message is told that has no answer: that a person has it, that it waits, or that it may be said again."""
    if row.payload.get("to") == STAFF:
        return say("handover.with_staff")
    return say("page.waiting") if row.number in waits else say("page.unanswered")


def _rated(replies: list[ChatMessage]) -> ChatMessage | None:
    """The reply below which its resident may say what they think of it."""
    return next((row for row in reversed(replies) if row.kind in RATED_KINDS and author_of(row) == ASSISTANT), None)
