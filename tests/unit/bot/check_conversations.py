"""Runs in the environment of the bot, which has no pytest: keeps a conversation at the address given, opens it anew,
and prints what is found as JSON.
"""

import asyncio
import json
import os
import sys
import time

from cryptography.fernet import Fernet
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.conversations import ADDRESS, KEPT_SECONDS, KEY, SealedConversations, SealedTrackerStore

DOMAIN = {
    "intents": ["file_petition"],
    "slots": {
        "petition_draft": {"type": "any", "mappings": [{"type": "custom"}]},
        "requested_slot": {"type": "any", "mappings": [{"type": "custom"}]},
    },
    "forms": {"petition_form": {"required_slots": []}},
    "session_config": {"session_expiration_time": 60, "carry_over_slots_to_new_session": True},
}


TURNS = 60


def long_talk(domain):
    """A conversation whose form opens in its first turn; after each turn the store is asked for what it kept."""
    began = [SlotSet("petition_draft", {"matter": "路灯不亮"}), ActiveLoop("petition_form")]
    events = [ActionExecuted("action_listen"), UserUttered("第0句"), ActionExecuted("petition_form"), *began]
    return DialogueStateTracker.from_events("long", events, domain.slots)


async def talk_long(domain):
    store = SealedTrackerStore(domain)
    await store.save(long_talk(domain))
    counts = []
    for turn in range(1, TURNS):
        tracker = await store.retrieve("long")
        asked = [SlotSet("requested_slot", f"slot{turn}")] if turn < 3 else []
        events = [ActionExecuted("action_listen"), UserUttered(f"第{turn}句"), ActionExecuted("petition_form"), *asked]
        tracker.update_with_events(events, domain)
        await store.save(tracker)
        counts.append(len((await store.retrieve("long")).events))
    found = await store.retrieve("long")
    said = [event.text for event in found.events if isinstance(event, UserUttered)]
    return {
        "most_events": max(counts),
        "said": said,
        "draft": found.get_slot("petition_draft"),
        "requested": found.get_slot("requested_slot"),
        "form": found.active_loop_name,
    }


async def main(words, address):
    domain = Domain.from_dict(DOMAIN)
    in_memory = SealedTrackerStore(domain)
    os.environ[ADDRESS], os.environ[KEY] = address, Fernet.generate_key().decode()
    tracker = DialogueStateTracker.from_events(
        "talk",
        [ActionExecuted("action_listen"), UserUttered(words), SlotSet("petition_draft", {"matter": words})],
        domain.slots,
    )
    await SealedTrackerStore(domain).save(tracker)
    anew = SealedTrackerStore(domain)
    found = await anew.retrieve("talk")
    keys = list(await anew.keys())
    now = [time.time() + KEPT_SECONDS / 2]
    kept = SealedConversations(address, os.environ[KEY].encode(), lambda: now[0])
    kept["old"] = "words"
    kept["old"] = "other words"
    both, other = sorted(kept), kept["old"]
    now[0] += KEPT_SECONDS * 2
    left = SealedConversations(address, Fernet.generate_key(), lambda: now[0])
    left["new"] = "words"
    after_a_while = list(left)
    del left["new"]
    return {
        "memory": type(in_memory.store).__name__,
        "draft": found.get_slot("petition_draft"),
        "said": found.latest_message.text,
        "unknown": await anew.retrieve("nobody"),
        "keys": keys,
        "both": both,
        "other": other,
        "after_a_while": after_a_while,
        "deleted": [len(left), "new" in left, left.get("new")],
        "long": await talk_long(domain),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.load(sys.stdin), sys.argv[1])), ensure_ascii=False))  # noqa: T201 - read by the test
