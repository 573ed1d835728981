"""More than can be answered: refused at once with the time to come back, nothing lost, and normal again right after."""

import asyncio
from collections import Counter

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import sessionmaker

from channels import late
from channels.chat import BUSY_RETRY_SECONDS
from channels.handover.model import Handover
from channels.rasa import RasaClient
from channels.store import ChatMessage
from tests.integration.test_chat_api import chat, run, until
from tests.integration.test_failures import waiting_count
from tests.unit.channels.fakes import FakeRasa, FakeServices, FakeSettings

AT_ONCE, CROWD = 4, 20


@pytest.fixture
def services(engine):
    return FakeServices(
        sessions=sessionmaker(engine, expire_on_commit=False), settings=FakeSettings(messages_at_once=AT_ONCE)
    )


class HeldRasa(FakeRasa):
    """Rasa that answers nobody while it is held."""

    def __init__(self):
        super().__init__()
        self.held = 0
        self._may_answer = asyncio.Event()
        self.release()
        working = self._answer

        async def answer(request):
            self.held += not self._may_answer.is_set()
            await self._may_answer.wait()
            return await working(request)

        self.transport = httpx.MockTransport(answer)

    def hold(self):
        self._may_answer.clear()

    def release(self):
        self._may_answer.set()


def statuses(replies):
    return Counter(reply.status_code for reply in replies)


def test_a_crowd_is_told_to_wait_and_is_answered_later(services, monkeypatch):
    monkeypatch.setattr(late, "EVERY_SECONDS", 0.05)
    texts = [f"第{number}位" for number in range(CROWD)]

    async def scenario(client, rasa):
        await until(lambda: rasa.received)
        rasa.hold()
        asked = [asyncio.create_task(chat(client, text)) for text in texts]
        # Whoever finds no place is told so while the others still wait for Rasa.
        await until(lambda: sum(one.done() for one in asked) == CROWD - AT_ONCE)
        refused = [one.result() for one in asked if one.done()]
        assert statuses(refused) == {503: CROWD - AT_ONCE}
        for reply in refused:
            assert reply.json()["error"]["code"] == "understanding_down"
            assert reply.headers["Retry-After"] == str(BUSY_RETRY_SECONDS)
            assert reply.json()["session"]
        # One more is answered late.
        assert rasa.held <= AT_ONCE + 1
        danger = await chat(client, "家里有煤气味")
        assert danger.json()["messages"][0]["kind"] == "emergency"
        rasa.release()
        assert statuses(await asyncio.gather(*asked)) == {200: AT_ONCE, 503: CROWD - AT_ONCE}
        assert (await chat(client, "现在呢")).status_code == 200
        await until(lambda: waiting_count(services) == 0)

    run(scenario, services=services, rasa=HeldRasa())
    with services.sessions() as session:
        said: dict[str, list[str]] = {}
        for row in session.scalars(select(ChatMessage).order_by(ChatMessage.number)):
            said.setdefault(row.conversation, []).append(row.payload["text"])
        for text in texts:
            assert [text, f"收到：{text}"] in said.values()
        assert session.scalar(select(func.count()).select_from(Handover)) == 0


def test_a_burst_beyond_the_pace_is_refused_and_the_next_minute_is_not():
    burst = 60

    async def scenario(client, rasa):
        session = (await chat(client, "你好")).json()["session"]
        replies = [await chat(client, "你好", session=session) for _ in range(2 * burst)]
        assert statuses(replies).keys() == {200, 429}
        (wait_seconds,) = {int(reply.headers["Retry-After"]) for reply in replies if reply.status_code == 429}
        asked = len(rasa.messages)
        assert asked == 1 + statuses(replies)[200]
        assert (await chat(client, "别人")).status_code == 200
        await asyncio.sleep(wait_seconds)
        assert (await chat(client, "你好", session=session)).status_code == 200

    run(scenario, services=FakeServices(settings=FakeSettings(messages_per_minute=burst)))


@pytest.mark.rasa
def test_the_running_product_sheds_a_crowd_and_forgets_nobody(running):
    crowd = 200

    async def scenario():
        async with httpx.AsyncClient(
            base_url=running.url, timeout=60, trust_env=False, limits=httpx.Limits(max_connections=crowd)
        ) as client:
            replies = await asyncio.gather(*(chat(client, "你好", message_id=f"crowd-{n}") for n in range(crowd)))
            assert statuses(replies).keys() == {200, 503}
            assert (await chat(client, "你好")).status_code == 200
            left = {n: reply.json()["session"] for n, reply in enumerate(replies) if reply.status_code == 503}
            async with asyncio.timeout(120):
                for number, session in left.items():
                    while (
                        await chat(client, "你好", session=session, message_id=f"crowd-{number}")
                    ).status_code != 200:
                        await asyncio.sleep(0.2)

    asyncio.run(scenario())


def test_rasa_is_asked_a_few_at_once_and_in_turn():
    rasa, texts = FakeRasa(), [f"第{number}位" for number in range(CROWD)]
    rasa.pause_seconds = 0.01

    async def scenario():
        async with httpx.AsyncClient(base_url="http://rasa.test", transport=rasa.transport) as http:
            asked = RasaClient(http, timeout_seconds=5, at_once=2)
            await asyncio.gather(*(asked.say("a", text) for text in texts))

    asyncio.run(scenario())
    assert rasa.most_at_once == 2
    assert rasa.messages == texts
