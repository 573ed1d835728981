"""The petition form over HTTP: checked, reviewed, filed once, found again; without Rasa."""

import asyncio
import re
from datetime import timedelta
from functools import cache

import httpx
import pytest
from sqlalchemy import func, select

from channels.app import create_app
from jurisdiction import load_jurisdiction
from language.personal import mask_personal
from petitions import PETITIONER, act, triage
from petitions.lifecycle import own_lifecycle
from petitions.model import Petition
from petitions.privacy import masked
from storage import begin_writing
from tests.integration.cases import person
from tests.unit.channels.fakes import NOW, FakeRasa, FakeServices, FakeSettings

PATHS = ("/my", "/my/receipt", "/my", "/my/receipt")
DIMENSIONS = own_lifecycle().follow_up.dimensions
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
FIELDS = {
    "matter": "楼下烧烤店每晚十点以后音响很大，\n希望有人管一管。",
    "place": "白花社区第二工业区3栋",
    "occurred": "每晚十点以后",
    "name": "李女士",
    "phone": "138 0013 8000",
}


@cache
def places():
    return load_jurisdiction()


class CaseServices(FakeServices):
    """Stand-ins, but for the case work itself."""

    def __init__(self, **kwargs):
        super().__init__(jurisdiction=places(), **kwargs)

    def triage(self, text):
        return triage(text, self.jurisdiction, None)


def run(scenario, services=None):
    services = services or CaseServices()
    rasa = FakeRasa()
    rasa.is_down = True

    async def started():
        transport = httpx.ASGITransport(create_app(services, rasa_transport=rasa.transport), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=SAME_SITE) as client:
            return await scenario(client)

    return asyncio.run(started())


def key_of(page):
    return re.search(r'name="form_key" value="([^"]+)"', page.text)[1]


def code_of(page):
    return re.search(r"<code>([0-9A-Z-]+)</code>", page.text)[1]


def number_of(page):
    return re.search(r'class="number">([^<]+)<', page.text)[1]


def petitions_of(services):
    with services.sessions() as session:
        return session.scalar(select(func.count()).select_from(Petition))


async def file(client, **changes):
    fields = FIELDS | changes
    review = await client.post("/petition", data=fields | {"step": "review"})
    return await client.post("/petition", data=fields | {"step": "file", "form_key": key_of(review)})


def test_a_petition_is_reviewed_and_filed_once():
    services = CaseServices()

    async def scenario(client):
        review = await client.post("/petition", data=FIELDS | {"step": "review"})
        assert review.status_code == 200
        for words in ("楼下烧烤店", "白花社区第二工业区3栋", "李女士 13800138000", "将转给"):
            assert words in review.text
        assert petitions_of(services) == 0
        fields = FIELDS | {"step": "file", "form_key": key_of(review)}
        filed = await client.post("/petition", data=fields)
        again = await client.post("/petition", data=fields)
        assert "诉求已登记" in filed.text
        assert "没有重复登记" in again.text
        assert (number_of(filed), code_of(filed)) == (number_of(again), code_of(again))
        assert petitions_of(services) == 1

    run(scenario, services)
    with services.sessions() as session:
        petition = session.scalars(select(Petition)).one()
        assert petition.matter == mask_personal(FIELDS["matter"])
        assert petition.place == mask_personal(FIELDS["place"])
        assert petition.occurred == FIELDS["occurred"]
        assert petition.channel == "form"
        assert masked(services.keyring, petition.petitioner) == {"name": "李**", "phone": "138****8000"}
        assert petition.filed_at == NOW


