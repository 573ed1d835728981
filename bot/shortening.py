"""Keeping conversations short: Rasa reads, replays and sends a whole conversation with every message of it.

The processor time of a message grew from 100 ms to 770 ms within 500 turns. No policy and no action looks further back
than a few turns, but for what slots and the open form say: these are said again in front of the turns that are kept.
"""

from __future__ import annotations

from typing import List

from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, Event, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

# Memoization looks four turns back. Twice as many are let grow, so that not every message is a reason to shorten.
KEPT_TURNS = 8


def shortened(tracker: DialogueStateTracker, domain: Domain) -> DialogueStateTracker:
    """The conversation from one of its last turns on, with the slots and the form that it began with; or as it is.

    Args:
        tracker: Of the whole conversation; it is not changed.
        domain: Its slots.
    """
    events = list(tracker.events)
    said = [place for place, event in enumerate(events) if isinstance(event, UserUttered)]
    if len(said) <= 2 * KEPT_TURNS:
        return tracker
    kept = events[said[-KEPT_TURNS] :]
    before = DialogueStateTracker.from_events(tracker.sender_id, events[: said[-KEPT_TURNS]], domain.slots)
    return DialogueStateTracker.from_events(
        tracker.sender_id, [*_standing(before, kept[0].timestamp), *kept], domain.slots
    )


def _standing(tracker: DialogueStateTracker, at: float) -> List[Event]:
    """A session that begins where this one stands: its slots, its form, and that the resident is listened to."""
    slots = [SlotSet(name, slot.value, at) for name, slot in tracker.slots.items() if slot.value != slot.initial_value]
    form = [ActiveLoop(tracker.active_loop_name, at)] if tracker.active_loop_name else []
    begin = [ActionExecuted(ACTION_SESSION_START_NAME, timestamp=at), SessionStarted(at)]
    return [*begin, *slots, *form, ActionExecuted(ACTION_LISTEN_NAME, timestamp=at)]
