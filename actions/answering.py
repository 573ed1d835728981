"""Questions: answered with their source, or honestly not."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.base import Event, ServiceAction, intent_of, say, say_outside, text_of, texts
from actions.danger import say_crisis
from knowledge import Context, paused
from petitions import matter_beside


class Answer(ServiceAction):
    """Answers from the knowledge base."""

    called = "action_answer"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Answer, refuse or ask back; remembers the question for those that lean on it."""
        kept: dict[str, Any] = tracker.get_slot("knowledge_context") or {}
        if intent_of(tracker)[0] == "ask_source" and kept:
            _say_source(dispatcher, kept.get("citation"))
            return []
        text, knowledge = text_of(tracker), self.services.knowledge
        reply = knowledge.answer(text, Context.from_json(kept.get("context"))) if knowledge else paused()
        if reply.kind != "answer":
            if tracker.get_slot("in_crisis"):
                say_crisis(dispatcher, self.services)
                return []
            location = self.services.jurisdiction.locate(text)
            if location.status == "outside":
                say_outside(dispatcher, self.services, location)
                return []
            if not reply.is_paused:
                self.services.note_unanswered(text, reply.kind)
        # The channel keeps the chance for reviewers and shows it to nobody else.
        dispatcher.utter_message(json_message=reply.to_json() | {"chance": reply.chance})
        beside = None if tracker.get_slot("petition_key") else matter_beside(text)
        if beside:
            words = texts()["matter_beside"].format(matter=beside)
            say(dispatcher, "clarify", words, buttons=texts()["matter_beside_buttons"])
        remembered = {
            "context": reply.context.to_json() if reply.context else kept.get("context"),
            "citation": reply.citations[0] if reply.kind == "answer" else None,
            "unanswered": beside or (text if reply.kind == "no_answer" else None),
        }
        return [SlotSet("knowledge_context", remembered)]


class Repeat(ServiceAction):
    """Says the last message again."""

    called = "action_repeat"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Say it again, or that there is none."""
        said = [
            event["data"]["custom"]
            for event in tracker.events
            if event.get("event") == "bot" and event["data"].get("custom")
        ]
        # A number and code are shown once; whoever asks again has the transcript.
        last = next((message for message in reversed(said) if message["kind"] != "ticket"), None)
        if last:
            dispatcher.utter_message(json_message={name: value for name, value in last.items() if name != "chance"})
        else:
            say(dispatcher, "clarify", texts()["again"])
        return []


class Explain(ServiceAction):
    """Says why a detail is asked for and what happens next."""

    called = "action_explain"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Explain what was asked last."""
        reasons = texts()["explain"]
        say(dispatcher, "notice", reasons.get(tracker.get_slot("requested_slot"), reasons["default"]))
        return []


def _say_source(dispatcher: CollectingDispatcher, citation: dict[str, Any] | None) -> None:
    if citation is None:
        say(dispatcher, "clarify", texts()["source_none"])
    else:
        say(dispatcher, "answer", texts()["source"].format(**citation), citations=[citation])
