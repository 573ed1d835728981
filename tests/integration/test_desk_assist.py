"""The page of an operator on the phone: what it shows, what is kept of it, and filing for a caller."""

import json
import re
import threading
import time
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk import choices, drafts
from desk.accounts import Role
from desk.app import create_app
from desk.choices import AssistChoice, acceptance, examples
from desk.drafts import AssistDraft
from desk.entry import COOKIE
from petitions import find_ticket
from petitions.cases import running_clocks
from petitions.model import Petition
from petitions.privacy import masked
from storage import begin_writing
from suqiutong.assisting import assist
from tests.conftest import product_environment, run_command
from tests.integration.cases import DISTRICT, HALL, KEYRING, OTHER_HALL, STATION, actions, file_case
from tests.unit.desk.fakes import NOW, ROUTE, THREADS, Browser, desk_on

PART = {"HX-Request": "true"}
SAID = "我叫陈大文，电话13800138000，碧眼社区工地昨晚十点还在施工，太吵了"
DAY = timedelta(days=1)


@pytest.fixture
def services(engine):
    return desk_on(engine)


@pytest.fixture
def browser(services):
    """Makes browsers of people who have logged in."""
    application = create_app(services)

    def browser(name, role=Role.OPERATOR, unit=HALL):
        client = Browser(application)
        services.add(name, role, unit)
        client.cookies.set(COOKIE, services.cookie(name), domain="desk.test")
        return client

    return browser


@pytest.fixture
def session(engine):
    with Session(engine, expire_on_commit=False) as session:
        yield session


def say(client, text, **more):
    return client.post("/assist", data={"text": text} | more, headers=PART)


