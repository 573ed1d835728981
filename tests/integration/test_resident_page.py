"""The resident's page over HTTP: numbered messages and their replay, offers, a device's memory, frames."""

import asyncio
import json
import re
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import sessionmaker

from channels import live as live_module
from channels.app import create_app
from channels.store import ChatMessage
from storage import begin_writing
from tests.unit.channels.fakes import CODE, NOW, FakeRasa, FakeServices, FakeSettings

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
SCRIPT = SAME_SITE | {"Accept": "application/json"}
QUESTION = "去年办了几场招聘会？"


@asynccontextmanager
async def serve(services=None, rasa=None):
    rasa = rasa or FakeRasa()
    app = create_app(services or FakeServices(), rasa_transport=rasa.transport)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        client.app = app
        yield client, rasa


def run(scenario, **kwargs):
    async def started():
        async with serve(**kwargs) as (client, rasa):
            return await scenario(client, rasa)

    return asyncio.run(started())


async def say(client, text="", *, offer="", message_id="", after=0):
    fields = {"text": text, "offer": offer, "message_id": message_id, "after": after}
    return await client.post("/", data={name: value for name, value in fields.items() if value}, headers=SCRIPT)


async def messages(client, after=0):
    return (await client.get(f"/chat/messages?after={after}")).json()["messages"]


def offers_in(html):
    return re.findall(r'name="offer" value="([^"]+)"', html)


class Stream:
    """An open stream of events: what it has sent so far."""

    def __init__(self, client, after=0, last_event_id=None):
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        headers = [(b"cookie", cookie.encode()), (b"host", b"test")]
        if last_event_id is not None:
            headers.append((b"last-event-id", str(last_event_id).encode()))
        self._scope = {
            "type": "http",
            "method": "GET",
            "path": "/chat/events",
            "raw_path": b"/chat/events",
            "query_string": f"after={after}".encode(),
            "headers": headers,
            "http_version": "1.1",
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("test", 80),
            "root_path": "",
            "asgi": {"version": "3.0"},
        }
        self._app = client.app
        self.status = None
        self.text = ""

    async def _receive(self):
        await asyncio.Event().wait()

    async def _send(self, message):
        self.status = message.get("status", self.status)
        self.text += message.get("body", b"").decode().replace("\r\n", "\n")

    async def __aenter__(self):
        self.task = asyncio.create_task(self._app(self._scope, self._receive, self._send))
        return self

    async def __aexit__(self, *_args):
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    @property
    def ids(self):
        return [int(number) for number in re.findall(r"^id: (\d+)$", self.text, re.MULTILINE)]


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(live_module, "LOOK_SECONDS", 0.01)


def test_messages_have_numbers_and_are_replayed_after_one():
    async def scenario(client, _rasa):
        assert await messages(client) == []
        sent = (await say(client, QUESTION, message_id="one")).json()
        assert sent["loose"] == ""
        assert [(one["number"], one["author"], one["answers"]) for one in sent["messages"]] == [
            (1, "resident", None),
            (2, "assistant", 1),
        ]
        assert 'data-number="2"' in sent["messages"][1]["html"]
        assert sent["messages"][0]["message_id"] == "one"
        later = (await say(client, "谢谢", after=2)).json()["messages"]
        assert [one["number"] for one in later] == [3, 4]
        assert [one["number"] for one in await messages(client)] == [1, 2, 3, 4]
        assert [one["number"] for one in await messages(client, 3)] == [4]
        assert await messages(client, 4) == await messages(client, 99) == []
        assert len(await messages(client, "x")) == len(await messages(client, -1)) == 4

    run(scenario)


def test_sending_again_says_nothing_twice():
    async def scenario(client, rasa):
        await client.get("/")
        first = (await say(client, QUESTION, message_id="one")).json()["messages"]
        again = (await say(client, QUESTION, message_id="one")).json()
        assert again == {"messages": [first[0] | {"html": again["messages"][0]["html"]}, first[1]], "loose": ""}
        assert (await say(client, QUESTION, message_id="one", after=2)).json() == {"messages": [], "loose": ""}
        assert rasa.messages == [QUESTION]

    run(scenario)


