"""The doors of the channels over HTTP, with stand-ins for Rasa, language and knowledge."""

import asyncio
import json
import logging
import re
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from channels.app import create_app
from channels.rasa import RasaClient, RasaError
from channels.store import ChatMessage
from channels.telling import leave_word
from telemetry.logs import RequestFilter
from tests.unit.channels.fakes import ANSWER, CODE, OPERATOR_TOKEN, FakeRasa, FakeServices, FakeSettings

JSON = {"Accept": "application/json"}
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@asynccontextmanager
async def serve(services=None, rasa=None):
    rasa = rasa or FakeRasa()
    app = create_app(services or FakeServices(), rasa_transport=rasa.transport)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client, rasa


def run(scenario, **kwargs):
    async def started():
        async with serve(**kwargs) as (client, rasa):
            return await scenario(client, rasa)

    return asyncio.run(started())


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def chat(client, text, **fields):
    return client.post("/api/chat", json={"text": text, **fields})


def test_a_question_is_answered_in_the_shape_of_the_contract():
    async def scenario(client, rasa):
        first = await chat(client, "去年办了几场招聘会？")
        assert first.status_code == 200
        assert first.json()["messages"] == [ANSWER]
        assert re.fullmatch(r"[0-9a-f]{24}", first.headers["X-Request-ID"])
        second = (await chat(client, "谢谢", session=first.json()["session"])).json()
        assert second["messages"] == [
            {"kind": "smalltalk", "text": "收到：谢谢", "citations": [], "facts": [], "buttons": []}
        ]
        senders = {sender for sender, message in rasa.received if sender != "warm-up"}
        assert len(senders) == 1

    run(scenario)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b'"text"', 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b"[" * 20_000, 400, "malformed"),
        (b'{"text": 5}', 400, "malformed"),
        (b'{"text": null}', 400, "malformed"),
        (b'{"text": "a", "session": 5}', 400, "malformed"),
        (b'{"text": "a", "message_id": ""}', 400, "malformed"),
        (json.dumps({"text": "a", "message_id": "x" * 65}).encode(), 400, "malformed"),
        (b"{}", 422, "empty"),
        (b'{"text": ""}', 422, "empty"),
        (b'{"text": " \\u200b\\u3000\\u0000\\ud800\\n"}', 422, "empty"),
        (json.dumps({"text": "长" * 2001}).encode(), 413, "too_long"),
        (json.dumps({"text": "a" * 40_000}).encode(), 413, "too_long"),
    ],
)
def test_errors_have_the_contract_s_code_and_reach_nobody(body, status, code):
    async def scenario(client, rasa):
        reply = await client.post("/api/chat", content=body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
        assert set(reply.json()["error"]) == {"code", "message"}
        assert reply.json()["error"]["message"]
        assert rasa.messages == []

    run(scenario)


@pytest.mark.parametrize("text", ["长" * 2000, "\u200b" + "长" * 2000 + "  ", "👍" * 2000])
def test_two_thousand_visible_characters_are_taken(text):
    async def scenario(client, _rasa):
        assert (await client.post("/api/chat", content=json.dumps({"text": text}))).status_code == 200

    run(scenario)


@pytest.mark.parametrize("token", ["", "nonsense", "Imh0bWwi.aaaa.bbbb", "\ud800"])
def test_a_bad_session_starts_a_new_conversation(token):
    async def scenario(client, _rasa):
        reply = await client.post("/api/chat", content=json.dumps({"text": "你好", "session": token}))
        assert reply.status_code == 200
        assert reply.json()["session"] != token

    run(scenario)


def test_typed_commands_reach_rasa_as_words():
    async def scenario(client, rasa):
        await chat(client, "\u200b\u3000/restart")
        assert rasa.messages == ["／restart"]

    run(scenario)


def test_too_fast_says_when_to_come_back():
    async def scenario(client, rasa):
        session = (await chat(client, "一")).json()["session"]
        await chat(client, "二", session=session)
        refused = await chat(client, "三", session=session)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_fast")
        assert 1 <= int(refused.headers["Retry-After"]) <= 30
        danger = await chat(client, "家里有煤气味", session=session)
        assert danger.json()["messages"][0]["kind"] == "emergency"
        assert rasa.messages == ["一", "二"]

    run(scenario, services=FakeServices(settings=FakeSettings(messages_per_minute=2)))


def test_an_address_is_limited_across_conversations():
    async def scenario(client, _rasa):
        statuses = [(await chat(client, "你好")).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]

    run(scenario, services=FakeServices(settings=FakeSettings(address_messages_per_minute=3)))


def test_when_understanding_is_down_the_plain_form_is_offered():
    async def scenario(client, rasa):
        rasa.is_down = True
        reply = await chat(client, "你好")
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "understanding_down")
        assert "https://example.test/petition" in reply.json()["error"]["message"]

    run(scenario)


