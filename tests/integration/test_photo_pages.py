"""Photos over HTTP: added to a conversation or a form, refused in words, shown to their owner alone, filed once."""

import base64
import re
from io import BytesIO

import httpx
import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from channels.cookies import COOKIE
from channels.photos import LIMIT_BYTES
from petitions.images import own_photos
from petitions.log import SYSTEM
from petitions.model import Petition
from petitions.photo_model import Photo
from petitions.photos import photos_of, waiting_photos
from tests.integration.test_petition_form import FIELDS, CaseServices, code_of, key_of, number_of, run
from tests.photos import photo, told_where

JSON = {"Accept": "application/json"}
IMAGE = re.compile(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)")
SCRIPT = b"<script>alert(1)</script>"
NAME = "张三的家门口.jpg"
COLOURS = ("teal", "navy", "olive", "maroon")


@pytest.fixture
def services(engine):
    return CaseServices(sessions=sessionmaker(engine))


def sent(*contents):
    """The files of a form; their names are as bad as can be."""
    return [("photos", ("../../" + NAME, content, "text/html")) for content in contents]


def shown(page):
    return [base64.b64decode(found) for found in IMAGE.findall(page.text)]


def kept(services):
    with services.sessions() as session:
        return session.execute(select(Photo.owner, Photo.petition_id).order_by(Photo.id)).all()


def test_photos_are_added_shown_again_and_taken_back(services):
    async def scenario(client):
        first = await client.post("/photos", files=sent(told_where(), photo()), headers=JSON)
        assert first.status_code == 200
        images = shown(httpx.Response(200, text=first.json()["html"]))
        assert [Image.open(BytesIO(image)).size for image in images] == [(40, 80), (64, 48)]
        assert not [image for image in images if Image.open(BytesIO(image)).getexif()]
        assert "张三" not in first.text
        page = await client.get("/photos")
        assert shown(page) == images
        assert shown(await client.get("/")) == images
        assert "img-src 'self' data:" in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        token = re.search(r'name="drop" value="([^"]+)"', page.text)[1]
        back = await client.post("/photos", data={"drop": token})
        assert (back.status_code, back.headers["Location"]) == (303, "/photos")
        assert shown(await client.get("/photos")) == images[1:]

    run(scenario, services)
    assert len(kept(services)) == 1


def test_nobody_else_sees_them_or_takes_them_back(services):
    async def scenario(client):
        await client.post("/photos", files=sent(photo()))
        cookie = client.cookies[COOKIE]
        token = re.search(r'name="drop" value="([^"]+)"', (await client.get("/photos")).text)[1]
        for other in ("", cookie[:-2] + "xx", kept(services)[0].owner):
            client.cookies.clear()
            client.cookies.set(COOKIE, other)
            assert shown(await client.get("/photos")) == []
            assert shown(await client.get("/")) == []
            await client.post("/photos", data={"drop": token})
        client.cookies.clear()
        client.cookies.set(COOKIE, cookie)
        assert len(shown(await client.get("/photos"))) == 1

    run(scenario, services)