def test_the_first_message_finds_its_conversation_though_its_answer_was_lost():
    async def scenario(client, rasa):
        await client.get("/")
        rasa.is_down = True
        assert (await say(client, QUESTION, message_id="one")).status_code == 503
        assert "这条已经记下" in (await messages(client))[0]["html"]
        rasa.is_down = False
        sent = (await say(client, QUESTION, message_id="one", after=1)).json()["messages"]
        assert [(one["number"], one["answers"]) for one in sent] == [(2, 1)]
        assert "这条已经记下" not in (await messages(client))[0]["html"]

    run(scenario)


def test_messages_and_offers_are_the_same_on_every_database(engine):
    async def scenario(client, rasa):
        html = (await say(client, QUESTION, message_id="one")).json()["messages"][1]["html"]
        (offer,) = offers_in(html)
        assert (await say(client, QUESTION, message_id="one", after=2)).json() == {"messages": [], "loose": ""}
        assert len((await say(client, offer=offer, after=2)).json()["messages"]) == 2
        assert (await say(client, offer=offer, after=4)).status_code == 409
        assert rasa.messages == [QUESTION, "招聘会达成了多少就业意向？"]

    run(scenario, services=FakeServices(sessions=sessionmaker(engine)))


def test_one_conversation_never_shows_another():
    async def scenario(client, _rasa):
        await say(client, "秘密")
        client.cookies.clear()
        assert await messages(client) == []
        await say(client, "公开")
        assert "秘密" not in json.dumps(await messages(client), ensure_ascii=False)

    run(scenario)


@pytest.mark.usefixtures("quick")
def test_a_stream_replays_and_brings_what_is_said_elsewhere(engine):
    async def scenario(client, _rasa):
        await say(client, "一")
        async with Stream(client, after=1) as stream, Stream(client, last_event_id=2) as other:
            await until(lambda: stream.ids == [2])
            await say(client, "二")
            await until(lambda: stream.ids == [2, 3, 4] and other.ids == [3, 4])
            data = json.loads(re.findall(r"^data: (.+)$", stream.text, re.MULTILINE)[-1])
            assert (data["number"], data["author"]) == (4, "assistant")
            assert "收到：二" in data["html"]
            assert stream.text.startswith(": open\n")
            assert "retry: 2000" in stream.text

    run(scenario, services=FakeServices(sessions=sessionmaker(engine)))


@pytest.mark.usefixtures("quick")
def test_words_of_staff_arrive_with_their_author(engine):
    services = FakeServices(sessions=sessionmaker(engine))

    async def scenario(client, _rasa):
        await say(client, "一")
        async with Stream(client, after=2) as stream:
            with services.sessions() as session:
                begin_writing(session)
                conversation = session.scalar(select(ChatMessage.conversation))
                payload = {"text": "您好，我是**工作人员**", "author": "staff"}
                session.add(
                    ChatMessage(conversation=conversation, number=3, kind="handoff", payload=payload, created_at=NOW)
                )
                session.commit()
            await until(lambda: stream.ids == [3])
            assert '<strong class=\\"who\\">工作人员：</strong>' in stream.text

    run(scenario, services=services)


