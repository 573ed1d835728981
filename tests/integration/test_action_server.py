"""The action server: the id of the request comes with the message, a failure tells Rasa nothing of the resident."""

import asyncio
import logging

import httpx
import pytest
import rasa_sdk.utils
from sanic import Sanic

from actions.answering import Answer
from actions.server import ACTIONS, make_app
from telemetry.logs import request_id
from telemetry.metrics import Metrics
from tests.conftest import free_ports
from tests.unit.actions.fakes import FakeServices

WORDS = "我叫张三，电话13800138000"


@pytest.fixture
def app(monkeypatch):
    monkeypatch.setattr(Sanic, "test_mode", True)
    return make_app(FakeServices(knowledge=None), Metrics())


def ask(app, method, path, **options):
    """The reply of the real server to one request."""
    [port] = free_ports(1)

    async def exchange():
        server = await app.create_server("127.0.0.1", port, return_asyncio_server=True, access_log=False)
        await server.startup()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            reply = await client.request(method, path, **options)
        server.close()
        await server.wait_closed()
        return reply

    return asyncio.run(exchange())


def call(app, action, **message):
    body = {
        "next_action": action,
        "sender_id": "conversation-1",
        "version": rasa_sdk.__version__,
        "tracker": {
            "sender_id": "conversation-1",
            "slots": {},
            "latest_message": {"text": WORDS, "intent": {"name": "ask_knowledge", "confidence": 0.9}, **message},
            "events": [],
            "paused": False,
            "latest_action_name": "action_listen",
            "active_loop": {},
        },
        "domain": {},
    }

    return ask(app, "POST", "/webhook", json=body)


def test_every_action_is_served(app):
    assert {row["name"] for row in ask(app, "GET", "/actions").json()} == {action.called for action in ACTIONS}


def test_lines_of_an_action_carry_the_id_of_the_request(app, monkeypatch):
    seen = []
    monkeypatch.setattr(Answer, "act", lambda *_: seen.append(request_id()) or [])
    assert call(app, "action_answer", metadata={"channel": "web", "request": "abc-123456"}).status_code == 200
    assert call(app, "action_answer", metadata=None).status_code == 200
    assert seen == ["abc-123456", None]


def test_a_failure_outside_of_an_action_sends_no_words_back_either(app, monkeypatch):
    def fail(*_):
        raise ValueError(WORDS)

    monkeypatch.setattr(rasa_sdk.utils, "check_version_compatibility", fail)
    reply = call(app, "action_answer")
    assert (reply.status_code, reply.json()) == (500, {"error": "action_failed"})


def test_a_failed_action_sends_no_words_back_and_logs_none(app, caplog, monkeypatch):
    def fail(*_):
        raise ValueError(WORDS)

    monkeypatch.setattr(Answer, "act", fail)
    with caplog.at_level(logging.DEBUG):
        reply = call(app, "action_answer", metadata={"request": "abc-123456"})
    assert (reply.status_code, reply.json()) == (500, {"error": "action_failed"})
    told = [record.getMessage() for record in caplog.records if record.name == "actions.server"]
    assert len(told) == 1
    assert told[0].startswith("action_failed action=action_answer trace=ValueError@server.py:")
    assert "张三" not in caplog.text
    assert "13800138000" not in caplog.text
