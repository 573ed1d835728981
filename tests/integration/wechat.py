"""The WeChat door with a simulated WeChat around it and a stand-in for Rasa behind it, all over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import or_, select
from sqlalchemy.orm import sessionmaker

from channels.chat import Chat
from channels.metrics import Metrics
from channels.rasa import RasaClient
from channels.wechat.account import Account
from channels.wechat.client import make_http
from channels.wechat.door import Door
from channels.wechat.route import make_client, wechat_router
from channels.wechat.rules import own_rules
from channels.wechat.simulator import Simulator, listening
from channels.wechat.store import WeChatInbox, WeChatOutgoing, WeChatPerson
from petitions import Draft, channel_of, file_petition
from tests.conftest import free_ports
from tests.integration.cases import route
from tests.unit.channels.fakes import FakeServices, FakeSettings

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
# The same machine in a second: what is slower than `answer_seconds` comes later.
QUICK = own_rules().model_copy(
    update={"closes_seconds": 2.5, "answer_seconds": 0.8, "last_moment_seconds": 2.0, "hold_seconds": 3.2}
)


def account(kind: str = "subscription", **fields: Any) -> Account:
    given = {
        "app_id": "wxb11529c136998cb6", "token": "spamtest", "aes_keys": (KEY,), "mode": "safe", "kind": kind,
        "secret": "s", "api_url": "", "notice_fields": {"number": "character_string1", "state": "thing2"},
    }  # fmt: skip
    return Account(**given | fields)


@dataclass
class Clocked(FakeServices):
    """The fake services with a real database and a clock that can be put forward."""

    ahead: timedelta = field(default_factory=timedelta)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class SlowRasa:
    """Rasa that answers each message with its words, takes its time over some, and files petitions when told to."""

    def __init__(self, services: Clocked, *, seed: int = 0) -> None:
        self.services = services
        self.received: list[tuple[str, str]] = []
        self.answered = 0
        self.is_down = False
        self.seconds: dict[str, float] = {}
        self.random = random.Random(seed)
        self.slow_share = 0.0
        self.replies: dict[str, list[dict[str, Any]]] = {}
        self.transport = httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        body = json.loads(request.content)
        sender, text = body["sender"], body["message"]
        self.received.append((sender, text))
        number = len(self.received)
        is_slow = self.random.random() < self.slow_share
        await asyncio.sleep(self.seconds.get(text, 1.2 if is_slow else 0.0))
        if text.startswith("登记"):
            # A key of its own each time: a message that came twice would be two petitions.
            await asyncio.to_thread(self._file, sender, f"{sender}-{number}", text)
        self.answered += 1
        items = self.replies.get(text, [{"kind": "smalltalk", "text": f"收到：{text}"}])
        return httpx.Response(200, json=[{"recipient_id": sender, "custom": item} for item in items])

    def _file(self, conversation: str, form_key: str, matter: str) -> None:
        services = self.services
        with services.sessions() as session:
            file_petition(
                session, Draft(matter=matter, is_anonymous=True), route(), form_key=form_key,
                channel=channel_of(conversation), conversation=conversation,
                secret=services.secret, keyring=services.keyring, now=services.clock(), photos_of=conversation,
            )  # fmt: skip
            session.commit()


@dataclass
class World:
    """All of it, while it runs."""

    simulator: Simulator
    rasa: SlowRasa
    services: Clocked
    lines: list[str]

    async def catch_up(self, ahead: timedelta = timedelta()) -> int:
        """What the worker does, so much later, with doors of its own."""
        self.services.ahead += ahead
        services = self.services
        async with make_http(services.wechat.api_url) as http, rasa_http(self.rasa) as behind:
            chat = Chat(services, RasaClient(behind, timeout_seconds=50.0, at_once=4), Metrics())
            door = Door(services, chat, services.wechat, make_client(services, services.wechat, http), rules=QUICK)
            done = await door.catch_up()
            await door.finish()
            await chat.finish()
        return done

    async def ask(self, openid: str, text: str) -> str:
        """What a resident is shown last after writing, at once or later."""
        before = len(self.seen(openid))
        await self.simulator.write(openid, text)
        return (await self.until_seen(openid, before + 1))[-1]

    async def settled(self, seconds: float = 30) -> None:
        """Until every message is answered, and every answer was tried once."""
        async with asyncio.timeout(seconds):
            while not self._is_settled():
                await asyncio.sleep(0.05)

    def _is_settled(self) -> bool:
        unanswered = select(WeChatInbox.id).where(WeChatInbox.answered_at.is_(None))
        undelivered = select(WeChatOutgoing.id).join(WeChatPerson).where(WeChatOutgoing.delivered_at.is_(None))
        tried = select(WeChatOutgoing.person_id).where(
            WeChatOutgoing.delivered_at.is_(None), WeChatOutgoing.attempts > 0
        )
        open_rows = (
            unanswered,
            undelivered.where(WeChatPerson.quota > QUICK.reserve, WeChatPerson.id.not_in(tried)),
            undelivered.where(WeChatOutgoing.taken_until.is_not(None)),
        )
        with self.services.sessions() as session:
            # In one statement: a row that goes on between two would be seen by neither.
            is_open = session.scalar(select(or_(*(rows.exists() for rows in open_rows))))
        return bool(self.rasa.received) and not is_open

    def seen(self, openid: str) -> list[str]:
        """What a resident was shown, in order."""
        return [shown.text for shown in self.simulator.residents[openid].shown]

    async def until_seen(self, openid: str, count: int, seconds: float = 20) -> list[str]:
        """What a resident was shown, once it is so much."""
        async with asyncio.timeout(seconds):
            while len(self.seen(openid)) < count:
                await asyncio.sleep(0.02)
        return self.seen(openid)


def rasa_http(rasa: SlowRasa) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url="http://rasa.test", transport=rasa.transport, timeout=50.0)


@asynccontextmanager
async def product(services: Clocked, rasa: SlowRasa, port: int) -> AsyncIterator[None]:
    """The product's door on a port; ends with all its tasks."""
    metrics = Metrics()
    async with rasa_http(rasa) as http:
        chat = Chat(services, RasaClient(http, timeout_seconds=50.0, at_once=4), metrics)
        app = FastAPI()
        app.include_router(wechat_router(services, chat, metrics, rules=QUICK))
        async with listening(app, port):
            yield
        await chat.finish()


@asynccontextmanager
async def world(engine: Any, kind: str = "subscription", *, seed: int = 0, **fields: Any) -> AsyncIterator[World]:
    """WeChat, the product and Rasa together on one database."""
    mine, theirs = free_ports(2)
    services = Clocked(sessions=sessionmaker(engine, expire_on_commit=False), settings=FakeSettings())
    services.wechat = account(kind, api_url=f"http://127.0.0.1:{theirs}", **fields)
    rasa, lines = SlowRasa(services, seed=seed), []
    simulator = Simulator(
        services.wechat,
        callback=f"http://127.0.0.1:{mine}/wechat",
        rules=QUICK,
        draw=lines.append,
        clock=lambda: services.clock().timestamp(),
    )
    async with simulator.serve(theirs), product(services, rasa, mine):
        yield World(simulator, rasa, services, lines)


MESSAGES = int(os.environ.get("SUQIUTONG_TEST_WECHAT_MESSAGES", "100"))
