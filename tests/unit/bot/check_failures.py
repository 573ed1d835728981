"""Runs in the environment of the bot, which has no pytest: a message whose conversation cannot be kept; prints JSON."""

import asyncio
import json

from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.core.processor import MessageProcessor
from rasa.core.tracker_store import InMemoryTrackerStore
from rasa.shared.core.domain import Domain

from bot.server import answer_only_what_is_kept


async def handle(_processor, message):
    await message.output_channel.send_text_message("talk", "已登记")
    if message.text == "fails":
        raise OSError("no room for it")


async def main():
    MessageProcessor.handle_message = handle
    answer_only_what_is_kept()
    store = InMemoryTrackerStore(Domain.empty())
    said, raised = {}, {}
    for text in ("works", "fails"):
        channel = CollectingOutputChannel()
        try:
            await MessageProcessor.handle_message(None, UserMessage(text, channel, "talk"))
        except OSError:
            raised[text] = True
        said[text] = [message["text"] for message in channel.messages]
    return {"said": said, "raised": raised, "is_bare": Agent._create_tracker_store(store, Domain.empty()) is store}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))  # noqa: T201 - read by the test
