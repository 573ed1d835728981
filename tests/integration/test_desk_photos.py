"""Photos at the desk: on the page of the ticket, in whole for those who may see it, and for nobody else."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from desk.accounts import PERSONS, Role
from desk.app import create_app
from desk.entry import CASEWORKERS, COOKIE
from petitions.filing import file_petition
from petitions.images import redraw
from petitions.intake import Draft
from petitions.model import Petition
from petitions.photos import add_photo, expect_photo
from tests.integration.cases import HALL, KEYRING, NOW, OTHER_STATION, STATION, route
from tests.photos import photo
from tests.unit.desk.fakes import Browser, desk_on

PICTURE = redraw(photo(size=(640, 480)))


@pytest.fixture
def services(engine):
    return desk_on(engine)


@pytest.fixture
def browser(services):
    """Makes browsers of people who have logged in."""
    application = create_app(services)

    def browser(name=None):
        client = Browser(application)
        if name:
            client.cookies.set(COOKIE, services.cookie(name), domain="desk.test")
        return client

    return browser


def with_photos(engine, where=None, accused=None, is_expected=False):
    """The number of a ticket with a photo, and if wanted with one that is still to be fetched."""
    with Session(engine) as session:
        add_photo(session, KEYRING, "owner", PICTURE, now=NOW)
        if is_expected:
            expect_photo(session, "owner", expires_at=NOW + timedelta(days=1), now=NOW)
        filed = file_petition(
            session,
            Draft(matter="楼下垃圾三天没人清", place="碧眼社区", is_anonymous=True),
            where or route(),
            form_key="form",
            conversation="",
            channel="form",
            secret=b"0" * 32,
            keyring=KEYRING,
            now=NOW,
            photos_of="owner",
        )
        session.scalars(select(Petition)).one().accused_unit = accused
        session.commit()
        return filed.number


def test_a_photo_is_shown_small_on_the_page_and_opened_in_whole(engine, services, browser):
    number = with_photos(engine, is_expected=True)
    client = browser(services.add("张三", Role.HANDLER, STATION))
    page = client.get(f"/tickets/{number}")
    assert "居民的照片（2 张）" in page.text
    assert "第 2 张照片正在从微信接收" in page.text
    small, large = (
        re.search(pattern, page.text) for pattern in (r'<img src="([^"]+)" alt="[^"]+"', r'href="([^"]+/1)"')
    )
    for found, content in ((small, PICTURE.small), (large, PICTURE.large)):
        answer = client.get(found[1])
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert number in answer.headers["Content-Disposition"]
    for position in ("2", "3", "x", "-1", "99999999999"):
        assert client.get(f"/tickets/{number}/photos/{position}").status_code == 404


def test_who_opens_a_photo_is_seen_to_read_the_ticket(engine, services, browser):
    number = with_photos(engine)
    one, other = (browser(services.add(name, Role.OPERATOR, STATION)) for name in ("张三", "李四"))
    assert one.get(f"/tickets/{number}/photos/1").status_code == 200
    assert "张三正在查看" in other.get(f"/tickets/{number}").text
    services.pass_time(minutes=10)
    assert one.get(f"/tickets/{number}/photos/1/small").status_code == 200
    assert "张三正在查看" not in other.get(f"/tickets/{number}").text


def test_photos_are_for_those_who_may_see_the_ticket(engine, services, browser):
    number = with_photos(engine, where=replace(route(HALL), is_restricted=True), accused=STATION)
    for role in PERSONS:
        for unit, may in ((HALL, role in CASEWORKERS), (STATION, False), (OTHER_STATION, False)):
            client = browser(services.add(f"{role} {unit}", role, unit))
            for size in ("", "/small"):
                status = client.get(f"/tickets/{number}/photos/1{size}").status_code
                assert status == (200 if may else 404 if role in CASEWORKERS else 403), (role, unit)
    assert browser().get(f"/tickets/{number}/photos/1").headers["Location"].startswith("/login")


def test_the_accused_unit_has_no_photo(engine, services, browser):
    number = with_photos(engine, where=replace(route(HALL), is_restricted=True), accused=HALL)
    client = browser(services.add("某人", Role.SUPERVISOR, HALL))
    hidden, unknown = (client.get(f"/tickets/{one}/photos/1/small") for one in (number, "GM1999"))
    assert (hidden.status_code, hidden.text) == (unknown.status_code, unknown.text)
    assert hidden.status_code == 404
