import httpx
import pytest

from suqiutong import up


@pytest.fixture
def lines():
    return []


def answer(monkeypatch, status):
    def get(_url, **_options):
        if isinstance(status, Exception):
            raise status
        return httpx.Response(status)

    monkeypatch.setattr(up.httpx, "get", get)


def test_readiness_is_said_once(monkeypatch, lines):
    readiness = up.Readiness("http://here", "welcome", lines.append)
    answer(monkeypatch, 503)
    readiness.check()
    answer(monkeypatch, httpx.ConnectError("nobody listens"))
    readiness.check()
    assert lines == []
    answer(monkeypatch, 200)
    readiness.check()
    readiness.check()
    assert lines == ["welcome"]


def test_a_slow_start_is_said_once(monkeypatch, lines):
    seconds = iter([0.0, 100.0, 181.0, 182.0])
    monkeypatch.setattr(up.time, "monotonic", lambda: next(seconds))
    answer(monkeypatch, 503)
    readiness = up.Readiness("http://here", "welcome", lines.append)
    for _ in range(3):
        readiness.check()
    assert lines == ["Not ready after 180 s: http://here/readyz says what is missing."]
