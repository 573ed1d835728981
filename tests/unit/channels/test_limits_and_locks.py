"""Pace and order, in bounded memory."""

import asyncio

import pytest

from channels.locks import ConversationLocks
from web.limits import RateLimit


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_minute_of_messages_passes_and_the_next_waits():
    clock = Clock()
    limit = RateLimit(15, clock=clock)
    assert [limit.take("a") for _ in range(15)] == [None] * 15
    assert limit.take("a") == 4
    clock.now += 3.9
    assert limit.take("a") == 1
    clock.now += 0.2
    assert limit.take("a") is None


def test_a_refused_message_is_not_counted():
    clock = Clock()
    limit = RateLimit(1, clock=clock)
    assert limit.take("a") is None
    for _ in range(50):
        assert limit.take("a") == 60
    clock.now += 60
    assert limit.take("a") is None


def test_keys_do_not_share():
    limit = RateLimit(1, clock=Clock())
    assert limit.take("a") is None
    assert limit.take("b") is None


def test_memory_is_bounded_and_the_busy_key_stays():
    limit = RateLimit(1, clock=Clock(), keys_kept=10)
    limit.take("busy")
    for number in range(1000):
        limit.take(str(number))
        assert limit.take("busy") is not None
    assert len(limit) == 10


def test_messages_of_a_conversation_go_one_at_a_time_in_order():
    async def run():
        locks, order, inside = ConversationLocks(), [], []

        async def speak(number):
            async with locks.hold("a"):
                inside.append(number)
                assert len(inside) == 1
                await asyncio.sleep(0.001 * (5 - number))
                inside.remove(number)
                order.append(number)

        await asyncio.gather(*(speak(number) for number in range(5)))
        return order, len(locks)

    assert asyncio.run(run()) == ([0, 1, 2, 3, 4], 0)


def test_conversations_do_not_wait_for_each_other():
    async def run():
        locks = ConversationLocks()
        async with locks.hold("a"), asyncio.timeout(1), locks.hold("b"):
            return len(locks)

    assert asyncio.run(run()) == 2


def test_a_failure_and_a_cancelled_wait_release_the_lock():
    async def run():
        locks = ConversationLocks()
        with pytest.raises(ValueError, match="inside"):
            async with locks.hold("a"):
                raise ValueError("inside")
        async with locks.hold("a"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), locks.hold("a"):
                    pass
        return len(locks)

    assert asyncio.run(run()) == 0
