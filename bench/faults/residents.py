"""Residents who talk and file petitions whatever happens, and remember all that they were told."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import httpx
import yaml

TEXTS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("texts.yml").read_text(encoding="utf-8"))
CODE = re.compile(r"查询码[：:]\s*([A-Z0-9]{4}-[A-Z0-9]{4})")
PAUSE_SECONDS = 0.4
RETRY_SECONDS = 1.5
# As long as the page of a browser waits.
REPLY_SECONDS = 40.0
TURNS = 14

Ending = Literal["filed", "handed_over", "astray", "unanswered", "open"]


@dataclass
class Talk:
    """One conversation.

    Attributes:
        begun_at: Monotonic seconds.
        session: The last session that the product gave.
        said: How many messages were answered.
        is_confirmed: Whether the resident has told the product to file the petition.
        number: Of the petition, once it was told.
        code: Its query code.
        ending: How it ended.
        seen: What was said and replied, for whoever looks into a failure.
    """

    begun_at: float = field(default_factory=time.monotonic)
    session: str | None = None
    said: int = 0
    is_confirmed: bool = False
    number: str | None = None
    code: str | None = None
    ending: Ending = "open"
    seen: list[tuple[str, str]] = field(default_factory=list)


class Residents:
    """So many residents who talk at once, each one conversation after the other."""

    def __init__(self, url: str, count: int, *, patience_seconds: float) -> None:
        """Nobody talks before `begin`.

        Args:
            url: Of the web process.
            count: How many talk at once.
            patience_seconds: How long each repeats a message that is not answered.
        """
        self.talks: list[Talk] = []
        self.outcomes: Counter[str] = Counter()
        self._url = url
        self._count = count
        self._patience_seconds = patience_seconds
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Begin to talk."""
        self._is_over.clear()
        self._threads = [threading.Thread(target=self._live, args=(i,), daemon=True) for i in range(self._count)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let everybody end the conversation in which they are."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def open_talks(self) -> list[Talk]:
        """The conversations under way in which something was answered already."""
        return [talk for talk in self.talks if talk.ending == "open" and talk.said]

    def _live(self, index: int) -> None:
        number = index
        with httpx.Client(base_url=self._url, timeout=REPLY_SECONDS, trust_env=False) as client:
            while not self._is_over.is_set():
                talk = Talk()
                self.talks.append(talk)
                talk.ending = self._converse(client, talk, number)
                number += self._count

    def _converse(self, client: httpx.Client, talk: Talk, number: int) -> Ending:
        """Ask one question and file one petition."""
        self._say(client, talk, TEXTS["question"])
        text = last_text = _one_of(TEXTS["matters"], number)
        for _ in range(TURNS):
            talk.is_confirmed |= text == TEXTS["confirm"]
            messages = self._say(client, talk, text)
            if messages is None:
                return "unanswered"
            for message in messages:
                if message["kind"] == "ticket":
                    code = CODE.search(message["text"])
                    talk.number, talk.code = message["ticket"]["number"], code[1] if code else None
                    return "filed"
            if messages[-1]["kind"] == "handoff":
                return "handed_over"
            text, last_text = _next(messages[-1], last_text, number), text
            time.sleep(PAUSE_SECONDS)
        return "astray"

    def _say(self, client: httpx.Client, talk: Talk, text: str) -> list[dict[str, Any]] | None:
        """What is replied to a message, which is sent again with its id until it is answered; None when it never is."""
        message_id, ends_at = uuid4().hex, time.monotonic() + self._patience_seconds
        while time.monotonic() < ends_at:
            try:
                reply = client.post("/api/chat", json={"text": text, "message_id": message_id, "session": talk.session})
                body = reply.json()
            except (httpx.HTTPError, ValueError):
                self.outcomes["cut off"] += 1
            else:
                talk.session = body.get("session", talk.session)
                if reply.status_code == httpx.codes.OK:
                    self.outcomes["answered"] += 1
                    talk.said += 1
                    talk.seen.append(
                        (text, " / ".join(f"{one['kind']}: {one['text'][:40]}" for one in body["messages"]))
                    )
                    # An empty list: a person has the conversation.
                    return list(body["messages"]) or [{"kind": "handoff", "text": ""}]
                self.outcomes[body["error"]["code"]] += 1
            time.sleep(RETRY_SECONDS)
        return None


def _one_of(values: Sequence[str], number: int) -> str:
    return values[number % len(values)]


def _next(message: dict[str, Any], last_text: str, number: int) -> str:
    """What a resident says to a message of the assistant."""
    if message["kind"] == "confirm":
        return str(TEXTS["confirm"])
    reply = next((reply for words, reply in TEXTS["replies"].items() if words in message["text"]), TEXTS["otherwise"])
    named = {"last": last_text, "contact": _one_of(TEXTS["contacts"], number)}
    return named.get(reply, reply)
