"""The review console over HTTP: lists, views, steps with many, merging, splitting, replies, and who reads what."""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from desk.accounts import PERSONS, Role
from desk.app import create_app
from desk.bulk import STEPS
from desk.entry import COOKIE, routes_of
from desk.views import MOST_VIEWS, SavedView
from petitions.log import SYSTEM, verify
from petitions.model import Event, Petition
from petitions.privacy import personal_of
from petitions.selection import Selection
from petitions.statistics import counts
from tests.integration.cases import (
    DISTRICT,
    HALL,
    KEYRING,
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
from tests.integration.test_desk import SEEN, form_of, tickets
from tests.unit.desk.fakes import Browser, desk_on


@pytest.fixture
def services(engine):
    return desk_on(engine)


@pytest.fixture
def application(services):
    return create_app(services)


@pytest.fixture
def browser(application):
    """Makes browsers of people who have logged in."""

    def browser(name):
        client = Browser(application)
        client.cookies.set(COOKIE, application.state.services.cookie(name), domain="desk.test")
        return client

    return browser


@pytest.fixture
def session(engine):
    with Session(engine, expire_on_commit=False) as session:
        yield session


def shown(page):
    return re.findall(r'id="row-(\w+)"', page.text)


def count(page, tab="all"):
    return int(re.search(rf'id="tab-{tab}".*?class="count">(\d+)<', page.text)[1])


# Lists


def test_every_filter_is_an_address_and_the_counts_keep_the_others(services, browser, session):
    plain = file_case(session, "plain")
    urgent = file_case(session, "urgent", where=route(HALL, class_="求助", priority="urgent"))
    taken = file_case(session, "taken", where=route(OTHER_STATION))
    step(session, taken, "accept", person("handler", OTHER_STATION))
    step(session, taken, "claim", person("handler", OTHER_STATION))
    session.commit()
    client = browser(services.add("张三", Role.SUPERVISOR, HALL))
    services.pass_time(minutes=1)
    numbers = {plain.number: "plain", urgent.number: "urgent", taken.number: "taken"}
    for query, found in (
        ("state=unaccepted", "urgent plain"),
        ("state=accepted", "taken"),
        (urlencode({"unit": HALL}), "urgent"),
        (urlencode({"unit": HALL, "below": "1"}), "taken urgent plain"),
        (urlencode({"class": "求助"}), "urgent"),
        (urlencode({"q": "垃圾 没人", "class": "投诉"}), "taken plain"),
        (urlencode({"q": "没有这样的字"}), ""),
        (urlencode({"first": "城乡建设", "community": "碧眼"}), "taken urgent plain"),
        (urlencode({"community": "none"}), ""),
        ("priority=urgent", "urgent"),
        ("claim=free", "urgent plain"),
        ("claim=mine", ""),
        ("due=day", "urgent plain taken"),
        ("since=2026-03-03", ""),
        ("since=2026-03-01&until=2026-03-02&channel=chat", "taken urgent plain"),
    ):
        page = client.get(f"/tickets?{query}")
        assert page.status_code == 200, query
        assert [numbers[one] for one in shown(page)] == found.split(), query
        if "state" not in query:
            assert count(page) == len(found.split()), query
    page = client.get(f"/tickets?{urlencode({'class': '投诉', 'state': 'accepted'})}")
    assert (count(page), count(page, "received"), count(page, "accepted")) == (2, 1, 1)
    links = re.findall(r'id="tab-received" href="([^"]+)"', page.text)
    assert [numbers[one] for one in shown(client.get(links[0].replace("&amp;", "&")))] == ["plain"]


def test_each_figure_leads_to_the_list_of_what_it_counts(services, browser, session):
    file_case(session, "one")
    file_case(session, "two", where=route(HALL, class_="求助"), now=NOW + timedelta(days=2))
    session.commit()
    client = browser(services.add("张三", Role.SUPERVISOR, HALL))
    for dimension in ("class_", "unit", "community", "first", "second", "third", "state", "channel"):
        for figure in counts(session, SYSTEM, Selection(), (dimension,), now=services.now):
            query = urlencode(figure.selection.to_query(), doseq=True)
            page = client.get(f"/tickets?{query}")
            assert len(shown(page)) == figure.count, query
    both = urlencode(Selection(units=(HALL, STATION), overdue="dispatch").to_query(), doseq=True)
    services.now = NOW + timedelta(days=1)
    page = browser("张三").get(f"/tickets?{both}")
    assert len(shown(page)) == 1
    assert page.text.count('type="hidden" name="unit"') == 2, "the form keeps what it has no field for"


def test_soonest_due_goes_on_where_a_page_ends(services, browser, session):
    numbers = [file_case(session, f"form-{place}", now=NOW + timedelta(minutes=place)).number for place in range(33)]
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    first = client.get("/tickets?due=days")
    then = re.search(r'id="next-page" class="button" href="([^"]+)"', first.text)[1].replace("&amp;", "&")
    assert shown(first) + shown(client.get(then)) == numbers


# What people keep


def test_a_view_is_kept_shown_first_and_dropped(services, browser, session):
    file_case(session)
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    other = browser(services.add("李四", Role.OPERATOR, STATION))
    view = {"step": "save", "name": "今天要办", "query": "due=day&state=open&after=5&evil=1"}
    assert client.post("/views", data=view).headers["Location"] == "/tickets?state=open&due=day"
    assert "今天要办" in client.get("/tickets").text
    assert "今天要办" not in other.get("/tickets").text
    assert client.post("/views", data=view | {"step": "default"}).status_code == 303
    assert client.get("/tickets").headers["Location"] == "/tickets?state=open&due=day"
    assert client.get("/tickets?state=").status_code == 200
    assert other.get("/tickets").status_code == 200
    other.post("/views", data=view | {"step": "drop"})
    other.post("/views", data=view | {"step": "default"})
    assert session.scalars(select(SavedView.query)).all() == ["state=open&due=day"]
    client.post("/views", data=view | {"query": "claim=mine"})
    assert client.get("/tickets").headers["Location"] == "/tickets?claim=mine"
    client.post("/views", data=view | {"step": "default", "name": ""})
    assert client.get("/tickets").status_code == 200
    client.post("/views", data=view | {"step": "drop"})
    session.rollback()
    assert session.scalars(select(SavedView)).all() == []


def test_a_view_without_a_name_and_too_many_are_refused_in_words(services, browser):
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    for name in ("", "长" * 41, "a\nb"):
        refused = client.post("/views", data={"step": "save", "name": name, "query": ""})
        assert (refused.status_code, "起个名字" in refused.text) == (422, True)
    for number in range(MOST_VIEWS):
        assert client.post("/views", data={"step": "save", "name": f"列表{number}"}).status_code == 303
    assert "最多保存" in client.post("/views", data={"step": "save", "name": "再一个"}).text
    assert client.post("/views", data={"step": "no_such"}).status_code == 400


# Many tickets


def test_a_step_with_many_tickets_has_a_result_each(services, browser, session):
    found = tickets(session)
    done = file_case(session, "done", where=route(STATION))
    step(session, done, "accept", person("handler", STATION))
    session.commit()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    form = {
        "step": "accept",
        "key": "k",
        "note": "批量受理",
        "query": "state=open",
        "ticket": [
            *(f"{petition.number}:{petition.version}" for petition in found.values()),
            f"{done.number}:{done.version}",
        ],
    }
    page = client.post("/bulk", data=form)
    assert "办成 2 件" in page.text
    assert page.text.count("没有这张工单") == len(found) - len(SEEN[STATION])
    assert "现在的状态是“已受理”" in page.text
    for name, petition in found.items():
        session.refresh(petition)
        assert ("accept" in actions(session, petition)) == (name in SEEN[STATION])
    assert client.post("/bulk", data=form).status_code == 200
    assert actions(session, found[STATION]).count("accept") == 1, "sent again it changes nothing"
    for wrong, status in (({"step": "decline"}, 400), ({"ticket": ["GM1:1"] * 101}, 422), ({"ticket": []}, 200)):
        assert client.post("/bulk", data=form | wrong).status_code == status
    assert set(STEPS) == {"claim", "release", "note", "accept"}


# Merging, splitting, replying


def test_a_ticket_is_merged_into_one_that_was_searched_for(services, browser, session):
    one, other = file_case(session, "one"), file_case(session, "other")
    session.commit()
    services.alike = [{"number": other.number, "title": "楼下垃圾", "score": 0.9, "state": "received"}]
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    page = client.get(f"/tickets/{one.number}/merge?{urlencode({'q': '垃圾'})}")
    assert re.findall(r'name="into" value="(\w+)"', page.text) == [other.number, other.number]
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    form |= {"into": other.number, "reason": "同一件事"}
    assert client.post(f"/tickets/{one.number}/act/merge", data=form).status_code == 303
    session.refresh(one)
    assert (one.state, one.merged_into) == ("merged", other.number)
    assert "不能由您并单" in client.get(f"/tickets/{one.number}/merge").text


def split_form(client, petition):
    page = client.get(f"/tickets/{petition.number}").text
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', re.search(r'/split">(.*?)</form>', page, re.DOTALL)[1]))


def test_a_split_makes_a_second_ticket_once_and_both_tell_of_it(services, browser, session):
    petition = file_case(session)
    session.commit()
    services.route = route(OTHER_STATION, class_="咨询")
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    form = split_form(client, petition) | {"part": "停车费涨价没有公示，电话13900139000", "consent": "电话里同意拆开"}
    page = client.post(f"/tickets/{petition.number}/split", data=form)
    assert re.search(r"<code>[A-Z0-9]{4}-[A-Z0-9]{4}</code>", page.text)
    assert client.post(f"/tickets/{petition.number}/split", data=form).status_code == 200
    first, second = session.scalars(select(Petition).order_by(Petition.id)).all()
    assert (second.unit, second.class_, second.state, second.conversation) == (
        OTHER_STATION,
        "咨询",
        "received",
        first.conversation,
    )
    assert "13900139000" not in second.matter
    assert personal_of(KEYRING, second.petitioner) == personal_of(KEYRING, first.petitioner)
    assert {clock.clock for clock in second.clocks} == {clock.clock for clock in first.clocks}
    assert actions(session, first) == ["file", "split"]
    assert actions(session, second) == ["file", "split_off"]
    told = session.scalars(select(Event).where(Event.action == "split")).one()
    assert told.private.payload == {"part": form["part"], "consent": form["consent"]}
    assert f'<a href="/tickets/{second.number}">' in client.get(f"/tickets/{first.number}").text
    assert verify(session).holds


def test_a_split_without_consent_or_of_an_accusation_files_nothing(services, browser, session):
    found = tickets(session)
    session.commit()
    before = session.scalars(select(Petition.id)).all()
    client = browser(services.add("张三", Role.OPERATOR, STATION))
    form = split_form(client, found[STATION]) | {"part": "停车费涨价", "consent": " "}
    refused = client.post(f"/tickets/{found[STATION].number}/split", data=form)
    assert refused.status_code == 422
    assert "诉求人怎样同意" in refused.text
    assert ">停车费涨价</textarea>" in refused.text
    forged = {"part": "停车费", "consent": "同意", "second": found["offered"].number, "version": form["version"]}
    assert client.post(f"/tickets/{found[STATION].number}/act/split", data=forged).status_code == 409
    top = browser(services.add("王五", Role.SUPERVISOR, DISTRICT))
    secret = found["accuse None"]
    form = split_form(top, secret) | {"part": "停车费涨价", "consent": "同意"}
    assert top.post(f"/tickets/{secret.number}/split", data=form).status_code == 409
    session.rollback()
    assert session.scalars(select(Petition.id)).all() == before


def test_a_reply_is_checked_once_and_then_goes(services, browser, session):
    petition = file_case(session)
    step(session, petition, "accept", person("handler", STATION))
    session.commit()
    client = browser(services.add("张三", Role.HANDLER, STATION))
    address = f"/tickets/{petition.number}"
    page = client.get(f"{address}?draft=done")
    assert f"工单{petition.number}" in page.text
    assert "〔请写明查到的情况〕" in page.text
    form = form_of(page, "reply")
    warned = client.post(f"{address}/act/reply", data=form | {"answer": "您好，〔请写明查到的情况〕。"})
    assert warned.status_code == 200
    check = re.search(r'id="check".*?</div>', warned.text, re.DOTALL)[0]
    assert all(words in check for words in ("楼下垃圾三天没人清", "《信访工作条例》第三十二条", "〔请写明查到的情况〕"))
    checked = form_of(warned, "reply")["checked"]
    session.refresh(petition)
    assert petition.state == "accepted"
    other = "楼下垃圾没人清的问题，已依据《深圳经济特区市容和环境卫生管理条例》第十条处理。"
    clear = client.post(f"{address}/act/reply", data=form | {"answer": other, "check": "1"})
    assert "核对过了" in clear.text
    again = client.post(
        f"{address}/act/reply", data=form | {"answer": "您好，〔请写明查到的情况〕。", "checked": checked}
    )
    assert again.status_code == 303, "it warns, it never blocks"
    session.rollback()
    session.refresh(petition)
    assert petition.state == "replied"


def test_a_draft_that_does_not_fit_or_is_not_there_changes_nothing(services, browser, session):
    petition = file_case(session)
    step(session, petition, "accept", person("handler", STATION))
    session.commit()
    client = browser(services.add("张三", Role.HANDLER, STATION))
    for name in ("question", "no_such", "<script>"):
        page = client.get(f"/tickets/{petition.number}", params={"draft": name})
        assert page.status_code == 200
        assert "〔请" not in page.text


# Who reads what


@pytest.mark.parametrize("unit", SEEN)
def test_no_list_search_count_or_step_tells_what_is_not_theirs(services, browser, session, unit):
    found = tickets(session)
    session.commit()
    services.alike = []
    client = browser(services.add("某人", Role.SUPERVISOR, unit))
    hidden = {petition.number for name, petition in found.items() if name not in SEEN[unit]}
    for query in (
        {"state": ""}, {"state": "open"}, {"q": "垃圾"}, {"claim": "free"}, {"due": "days"}, {"first": "城乡建设"},
        {"community": "碧眼"}, {"class": "检举控告"}, {"class": "投诉"}, {"priority": "normal"},
        {"since": "2026-03-01"}, {"overdue": "dispatch"},
        {"unit": [DISTRICT, HALL, OTHER_HALL, STATION, OTHER_STATION], "below": "1"},
        *({"q": number} for number in hidden),
    ):  # fmt: skip
        page = client.get(f"/tickets?{urlencode(query, doseq=True)}")
        assert not hidden & set(shown(page)), query
        assert count(page) <= len(SEEN[unit]), query
        assert query.get("q") not in hidden or count(page) == 0
    mine = next(iter(SEEN[unit]))
    merge = f"/tickets/{found[mine].number}/merge"
    assert not any(f'value="{number}"' in client.get(merge, params={"q": "垃圾"}).text for number in hidden)
    bulk = client.post(
        "/bulk", data={"step": "note", "note": "看看", "key": "k", "ticket": [f"{number}:1" for number in hidden]}
    )
    assert bulk.text.count("没有这张工单") == len(hidden)
    for number in hidden:
        for path in (f"/tickets/{number}/merge", f"/tickets/{number}?draft=done"):
            assert client.get(path).status_code == 404
        form = {"part": "甲", "consent": "乙", "version": "1", "key": "k", "answer": "丙", "into": found[mine].number}
        for path in (f"/tickets/{number}/split", f"/tickets/{number}/act/reply", f"/tickets/{number}/act/merge"):
            assert client.post(path, data=form).status_code == 404
    into = client.post(
        f"/tickets/{found[mine].number}/act/merge",
        data={"into": next(iter(hidden), "GM1"), "reason": "x", "version": str(found[mine].version), "key": "m"},
    )
    assert into.status_code in {403, 409, 422}


def test_every_route_with_a_number_answers_alike_for_what_is_hidden_and_what_is_not_there(
    services, application, browser, session
):
    secret = tickets(session)[f"accuse {STATION}"]
    session.commit()
    client = browser(services.add("某人", Role.SUPERVISOR, STATION))
    seen = 0
    for one in routes_of(application):
        if one.path.startswith("/tickets/{number}"):
            for method in one.methods:
                paths = [
                    one.path.format(number=number, action="note", position=1) for number in (secret.number, "GM1999")
                ]
                hidden, unknown = (client.request(method, path) for path in paths)
                assert (hidden.status_code, hidden.text) == (unknown.status_code, unknown.text), one.path
                assert hidden.status_code == 404
                seen += 1
    assert seen >= 6


def test_markup_of_a_resident_is_words_wherever_it_is_shown(services, browser, session):
    one, other = file_case(session, "one"), file_case(session, "other")
    for petition in (one, other):
        petition.matter = "<script>alert(1)</script>垃圾，什么时候清？"
    step(session, one, "accept", person("handler", STATION))
    session.commit()
    services.alike = [{"number": other.number, "title": other.matter, "score": 0.9, "state": "received"}]
    client = browser(services.add("张三", Role.HANDLER, STATION))
    address = f"/tickets/{one.number}"
    client.post("/views", data={"step": "save", "name": "<script>x</script>", "query": "q=<script>y</script>"})
    form = form_of(client.get(address), "reply") | {"answer": "<script>z</script>"}
    pages = [
        client.get("/tickets", params={"q": "<script>y</script>垃圾"}),
        client.get(f"{address}/merge", params={"q": "<script>垃圾"}),
        client.post(f"{address}/act/reply", data=form),
        client.get(f"{address}/similar"),
    ]
    for page in pages:
        assert page.status_code == 200
        assert not re.search(r"<script(?! src=)", page.text)


def test_lists_and_steps_with_many_are_for_those_who_work_on_tickets(services, application, browser):
    clients = {role: browser(services.add(f"{role}", role, HALL)) for role in PERSONS}
    entered = {
        role
        for role, client in clients.items()
        for path in ("/views", "/bulk")
        if (client.post(path, data={"step": "x", "role": "supervisor", "unit": DISTRICT}).status_code != 403)
    }
    assert entered == {Role.OPERATOR, Role.HANDLER, Role.SUPERVISOR}
    for path in ("/views", "/bulk"):
        assert Browser(application).post(path).headers["Location"].startswith("/login")
        foreign = clients[Role.OPERATOR].post(path, headers={"Sec-Fetch-Site": "cross-site"}, data={"step": "save"})
        assert foreign.status_code == 403