def test_what_is_added_to_an_answer_leaves_its_code_and_its_rating():
    services = FakeServices()

    def add(number, answers):
        with services.sessions() as session:
            begin_writing(session)
            conversation = session.scalar(select(ChatMessage.conversation))
            row = {"kind": "notice", "payload": {"text": "您的工单有新进展", "author": "staff"}, "created_at": NOW}
            session.add(ChatMessage(conversation=conversation, number=number, answers=answers, **row))
            session.commit()

    async def scenario(client, _rasa):
        await say(client, QUESTION, message_id="one")
        add(3, 1)
        await say(client, "确认提交", after=3)
        add(6, 4)
        page = (await client.get("/")).text
        assert f"<code>{CODE}</code>" in page
        assert page.count('class="rating"') == 1
        assert page.index('class="rating"') < page.index("您的工单有新进展")
        assert page.count("您的工单有新进展") == 2
        assert "这条没有得到回答" not in page

    run(scenario, services=services)


@pytest.mark.usefixtures("quick")
def test_clearing_ends_the_streams_and_the_memory(engine):
    async def scenario(client, _rasa):
        await say(client, "一")
        async with Stream(client, after=2) as stream:
            await until(lambda: stream.status == 200)
            await client.post("/clear", headers=SAME_SITE)
            await until(lambda: "event: cleared\ndata: 1" in stream.text)
            await stream.task
        assert await messages(client) == []

    run(scenario, services=FakeServices(sessions=sessionmaker(engine)))


def test_streams_are_few_and_need_a_conversation():
    async def scenario(client, _rasa):
        async with Stream(client) as stream:
            await stream.task
            assert stream.status == 204
        await say(client, "一")
        streams = [Stream(client, after=2) for _ in range(live_module.STREAMS_EACH + 1)]
        for stream in streams:
            await stream.__aenter__()
            await until(lambda stream=stream: stream.status)
        assert [stream.status for stream in streams] == [200] * live_module.STREAMS_EACH + [429]
        for stream in streams:
            await stream.__aexit__()
        async with Stream(client, after=2) as stream:
            await until(lambda: stream.status == 200)

    run(scenario)


def test_a_late_commit_of_an_earlier_id_is_seen(engine):
    services = FakeServices(sessions=sessionmaker(engine))

    def add(session, ident, conversation, number):
        row = {"kind": "resident", "payload": {"text": "一"}, "created_at": NOW}
        session.add(ChatMessage(id=ident, conversation=conversation, number=number, **row))
        session.commit()

    async def scenario():
        live = live_module.Live(services)
        with live.watch("a") as watch, services.sessions() as session:
            add(session, 10, "b", 1)
            await live.look()
            add(session, 12, "b", 2)
            await live.look()
            assert not watch.changed.is_set()
            add(session, 11, "a", 1)
            add(session, 13, "b", 3)
            await live.look()
            assert watch.changed.is_set()
            watch.changed.clear()
            await live.look()
            assert not watch.changed.is_set()
        assert len(live) == 0

    asyncio.run(scenario())


def test_idle_streams_share_one_look(monkeypatch):
    services = FakeServices()
    looks = []

    async def scenario():
        live = live_module.Live(services)
        monkeypatch.setattr(live, "_grown", lambda: looks.append(1) or {})
        await live.look()
        assert looks == []
        watches = [live.watch(f"conversation-{number}") for number in range(500)]
        for watch in watches:
            watch.__enter__()
        await live.look()
        assert looks == [1]
        for watch in watches:
            watch.__exit__(None, None, None)

    asyncio.run(scenario())


def test_danger_is_answered_though_nothing_can_be_stored():
    services = FakeServices()

    async def scenario(client, _rasa):
        def broken():
            raise OperationalError("statement", {}, Exception("gone"))

        services.sessions = broken
        sent = (await say(client, "家里有煤气味", message_id="one")).json()
        assert sent["messages"] == []
        assert 'href="tel:119"' in sent["loose"]
        assert "button" not in sent["loose"]

    run(scenario, services=services)


