"""The desk over HTTP: who gets in, what each may see and do, and what a forged, stale or repeated form does."""

import logging
import re
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk.accounts import (
    PERSONS,
    Role,
    Staff,
    change_staff,
    check_token,
    create_token,
    disable_staff,
    find_staff,
    reset_password,
)
from desk.app import create_app
from desk.entry import COOKIE, routes_of
from desk.live import changed_since, newest_event
from desk.sessions import ACCOUNT_FAILURES, StaffSession, close_all
from petitions.model import Event, Petition
from petitions.rules import own_rules
from petitions.visibility import may_see
from storage import begin_writing
from tests.integration.cases import (
    DISTRICT,
    HALL,
    NOW,
    OTHER_HALL,
    OTHER_STATION,
    STATION,
    actions,
    file_case,
    person,
    route,
    step,
)
from tests.unit.desk.fakes import PASSWORD, Browser, desk_on

TOP = person("supervisor", DISTRICT)


@pytest.fixture
def services(engine):
    return desk_on(engine)


@pytest.fixture
def application(services):
    return create_app(services)


@pytest.fixture
def browser(application):
    """Makes browsers: one of somebody who has logged in, or of a stranger."""

    def browser(name=None):
        client = Browser(application)
        if name:
            client.cookies.set(COOKIE, application.state.services.cookie(name), domain="desk.test")
        return client

    return browser


@pytest.fixture
def session(engine):
    with Session(engine, expire_on_commit=False) as session:
        yield session


def log_in(client, name, password=PASSWORD, **more):
    return client.post("/login", data={"name": name, "password": password} | more)


def form_of(page, action):
    """The hidden fields of a step's form."""
    found = re.search(rf'action="[^"]*/act/{action}">(.*?)</form>', page.text, re.DOTALL)
    assert found, action
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found[1]))


# Getting in


def test_a_password_opens_the_door_and_a_wrong_one_does_not(services, browser):
    services.add("张三", Role.OPERATOR, STATION)
    client = browser()
    refused = log_in(client, "张三", "不是这个密码")
    assert (refused.status_code, COOKIE in client.cookies) == (401, False)
    assert "姓名或密码不对" in refused.text
    assert log_in(client, "没有这个人").text == refused.text.replace('value="张三"', 'value="没有这个人"')
    assert log_in(client, "张三", next="/tickets?state=open").headers["Location"] == "/tickets?state=open"
    assert client.get("/tickets").status_code == 200
    cookie = next(iter(client.cookies.jar))
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "lax"