@pytest.mark.parametrize(("text", "kind"), [("家里有煤气味", "emergency"), ("我不想活了", "crisis")])
def test_danger_is_answered_first_and_rasa_is_told(text, kind):
    async def scenario(client, rasa):
        rasa.replies = {}
        reply = (await chat(client, text)).json()
        assert [message["kind"] for message in reply["messages"]] == [kind]
        await until(lambda: rasa.messages)
        intent, entities = re.fullmatch(r"/(\w+)({.*})", rasa.messages[0]).groups()
        assert (intent, json.loads(entities)) == (kind, {"danger_text": text})
        await chat(client, "然后呢", session=reply["session"])
        assert rasa.messages[1:] == ["然后呢"]

    run(scenario)


def test_the_danger_card_names_every_number():
    async def scenario(client, _rasa):
        message = (await chat(client, "家里有煤气味")).json()["messages"][0]
        assert "0755-25199999" in message["text"]
        assert "119" in message["text"]
        assert message["text"].count("0755-25199999") == 1

    run(scenario)


def test_danger_is_answered_while_rasa_is_down():
    async def scenario(client, rasa):
        rasa.is_down = True
        reply = await chat(client, "家里有煤气味")
        assert (reply.status_code, reply.json()["messages"][0]["kind"]) == (200, "emergency")

    run(scenario)


def test_danger_does_not_wait_for_a_slow_rasa():
    async def scenario(client, rasa):
        await until(lambda: rasa.received)
        rasa.pause_seconds = 1.5
        async with asyncio.timeout(1):
            assert (await chat(client, "家里有煤气味")).status_code == 200

    run(scenario)


def test_danger_does_not_wait_for_an_earlier_message():
    async def scenario(client, rasa):
        session = (await chat(client, "你好")).json()["session"]
        await until(lambda: len(rasa.received) > 1)
        rasa.pause_seconds = 1.9
        earlier = asyncio.create_task(chat(client, "慢", session=session))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(1.5):
            card = await chat(client, "家里有煤气味", session=session)
        assert card.json()["messages"][0]["kind"] == "emergency"
        assert not earlier.done()
        rasa.pause_seconds = 0
        assert (await earlier).status_code == 200
        await until(lambda: len(rasa.messages) > 2)
        assert rasa.messages[1] == "慢"
        assert rasa.messages[2].startswith("/emergency{")

    run(scenario)


def test_danger_is_answered_while_the_database_is_down():
    def broken():
        raise OperationalError("SELECT", {}, Exception("down"))

    async def scenario(client, _rasa):
        assert (await chat(client, "家里有煤气味")).json()["messages"][0]["kind"] == "emergency"
        failed = await chat(client, "你好")
        assert (failed.status_code, failed.json()["error"]["code"]) == (503, "not_stored")
        sentence = failed.json()["error"]["message"]
        assert all(number in sentence for number in ("110", "119", "120", "12345"))
        # Without a database the form would promise what it cannot keep.
        assert "/petition" not in sentence
        assert failed.headers["X-Request-ID"]
        ready = await client.get("/readyz")
        assert ready.json()["database"] == {"ok": False, "why": "unreachable"}

    run(scenario, services=FakeServices(sessions=broken))


def test_a_repeated_message_gets_the_stored_reply_and_reaches_rasa_once():
    async def scenario(client, rasa):
        session = (await chat(client, "你好")).json()["session"]
        replies = await asyncio.gather(
            *(chat(client, "确认提交", session=session, message_id="id-1") for _ in range(5))
        )
        assert len({json.dumps(reply.json()["messages"]) for reply in replies}) == 1
        assert CODE in replies[0].text
        assert rasa.messages == ["你好", "确认提交"]

    run(scenario)


def test_the_same_id_in_another_conversation_is_another_message():
    async def scenario(client, rasa):
        await chat(client, "你好", message_id="id-1")
        await chat(client, "你好", message_id="id-1")
        assert len(rasa.messages) == 2

    run(scenario)