def test_an_anonymous_petition_names_nobody():
    services = CaseServices()

    async def scenario(client):
        filed = await file(client, is_anonymous="1")
        assert "诉求已登记" in filed.text

    run(scenario, services)
    with services.sessions() as session:
        petitioner = session.scalars(select(Petition)).one().petitioner
        assert (petitioner.is_anonymous, masked(services.keyring, petitioner)) == (True, {})


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"matter": ""}, "matter", "请写清楚您要反映的事。"),
        ({"matter": " \u200b "}, "matter", "请写清楚您要反映的事。"),
        ({"matter": "吵"}, "matter", "请多写几个字"),
        ({"matter": "长" * 2001}, "matter", "2000 字以内"),
        ({"place": ""}, "place", "请写明地点"),
        ({"place": "长" * 201}, "place", "200 字以内"),
        ({"occurred": "长" * 101}, "occurred", "100 字以内"),
        ({"name": ""}, "name", "请填写姓名"),
        ({"phone": ""}, "phone", "请填写正确的手机号"),
        ({"phone": "12345"}, "phone", "请填写正确的手机号"),
        ({"phone": "1380013800"}, "phone", "请填写正确的手机号"),
    ],
)
def test_a_problem_stands_beside_its_field_and_input_is_kept(changes, field, problem):
    services = CaseServices()

    async def scenario(client):
        page = await client.post("/petition", data=FIELDS | changes | {"step": "file"})
        assert page.status_code == 422
        assert re.search(rf'id="{field}-problem">[^<]*{re.escape(problem)}', page.text)
        assert len(re.findall(r'id="\w+-problem"', page.text)) == 1
        kept = [value for name, value in FIELDS.items() if name != field]
        assert all(value in page.text for value in kept)

    run(scenario, services)
    assert petitions_of(services) == 0


@pytest.mark.parametrize(
    "phone", ["13800138000", "+86 138-0013-8000", "１３８００１３８０００", "0755-25199999", "(0755)25199999"]
)
def test_phones_are_taken_as_people_write_them(phone):
    async def scenario(client):
        assert (await client.post("/petition", data=FIELDS | {"phone": phone, "step": "review"})).status_code == 200

    run(scenario)


@pytest.mark.parametrize("form_key", ["", "made-up", "Imh0bWwi.aaaa.bbbb"])
def test_a_key_that_is_not_ours_files_nothing(form_key):
    services = CaseServices()

    async def scenario(client):
        page = await client.post("/petition", data=FIELDS | {"step": "file", "form_key": form_key})
        assert "放得太久了" in page.text
        assert key_of(page) != form_key

    run(scenario, services)
    assert petitions_of(services) == 0


def test_going_back_keeps_everything():
    async def scenario(client):
        page = await client.post("/petition", data=FIELDS | {"step": "change", "is_anonymous": "1"})
        assert page.status_code == 200
        assert all(value in page.text for value in FIELDS.values())
        assert 'value="1" checked' in page.text

    run(scenario)


def test_the_same_matter_is_offered_and_joined():
    services = CaseServices()

    async def scenario(client):
        first = number_of(await file(client))
        review = await client.post("/petition", data=FIELDS | {"step": "review"})
        same = re.search(r'name="same" value="([^"]+)"', review.text)[1]
        assert "白花社区" in same
        assert first not in review.text
        sent = FIELDS | {"form_key": key_of(review), "step": "join"}
        for wrong in ("", "另一件事"):
            again = await client.post("/petition", data=sent | {"same": wrong})
            assert "核对诉求" in again.text
            assert petitions_of(services) == 1
        joined = [number_of(await client.post("/petition", data=sent | {"same": same})) for _ in range(2)]
        assert joined[0] == joined[1] != first
        return first, joined[0]

    first, joined = run(scenario, services)
    with services.sessions() as session:
        states = {row.number: (row.state, row.merged_into) for row in session.scalars(select(Petition))}
    assert states[joined] == ("merged", first)
    assert states[first] == ("received", None)


def test_another_matter_is_offered_nothing():
    async def scenario(client):
        await file(client)
        other = FIELDS | {"matter": "路灯坏了三天，晚上看不见路。", "step": "review"}
        assert 'name="same"' not in (await client.post("/petition", data=other)).text

    run(scenario)


def test_danger_is_said_on_the_review():
    async def scenario(client):
        page = await client.post("/petition", data=FIELDS | {"matter": "家里有煤气味，没人管", "step": "review"})
        assert 'class="danger emergency" role="alert"' in page.text
        assert 'href="tel:075525199999"' in page.text

    run(scenario)


