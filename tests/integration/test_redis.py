"""What several processes share in Redis: the limits of pace."""

from datetime import UTC, datetime

import pytest
from fakeredis import FakeRedis, FakeServer

from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.conftest import free_ports
from web.limits import RateLimit
from web.shared_limits import PAUSE_SECONDS, SharedLimits, connect

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> FakeServer:
    """Keeps what the clients of a test share."""
    return FakeServer()


def test_two_processes_take_from_one_bucket_that_refills_evenly(server: FakeServer) -> None:
    clock = Clock()
    one, other = (RateLimit(15, shared=SharedLimits(FakeRedis(server=server), clock), name="session") for _ in range(2))
    assert [limit.take("a") for limit in (one, other) * 7] == [None] * 14
    assert other.take("a") is None
    assert (one.take("a"), other.take("a")) == (4, 4)
    clock.now += 3
    assert one.take("a") == 1
    clock.now += 1
    assert other.take("a") is None
    assert one.take("a") == 4
    assert one.take("b") is None
    clock.now += 3600
    assert [one.take("a") for _ in range(16)] == [None] * 15 + [4]


def test_limits_of_different_names_are_apart(server: FakeServer) -> None:
    clock = Clock()
    one, other = (
        RateLimit(1, shared=SharedLimits(FakeRedis(server=server), clock), name=name) for name in ("session", "lookup")
    )
    assert one.take("a") is None
    assert one.take("a") == 60
    assert other.take("a") is None


def test_what_is_counted_names_nobody_and_is_forgotten(server: FakeServer) -> None:
    RateLimit(60, shared=SharedLimits(FakeRedis(server=server)), name="address").take("10.1.2.3")
    (key,) = FakeRedis(server=server).keys()
    assert b"10.1.2.3" not in key
    assert 0 < FakeRedis(server=server).pttl(key) <= 1000


def test_without_redis_nobody_is_refused_and_each_process_counts_by_itself(caplog) -> None:
    (port,) = free_ports(1)
    clock = Clock()
    shared = SharedLimits(connect(f"redis://127.0.0.1:{port}/0"), clock)
    limit = RateLimit(3, shared=shared, name="session", clock=clock)
    assert [limit.take("a") for _ in range(3)] == [None] * 3
    assert limit.take("a") == 20
    assert [record.getMessage() for record in caplog.records] == ["limits_not_shared error=ConnectionError"]
    clock.now += PAUSE_SECONDS
    limit.take("b")
    assert len(caplog.records) == 2


def test_redis_is_asked_again_when_it_is_back(server: FakeServer) -> None:
    clock = Clock()
    shared = SharedLimits(FakeRedis(server=server), clock)
    server.connected = False
    assert (shared.take("a", 1), shared.take("a", 1)) == (None, None)
    server.connected = True
    assert shared.take("a", 1) is None
    clock.now += PAUSE_SECONDS
    assert (shared.take("a", 1), shared.take("a", 1)) == (0, 60)


def test_the_settings_say_whether_limits_are_shared(server: FakeServer, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("web.shared_limits.connect", lambda _url: FakeRedis(server=server))
    url = "redis://127.0.0.1:6379/0"
    limits = [Services(Settings(data=tmp_path, queue_url=url)).limit("session", 1) for _ in range(2)]
    assert (limits[0].take("a"), limits[1].take("a")) == (None, 60)
    alone = [Services(Settings(data=tmp_path)).limit("session", 1) for _ in range(2)]
    assert (alone[0].take("a"), alone[1].take("a")) == (None, None)