def test_a_message_that_failed_is_tried_again():
    async def scenario(client, rasa):
        session = (await chat(client, "你好")).json()["session"]
        rasa.is_down = True
        assert (await chat(client, "再说一次", session=session, message_id="id-1")).status_code == 503
        rasa.is_down = False
        assert (await chat(client, "再说一次", session=session, message_id="id-1")).status_code == 200

    run(scenario)


def test_one_message_of_a_conversation_at_a_time_in_order():
    async def scenario(client, rasa):
        session = (await chat(client, "0")).json()["session"]
        await until(lambda: len(rasa.received) > 1)
        rasa.pause_seconds = 0.02
        rasa.most_at_once = 0
        tasks = []
        for number in range(1, 6):
            tasks.append(asyncio.create_task(chat(client, str(number), session=session)))
            await asyncio.sleep(0.005)
        await asyncio.gather(*tasks)
        assert rasa.most_at_once == 1
        assert rasa.messages == ["0", "1", "2", "3", "4", "5"]

    run(scenario)


def test_a_caller_who_hangs_up_loses_nothing():
    services = FakeServices()

    async def scenario(client, rasa):
        session = (await chat(client, "你好")).json()["session"]
        rasa.pause_seconds = 0.2
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await chat(client, "确认提交", session=session, message_id="id-1")
        again = await chat(client, "确认提交", session=session, message_id="id-1")
        assert CODE in again.json()["messages"][0]["text"]
        assert rasa.messages == ["你好", "确认提交"]
        with services.sessions() as stored:
            assert stored.scalar(select(func.count()).select_from(ChatMessage)) == 4

    run(scenario, services=services)


def test_logs_carry_no_words(caplog):
    async def scenario(client, rasa):
        await chat(client, "机密的话家里有煤气味")
        await chat(client, "机密的话")
        rasa.replies["机密的话"] = [{"kind": "joke", "text": "机密的话"}]
        await chat(client, "机密的话")
        await client.get("/机密的话?q=机密的话")
        rasa.is_down = True
        await chat(client, "机密的话")

    with caplog.at_level(logging.DEBUG, "channels"), caplog.at_level(logging.DEBUG, "web"):
        run(scenario)
    assert len(caplog.records) > 5
    assert "机密" not in caplog.text


def test_a_request_id_is_kept_when_it_is_one():
    async def scenario(client, _rasa):
        kept = await client.get("/healthz", headers={"X-Request-ID": "abc-123456"})
        assert kept.headers["X-Request-ID"] == "abc-123456"
        replaced = await client.get("/healthz", headers={"X-Request-ID": "a b <script>"})
        assert replaced.headers["X-Request-ID"] != "a b <script>"

    run(scenario)


def test_the_request_id_goes_with_the_message_to_rasa_and_into_the_log(caplog):
    async def scenario(client, rasa):
        await client.post("/api/chat", json={"text": "你好"}, headers={"X-Request-ID": "abc-123456"})
        assert rasa.metadata[rasa.messages.index("你好") - len(rasa.messages)]["request"] == "abc-123456"
        await client.post("/api/chat", json={"text": "家里有煤气味"}, headers={"X-Request-ID": "abc-654321"})
        await until(lambda: rasa.metadata[-1]["request"] == "abc-654321")
        rasa.is_down = True
        await client.post("/api/chat", json={"text": "再问"}, headers={"X-Request-ID": "abc-777777"})

    caplog.handler.addFilter(RequestFilter())
    with caplog.at_level(logging.INFO, "channels"), caplog.at_level(logging.INFO, "web"):
        run(scenario)
    told = {record.msg.partition(" ")[0] for record in caplog.records if record.request == "abc-777777"}
    assert told == {"understanding_down", "request"}


def test_unknown_addresses_and_methods_are_said_in_json():
    async def scenario(client, _rasa):
        assert (await client.get("/api/nothing")).json()["error"]["code"] == "not_found"
        assert (await client.get("/api/chat")).json()["error"]["code"] == "method_not_allowed"
        page = await client.get("/nothing", headers={"Accept": "text/html,*/*"})
        assert page.status_code == 404
        assert page.headers["Content-Type"].startswith("text/html")

    run(scenario)


def test_readiness_names_each_part():
    async def scenario(client, rasa):
        await until(lambda: rasa.received)
        await asyncio.sleep(0.05)
        ready = await client.get("/readyz")
        assert ready.status_code == 200
        assert {name: ready.json()[name]["ok"] for name in ("database", "understanding", "knowledge")} == {
            "database": True,
            "understanding": True,
            "knowledge": True,
        }
        rasa.is_down = True
        await chat(client, "你好")
        down = await client.get("/readyz")
        assert (down.status_code, down.json()["understanding"]) == (503, {"ok": False, "why": "unreachable"})
        assert (await client.get("/healthz")).json() == {"status": "ok"}

    run(scenario)