def test_a_place_outside_is_sent_to_the_right_body():
    services = CaseServices()

    async def scenario(client):
        page = await client.post("/petition", data=FIELDS | {"place": "东莞市长安镇", "step": "review"})
        assert page.status_code == 422
        assert "12345" in page.text
        assert "这件事不归光明街道办理" in page.text

    run(scenario, services)


def test_progress_is_told_to_whoever_has_number_and_code():
    async def scenario(client):
        filed = await file(client)
        number, code = number_of(filed), code_of(filed)
        client.cookies.clear()
        found = await client.post("/my", data={"number": f" {number} ", "code": code.lower()})
        assert found.status_code == 200
        assert "已收到，等待受理" in found.text
        assert number in found.text
        wrong = await client.post("/my", data={"number": number, "code": "AAAA-AAAA"})
        unknown = await client.post("/my", data={"number": "GM209912310001", "code": code})
        assert wrong.status_code == unknown.status_code == 404
        assert "没有找到" in wrong.text
        assert wrong.text.replace(number, "") == unknown.text.replace("GM209912310001", "")

    run(scenario)


def test_the_petitions_of_this_session_are_listed_to_it_alone():
    async def scenario(client):
        await client.get("/")
        number = number_of(await file(client))
        mine = (await client.get("/my")).text
        assert number in mine
        assert "已收到，等待受理" in mine
        assert "李女士" not in mine
        assert "13800138000" not in mine.replace(" ", "")
        receipt = await client.post("/my/receipt", data={"number": number, "as": "file"})
        client.cookies.clear()
        other = await client.post("/my/receipt", data={"number": number, "as": "file"})
        listed = (await client.get("/my")).text
        return number, receipt, other, listed

    number, receipt, other, listed = run(scenario)
    assert receipt.headers["Content-Disposition"] == f'attachment; filename="{number}.txt"'
    assert receipt.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert receipt.text.startswith("光明街道诉求回执\n工单号：" + number)
    assert "查询码：" not in receipt.text
    assert other.status_code == 404
    assert number not in listed


def test_who_joined_a_ticket_reads_how_far_it_has_come():
    services = CaseServices()

    async def scenario(client):
        other = number_of(await file(client))
        client.cookies.clear()
        mine = await file(client, name="张先生")
        with services.sessions() as session:
            begin_writing(session)
            petition = session.scalars(select(Petition).where(Petition.number == number_of(mine))).one()
            act(session, petition.id, "join", PETITIONER, {"into": other}, now=NOW)
            session.commit()
        found = await client.post("/my", data={"number": number_of(mine), "code": code_of(mine)})
        return other, found.text

    other, text = run(scenario, services)
    joined = text[text.index('class="note joined"') :]
    assert "已并入同一件事的工单一起办理" in text
    assert "一起办理的那件事目前的进展" in joined
    assert "已收到，等待受理" in joined
    assert other not in text
    assert "李女士" not in text


def test_a_receipt_repeats_the_code_to_whoever_has_it_and_nothing_personal():
    async def scenario(client):
        filed = await file(client)
        number, code = number_of(filed), code_of(filed)
        client.cookies.clear()
        fields = {"number": number, "code": code}
        return (
            code,
            [await client.post("/my/receipt", data=fields | {"as": kind}) for kind in ("page", "file")],
            await client.post("/my/receipt", data=fields | {"code": "AAAA-AAAA"}),
        )

    code, receipts, wrong = run(scenario)
    for receipt in receipts:
        assert receipt.status_code == 200
        assert code in receipt.text
        assert "登记时间" in receipt.text
        assert not [word for word in ("李女士", "13800138000", "烧烤店", "3栋") if word in receipt.text]
    assert wrong.status_code == 404


def test_the_old_address_leads_to_the_new_one():
    async def scenario(client):
        return await client.get("/petition/status")

    assert run(scenario).headers["Location"] == "/my"


