"""The one action of the stock assistant: it says one sentence, whatever was asked."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher


class Say(Action):
    """Says the sentence."""

    def name(self) -> str:
        """Its name in the domain."""
        return "action_say"

    async def run(
        self,
        dispatcher: CollectingDispatcher,
        _tracker: Tracker,
        _domain: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """One fixed sentence, and no event."""
        dispatcher.utter_message(text="您的问题已经收到，工作人员会尽快答复。")
        return []
