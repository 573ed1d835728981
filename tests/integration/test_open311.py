"""The Open311 facade against the published rules of GeoReport v2: resources, fields, formats, errors, keys, limits."""

import asyncio
import socket
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from lxml import etree
from sqlalchemy import func, select
from sqlalchemy.orm import sessionmaker

from channels.app import create_app
from desk.accounts import Role
from petitions import Actor, act
from petitions.model import Petition
from petitions.photo_model import Photo
from petitions.triage import taxonomy
from storage import begin_writing
from tests.integration.test_at_once import at_once
from tests.integration.test_petition_form import CaseServices
from tests.unit.channels.fakes import NOW, FakeRasa, FakeSettings

KEY, OTHER_KEY = "sqt_key", "sqt_other"
FORM = {
    "api_key": KEY,
    "service_code": "environment",
    "address_string": "碧眼社区光明大街12号",
    "description": "楼下烧烤店每晚噪音扰民，我叫王小红",
    "last_name": "王",
    "first_name": "小红",
    "phone": "138 0013 8000",
    "attribute[occurred]": "每晚",
}
# Source: https://wiki.open311.org/GeoReport_v2/
SERVICE_FIELDS = ["service_code", "service_name", "description", "metadata", "type", "keywords", "group"]
REQUEST_FIELDS = [
    "service_request_id", "status", "status_notes", "service_name", "service_code", "description", "agency_responsible",
    "service_notice", "requested_datetime", "updated_datetime", "expected_datetime", "address", "address_id", "zipcode",
    "lat", "long", "media_url",
]  # fmt: skip
ATTRIBUTE_FIELDS = {"variable", "code", "datatype", "required", "datatype_description", "order", "description"}


class KeyedServices(CaseServices):
    def check_token(self, token, role):
        return {KEY: "app", OTHER_KEY: "other"}.get(token) if role == "open311" else None


class Client:
    """A program that calls the facade."""

    def __init__(self, **settings):
        self.services = KeyedServices(settings=FakeSettings(**settings))
        self.app = create_app(self.services, rasa_transport=FakeRasa().transport)

    def __call__(self, method, path, **kwargs):
        async def call():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test/open311/v2/") as client:
                return await client.request(method, path, **kwargs)

        return asyncio.run(call())

    def get(self, path, **query):
        return self("GET", path, params=query)

    def post(self, path="requests.json", headers=None, **changes):
        form = {name: value for name, value in (FORM | changes).items() if value is not None}
        return self("POST", path, data=form, headers=headers)

    def file(self, **changes):
        reply = self.post(**changes)
        assert reply.status_code == 201, reply.text
        return reply.json()[0]["service_request_id"]

    def petition(self):
        with self.services.sessions() as session:
            return session.scalars(select(Petition)).one()


@pytest.fixture
def client():
    return Client()


def tags(element):
    return [child.tag for child in element]


def test_the_services_are_the_categories_and_have_their_fields(client):
    listed = client.get("services.json")
    assert listed.headers["Content-Type"] == "application/json"
    assert [list(service) for service in listed.json()] == [SERVICE_FIELDS] * 15
    assert {service["service_name"] for service in listed.json()} == set(taxonomy())
    assert len({service["service_code"] for service in listed.json()}) == 15
    xml = client.get("services.xml")
    assert xml.headers["Content-Type"] == "text/xml; charset=utf-8"
    root = etree.fromstring(xml.content)
    assert (root.tag, {child.tag for child in root}) == ("services", {"service"})
    assert tags(root[0]) == SERVICE_FIELDS
    assert [one.findtext("service_code") for one in root] == [one["service_code"] for one in listed.json()]
    assert root[0].findtext("metadata") == "true"


def test_a_definition_tells_what_may_be_said_besides(client):
    definition = client.get("services/environment.json").json()
    assert definition["service_code"] == "environment"
    assert {*definition["attributes"][0]} == ATTRIBUTE_FIELDS
    root = etree.fromstring(client.get("services/environment.xml").content)
    assert (root.tag, tags(root)) == ("service_definition", ["service_code", "attributes"])
    assert {*tags(root.find("attributes/attribute"))} == ATTRIBUTE_FIELDS


def test_the_form_is_chosen_by_the_ending_then_by_the_header(client):
    for path, accept, kind in (
        ("services", "application/json", "application/json"),
        ("services", "*/*", "text/xml; charset=utf-8"),
        ("services.xml", "application/json", "text/xml; charset=utf-8"),
    ):
        assert client("GET", path, headers={"Accept": accept}).headers["Content-Type"] == kind


