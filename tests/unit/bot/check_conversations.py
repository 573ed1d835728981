"""Runs in the environment of the bot, which has no pytest: keeps a conversation, opens the file anew, and prints what
is found as JSON.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.conversations import FILE, KEPT_SECONDS, KEY, SealedConversations, SealedTrackerStore

DOMAIN = {
    "intents": ["file_petition"],
    "slots": {"petition_draft": {"type": "any", "mappings": [{"type": "custom"}]}},
    "session_config": {"session_expiration_time": 60, "carry_over_slots_to_new_session": True},
}


async def main(words):
    domain = Domain.from_dict(DOMAIN)
    folder = Path(tempfile.mkdtemp())
    in_memory = SealedTrackerStore(domain)
    os.environ[FILE], os.environ[KEY] = str(folder / "conversations.db"), Fernet.generate_key().decode()
    tracker = DialogueStateTracker.from_events(
        "talk",
        [ActionExecuted("action_listen"), UserUttered(words), SlotSet("petition_draft", {"matter": words})],
        domain.slots,
    )
    await SealedTrackerStore(domain).save(tracker)
    anew = SealedTrackerStore(domain)
    found = await anew.retrieve("talk")
    raw = b"".join(path.read_bytes() for path in folder.iterdir())
    now = [0.0]
    kept = SealedConversations(folder / "old.db", Fernet.generate_key(), lambda: now[0])
    kept["old"] = "words"
    now[0] = KEPT_SECONDS + 1
    left = SealedConversations(folder / "old.db", Fernet.generate_key(), lambda: now[0])
    left["new"] = "words"
    return {
        "memory": type(in_memory.store).__name__,
        "draft": found.get_slot("petition_draft"),
        "said": found.latest_message.text,
        "unknown": await anew.retrieve("nobody"),
        "keys": list(await anew.keys()),
        "is_sealed": words.encode() not in raw and json.dumps(words).encode() not in raw,
        "mode": oct((folder / "conversations.db").stat().st_mode & 0o777),
        "after_a_while": list(left),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.load(sys.stdin))), ensure_ascii=False))  # noqa: T201 - read by the test
