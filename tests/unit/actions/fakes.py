"""A resident before the actions: what Rasa would keep between messages, and services without a network."""

import asyncio
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.petition import CancelPetition, ReadPetition, SubmitPetition
from actions.server import ACTIONS
from actions.ticket import ReadReference, ShowTicket
from jurisdiction import load_jurisdiction
from knowledge import Context, Reply
from language.danger import find_danger, is_harmless
from petitions import Keyring, triage
from tests.unit.channels.fakes import ANSWER, KEYRING, NOW, own_sessions

CITATION = ANSWER["citations"][0]
KNOWN = "招聘会"
OFFER = {"title": "登记成咨询", "text": "帮我登记一个咨询"}
ASKS_BACK = Reply("clarify", "您问的是哪一项？")


@cache
def places():
    return load_jurisdiction()


@dataclass
class FakeKnowledge:
    """Knows one thing, and remembers the contexts that it was given."""

    contexts: list[Context | None] = field(default_factory=list)

    def answer(self, text: str, context: Context | None) -> Reply:
        self.contexts.append(context)
        about = Context(text, (text,), (), None)
        if KNOWN in text:
            fields = {name: ANSWER[name] for name in ("text", "citations", "facts", "buttons")}
            return Reply("answer", **fields, context=about)
        return ASKS_BACK if text == "那个呢" else Reply("no_answer", "报告里没有写。", buttons=[OFFER], context=about)


@dataclass
class FakeServices:
    jurisdiction: Any = field(default_factory=places)
    knowledge: FakeKnowledge | None = field(default_factory=FakeKnowledge)
    sessions: Any = field(default_factory=own_sessions)
    secret: bytes = b"a secret of thirty-two bytes long"
    unanswered: list[tuple[str, str]] = field(default_factory=list)
    keyring: Keyring = KEYRING

    def clock(self):
        return NOW

    def triage(self, text):
        return triage(text, self.jurisdiction)

    def is_harmless(self, text):
        return is_harmless(text, self.jurisdiction)

    def note_unanswered(self, text, kind):
        self.unanswered.append((text, kind))

    def find_danger(self, text):
        return find_danger(text, self.jurisdiction)


BY_NAME = {action.called: action for action in ACTIONS}


class Resident:
    """Sends messages to single actions or to a form, and keeps slots and events as Rasa does."""

    def __init__(self, services: FakeServices | None = None, sender: str = "resident", **slots: Any) -> None:
        self.services = services or FakeServices()
        self.sender = sender
        self.slots: dict[str, Any] = slots
        self.events: list[dict[str, Any]] = []
        self.message: dict[str, Any] = {}

    def types(self, text: str, intent: str = "inform_detail", confidence: float = 0.9) -> None:
        """The resident's message reaches Rasa; nothing has been done about it yet."""
        self.message = {"text": text, "intent": {"name": intent, "confidence": confidence}}
        self.events += [{"event": "action", "name": "action_listen"}, {"event": "user", "text": text}]

    def run(self, action: type) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What an action says, and the events that it returns."""
        dispatcher = CollectingDispatcher()
        tracker = Tracker(self.sender, self.slots, self.message, self.events, False, None, {}, "action_listen")
        events = asyncio.run(action(self.services).run(dispatcher, tracker, {}))
        self.slots |= {event["name"]: event["value"] for event in events if event["event"] == "slot"}
        messages = [message["custom"] for message in dispatcher.messages]
        self.events.append({"event": "action", "name": action.called})
        self.events += [{"event": "bot", "data": {"custom": message}} for message in messages]
        return messages, events

    def asks(self, action: type, text: str, intent: str = "ask_knowledge") -> list[dict[str, Any]]:
        """A message that goes straight to one action."""
        self.types(text, intent)
        return self.run(action)[0]

    def tells(self, text: str, intent: str = "inform_detail", confidence: float = 0.9) -> list[dict[str, Any]] | None:
        """A message to the petition form; None when the form hands it back to the rules."""
        self.types(text, intent, confidence)
        return self._form(ReadPetition, SubmitPetition)

    def inquires(self, text: str, intent: str = "track_ticket") -> list[dict[str, Any]] | None:
        """A message to the ticket form; None when the form hands it back to the rules."""
        self.types(text, intent)
        return self._form(ReadReference, ShowTicket)

    def _form(self, reads: type, ends: type) -> list[dict[str, Any]] | None:
        messages, events = self.run(reads)
        if not events:
            return None
        wanted = self.slots["requested_slot"]
        return messages + self.run(BY_NAME[f"action_ask_{wanted}"] if wanted else ends)[0]

    def cancels(self) -> list[dict[str, Any]]:
        return self.asks(CancelPetition, "不登记了", "cancel_petition")


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["kind"] for message in messages]


def filed_by(services: FakeServices, sender: str = "resident") -> dict[str, Any]:
    """The ticket message of a petition that a resident has filed."""
    resident = Resident(services, sender)
    resident.tells("白花洞路口的井盖松了,一过车就响,希望修好", "file_petition")
    resident.tells("上周开始")
    resident.tells("我叫李强,13800138000")
    return resident.tells("确认提交")[-1]