@pytest.mark.parametrize(
    ("contents", "status", "words"),
    [
        ([photo(), SCRIPT], 415, "不是JPG或PNG"),
        ([photo()[:200]], 422, "打不开"),
        ([photo() + b"\0" * own_photos().limit_bytes], 413, "不能超过5MB"),
        ([photo(colour) for colour in COLOURS], 409, "最多放3张"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words_and_nothing_of_it_kept(contents, status, words, services):
    async def scenario(client):
        told = await client.post("/photos", files=sent(*contents), headers=JSON)
        assert told.status_code == status
        assert words in told.json()["error"]["message"]
        page = await client.post("/photos", files=sent(*contents))
        assert page.status_code == status
        assert words in page.text
        assert re.search(r'role="alert">[^<]*' + words, page.text)

    run(scenario, services)
    assert kept(services) == []


def test_a_body_that_is_too_long_is_not_read_to_its_end():
    read = 0

    async def endless():
        nonlocal read
        yield b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\n'
        while True:
            read += 1_000_000
            yield b"\0" * 1_000_000

    async def scenario(client):
        told = {"Content-Type": "multipart/form-data; boundary=x"}
        refused = await client.post("/photos", content=endless(), headers=JSON | told)
        assert refused.status_code == 413
        assert read <= LIMIT_BYTES + 2_000_000
        refused = await client.post("/photos", content=b"", headers=JSON | told | {"Content-Length": str(10**9)})
        assert refused.status_code == 413
        page = await client.post("/petition", content=b"", headers=told | {"Content-Length": str(10**9)})
        assert "照片或文件太大了" in page.text

    run(scenario)


@pytest.mark.parametrize("body", [b"", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"])
@pytest.mark.parametrize("boundary", ["; boundary=x", ""])
def test_a_malformed_form_is_refused(body, boundary):
    async def scenario(client):
        told = {"Content-Type": f"multipart/form-data{boundary}"}
        refused = await client.post("/photos", content=body, headers=JSON | told)
        assert refused.status_code in {200, 400}
        assert (await client.get("/photos")).text.count('<img src="data:') == 0

    run(scenario)


def test_a_form_of_another_site_is_refused(services):
    async def scenario(client):
        refused = await client.post("/photos", files=sent(photo()), headers={"Sec-Fetch-Site": "cross-site"})
        assert refused.status_code == 403

    run(scenario, services)
    assert kept(services) == []


def test_too_many_at_a_time_are_slowed(services):
    services.settings.messages_per_minute = 2

    async def scenario(client):
        statuses = [(await client.post("/photos", files=sent(photo()))).status_code for _ in range(3)]
        assert statuses == [303, 303, 429]

    run(scenario, services)


def test_clearing_the_conversation_deletes_the_photos_that_wait(services):
    async def scenario(client):
        await client.post("/photos", files=sent(photo()))
        await client.post("/clear")

    run(scenario, services)
    assert kept(services) == []


def test_a_form_keeps_its_photos_through_corrections_and_files_them_once(services):
    async def scenario(client):
        wrong = await client.post(
            "/petition", data=FIELDS | {"phone": "1", "step": "review"}, files=sent(photo("teal"), photo("navy"))
        )
        assert wrong.status_code == 422
        assert len(shown(wrong)) == 2
        key = {"form_key": key_of(wrong)}
        again = await client.post("/petition", data=FIELDS | key | {"step": "review"}, files=sent(photo("teal")))
        assert "2 张，一并提交" in again.text
        assert len(shown(again)) == 2
        back = await client.post("/petition", data=FIELDS | key | {"step": "change"})
        token = re.findall(r'name="drop" value="([^"]+)"', back.text)[1]
        review = await client.post("/petition", data=FIELDS | key | {"step": "review", "drop": token})
        assert "1 张，一并提交" in review.text
        with services.sessions() as session:
            assert not session.scalars(select(Petition.id)).all()
        filed = await client.post("/petition", data=FIELDS | {"step": "file", "form_key": key_of(review)})
        repeated = await client.post("/petition", data=FIELDS | {"step": "file", "form_key": key_of(review)})
        assert code_of(filed) == code_of(repeated)
        return number_of(filed)

    number = run(scenario, services)
    with services.sessions() as session:
        assert [(one.width, one.height) for one in photos_of(session, number, SYSTEM)] == [(64, 48)]
    assert [owner for owner, _ in kept(services)] == [None]


@pytest.mark.parametrize("content", [SCRIPT, photo() + b"\0" * own_photos().limit_bytes])
def test_a_form_with_a_photo_that_cannot_be_taken_keeps_what_was_typed(content, services):
    async def scenario(client):
        page = await client.post("/petition", data=FIELDS | {"step": "review"}, files=sent(photo(), content))
        assert page.status_code == 422
        assert FIELDS["place"] in page.text
        assert 'id="photos-problem"' in page.text
        assert shown(page) == []
        assert NAME not in page.text

    run(scenario, services)
    assert kept(services) == []


def test_the_photos_of_a_form_and_of_a_conversation_stay_apart(services):
    async def scenario(client):
        await client.post("/photos", files=sent(photo()))
        review = await client.post("/petition", data=FIELDS | {"step": "review"})
        assert "一并提交" not in review.text
        await client.post("/petition", data=FIELDS | {"step": "file", "form_key": key_of(review)})

    run(scenario, services)
    ((owner, petition),) = kept(services)
    assert petition is None
    with services.sessions() as session:
        assert waiting_photos(session, owner) == 1