def form_fields(page, before=""):
    """The fields of the first form of a page that is behind `before`, as a browser would send them."""
    form = re.search(rf"{before}.*?<form[^>]*action=\"/assist/file\">(.*?)</form>", page.text, re.DOTALL)[1]
    fields = dict(re.findall(r'<input[^>]*name="(\w+)" value="([^"]*)"', form))
    fields |= dict(re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>(.*?)</textarea>', form, re.DOTALL))
    fields |= dict(re.findall(r'<select[^>]*name="(\w+)">.*?value="([^"]*)" selected', form))
    if 'id="is_anonymous"' in form and 'value="1" checked' not in form:
        fields.pop("is_anonymous", None)
    fields.pop("has_consent", None)
    return {name: unescape(value) for name, value in fields.items()}


# What it shows


def test_an_answer_stands_with_its_quote_and_figures(browser):
    page = say(browser("张三"), "去年办了几场招聘会").text
    assert "2022年：开展招聘会<strong>13场</strong>。" in page
    assert "<blockquote>开展招聘会13场。</blockquote>" in page
    assert "《年度报告》六、民生" in page
    assert "招聘会：<strong>13场</strong>" in page


def test_what_the_report_does_not_say_is_said_so_and_helps_on(browser):
    page = say(browser("张三"), SAID).text
    assert "报告里没有写明" in page
    assert 'id="answer-accept"' not in page


def test_the_route_stands_with_its_reasons_runner_up_and_clocks(services, browser):
    client = browser("张三")
    page = say(client, SAID).text
    for words in (
        "环境保护 / 环境污染 / 噪音污染",
        STATION,
        "社区",
        "事项判断为“工地施工噪音”",
        "违章建筑",
        "可能性 0.2",
    ):
        assert words in page
    clocks = re.search(r"登记后的时限</h3>(.*?)</ul>", page, re.DOTALL)[1]
    assert "分派：<strong>2 小时</strong>" in clocks
    assert "联系诉求人：<strong>1 天</strong>" in clocks
    assert "决定是否受理：<strong>15 天</strong>" in clocks
    assert "紧急分派" not in clocks
    services.route = replace(ROUTE, priority="urgent")
    assert "紧急分派：<strong>30 分钟</strong>" in say(client, SAID).text


def test_danger_comes_first_with_its_numbers(browser):
    page = say(browser("张三"), "我家煤气漏了一屋子味道").text
    card = page.index("关总阀，开门窗")
    assert card < page.index('id="text"')
    assert "0755-25199999</strong> 深圳燃气" in page
    assert '<strong class="number">119</strong>' in page


def test_what_is_missing_is_asked_for_in_words(browser):
    client = browser("张三")
    page = say(client, "楼下工地太吵了").text
    assert all(words in page for words in ("事情发生在哪里？", "是什么时候发生的？", "怎么称呼您？"))
    assert "还有 3 项要问" in page
    page = say(client, SAID).text
    assert "还要问清楚" not in page
    assert "要问的都有了" in page


def test_of_similar_cases_the_open_ones_are_shown(services, browser):
    actor = []
    services.alike = [
        {"number": "GM2611010002", "title": "烧烤店噪声", "score": 0.9, "state": "accepted"},
        {"number": "GM2611010003", "title": "旧的那件", "score": 0.8, "state": "closed"},
    ]
    found = services.similar
    services.similar = lambda text, who: actor.append(who) or found(text, who)
    page = say(browser("张三"), SAID).text
    assert '<a href="/tickets/GM2611010002">' in page
    assert "GM2611010003" not in page
    assert (actor[0].unit, actor[0].is_confined) == (HALL, True)


def test_slow_and_broken_parts_cost_only_themselves(services, browser):
    services.knowledge = None
    client = browser("张三")
    page = say(client, SAID).text
    assert "已更新：知识库暂时没有回应；" in page
    assert STATION in page
    hold = threading.Event()
    services.similar = lambda _text, _actor: hold.wait(20)
    begun = time.monotonic()
    found = assist(services, THREADS, SAID, None, patience_seconds=0.05)
    assert time.monotonic() - begun < 5
    hold.set()
    assert (found.similar, found.route) == (None, ROUTE)


def test_without_script_the_button_does_the_same(browser):
    client = browser("张三")
    answer = client.post("/assist", data={"text": "去年办了几场招聘会"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/assist")
    assert "<strong>13场</strong>" in client.get("/assist").text
    answer = client.post("/assist", data={"text": SAID, "next": "file"})
    assert answer.headers["Location"] == "/assist/file"


def test_words_are_never_markup_and_too_many_are_refused(browser):
    client = browser("张三")
    page = say(client, "<script>alert(1)</script>{{ 7 * 7 }}").text
    assert "<script>alert" not in page
    answer = client.post("/assist", data={"text": "长" * 2001})
    assert answer.status_code == 422
    assert "最多 2000 字" in answer.text
    assert "长" * 2001 in answer.text


def test_only_operators_and_supervisors_enter(browser):
    for role in (Role.HANDLER, Role.EDITOR, Role.ADMIN):
        client = browser(f"{role}", role)
        assert client.get("/assist").status_code == client.get("/assist/file").status_code == 403
        assert client.post("/assist", data={"text": SAID}).status_code == 403
    assert browser("李四", Role.SUPERVISOR).get("/assist").status_code == 200


# What is kept


def test_what_was_typed_survives_a_reload_sealed_and_for_its_login_alone(browser, session):
    client, other = browser("张三"), browser("李四")
    say(client, SAID)
    assert SAID in client.get("/assist").text
    assert SAID not in other.get("/assist").text
    row = session.scalars(select(AssistDraft)).one()
    assert "13800138000" not in f"{row.sealed}{row.digest}{row.call}"
    assert client.post("/assist/clear").status_code == 303
    assert SAID not in client.get("/assist").text
    session.rollback()
    assert session.scalar(select(func.count()).select_from(AssistDraft)) == 0


def test_what_was_typed_is_gone_after_twelve_hours(session):
    keep = {"keyring": KEYRING, "token": "cookie"}
    kept = drafts.keep_call(session, **keep, text=SAID, turn=1, now=NOW)
    assert drafts.read_call(session, **keep, now=NOW + drafts.LONGEST) == kept
    assert drafts.read_call(session, **keep, now=NOW + drafts.LONGEST + timedelta(seconds=1)) == drafts.Call()
    again = drafts.keep_call(session, **keep, text="另一个电话", turn=1, now=NOW + DAY)
    assert again.key != kept.key
    assert drafts.drop_old_calls(session, now=NOW + DAY) == 0
    assert drafts.drop_old_calls(session, now=NOW + 2 * DAY) == 1


def test_an_earlier_pause_that_arrives_late_replaces_nothing(browser):
    client = browser("张三")
    say(client, "楼下工地太吵", turn="200")
    say(client, "楼下", turn="100")
    assert "楼下工地太吵</textarea>" in client.get("/assist").text


# Choices


def choose(client, kind, choice, **more):
    return client.post("/assist/choice", data={"kind": kind, "choice": choice} | more, headers=PART)


def test_each_choice_is_kept_masked_and_shown(browser, session):
    client = browser("张三")
    say(client, SAID)
    page = choose(client, "class", "accepted", proposal="投诉").text
    assert "类别：已采用。" in page
    assert 'class="proposal current" id="row-category"' in page
    page = choose(client, "unit", "changed", proposal=STATION, value=OTHER_HALL).text
    assert f"已改为{OTHER_HALL}" in page
    choose(client, "priority", "rejected", proposal="normal")
    rows = {row.kind: row for row in session.scalars(select(AssistChoice))}
    assert {kind: (row.choice, row.value) for kind, row in rows.items()} == {
        "class": ("accepted", None),
        "unit": ("changed", OTHER_HALL),
        "priority": ("rejected", None),
    }
    assert all("13800138000" not in row.text and "陈大文" not in row.text for row in rows.values())
    assert all("工地昨晚十点还在施工" in row.text for row in rows.values())
    choose(client, "class", "rejected", proposal="投诉")
    session.rollback()
    assert session.scalar(select(AssistChoice.choice).where(AssistChoice.kind == "class")) == "rejected"


def test_what_was_chosen_for_another_proposal_is_undecided_again(services, browser, session):
    client = browser("张三")
    say(client, SAID)
    choose(client, "class", "accepted", proposal="投诉")
    services.route = replace(ROUTE, class_="求助")
    assert 'class="proposal current" id="row-class"' in client.get("/assist").text
    choose(client, "class", "changed", proposal="求助", value="咨询")
    assert session.scalar(select(func.count()).select_from(AssistChoice)) == 2, "each proposal has its own choice"
    services.route = replace(ROUTE, class_="投诉")
    assert "已改为咨询" in client.get("/assist").text


@pytest.mark.parametrize(
    ("kind", "choice", "value"),
    [
        ("level", "accepted", ""),
        ("class", "maybe", ""),
        ("class", "changed", "没有这类"),
        ("unit", "changed", "没有这个单位"),
        ("category", "changed", "环境保护 / 没有这一级 / 没有"),
        ("category", "changed", "环境保护"),
        ("priority", "changed", "very"),
        ("office", "changed", " "),
    ],
)
def test_a_choice_that_is_none_is_refused_in_words(browser, session, kind, choice, value):
    client = browser("张三")
    say(client, SAID)
    answer = choose(client, kind, choice, proposal="x", value=value)
    assert answer.status_code == 422
    assert "请从列出的选项里选" in answer.text
    assert SAID in answer.text
    assert session.scalar(select(func.count()).select_from(AssistChoice)) == 0


def test_without_script_a_choice_leads_back_to_its_row(browser):
    client = browser("张三")
    say(client, SAID)
    answer = client.post("/assist/choice", data={"kind": "class", "choice": "accepted", "proposal": "投诉"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/assist#row-class")


def test_the_rate_and_the_examples_of_a_period(browser, session):
    client = browser("张三")
    for place, choice in enumerate(("accepted", "accepted", "changed", "rejected")):
        say(client, SAID + "。" * place)
        choose(client, "class", choice, proposal="投诉", value="求助")
        client.post("/assist/clear")
    found = acceptance(session, since=NOW, until=NOW + DAY)
    assert (found["class"].accepted, found["class"].changed, found["class"].rejected) == (2, 1, 1)
    assert found["class"].rate == 0.5
    assert found["unit"].rate is None
    assert acceptance(session, since=NOW - DAY, until=NOW)["class"].rate is None
    rows = list(examples(session, since=NOW, until=NOW + DAY))
    assert [row["label"] for row in rows] == ["投诉", "投诉", "求助", None]
    assert "张三" not in json.dumps(rows, ensure_ascii=False)
    session.rollback()
    begin_writing(session)
    assert choices.purge_choices(session, NOW) == 0
    assert choices.purge_choices(session, NOW + DAY) == 4


def test_the_examples_are_written_to_a_new_file_and_nowhere_else(browser, database_url, tmp_path):
    client = browser("张三")
    say(client, SAID)
    choose(client, "class", "changed", proposal="投诉", value="求助")
    environment = product_environment(tmp_path / "data") | {"SUQIUTONG_DATABASE_URL": database_url}
    path = tmp_path / "examples.jsonl"
    command = ("assist", "export", "--since", "2026-03-02", "--until", "2026-03-02", "--output", str(path))
    assert run_command(*command, environment=environment).returncode == 0
    (row,) = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (row["kind"], row["proposal"], row["label"], row["on"]) == ("class", "投诉", "求助", "2026-03-02")
    assert "13800138000" not in path.read_text(encoding="utf-8")
    again = run_command(*command, environment=environment)
    assert again.returncode != 0
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


# Filing for the caller


def ready(client, said=SAID, **changes):
    """The read-back page for what was said, with the form that files it."""
    say(client, said)
    fields = form_fields(client.get("/assist/file")) | changes
    page = client.post("/assist/file", data=fields)
    return page, form_fields(page)


def test_a_caller_joins_the_ticket_that_is_the_same_matter(browser, session):
    earlier = browser("李四")
    _, fields = ready(earlier)
    filed = earlier.post("/assist/file", data=fields | {"has_consent": "1"})
    known = re.search(r'class="number">([^<]+)<', filed.text)[1]
    client = browser("张三")
    page, fields = ready(client)
    assert known in page.text
    assert "可能已有工单" in page.text
    refused = client.post("/assist/file", data=fields | {"has_consent": "1", "same": "GM2603020000099"})
    assert refused.status_code == 422
    assert "不能并入" in refused.text
    assert session.scalar(select(func.count()).select_from(Petition)) == 1
    sent = [client.post("/assist/file", data=fields | {"has_consent": "1", "same": known}) for _ in range(2)]
    numbers = {re.search(r'class="number">([^<]+)<', answer.text)[1] for answer in sent}
    assert len(numbers) == 1
    session.rollback()
    states = dict(session.execute(select(Petition.number, Petition.state)).all())
    assert states == {known: "received", numbers.pop(): "merged"}


def test_the_form_is_filled_in_read_back_and_filed_once(services, browser, session):
    client = browser("张三")
    say(client, SAID)
    fields = form_fields(client.get("/assist/file"))
    assert (fields["name"], fields["phone"], fields["community"]) == ("陈大文", "13800138000", "碧眼")
    assert "碧眼社区" in fields["place"]
    assert "昨晚十点" in fields["occurred"]
    assert "工地昨晚十点还在施工" in fields["matter"]
    assert "13800138000" not in fields["matter"]
    page = client.post("/assist/file", data=fields)
    spoken = re.search(r'id="read-back">(.*?)</p>', page.text, re.DOTALL)[1]
    assert all(words in spoken for words in (fields["matter"], "称呼：陈大文。电话：13800138000。", STATION, "一般"))
    final = form_fields(page)
    refused = client.post("/assist/file", data=final)
    assert refused.status_code == 422
    assert "对方同意后勾选" in refused.text
    assert session.scalar(select(func.count()).select_from(Petition)) == 0
    filed = [client.post("/assist/file", data=final | {"has_consent": "1"}) for _ in range(2)]
    numbers, codes = zip(*(re.findall(r'class="number">([^<]+)<', answer.text) for answer in filed), strict=True)
    assert numbers[0] == numbers[1]
    assert codes[0] == codes[1]
    session.rollback()
    petition = find_ticket(session, numbers[0], codes[0], secret=services.secret)
    assert session.scalar(select(func.count()).select_from(Petition)) == 1
    assert (petition.channel, petition.unit) == ("hotline", STATION)
    assert {clock.clock for clock in running_clocks(petition)} == {"dispatch", "contact", "accept", "close"}
    assert masked(KEYRING, petition.petitioner) == {"name": "陈**", "phone": "138****8000"}
    assert "张三代为登记" in petition.events[0].reason
    assert SAID not in client.get("/assist").text, "the call is over"
    assert numbers[0] not in client.get("/assist/file").text


def test_a_double_click_at_the_same_moment_files_once(browser, session):
    client = browser("张三")
    _, final = ready(client)
    answers = []
    presses = [
        threading.Thread(
            target=lambda: answers.append(client_of(client).post("/assist/file", data=final | {"has_consent": "1"}))
        )
        for _ in range(4)
    ]
    for press in presses:
        press.start()
    for press in presses:
        press.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({re.findall(r'class="number">([^<]+)<', answer.text)[1] for answer in answers}) == 1
    assert session.scalar(select(func.count()).select_from(Petition)) == 1


def client_of(client):
    """Another connection of the same browser."""
    other = Browser(client.application)
    other.cookies.update(client.cookies)
    return other


def test_corrections_are_filed_with_their_reason(browser, session):
    client = browser("张三")
    say(client, SAID)
    choose(client, "unit", "changed", proposal=STATION, value=HALL)
    choose(client, "office", "changed", proposal="", value="综合行政执法办")
    choose(client, "priority", "changed", proposal="normal", value="urgent")
    choose(client, "category", "rejected", proposal="环境保护 / 环境污染 / 噪音污染")
    fields = form_fields(client.get("/assist/file"))
    refused = client.post("/assist/file", data=fields | {"reason": ""})
    assert refused.status_code == 422
    assert "请写明改动的理由" in refused.text
    page = client.post("/assist/file", data=fields | {"reason": "工地归街道执法办管"})
    client.post("/assist/file", data=form_fields(page) | {"has_consent": "1"})
    petition = session.scalars(select(Petition)).one()
    assert (petition.unit, petition.level, petition.office, petition.priority) == (
        HALL,
        "6",
        "综合行政执法办",
        "urgent",
    )
    assert "dispatch_urgent" in {clock.clock for clock in running_clocks(petition)}
    reason = petition.events[0].reason
    assert f"承办单位由“{STATION}”改为“{HALL}”" in reason
    assert "理由：工地归街道执法办管" in reason
    assert "分类：环境保护 / 环境污染 / 噪音污染”不对" in reason


def test_what_an_operator_calls_an_accusation_is_kept_from_the_accused(browser, session):
    client = browser("张三")
    say(client, SAID)
    choose(client, "class", "changed", proposal="投诉", value="检举控告")
    fields = form_fields(client.get("/assist/file")) | {"reason": "来电人检举"}
    page = client.post("/assist/file", data=fields)
    assert "被反映的单位和人员看不到" in page.text
    client.post("/assist/file", data=form_fields(page) | {"has_consent": "1"})
    petition = session.scalars(select(Petition)).one()
    assert (petition.is_restricted, petition.unit, petition.level) == (True, DISTRICT, "1")


def test_an_anonymous_caller_leaves_nothing(browser, session):
    client = browser("张三")
    page, final = ready(client, is_anonymous="1")
    assert "您要求匿名" in page.text
    client.post("/assist/file", data=final | {"has_consent": "1"})
    petition = session.scalars(select(Petition)).one()
    assert petition.petitioner.is_anonymous
    assert not petition.petitioner.personal


def test_a_community_that_is_chosen_stands_in_the_place(browser, session):
    client = browser("张三")
    page, final = ready(client, place="菜市场门口", community="白花")
    assert "地点：白花社区菜市场门口" in page.text
    client.post("/assist/file", data=final | {"has_consent": "1"})
    assert session.scalars(select(Petition)).one().place == "白花社区菜市场门口"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"matter": "吵"}, "请写明诉求"),
        ({"place": "", "community": ""}, "请写明地点"),
        ({"phone": "1380013"}, "电话不完整"),
        ({"name": "", "phone": ""}, "请留称呼和电话"),
        ({"call": "x"}, "这张表单已经失效"),
        ({"place": "长" * 201}, "最多 200 个字"),
    ],
)
def test_what_is_wrong_in_the_form_is_said_and_what_was_typed_stays(browser, session, changes, sentence):
    client = browser("张三")
    page, _ = ready(client, **({"occurred": "昨晚十点半"} | changes))
    assert page.status_code == 422
    assert sentence in page.text
    assert "昨晚十点半" in page.text
    assert session.scalar(select(func.count()).select_from(Petition)) == 0


def test_what_lies_outside_is_not_filed(services, browser):
    services.route = replace(ROUTE, level="none", unit=None)
    page, _ = ready(browser("张三"))
    assert page.status_code == 422
    assert "不在本地范围内" in page.text
    assert "不能在这里受理" in say(browser("李四"), SAID).text


def test_what_is_read_back_can_be_changed(browser):
    client = browser("张三")
    _, final = ready(client)
    again = client.post("/assist/file", data=final | {"step": "change"})
    assert form_fields(again)["matter"] == final["matter"]


def test_a_key_of_somebody_else_gives_no_code(browser):
    client, other = browser("张三"), browser("李四")
    _, final = ready(client)
    final |= {"has_consent": "1"}
    code = re.findall(r'class="number">([^<]+)<', client.post("/assist/file", data=final).text)[1]
    assert code not in other.post("/assist/file", data=final).text


def test_filing_changes_no_other_petition(browser, session):
    before = file_case(session)
    session.commit()
    client = browser("张三")
    _, final = ready(client)
    client.post("/assist/file", data=final | {"has_consent": "1"})
    assert actions(session, before) == ["file"]