def test_look_ups_of_one_address_are_slowed_down_whatever_the_number():
    services = CaseServices(settings=FakeSettings(lookups_per_minute=3))

    async def scenario(client):
        guesses = [{"number": f"GM20261123000{digit}", "code": "AAAA-AAAA"} for digit in range(4)]
        return [(await client.post(path, data=guess)).status_code for guess, path in zip(guesses, PATHS, strict=True)]

    assert run(scenario, services) == [404, 404, 404, 429]


def test_guessing_a_code_is_slowed_down():
    services = CaseServices(settings=FakeSettings(messages_per_minute=3))

    async def scenario(client):
        guess = {"number": "GM202611230001", "code": "AAAA-AAAA"}
        statuses = [(await client.post("/my", data=guess)).status_code for _ in range(4)]
        assert statuses == [404, 404, 404, 429]

    run(scenario, services)


def test_typed_markup_is_inert():
    attack = '"><script>alert(1)</script></textarea>'

    async def scenario(client):
        fields = FIELDS | {"matter": attack, "place": attack, "occurred": attack, "name": attack}
        for step in ("review", "change"):
            page = await client.post("/petition", data=fields | {"step": step})
            assert "<script>alert" not in page.text
            assert page.text.count("&lt;script&gt;") >= 4
        status = await client.post("/my", data={"number": attack, "code": attack})
        assert "<script>alert" not in status.text

    run(scenario)


def test_a_form_with_too_much_is_refused():
    async def scenario(client):
        huge = await client.post("/petition", data=FIELDS | {"other": "x" * 40_000})
        assert huge.status_code == 413

    run(scenario)


def test_a_form_key_expires(monkeypatch):
    services = CaseServices()

    async def scenario(client):
        review = await client.post("/petition", data=FIELDS | {"step": "review"})
        later = NOW.timestamp() + timedelta(days=400).total_seconds()
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
        page = await client.post("/petition", data=FIELDS | {"step": "file", "form_key": key_of(review)})
        assert "放得太久了" in page.text

    run(scenario, services)
    assert petitions_of(services) == 0


def reply_to(services):
    """The one petition is accepted and replied to."""
    with services.sessions() as session:
        begin_writing(session)
        petition = session.scalars(select(Petition)).one()
        unit = person("handler", petition.unit)
        act(session, petition.id, "accept", unit, {}, now=NOW)
        act(session, petition.id, "reply", unit, {"answer": "已经处理"}, now=NOW)
        session.commit()


def test_a_resident_rates_what_was_replied_once():
    services = CaseServices()

    async def scenario(client):
        page = await file(client)
        number, code = number_of(page), code_of(page)
        sent = {"number": number, "code": code, "is_solved": "1"} | dict.fromkeys(DIMENSIONS, "5")
        assert 'action="/my/rate"' not in (await client.post("/my", data=sent)).text
        assert (await client.post("/my/rate", data=sent)).status_code == 422
        reply_to(services)
        asked = await client.post("/my", data=sent)
        assert all(label in asked.text for label in ("办理速度", "办理结果", "服务态度", "反馈说明"))
        for wrong in ({"code": "ACDE-3467"}, {"speed": "9"}, {"is_solved": ""}):
            refused = await client.post("/my/rate", data=sent | wrong)
            assert refused.status_code in {404, 422}
        done = await client.post("/my/rate", data=sent | {"note": "谢谢"})
        assert (done.status_code, "谢谢您的评价" in done.text) == (200, True)
        again = await client.post("/my/rate", data=sent)
        assert (again.status_code, "现在不能评价" in again.text) == (422, True)

    run(scenario, services)
    with services.sessions() as session:
        assert session.scalars(select(Petition)).one().state == "closed"


def test_who_is_not_satisfied_has_it_done_again():
    services = CaseServices()

    async def scenario(client):
        await client.get("/")
        number = number_of(await file(client))
        reply_to(services)
        # The session in which it was filed is enough.
        mine = {"number": number, "is_solved": "0"} | dict.fromkeys(DIMENSIONS, "1")
        assert (await client.post("/my/rate", data=mine)).status_code == 200

    run(scenario, services)
    with services.sessions() as session:
        assert session.scalars(select(Petition)).one().state == "redo"
