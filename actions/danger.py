"""Danger and despair: the resident's safety before anything else."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.base import Event, ServiceAction, Services, say, text_of, texts


class Emergency(ServiceAction):
    """Advice for a danger that the lexicon at the door did not know but understanding did."""

    called = "action_emergency"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Give advice and numbers; keeps the words for a petition that may follow."""
        told = tracker.get_slot("danger_text") or text_of(tracker)
        if danger := self.services.find_danger(told):
            say(dispatcher, danger.kind, danger.advice)
        elif self.services.is_harmless(told):
            say(dispatcher, "clarify", texts()["danger_past"], buttons=texts()["danger_past_buttons"])
        else:
            say(dispatcher, "emergency", texts()["emergency_general"].format(phones=numbers(self.services)))
        return [SlotSet("danger_text", told)]


class Crisis(ServiceAction):
    """Company and numbers for a person at risk."""

    called = "action_crisis"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Give company and numbers, and remember the state the person is in."""
        danger = self.services.find_danger(tracker.get_slot("danger_text") or text_of(tracker))
        if danger is not None and danger.kind == "crisis":
            say(dispatcher, "crisis", danger.advice)
        else:
            say_crisis(dispatcher, self.services)
        return [SlotSet("in_crisis", True), SlotSet("danger_text", None)]


def say_crisis(dispatcher: CollectingDispatcher, services: Services) -> None:
    """Stay with a person who is at risk."""
    say(dispatcher, "crisis", texts()["crisis_again"].format(phones=numbers(services)))


def numbers(services: Services) -> dict[str, str]:
    """The phone numbers of the dated table by their id."""
    return {id_: phone.number for id_, phone in services.jurisdiction.phones.items()}