def test_an_offer_says_what_was_offered_and_only_once():
    async def scenario(client, rasa):
        html = (await say(client, QUESTION)).json()["messages"][1]["html"]
        (offer,) = offers_in(html)
        first = await say(client, offer=offer, message_id="press", after=2)
        assert [one["number"] for one in first.json()["messages"]] == [3, 4]
        repeated = await say(client, offer=offer, message_id="press", after=4)
        assert (repeated.status_code, repeated.json()["messages"]) == (200, [])
        used = await say(client, offer=offer, message_id="another", after=4)
        assert (used.status_code, used.json()["error"]["code"]) == (409, "offer_gone")
        assert offers_in("".join(one["html"] for one in await messages(client))) == []
        assert rasa.messages == [QUESTION, "招聘会达成了多少就业意向？"]

    run(scenario)


def test_an_offer_of_another_conversation_and_a_made_up_one_are_refused():
    async def scenario(client, rasa):
        (stolen,) = offers_in((await say(client, QUESTION)).json()["messages"][1]["html"])
        client.cookies.clear()
        (own,) = offers_in((await say(client, QUESTION)).json()["messages"][1]["html"])
        number, index, mark = own.split(".")
        wrong = [stolen, f"{number}.1.{mark}", f"9.{index}.{mark}", own + "0", "2.0", "/restart", "example.99"]
        for offer in wrong:
            refused = await say(client, offer=offer)
            assert refused.json()["error"]["code"] == "offer_gone", offer
        page = await client.post("/", data={"offer": stolen}, headers=SAME_SITE)
        assert page.status_code == 409
        assert "请用最新的选项" in page.text
        assert rasa.messages == [QUESTION, QUESTION]

    run(scenario)


def test_the_first_page_offers_examples():
    async def scenario(client, rasa):
        offers = offers_in((await client.get("/")).text)
        assert offers[0] == "example.0"
        await say(client, offer=offers[0])
        assert rasa.messages == [QUESTION]
        assert offers_in((await client.get("/")).text) != offers

    run(scenario)


def test_a_program_still_sends_the_text_of_a_button():
    async def scenario(client, rasa):
        reply = (await client.post("/api/chat", json={"text": QUESTION})).json()
        (button,) = reply["messages"][0]["buttons"]
        assert set(button) == {"title", "text"}
        await client.post("/api/chat", json={"text": button["text"], "session": reply["session"]})
        assert rasa.messages[-1] == button["text"]

    run(scenario)


@pytest.mark.parametrize(
    ("typed", "reaches"),
    [
        ("/restart", "／restart"),
        ('/confirm{"ticket_number": "GM1"}', '／confirm{"ticket_number": "GM1"}'),
        ("　 /restart", "／restart"),
        ("\u200b/back", "／back"),
        ("\u2066/back\u2069", "／back"),
        ("／restart", "／restart"),
        ("//restart", "／/restart"),
        ("\ufeff\n/restart", "／restart"),
        ('{"intent": "restart"}', '{"intent": "restart"}'),
        ("EXTERNAL: restart", "EXTERNAL: restart"),
    ],
)
def test_typed_text_is_never_a_command(typed, reaches):
    async def scenario(client, rasa):
        await say(client, typed)
        await client.post("/api/chat", json={"text": typed})
        assert rasa.messages == [reaches] * 2
        assert not any(message.startswith("/") for message in rasa.messages)

    run(scenario)


def test_abuse_is_answered_once_and_then_slowed():
    rasa = FakeRasa()
    rasa.replies["骂人"] = [{"kind": "refusal", "text": "请不要用伤人的话"}]

    async def scenario(client, _rasa):
        rasa.understood = {"intent": "abuse", "confidence": 0.9}
        told = [(await say(client, "骂人")).json()["messages"][-1]["html"] for _ in range(2)]
        assert "请不要用伤人的话" in told[0]
        assert "每分钟最多回复 4 条" in told[1]
        rasa.understood = None
        statuses = [(await say(client, "我要反映一件事")).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 200, 429]
        assert "119" in (await say(client, "家里有煤气味")).json()["loose"]
        client.cookies.clear()
        assert (await say(client, "你好")).status_code == 200

    run(scenario, rasa=rasa)


