"""Residents who talk and file petitions all the while, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy import select

from channels.store import RESIDENT, ChatMessage
from channels.tokens import Tokens
from channels.waiting import LEASE, count_waiting
from petitions.model import Petition
from suqiutong.settings import Settings
from suqiutong.wiring import Services

WORDS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("words.yml").read_text(encoding="utf-8"))
# A page gives up sooner; a trial must tell a message that is late from one that is lost.
GIVE_UP_SECONDS = 90
PAUSE_SECONDS = 0.5
REPEATS = 3
AGAIN = {httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT}


@dataclass
class Sent:
    """One message: when, how often it was sent under its id, and the kinds of what was answered; none: it was lost."""

    message_id: str
    begun: float
    attempts: int = 0
    seconds: float = 0.0
    kinds: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass
class Talk:
    """One conversation: its session, what was sent in it, and the numbers of the petitions that it filed."""

    session: str | None = None
    sent: list[Sent] = field(default_factory=list)
    filed: list[str] = field(default_factory=list)
    codes: int = 0


class Residents:
    """So many at once, each a message after the other; a message that failed is sent again under its id."""

    def __init__(self, door: str, count: int) -> None:
        self._door = door
        self._count = count
        self._random = random.Random(7)
        self._numbers = itertools.count(1)
        self.talks: list[Talk] = []
        self.is_over = False

    async def run(self) -> None:
        """Talk until it is over; every conversation begun is ended."""
        limits = httpx.Limits(max_connections=self._count)
        # The certificate was made by hand for this trial.
        async with httpx.AsyncClient(verify=False, trust_env=False, limits=limits, timeout=30) as client:  # noqa: S501
            await asyncio.gather(*(self._talk_on(client) for _ in range(self._count)))

    @property
    def sent(self) -> list[Sent]:
        """All messages so far."""
        return [one for talk in self.talks for one in talk.sent]

    async def _talk_on(self, client: httpx.AsyncClient) -> None:
        while not self.is_over:
            talk = Talk()
            self.talks.append(talk)
            for text in self._texts():
                await self._say(client, talk, text)
            # So the notice asks for that tells that a petition was not stored.
            for text in (WORDS["again"], WORDS["confirm"]) * REPEATS:
                if talk.filed or ("notice" not in talk.sent[-1].kinds and text == WORDS["again"]):
                    break
                await self._say(client, talk, text)

    def _texts(self) -> Iterator[str]:
        yield from self._random.sample(WORDS["questions"], 3)
        number = next(self._numbers)
        place, matter = self._random.choice(WORDS["places"]), self._random.choice(WORDS["matters"])
        yield matter.format(place=f"{place}{number}栋{number % 29 + 1}楼")
        yield WORDS["contact"].format(number=number)
        yield WORDS["confirm"]

    async def _say(self, client: httpx.AsyncClient, talk: Talk, text: str) -> None:
        one = Sent(secrets.token_hex(8), time.monotonic())
        talk.sent.append(one)
        while time.monotonic() - one.begun < GIVE_UP_SECONDS:
            one.attempts += 1
            body = {"text": text, "session": talk.session, "message_id": one.message_id}
            try:
                reply = await client.post(f"{self._door}/api/chat", json=body)
            except httpx.HTTPError as error:
                one.refused.append(type(error).__name__)
            else:
                if reply.status_code == httpx.codes.OK:
                    self._hear(talk, one, reply.json())
                    return
                one.refused.append(str(reply.status_code))
                if reply.status_code not in AGAIN:
                    return
                if "session" in reply.text:
                    talk.session = reply.json().get("session", talk.session)
            await asyncio.sleep(PAUSE_SECONDS)

    def _hear(self, talk: Talk, one: Sent, reply: dict[str, Any]) -> None:
        one.seconds = time.monotonic() - one.begun
        talk.session = reply["session"]
        one.kinds = [message["kind"] for message in reply["messages"]]
        for message in reply["messages"]:
            if message["kind"] == "ticket":
                talk.filed.append(message["ticket"]["number"])
                talk.codes += "查询码：" in message["text"]


def wait_until_stored(settings: Settings) -> None:
    """Wait for what was said but could not be stored at once: whoever failed to has the length of a lease."""
    services = Services(settings)
    ends_at = time.monotonic() + 2 * LEASE.total_seconds()
    while time.monotonic() < ends_at:
        with services.sessions() as session:
            if not count_waiting(session):
                break
        time.sleep(1)
    services.engine.dispose()


def check_all(talks: list[Talk], settings: Settings) -> dict[str, int]:
    """What is wrong with what was stored, counted; all zeros when nothing is.

    Args:
        talks: All that was said.
        settings: Of the product that stored it.
    """
    services = Services(settings)
    tokens = Tokens(services.secret, "conversation", hours=settings.session_hours)
    wrong = {"lost": 0, "missing": 0, "double": 0, "holes": 0, "other answer": 0, "petitions": 0, "codes": 0}
    with services.sessions() as session:
        filed: dict[str, list[str]] = {}
        for conversation, number in session.execute(select(Petition.conversation, Petition.number)):
            filed.setdefault(str(conversation), []).append(str(number))
        for talk in talks:
            wrong["lost"] += sum(not one.kinds for one in talk.sent)
            conversation = str(tokens.read(talk.session))
            mine = ChatMessage.conversation == conversation
            rows = session.scalars(select(ChatMessage).where(mine).order_by(ChatMessage.number)).all()
            wrong["holes"] += [row.number for row in rows] != list(range(1, len(rows) + 1))
            said = [row for row in rows if row.kind == RESIDENT]
            wrong["missing"] += len({one.message_id for one in talk.sent} - {row.message_id for row in said})
            wrong["double"] += len(said) - len({row.message_id for row in said})
            numbers = {row.message_id: row.number for row in said}
            for one in talk.sent:
                number = numbers.get(one.message_id)
                # What is told later, such as a receipt, has an id of its own.
                stored = [row.kind for row in rows if row.answers == number and row.message_id is None]
                if one.kinds and stored != one.kinds:
                    wrong["other answer"] += 1
                    tell(conversation, f"told {one.kinds}, stored {stored}, refused {one.refused}")
            # A call that nobody takes, as in the evening, becomes a petition, of which the resident is told later.
            calls = [row.payload["ticket"]["number"] for row in rows if row.payload.get("handover") is not None]
            own, told = filed.pop(conversation, []), talk.filed + calls
            if sorted(own) != sorted(told):
                wrong["petitions"] += 1
                tell(conversation, f"filed {own}, told {told}: {[(one.kinds, one.refused) for one in talk.sent]}")
            wrong["codes"] += talk.codes != len(talk.filed)
        wrong["petitions"] += len(filed)
    services.engine.dispose()
    return wrong


def tell(conversation: str, line: str) -> None:
    """Say what is wrong with a conversation; the logs have its id."""
    print(f"conversation {conversation}: {line}", file=sys.stderr)