def test_until_rasa_answers_nothing_is_ready_and_the_page_says_so():
    async def scenario(client, _rasa):
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["understanding"]) == (503, {"ok": False, "why": "starting"})
        page = (await client.get("/")).text
        assert '<div id="starting" class="note" role="status">' in page
        assert 'href="tel:119"' in page
        assert 'href="/petition"' in page

    rasa = FakeRasa()
    rasa.replies["你好"] = []
    run(scenario, rasa=rasa)


def test_without_knowledge_nothing_is_ready():
    async def scenario(client, _rasa):
        ready = await client.get("/readyz")
        assert ready.json()["knowledge"] == {"ok": False, "why": "not_loaded"}
        assist = await client.post(
            "/api/assist", json={"text": "你好"}, headers={"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        )
        assert (assist.status_code, assist.json()["error"]["code"]) == (503, "knowledge_down")

    run(scenario, services=FakeServices(knowledge=None))


def test_metrics_count_replies_by_kind():
    async def scenario(client, _rasa):
        await chat(client, "去年办了几场招聘会？")
        await chat(client, "")
        text = (await client.get("/metrics")).text
        assert 'suqiutong_chat_replies_total{kind="answer"} 1.0' in text
        assert 'suqiutong_refusals_total{code="empty"} 1.0' in text
        assert 'suqiutong_http_requests_total{route="/api/chat",status="200"} 1.0' in text

    run(scenario)


def test_assist_answers_an_operator_without_rasa():
    async def scenario(client, rasa):
        rasa.is_down = True
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        reply = await client.post("/api/assist", json={"text": "去年办了几场招聘会"}, headers=headers)
        assert reply.status_code == 200
        body = reply.json()
        assert set(body) == {"answers", "route", "similar"}
        assert body["answers"] == [{"text": ANSWER["text"], "score": 1.0, "citations": ANSWER["citations"]}]
        assert set(body["route"]) == {
            *("class", "category", "level", "unit", "office", "community"),
            *("priority", "flags", "legal_path", "reasons", "alternatives"),
        }
        assert set(body["similar"][0]) == {"number", "title", "score", "state"}
        unanswered = await client.post("/api/assist", json={"text": "天气"}, headers=headers)
        assert unanswered.json()["answers"] == []
        empty = await client.post("/api/assist", json={"text": " "}, headers=headers)
        assert empty.status_code == 422

    run(scenario)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {OPERATOR_TOKEN}"])
def test_assist_refuses_others(header):
    async def scenario(client, _rasa):
        headers = {} if header is None else {"Authorization": header}
        reply = await client.post("/api/assist", json={"text": "你好"}, headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "unauthorized")
        assert reply.headers["WWW-Authenticate"] == "Bearer"

    run(scenario)


def test_the_page_without_scripts_keeps_the_conversation():
    async def scenario(client, _rasa):
        first = await client.post("/", data={"text": "去年办了几场招聘会？", "message_id": "id-1"}, headers=SAME_SITE)
        assert (first.status_code, first.headers["Location"]) == (303, "/#latest")
        cookie = first.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        page = (await client.get("/")).text
        assert "<mark>23</mark>" in page
        offer = re.search(r'name="offer" value="(2\.0\.[0-9a-f]{16})" data-said="招聘会达成了多少就业意向？"', page)[1]
        await client.post("/", data={"offer": offer, "text": ""}, headers=SAME_SITE)
        assert "收到：招聘会达成了多少就业意向？" in (await client.get("/")).text
        await client.post("/clear", headers=SAME_SITE)
        assert "招聘会达成" not in (await client.get("/")).text

    run(scenario)


def test_the_page_keeps_what_was_typed_when_it_fails():
    async def scenario(client, rasa):
        rasa.is_down = True
        page = await client.post("/", data={"text": "我说的话", "message_id": "id-1"}, headers=SAME_SITE)
        assert page.status_code == 503
        assert ">我说的话</textarea>" in page.text
        assert 'value="id-1"' in page.text
        assert 'role="alert"><p>' in page.text
        empty = await client.post("/", data={"text": ""}, headers=SAME_SITE)
        assert empty.status_code == 422
        scripted = await client.post("/", data={"text": ""}, headers=SAME_SITE | JSON)
        assert scripted.json()["error"]["code"] == "empty"

    run(scenario)


def test_the_query_code_is_shown_after_the_post_and_gone_from_the_database():
    services = FakeServices()

    async def scenario(client, _rasa):
        await client.post("/", data={"text": "确认提交"}, headers=SAME_SITE)
        assert f"<code>{CODE}</code>" in (await client.get("/")).text
        with services.sessions() as session:
            assert CODE not in str(session.scalars(select(ChatMessage.payload)).all())

    run(scenario, services=services)


def test_word_of_a_petition_stands_below_what_was_said_and_hides_nothing_of_it():
    services = FakeServices()

    async def scenario(client, _rasa):
        await client.post("/", data={"text": "确认提交"}, headers=SAME_SITE)
        with services.sessions() as session:
            conversation = session.scalars(select(ChatMessage.conversation)).first()
        with services.sessions() as session:
            leave_word(session, services.secret, conversation, "您的工单已受理。", now=services.clock())
            session.commit()
        page = (await client.get("/")).text
        assert page.index(f"<code>{CODE}</code>") < page.index("您的工单已受理。")

    run(scenario, services=services)


@pytest.mark.parametrize(
    ("back", "to"),
    [("/petition", "/petition"), ("/", "/"), ("https://evil.test", "/"), ("//evil.test", "/"), ("", "/")],
)
def test_large_text_is_switched_and_returns_only_to_our_pages(back, to):
    async def scenario(client, _rasa):
        switched = await client.post("/text-size", data={"back": back}, headers=SAME_SITE)
        assert (switched.status_code, switched.headers["Location"]) == (303, to)
        assert '<html lang="zh-CN" class="large">' in (await client.get("/")).text
        await client.post("/text-size", data={"back": back}, headers=SAME_SITE)
        assert '<html lang="zh-CN">' in (await client.get("/")).text

    run(scenario)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/clear", "/text-size", "/petition", "/my"])
def test_a_form_of_another_site_is_refused(path, headers):
    async def scenario(client, rasa):
        reply = await client.post(path, data={"text": "你好"}, headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "foreign_origin")
        assert rasa.messages == []

    run(scenario)


def test_a_form_of_our_own_site_is_taken_from_an_old_browser():
    async def scenario(client, _rasa):
        reply = await client.post("/", data={"text": "你好"}, headers={"Origin": "http://test"})
        assert reply.status_code == 303

    run(scenario)


def test_pages_forbid_inline_code_and_foreign_frames():
    async def scenario(client, _rasa):
        for path in ("/", "/petition", "/my"):
            page = await client.get(path)
            policy = page.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert page.headers["Cache-Control"] == "no-store"
            assert not re.search(r"<script(?![^>]* src=)| style=| on\w+=", page.text)

    run(scenario)


def test_typed_markup_is_inert():
    attack = '<img src=x onerror=alert(1)>"><script>alert(1)</script>'

    async def scenario(client, rasa):
        rasa.replies[attack] = [{"kind": "notice", "text": attack, "buttons": [{"title": attack, "text": attack}]}]
        await client.post("/", data={"text": attack}, headers=SAME_SITE)
        page = (await client.get("/")).text
        assert "<img src=x" not in page
        assert "<script>" not in page
        assert page.count("&lt;script&gt;") == 4

    run(scenario)


class Raw:
    """A server of raw bytes, to see what the client makes of anything."""

    def __init__(self, answer: bytes, pause_seconds: float = 0.0):
        self.answer = answer
        self.pause_seconds = pause_seconds
        self.is_done = asyncio.Event()

    async def __call__(self, reader, writer):
        step = 1 if self.pause_seconds else len(self.answer) + 1
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            for start in range(0, len(self.answer), step):
                writer.write(self.answer[start : start + step])
                await writer.drain()
                await asyncio.sleep(self.pause_seconds)
            writer.close()
            await writer.wait_closed()
        self.is_done.set()


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status.encode(), len(body), body)


@pytest.mark.parametrize(
    ("answer", "pause_seconds", "reason", "is_retryable"),
    [
        (http(b"[]"), 0, "empty_reply", True),
        (http(b"boom", "500 Internal Server Error"), 0, "status_500", True),
        (http(b"no", "404 Not Found"), 0, "status_404", False),
        (http(b"<html>"), 0, "not_json", True),
        (http(b"\xff\xfe\x00"), 0, "not_json", True),
        (http(b'{"a": 1}'), 0, "not_a_list", True),
        (http(b"[" + b" " * 2_000_001 + b"]"), 0, "reply_too_large", False),
        (b"", 0, "unreachable", True),
        (b"garbage\r\n\r\n", 0, "unreachable", True),
        (http(b'[{"custom"')[:-4], 0, "unreachable", True),
        (http(b"[]" + b" " * 200), 0.05, "timeout", True),
    ],
)
def test_the_client_tells_every_failure_of_rasa(answer, pause_seconds, reason, is_retryable):
    async def scenario():
        raw = Raw(answer, pause_seconds)
        server = await asyncio.start_server(raw, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=1) as client:
            with pytest.raises(RasaError) as raised:
                await RasaClient(client, timeout_seconds=0.5, at_once=4).say("a", "你好")
            await raw.is_done.wait()
        assert (raised.value.reason, raised.value.retryable) == (reason, is_retryable)

    asyncio.run(scenario())


def test_the_client_tells_a_closed_port():
    async def scenario():
        async with httpx.AsyncClient(base_url="http://127.0.0.1:9", timeout=1) as client:
            with pytest.raises(RasaError) as raised:
                await RasaClient(client, timeout_seconds=1, at_once=4).say("a", "你好")
        assert (raised.value.reason, raised.value.retryable) == ("unreachable", True)

    asyncio.run(scenario())


def test_the_client_reads_a_reply_over_http():
    body = json.dumps([{"recipient_id": "a", "custom": {"kind": "smalltalk", "text": "您好"}}]).encode()

    async def scenario():
        raw = Raw(http(body))
        server = await asyncio.start_server(raw, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=1) as client:
            messages = await RasaClient(client, timeout_seconds=1, at_once=4).say("a", "你好")
            await raw.is_done.wait()
            return messages

    assert asyncio.run(scenario()).messages[0]["text"] == "您好"


def test_a_program_rates_an_answer_by_its_own_id():
    async def scenario(client, _rasa):
        session = (await chat(client, "去年办了几场招聘会？", message_id="one")).json()["session"]
        wanted = {"session": session, "message_id": "one", "rating": "unhelpful"}
        answer = await client.post("/api/chat/rating", json=wanted)
        wrong = [{"rating": "great"}, {"message_id": "two"}, {"session": "forged"}, {"message_id": 5}]
        refused = [(await client.post("/api/chat/rating", json=wanted | change)).status_code for change in wrong]
        return answer.json(), refused

    services = FakeServices()
    assert run(scenario, services=services) == ({"rating": "unhelpful"}, [400, 404, 404, 400])
    with services.sessions() as session:
        assert session.scalars(select(ChatMessage.rating).where(ChatMessage.rating.is_not(None))).all() == ["unhelpful"]


def test_a_resident_rates_on_the_page_without_script():
    async def scenario(client, _rasa):
        await client.post("/", data={"text": "去年办了几场招聘会？", "message_id": "one"}, headers=SAME_SITE)
        await client.post("/", data={"text": "你好", "message_id": "two"}, headers=SAME_SITE)
        page = (await client.get("/")).text
        assert page.count('class="rating"') == 1
        fields = {"message_id": "one", "rating": "helpful"}
        foreign = await client.post("/rating", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
        answer = await client.post("/rating", data=fields, headers=SAME_SITE)
        scripted = await client.post("/rating", data=fields, headers=SAME_SITE | JSON)
        return foreign.status_code, answer.headers["Location"], (await client.get("/")).text, scripted.json()["html"]

    status, place, page, part = run(scenario)
    assert (status, place) == (403, "/#rate-one")
    pressed = '<button name="rating" value="helpful" aria-pressed="true">有帮助</button>'
    assert pressed in page
    assert pressed in part


def test_what_was_understood_is_kept_and_told_to_nobody():
    rasa = FakeRasa()
    rasa.replies["公园几点开门"] = [ANSWER | {"chance": 0.41}]
    rasa.understood = {"intent": "ask_knowledge", "confidence": 0.93}

    async def scenario(client, _rasa):
        return (await chat(client, "公园几点开门")).json()["messages"]

    services = FakeServices()
    assert run(scenario, services=services, rasa=rasa) == [ANSWER]
    with services.sessions() as session:
        row = session.scalars(select(ChatMessage).where(ChatMessage.kind == "resident")).one()
        assert (row.intent, row.confidence, row.chance, row.review) == ("ask_knowledge", 0.93, 0.41, "wanted")