def test_a_kiosk_is_marked_and_its_cookie_ends_soon():
    async def scenario(client, _rasa):
        assert "kiosk.js" not in (await client.get("/")).text
        client.cookies.clear()
        marked = await client.get("/?kiosk=1")
        assert (marked.status_code, marked.headers["Location"]) == (303, "/")
        page = await client.get("/")
        assert 'data-idle-seconds="180"' in page.text
        assert '<meta http-equiv="refresh" content="185; url=/">' in page.text
        assert "结束并清除" in page.text
        assert "Max-Age=180" in page.headers["Set-Cookie"]
        await client.post("/text-size", data={"back": "/"}, headers=SAME_SITE)
        await say(client, "秘密")
        stay = await client.post("/stay", headers=SAME_SITE)
        assert (stay.status_code, "Max-Age=180" in stay.headers["Set-Cookie"]) == (204, True)
        cleared = await client.post("/clear", headers=SAME_SITE)
        assert cleared.headers.get_list("Set-Cookie")[1].startswith("large_text=")
        page = await client.get("/")
        assert "秘密" not in page.text
        assert 'class="large"' not in page.text
        await client.get("/?kiosk=0")
        assert "kiosk.js" not in (await client.get("/")).text

    run(scenario)


@pytest.mark.parametrize(
    ("networks", "is_kiosk"), [("127.0.0.0/8", True), ("10.0.0.0/8, 127.0.0.1", True), ("10.0.0.1", False)]
)
def test_a_device_of_a_hall_is_known_by_its_address(networks, is_kiosk):
    async def scenario(client, _rasa):
        assert ("kiosk.js" in (await client.get("/petition")).text) == is_kiosk

    run(scenario, services=FakeServices(settings=FakeSettings(kiosk_addresses=networks)))


@pytest.mark.parametrize(("origins", "is_heard"), [("https://a.test", True), ("", False)])
def test_only_a_framed_page_may_name_its_conversation_without_a_cookie(origins, is_heard):
    async def scenario(client, _rasa):
        session = (await client.post("/api/chat", json={"text": QUESTION})).json()["session"]
        for token, count in ((session, 2 if is_heard else 0), (session + "x", 0), ("", 0)):
            found = await client.get("/chat/messages", headers={"X-Conversation": token})
            assert len(found.json()["messages"]) == count

    run(scenario, services=FakeServices(settings=FakeSettings(embed_origins=origins)))


def test_without_a_site_nothing_may_be_framed():
    async def scenario(client, _rasa):
        assert (await client.get("/embed")).status_code == 404
        page = await client.get("/")
        assert page.headers["X-Frame-Options"] == "DENY"
        assert "SameSite=lax" in page.headers["Set-Cookie"]
        assert "Secure" not in page.headers["Set-Cookie"]

    run(scenario)


def test_the_named_sites_may_frame_one_page():
    async def scenario(client, _rasa):
        page = await client.get("/embed")
        assert "frame-ancestors https://a.test https://b.test:8443;" in page.headers["Content-Security-Policy"] + ";"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "X-Frame-Options" not in page.headers
        assert page.headers["Set-Cookie"].endswith("SameSite=none; Secure; Partitioned")
        assert 'action="/embed"' in page.text
        assert '<a href="/petition" target="_blank" rel="noopener">' in page.text
        for path in ("/", "/petition", "/my"):
            other = await client.get(path)
            assert "frame-ancestors 'none'" in other.headers["Content-Security-Policy"]
            assert other.headers["X-Frame-Options"] == "DENY"
        posted = await client.post("/embed", data={"text": "你好"}, headers=SAME_SITE)
        assert (posted.status_code, posted.headers["Location"]) == (303, "/embed#latest")
        foreign = await client.post("/embed", data={"text": "你好"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403

    run(scenario, services=FakeServices(settings=FakeSettings(embed_origins="https://a.test https://b.test:8443")))