def test_a_request_is_filed_followed_and_closed(client):
    filed = client.post().json()
    assert [list(one) for one in filed] == [["service_request_id", "service_notice", "account_id"]]
    number = filed[0]["service_request_id"]
    assert "查询码" in filed[0]["service_notice"]
    (shown,) = client.get(f"requests/{number}.json").json()
    assert list(shown) == REQUEST_FIELDS
    petition = client.petition()
    assert (shown["service_request_id"], shown["status"], shown["agency_responsible"]) == (
        number,
        "open",
        petition.unit,
    )
    assert shown["status_notes"] == "已收到，等待受理"
    assert shown["requested_datetime"] == shown["updated_datetime"] == "2026-11-23T10:00:00+08:00"
    assert shown["expected_datetime"] == "2027-01-22T23:59:59+08:00"
    with client.services.sessions() as session:
        act(session, petition.id, "withdraw", Actor("petitioner", "petitioner"), {}, now=NOW + timedelta(hours=1))
        session.commit()
    (shown,) = client.get(f"requests/{number}.json").json()
    assert (shown["status"], shown["expected_datetime"]) == ("closed", None)
    assert shown["updated_datetime"] == "2026-11-23T11:00:00+08:00"
    root = etree.fromstring(client.get(f"requests/{number}.xml").content)
    assert (root.tag, tags(root), tags(root[0])) == ("service_requests", ["request"], REQUEST_FIELDS)


def test_words_and_place_are_shown_masked_to_who_filed_them_alone(client):
    number = client.file()
    for key, description, address in (
        (KEY, "楼下烧烤店每晚噪音扰民，我叫〔姓名〕", "碧眼社区光明大街〔门牌〕"),
        (OTHER_KEY, None, None),
        ("wrong", None, None),
    ):
        (shown,) = client.get(f"requests/{number}.json", api_key=key).json()
        assert (shown["description"], shown["address"]) == (description, address)
    assert "小红" not in client.get("requests.json", api_key=KEY).text


def test_a_link_to_a_photo_is_words_and_is_not_followed(client, monkeypatch):
    called = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_more: called.append(args) or [])
    number = client.file(media_url="http://169.254.169.254/photo.jpg")
    assert client.petition().matter.endswith("（附件：http://169.254.169.254/photo.jpg）")
    assert client.get(f"requests/{number}.json").json()[0]["media_url"] is None
    with client.services.sessions() as session:
        assert session.scalars(select(Photo.id)).all() == []
    assert called == []


def test_coordinates_alone_are_a_place(client):
    number = client.file(address_string=None, lat="22.748816", long="113.935895")
    (shown,) = client.get(f"requests/{number}.json", api_key=KEY).json()
    assert (shown["lat"], shown["long"], shown["address"]) == (22.748816, 113.935895, None)


def test_an_accusation_is_shown_to_nobody(client):
    number = client.file(description="碧眼社区书记贪污集体的钱")
    assert client.petition().is_restricted
    assert client.get(f"requests/{number}.json", api_key=KEY).status_code == 404
    assert client.get("requests.json", api_key=KEY).json() == []


def test_danger_comes_before_the_code(client):
    notice = client.post(description="楼道里有煤气味").json()[0]["service_notice"]
    assert notice.startswith("可能是燃气泄漏")


def test_the_same_key_again_files_nothing(client):
    headers = {"Idempotency-Key": "one"}
    replies = [client.post(headers=headers) for _ in range(3)]
    assert len({reply.json()[0]["service_request_id"] for reply in replies}) == 1
    other = client.post(headers=headers, api_key=OTHER_KEY)
    assert other.json() != replies[0].json()
    with client.services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Petition)) == 2


