"""Whatever is posted, the doors answer it or refuse it in the form that they promise, and never fail."""

import asyncio
import json
from urllib.parse import urlencode

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.app import create_app
from tests.integration.test_open311 import FORM, KeyedServices
from tests.unit.channels.fakes import FakeRasa, FakeServices, FakeSettings

MANY = {"messages_per_minute": 100_000, "address_messages_per_minute": 100_000}
SOME = settings(max_examples=60, deadline=None)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["text", "session", "message_id", "rating", "messages", "__class__"])
BODIES = st.dictionaries(NAMES, VALUES, max_size=4).map(json.dumps).map(str.encode) | st.binary(max_size=200)
MORE = ("lat", "long", "first_name", "last_name", "phone", "media_url", "address_id", "attribute[occurred]")
ODD = ("nan", "1e400", "-0", "13800138000")
FIELDS = st.dictionaries(
    st.sampled_from([*FORM, *MORE]),
    st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from([*FORM.values(), *ODD]),
)


def poster(services):
    """Posts to one application, as often as wanted."""
    application = create_app(services, rasa_transport=FakeRasa().transport)

    async def send(path, content, headers):
        transport = httpx.ASGITransport(application, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(path, content=content, headers=headers)

    return lambda path, content, **headers: asyncio.run(send(path, content, headers))


CHAT = poster(FakeServices(settings=FakeSettings(**MANY)))
OPEN311 = poster(KeyedServices(settings=FakeSettings(**MANY)))


@SOME
@given(st.sampled_from(["/api/chat", "/api/chat/rating"]), BODIES)
def test_any_json(path, body):
    reply = CHAT(path, body)
    said = reply.json()
    if reply.status_code == 200:
        assert said.keys() in ({"session", "messages"}, {"rating"})
    else:
        assert reply.status_code in {400, 404, 413, 422}
        assert said.keys() == {"error"}
        assert said["error"].keys() == {"code", "message"}


@SOME
@given(FIELDS, st.sampled_from(["json", "xml"]))
def test_any_filing(fields, form):
    content = urlencode(FORM | fields).encode()
    reply = OPEN311(f"/open311/v2/requests.{form}", content, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert reply.status_code in {201, 400, 403, 404, 413, 422}
    assert reply.json() if form == "json" else reply.content.startswith(b"<?xml")
