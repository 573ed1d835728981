"""Progress of a ticket, for whoever holds its number and code or filed it in this conversation."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from sqlalchemy.orm import Session

from actions.base import (
    SURE,
    Ask,
    Event,
    ServiceAction,
    actions_since_message,
    due_words,
    intent_of,
    say,
    text_of,
    texts,
    unit_words,
)
from actions.danger import say_crisis
from petitions import (
    Petition,
    PetitionError,
    find_own_ticket,
    find_ticket,
    joined_label,
    parse_reference,
    state_label,
    ticket_of,
    whole_of,
)

FORM = "ticket_form"
_STAYING_INTENTS = frozenset({"track_ticket", "inform_detail", "repeat", "ask_reason"})
_TRIES = 3


class ReadReference(ServiceAction):
    """Reads ticket number and query code, or hands the message to the rules."""

    called = f"validate_{FORM}"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:  # noqa: ARG002
        """Number and code as far as they are known, and what to ask next."""
        if set(actions_since_message(tracker)) - {FORM, "action_listen", "action_extract_slots"}:
            return []
        is_first = tracker.get_slot("ticket_tries") is None
        reference = parse_reference(text_of(tracker))
        number = reference.number or (None if is_first else tracker.get_slot("ticket_number"))
        code = reference.code or (None if is_first else tracker.get_slot("ticket_code"))
        is_given = reference.number is not None or reference.code is not None
        if not is_first and not is_given and intent_of(tracker)[0] not in _STAYING_INTENTS:
            return []
        tries = 0 if is_given else int(tracker.get_slot("ticket_tries") or 0) + 1
        missing = None if number and code else "ticket_code" if number else "ticket_number"
        is_own = not is_given and is_first and self._own(tracker)
        return [
            SlotSet("ticket_number", number),
            SlotSet("ticket_code", code),
            SlotSet("ticket_tries", tries),
            SlotSet("requested_slot", None if is_own or tries >= _TRIES else missing),
        ]

    def _own(self, tracker: Tracker) -> bool:
        with self.services.sessions() as session:
            return find_own_ticket(session, tracker.sender_id) is not None


class AskNumber(Ask):
    """Asks for number and code."""

    called = "action_ask_ticket_number"
    sentence = "ticket_number"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Ask; whoever is at risk and is not surely asking for a ticket gets company instead."""
        if tracker.get_slot("in_crisis") and intent_of(tracker)[1] < SURE:
            say_crisis(dispatcher, self.services)
            return []
        return super().act(dispatcher, tracker)


class AskCode(Ask):
    """Asks for the code that belongs to the number."""

    called = "action_ask_ticket_code"
    sentence = "ticket_code"


class ShowTicket(ServiceAction):
    """Says how far a ticket is; a wrong code tells no more than an unknown number."""

    called = "action_show_ticket"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Say it, or that there is no such ticket."""
        reference = parse_reference(text_of(tracker))
        number = reference.number or tracker.get_slot("ticket_number")
        code = reference.code or tracker.get_slot("ticket_code")
        is_named = bool(number or code)
        with self.services.sessions() as session:
            petition = self._named(session, number, code) if is_named else find_own_ticket(session, tracker.sender_id)
            ticket = ticket_of(petition) if petition else None
            whole = whole_of(session, petition) if petition else None
        if ticket is None:
            sentence = texts()["ticket_not_found"] if is_named else texts()["ask"]["ticket_number"]
            say(dispatcher, "notice", sentence)
        else:
            say(dispatcher, "ticket_status", _progress(ticket, whole), ticket=ticket)
        return [SlotSet(slot, None) for slot in ("ticket_number", "ticket_code", "ticket_tries")]

    def _named(self, session: Session, number: str | None, code: str | None) -> Petition | None:
        try:
            services = self.services
            return find_ticket(session, number or "", code or "", secret=services.secret)
        except PetitionError:
            return None


def _progress(ticket: dict[str, Any], whole: Petition | None) -> str:
    said = {"number": ticket["number"], "state": state_label(ticket["state"]), "unit": unit_words(ticket)}
    own = str(texts()["ticket"]).format(**said, due=due_words(ticket["due"]))
    return own + str(texts()["ticket_joined"]).format(label=joined_label(whole.state)) if whole else own
