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
from rasa.shared.core.events import ActionExecuted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.conversations import ADDRESS, KEPT_SECONDS, KEY, SealedConversations, SealedTrackerStore

DOMAIN = {
    "intents": ["file_petition"],
    "slots": {"petition_draft": {"type": "any", "mappings": [{"type": "custom"}]}},
    "session_config": {"session_expiration_time": 60, "carry_over_slots_to_new_session": True},
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
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.load(sys.stdin), sys.argv[1])), ensure_ascii=False))  # noqa: T201 - read by the test