@pytest.mark.parametrize("path", ["//evil.test", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", "/a\nb"])
def test_login_leads_nowhere_else(services, browser, path):
    services.add("张三", Role.OPERATOR, STATION)
    assert log_in(browser(), "张三", next=path).headers["Location"] == "/"


def test_a_session_that_somebody_else_has_set_is_worth_nothing(services, browser):
    services.add("张三", Role.OPERATOR, STATION)
    thief, victim = browser("张三"), browser()
    fixed = thief.cookies[COOKIE]
    victim.cookies.set(COOKIE, fixed, domain="desk.test")
    assert log_in(victim, "张三").status_code == 303
    assert victim.cookies[COOKIE] != fixed
    assert thief.get("/tickets").headers["Location"].startswith("/login")


def test_the_log_tells_who_got_in_and_names_nobody_who_did_not(services, browser, caplog):
    services.add("张三", Role.OPERATOR, HALL)
    with caplog.at_level(logging.INFO, "desk"):
        log_in(browser(), "张三", "geheim-geheim")
        log_in(browser(), "张三")
        for _ in range(6):
            log_in(browser(), "geheim-geheim")
    said = [record.getMessage() for record in caplog.records if record.name == "desk.login"]
    assert said[0].startswith("login_refused code=wrong_login account=")
    assert said[1] == "login staff=1 complete=True"
    assert said[-1] == "login_locked_out"
    assert "geheim" not in caplog.text
    assert "张三" not in caplog.text


def test_an_account_is_locked_out_for_a_while(services, browser):
    services.add("张三", Role.OPERATOR, STATION)
    client = browser()
    for _ in range(ACCOUNT_FAILURES):
        assert log_in(client, "张三", "错的密码不对啊").status_code == 401
    locked = log_in(client, "张三")
    assert (locked.status_code, locked.headers["Retry-After"]) == (429, "900")
    services.pass_time(minutes=15, seconds=1)
    assert log_in(client, "张三").status_code == 303


def test_an_address_is_locked_out_whoever_it_tries(services, browser, monkeypatch):
    monkeypatch.setattr("desk.sessions.ADDRESS_FAILURES", 3)
    services.add("张三", Role.OPERATOR, STATION)
    client = browser()
    # What succeeds takes nothing away from others at the same address.
    assert [log_in(client, "张三").status_code for _ in range(4)] == [303] * 4
    assert [log_in(client, f"某人{number}").status_code for number in range(3)] == [401] * 3
    assert log_in(client, "张三").status_code == 429


def test_a_session_ends_unused_and_at_its_age(services, browser):
    services.add("张三", Role.OPERATOR, STATION)
    client = browser("张三")
    for _ in range(20):
        services.pass_time(minutes=25)
        assert client.get("/tickets").status_code == 200
    for _ in range(3):  # what a page asks by itself keeps nothing alive
        services.pass_time(minutes=11)
        answer = client.get("/tickets", headers={"X-By-Itself": "1", "HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login")
    client = browser("张三")
    for _ in range(29):
        services.pass_time(minutes=25)
        client.get("/tickets")
    assert client.get("/tickets").status_code == 303


def test_who_is_disabled_or_logged_out_everywhere_is_out_at_once(services, browser, session):
    for name in ("张三", "李四", "王五"):
        services.add(name, Role.OPERATOR, STATION)
    one, other, third, fourth = browser("张三"), browser("张三"), browser("李四"), browser("王五")
    assert one.post("/logout", data={"everywhere": "1"}).status_code == 303
    assert other.get("/tickets").status_code == 303
    begin_writing(session)
    disable_staff(session, "李四", now=NOW)
    close_all(session, reset_password(session, "王五")[0])
    session.commit()
    assert third.get("/tickets").status_code == fourth.get("/tickets").status_code == 303
    assert log_in(browser(), "李四").status_code == 401
    assert log_in(browser(), "王五").status_code == 401


def test_an_initial_password_has_to_be_changed(services, browser, session):
    services.add("张三", Role.OPERATOR, STATION)
    begin_writing(session)
    _, password = reset_password(session, "张三")
    session.commit()
    client = browser()
    log_in(client, "张三", password)
    assert client.get("/tickets").headers["Location"] == "/account/password"
    before = client.cookies[COOKIE]
    new = {"current": password, "new": "另一个足够长的好密码呀", "again": "另一个足够长的好密码呀"}
    for wrong in ({"current": "x"}, {"again": "x"}, {"new": "短", "again": "短"}):
        assert client.post("/account/password", data=new | wrong).status_code == 422
    assert client.post("/account/password", data=new).status_code == 303
    assert client.cookies[COOKIE] != before
    assert client.get("/tickets").status_code == 200
    assert session.scalar(select(func.count()).select_from(StaffSession)) == 1


def test_the_second_factor(services, browser, session):
    services.settings.desk_second_factor = "supervisor, admin"
    services.add("李四", Role.SUPERVISOR, HALL)
    client = browser()
    log_in(client, "李四")
    assert client.get("/tickets").headers["Location"] == "/account/factor"
    page = client.get("/account/factor")
    secret = re.search(r'name="secret" value="([A-Z2-7]+)"', page.text)[1]
    assert 'src="data:image/svg+xml' in page.text
    code = pyotp.TOTP(secret).at(services.now)
    form = {"secret": secret, "code": code, "password": PASSWORD}
    assert client.post("/account/factor", data=form | {"code": "000000"}).status_code == 401
    assert client.post("/account/factor", data=form | {"password": "错的密码不对啊"}).status_code == 422
    elsewhere = browser("李四")
    codes = re.findall(r"<li><code>([0-9a-f-]+)</code>", client.post("/account/factor", data=form).text)
    assert len(codes) == 10
    assert elsewhere.get("/account").headers["Location"].startswith("/login")
    assert client.get("/tickets").status_code == 200
    assert secret not in str(session.scalars(select(Staff.factor_sealed)).all())

    second = browser()
    assert log_in(second, "李四").status_code == 303
    assert second.get("/tickets").headers["Location"] == "/login/code"
    assert second.get("/account/password").status_code == 401
    assert second.post("/account/factor", data=form).status_code == 401
    before = second.cookies[COOKIE]
    assert second.post("/login/code", data={"code": code}).status_code == 401, "a code counts once"
    services.pass_time(seconds=30)
    assert second.post("/login/code", data={"code": pyotp.TOTP(secret).at(services.now)}).status_code == 303
    assert second.cookies[COOKIE] != before
    assert second.get("/tickets").status_code == 200

    third = browser()
    log_in(third, "李四")
    assert third.post("/login/code", data={"code": codes[0].replace("-", " ").upper()}).status_code == 303
    log_in(third, "李四")
    assert third.post("/login/code", data={"code": codes[0]}).status_code == 401
    services.pass_time(minutes=11)
    assert third.post("/login/code", data={"code": codes[1]}).headers["Location"] == "/login", "it took too long"


# Who may see and do what


def tickets(session):
    """Tickets in all corners of the network: an open one a unit, and accusations that are not for everybody."""
    units = (DISTRICT, HALL, OTHER_HALL, STATION, OTHER_STATION)
    found = {unit: file_case(session, unit, where=route(unit)) for unit in units}
    for accused in (None, HALL, STATION):
        key = f"accuse {accused}"
        secret = file_case(session, key, where=replace(route(DISTRICT, class_="检举控告"), is_restricted=True))
        if accused:
            step(session, secret, "name_accused", TOP, accused=accused, reason="信中写明")
        found[key] = secret
    offered = file_case(session, "offered", where=route(OTHER_STATION))
    step(session, offered, "transfer", person("operator", OTHER_STATION), unit=STATION, reason="在贵社区")
    found["offered"] = offered
    return found


OPEN = {DISTRICT, HALL, OTHER_HALL, STATION, OTHER_STATION, "offered"}
SEEN = {
    STATION: {STATION, "offered"},
    OTHER_STATION: {OTHER_STATION, "offered"},
    OTHER_HALL: {OTHER_HALL},
    HALL: {HALL, STATION, OTHER_STATION, "offered"},
    DISTRICT: {
        DISTRICT,
        HALL,
        OTHER_HALL,
        STATION,
        OTHER_STATION,
        "offered",
        "accuse None",
        f"accuse {HALL}",
        f"accuse {STATION}",
    },
}


@pytest.mark.parametrize("unit", SEEN)
def test_nobody_sees_what_is_not_theirs(services, browser, session, unit):
    found = tickets(session)
    session.commit()
    services.alike = []
    client = browser(services.add("某人", Role.SUPERVISOR, unit))
    listed = client.get("/tickets").text
    everywhere = f"{listed}{client.get('/tickets?state=open').text}{client.get(f'/tickets?unit={DISTRICT}').text}"
    total = int(re.search(r'id="tab-all".*?class="count">(\d+)<', listed)[1])
    assert total == len(SEEN[unit])
    for name, petition in found.items():
        number = petition.number
        answers = [
            client.get(f"/tickets/{number}"),
            client.get(f"/tickets/{number}/similar"),
            client.post(f"/tickets/{number}/act/claim", data={"version": "1", "key": "c"}),
            client.post(f"/tickets/{number}/unmask", data={"reason": "核对住址"}),
            client.post(f"/tickets/{number}/act/urge", data={"version": "1", "key": "k"}),
        ]
        assert (number in everywhere) == (name in SEEN[unit])
        if name in SEEN[unit]:
            assert all(answer.status_code in {200, 303, 403, 409} for answer in answers), name
        else:
            assert {answer.status_code for answer in answers} == {404}
            unknown = client.get("/tickets/GM19990101000000")
            assert answers[0].text == unknown.text
            session.refresh(petition)
            assert "unmask" not in actions(session, petition)


@pytest.mark.parametrize("unit", SEEN)
def test_the_stream_tells_what_may_be_seen(services, session, unit):
    last = newest_event(session)
    session.rollback()
    found = tickets(session)
    session.commit()
    actor = find_staff_actor(services, unit)
    newest, changed = changed_since(session, last)
    told = {number for number, petition in changed.items() if may_see(petition, actor, own_rules().network)}
    assert told == {found[name].number for name in SEEN[unit]}
    assert changed_since(session, newest) == (newest, {})


def find_staff_actor(services, unit):
    name = services.add("某人", Role.HANDLER, unit)
    with services.sessions() as session:
        return find_staff(session, name).actor


def test_a_conversation_that_led_to_a_hidden_ticket_is_not_shown(services, browser, session):
    petition = file_case(session)
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    page = client.get(f"/tickets/{petition.number}").text
    assert "三天没人清，电话〔" in page
    assert "13800138000" not in page
    file_case(session, "secret", where=replace(route(DISTRICT, class_="检举控告"), is_restricted=True))
    session.commit()
    page = client.get(f"/tickets/{petition.number}").text
    assert "三天没人清，电话〔" not in page
    assert "无权查看" in page


def calls_of(application):
    return [(method, route) for route in routes_of(application) for method in sorted(route.methods)]


def test_every_route_is_closed_to_strangers_and_to_other_roles(services, application, browser, session):
    petition = file_case(session, where=route(HALL))
    session.commit()
    clients = {role: browser(services.add(f"{role}", role, HALL)) for role in PERSONS}
    stranger, seen = browser(), set()
    open_paths = {"/login", "/login/oidc", "/login/oidc/back", "/vendor/{version}/{name}"}
    for method, one in calls_of(application):
        if one.path in {"/events", "/logout"}:
            continue  # endless, and the end of the session: looked at elsewhere
        values = {"number": petition.number, "action": "urge", "version": "0", "name": "htmx.js"}
        path = one.path.format(**values, rate="on_time", year=2026, kind="csv", position=1)
        if one.path not in open_paths:
            assert stranger.request(method, path).headers["Location"].startswith("/login"), path
        for role, client in clients.items():
            answer = client.request(method, path)
            if answer.status_code == 403:
                seen.add((one.path, role))
    caseworkers = {Role.OPERATOR, Role.HANDLER, Role.SUPERVISOR}
    closed = {(path, role) for path, role in seen if path.startswith("/tickets") and role not in caseworkers}
    assert {role for _, role in closed} == {Role.EDITOR, Role.ADMIN}
    assert {role for path, role in seen if path == "/people"} == set(PERSONS) - {Role.ADMIN}
    assert stranger.get("/events").headers["Location"].startswith("/login")
    assert clients[Role.EDITOR].get("/events").status_code == 403


def test_a_form_of_another_site_does_nothing(services, application, browser, session):
    petition = file_case(session)
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    for method, one in calls_of(application):
        if method == "POST":
            path = one.path.format(number=petition.number, action="accept", version="0", name="x")
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}):
                assert client.post(path, headers=headers).status_code == 403, path
    session.refresh(petition)
    assert petition.state == "received"


def test_pages_carry_the_strict_policy_and_are_never_kept(browser):
    answer = browser().get("/login")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script(?! src=)|\son\w+=|\sstyle=", answer.text)


# Steps


def test_a_step_is_taken_once_however_often_its_form_is_sent(services, browser, session):
    petition = file_case(session)
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    page = client.get(f"/tickets/{petition.number}")
    form = form_of(page, "accept") | {"note": "马上办"}
    for _ in range(2):
        assert client.post(f"/tickets/{petition.number}/act/accept", data=form).status_code == 303
    session.refresh(petition)
    assert actions(session, petition) == ["file", "accept"]
    assert "马上办" in client.get(f"/tickets/{petition.number}").text


def test_a_stale_form_shows_both_versions_and_keeps_what_was_typed(services, browser, session):
    petition = file_case(session)
    session.commit()
    services.add("张三", Role.OPERATOR, STATION)
    client, other = browser("张三"), browser(services.add("李四", Role.SUPERVISOR, STATION))
    form = form_of(client.get(f"/tickets/{petition.number}"), "transfer")
    form |= {"unit": OTHER_STATION, "reason": "在<b>对面</b>社区"}
    accept = form_of(other.get(f"/tickets/{petition.number}"), "accept")
    other.post(f"/tickets/{petition.number}/act/accept", data=accept)
    answer = client.post(f"/tickets/{petition.number}/act/transfer", data=form)
    assert answer.status_code == 409
    stale = re.search(r"<section class=\"card stale\".*?</section>", answer.text, re.DOTALL)[0]
    assert all(word in stale for word in ("新收到", "已受理", "李四", "在&lt;b&gt;对面&lt;/b&gt;社区"))
    assert "<b>对面" not in answer.text
    again = form_of(answer, "transfer")
    assert again["version"] != form["version"]
    assert f'<option value="{OTHER_STATION}" selected>' in answer.text
    assert client.post(f"/tickets/{petition.number}/act/transfer", data=form | again).status_code == 303
    session.refresh(petition)
    assert petition.state == "transferred"


def test_what_is_missing_is_named_in_the_words_of_the_form(services, browser, session):
    petition = file_case(session)
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    form = form_of(client.get(f"/tickets/{petition.number}"), "decline")
    answer = client.post(f"/tickets/{petition.number}/act/decline", data=form | {"reason": "应走仲裁"})
    assert answer.status_code == 422
    assert "请检查这几项：依法办理的途径。" in answer.text
    assert ">应走仲裁</textarea>" in answer.text


def test_a_forged_role_or_step_is_refused(services, browser, session):
    petition = file_case(session)
    session.commit()
    client = browser(services.add("张三", Role.HANDLER, STATION))
    page = client.get(f"/tickets/{petition.number}")
    assert "/act/decline" not in page.text
    forged = form_of(page, "accept") | {"reason": "x", "path": "仲裁", "role": "supervisor", "unit": DISTRICT}
    assert client.post(f"/tickets/{petition.number}/act/decline", data=forged).status_code == 403
    assert client.post(f"/tickets/{petition.number}/act/no_such", data=forged).status_code == 409
    assert client.post(f"/tickets/{petition.number}/act/accept", data=forged | {"version": "x"}).status_code == 409
    session.refresh(petition)
    assert actions(session, petition) == ["file"]


def test_personal_data_are_masked_until_a_reason_is_given(services, browser, session):
    petition = file_case(session)
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    assert "138****8000" in client.get(f"/tickets/{petition.number}").text
    refused = client.post(f"/tickets/{petition.number}/unmask", data={"reason": "x"})
    assert refused.status_code == 422
    assert "13800138000" not in refused.text
    answer = client.post(f"/tickets/{petition.number}/unmask", data={"reason": "电话核对地点"})
    assert "13800138000" in answer.text
    assert "13800138000" not in client.get(f"/tickets/{petition.number}").text
    event = session.scalars(select(Event).where(Event.action == "unmask")).one()
    assert (event.actor, event.reason) == ("张三", "电话核对地点")


def test_what_a_resident_wrote_is_never_markup(services, browser, session):
    petition = file_case(session)
    petition.matter = "<script>alert(1)</script>{{ 7 * 7 }}"
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    for path in ("/tickets", f"/tickets/{petition.number}"):
        text = client.get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in text


def claim(client, address, step="claim"):
    return client.post(f"{address}/act/{step}", data=form_of(client.get(address), step))


def test_two_people_at_one_ticket_see_each_other(services, browser, session):
    petition = file_case(session)
    session.commit()
    address = f"/tickets/{petition.number}"
    one = browser(services.add("张三", Role.OPERATOR, STATION))
    other = browser(services.add("李四", Role.HANDLER, STATION))
    one.get(address)
    assert "张三正在查看" in other.get(address).text
    unclaimed = form_of(other.get(address), "claim")
    assert claim(one, address).status_code == 303
    assert "张三正在处理" in other.get(address).text
    assert "act/claim" not in other.get(address).text, "whom a claim keeps away gets no button"
    assert ">张三<" in other.get("/tickets").text
    session.refresh(petition)
    refused = other.post(f"{address}/act/claim", data=unclaimed | {"version": str(petition.version)})
    assert refused.status_code == 409
    assert "正由张三办理" in refused.text
    assert claim(one, address, "release").status_code == 303
    assert claim(other, address).status_code == 303
    services.pass_time(minutes=29)
    assert "李四正在处理" in one.get(address).text
    services.pass_time(minutes=2)
    standing = re.search(r'id="standing".*?</form>', one.get(address).text, re.DOTALL)[0]
    assert "李四" not in standing, "left lying, it is free again"
    assert claim(one, address).status_code == 303


# Lists and people


def test_the_queue_goes_on_where_a_page_ends(services, browser, session):
    numbers = [file_case(session, f"form-{place}").number for place in range(35)]
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    first = client.get("/tickets?state=unaccepted")
    then = re.search(r'id="next-page" class="button" href="([^"]+)"', first.text)[1].replace("&amp;", "&")
    shown = re.findall(r'href="/tickets/(GM\w+)"', first.text + client.get(then).text)
    assert shown == numbers[::-1]
    assert "这里没有工单" in client.get("/tickets?state=closed").text
    assert client.get("/tickets?state=no_such&unit=x&since=x&overdue=x&below=1").status_code == 200
    for mark in ("-1", "9" * 20, "x"):
        assert client.get(f"/tickets?after={mark}").status_code == 422


def test_an_administrator_looks_after_people(services, browser, session):
    client = browser(services.add("王管理", Role.ADMIN, HALL))
    new = {"step": "add", "name": "赵六", "role": "handler", "unit": STATION}
    answer = client.post("/people", data=new)
    password = re.search(r"<code>([a-z0-9-]+)</code>", answer.text)[1]
    assert log_in(browser(), "赵六", password).status_code == 303
    for wrong, sentence in (
        (new, "同名"),
        (new | {"name": " "}, "填写姓名"),
        (new | {"name": "钱七", "role": "open311"}, "选择岗位"),
        (new | {"name": "钱七", "unit": "没有的单位"}, "选择单位"),
        ({"step": "disable", "name": "王管理"}, "不能在这里"),
    ):
        refused = client.post("/people", data=wrong)
        assert (refused.status_code, sentence in refused.text) == (422, True)
    open_elsewhere = browser("赵六")
    assert client.post("/people", data=new | {"step": "change", "unit": HALL, "role": "operator"}).status_code == 200
    assert open_elsewhere.get("/tickets").status_code == 303
    session.expire_all()
    assert find_staff(session, "赵六").unit == HALL
    assert client.post("/people", data={"step": "disable", "name": "赵六"}).status_code == 200
    assert log_in(browser(), "赵六", password).status_code == 401


def test_who_changes_their_role_loses_the_tokens_that_it_does_not_carry(services, session):
    services.add("王管理", Role.ADMIN, HALL)
    begin_writing(session)
    kept, lost = (create_token(session, "王管理", role, now=NOW) for role in (Role.OPERATOR, Role.ADMIN))
    change_staff(session, "王管理", unit=STATION, now=NOW)
    assert check_token(session, lost, Role.OPEN311) == "王管理"
    change_staff(session, "王管理", role=Role.OPERATOR, now=NOW)
    session.commit()
    assert check_token(session, kept, Role.OPERATOR) == "王管理"
    assert check_token(session, lost, Role.OPERATOR) is None


@pytest.mark.parametrize(
    ("role", "page"), [(Role.EDITOR, "/knowledge"), (Role.OPERATOR, "/tickets"), (Role.ADMIN, "/knowledge")]
)
def test_everybody_begins_at_the_first_page_they_have(services, browser, role, page):
    assert browser(services.add("某人", role, HALL)).get("/").headers["Location"] == page


def test_late_and_paused_clocks_are_said_in_words(services, browser, session):
    petition = file_case(session)
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    assert re.search(r'class="clock \w+">剩 \d+', client.get("/tickets").text)
    services.now += timedelta(days=300)
    client = browser("张三")
    assert re.search(r'class="clock late">已超期 \d+ 天', client.get(f"/tickets/{petition.number}").text)
    assert session.scalar(select(Petition.state)) == "received"