def test_requests_are_filtered_as_the_standard_says(client):
    first = client.file()
    second = client.file(service_code="labour", description="工厂拖欠工资三个月没发")
    with client.services.sessions() as session:
        begin_writing(session)
        petition = session.scalar(select(Petition).where(Petition.number == second))
        petition.filed_at = NOW - timedelta(days=100)
        petition.ended_at = NOW
        session.commit()

    def found(**query):
        return [one["service_request_id"] for one in client.get("requests.json", **query).json()]

    old = (NOW - timedelta(days=101)).isoformat()
    assert found() == [first]
    assert found(service_request_id=f"{first},{second},GM0") == [first, second]
    assert found(start_date=old, end_date=(NOW - timedelta(days=99)).isoformat()) == [second]
    assert found(start_date=old) == [second]
    # A span is never longer than 90 days.
    assert found(start_date=old, end_date=NOW.isoformat()) == [first]
    assert found(service_request_id=f"{first},{second}", status="closed") == [second]
    assert found(status="open,closed") == [first]
    assert found(service_code="labour") == []
    assert found(service_request_id=f"{first},{second}", service_code="labour,environment") == [first, second]


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda c: c.get("services.json", jurisdiction_id="elsewhere"), 404),
        (lambda c: c.get("services/nothing.json"), 404),
        (lambda c: c.get("nothing.json"), 404),
        (lambda c: c.get("requests/GM0.json"), 404),
        (lambda c: c.get("requests.json", service_code="nothing"), 404),
        (lambda c: c.get("requests.json", status="lost"), 400),
        (lambda c: c.get("requests.json", start_date="yesterday"), 400),
        (lambda c: c.get("requests.json", start_date="2026-01-01T00:00:00"), 400),
        (lambda c: c.get("requests.json", start_date="2026-03-01T00:00:00Z", end_date="2026-01-01T00:00:00Z"), 400),
        (lambda c: c.post(api_key=None), 403),
        (lambda c: c.post(api_key="wrong"), 403),
        (lambda c: c.post(service_code=None), 400),
        (lambda c: c.post(service_code="nothing"), 404),
        (lambda c: c.post(address_string=None), 400),
        (lambda c: c.post(address_string=None, lat="22.7"), 400),
        (lambda c: c.post(address_string=None, lat="north", long="1"), 400),
        (lambda c: c.post(address_string=None, lat="nan", long="1"), 400),
        (lambda c: c.post(address_string=None, lat="91", long="1"), 400),
        (lambda c: c.post(description=None), 400),
        (lambda c: c.post(description="长" * 1601), 400),
        (lambda c: c.post(description="长" * 60000), 413),
        (lambda c: c.post(phone="123"), 400),
        (lambda c: c.post(media_url="javascript:alert(1)"), 400),
        (lambda c: c.post(media_url="file:///etc/passwd"), 400),
        (lambda c: c.post(jurisdiction_id="elsewhere"), 404),
        (lambda c: c.post(description="福田区的垃圾没人清", address_string="福田区"), 422),
        (lambda c: c.post("services.json"), 405),
        (lambda c: c("POST", "requests.json", json=FORM), 400),
    ],
)
def test_errors_have_the_form_of_the_standard(client, call, status):
    reply = call(client)
    assert reply.status_code == status
    (error,) = reply.json()
    assert list(error) == ["code", "description"]
    assert error["code"] == status
    assert error["description"]
    assert KEY not in reply.text
    with client.services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Petition)) == 0


def test_an_error_in_xml(client):
    root = etree.fromstring(client.post("requests.xml", api_key="wrong").content)
    assert (root.tag, tags(root), tags(root[0])) == ("errors", ["error"], ["code", "description"])


def test_one_key_may_not_file_too_fast():
    client = Client(address_messages_per_minute=2)
    assert [client.post().status_code for _ in range(3)] == [201, 201, 429]


def test_nobody_may_read_too_fast():
    client = Client(address_messages_per_minute=2)
    assert [client.get("requests.json").status_code for _ in range(3)] == [200, 200, 429]


def test_a_chosen_service_counts_where_the_text_tells_none(client, monkeypatch):
    known = client.services.triage
    unsure = {"category": ("党务政务", "其他", "其他")}
    monkeypatch.setattr(client.services, "triage", lambda text: replace(known(text), **unsure))
    client.file(service_code="labour")
    assert client.petition().category == ["劳动和社会保障", "其他", "其他"]


def test_every_moment_has_a_zone_and_tokens_may_have_the_role(client):
    (shown,) = client.get(f"requests/{client.file()}.json").json()
    assert all(
        datetime.fromisoformat(shown[f"{name}_datetime"]).tzinfo for name in ("requested", "updated", "expected")
    )
    assert Role("open311") in Role


def test_the_same_filing_many_times_at_once_is_one_ticket(engine):
    client = Client()
    client.services.sessions = sessionmaker(engine)
    replies = at_once(8, lambda _index: client.post(headers={"Idempotency-Key": "one"}))
    assert len({reply.json()[0]["service_request_id"] for reply in replies}) == 1
    with client.services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Petition)) == 1
