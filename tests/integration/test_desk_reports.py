"""Reports over HTTP: each figure counts what its reader may see and leads to it, each file is written down."""

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qsl
from zipfile import ZipFile

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from channels.store import AssistantShare
from desk import reports as report_pages
from desk.accounts import Role, find_staff
from desk.app import create_app
from desk.audit import AuditEntry
from desk.bounds import bounded
from desk.choices import record_choice
from desk.entry import COOKIE
from desk.errors import DeskError
from desk.periods import selection_of
from petitions.listing import count_by_state
from petitions.statistics import counts, total
from storage import begin_writing
from tests.integration.cases import ACCEPTED, HALL, NOW, OTHER_STATION, REFUSED, STATION, file_case, person, route, step
from tests.unit.desk.fakes import Browser, desk_on

DAY = timedelta(days=1)
FORMULA = "=HYPERLINK(1)垃圾没人清"


@pytest.fixture
def services(engine):
    """Five petitions of the month and an accusation against the station."""
    services = desk_on(engine)
    services.now = NOW + 6 * DAY
    services.share = AssistantShare(10, 6, 3, {"answer": 8, "no_answer": 2}, {"helpful": 3, "unhelpful": 1})
    with Session(engine, expire_on_commit=False) as session:
        clerk = person("handler", STATION)
        for key, marks in (("good", ACCEPTED), ("bad", REFUSED)):
            one = file_case(session, key, now=NOW)
            step(session, one, "accept", clerk, now=NOW + timedelta(hours=1))
            step(session, one, "reply", clerk, now=NOW + timedelta(hours=5), answer="已处理")
            step(session, one, "follow_up", now=NOW + DAY, **marks)
        file_case(session, "other", now=NOW + DAY, where=route(OTHER_STATION), channel="form")
        file_case(session, "hall", now=NOW + DAY, where=route(HALL))
        file_case(session, "old", now=NOW - 25 * DAY)
        secret = replace(route(HALL, class_="检举控告"), is_restricted=True, community=None)
        file_case(session, "secret", now=NOW + DAY, where=secret).accused_unit = HALL
        session.commit()
    return services


@pytest.fixture
def browser(services):
    application = create_app(services)

    def browser(name, role, unit):
        client = Browser(application)
        client.cookies.set(COOKIE, services.cookie(services.add(name, role, unit)), domain="desk.test")
        return client

    return browser


def figures(page):
    """Name, value and address of every figure."""
    found = re.findall(
        r'figure-name">([^<]*)</span>\s*<(?:a|span) class="figure-text"(?: href="([^"]*)")?>([^<]*)', page
    )
    return {name: (text, unescape(href)) for name, href, text in found}


def test_figures_count_what_the_reader_sees_and_lead_to_it(services, browser, engine):
    client = browser("主管", Role.SUPERVISOR, HALL)
    shown = figures(client.get("/reports?period=month").text)
    assert {name: text for name, (text, _) in shown.items()} == {
        "登记": "4",  # the accusation against the own hall is in no figure
        "其中未办结": "3",
        "其中已办结": "1",
        "其中现在超期": shown["其中现在超期"][0],
        "按时办结率": "100.0%（2/2）",
        "首次分派准确率": "100.0%（2/2）",
        "响应率": shown["响应率"][0],
        "解决率": "50.0%（1/2）",
        "满意率": "50.0%（1/2）",
        "办理速度评分": "5.0 分",
        "办理结果评分": "2.5 分",
        "服务态度评分": "5.0 分",
        "反馈情况评分": "3.0 分",
        "受理用时（中位数）": "1.0 小时",
        "答复用时（中位数）": "5.0 小时",
        "办结用时（中位数）": "24.0 小时",
        "平均退回次数": "0.00 次",
    }
    assert int(shown["其中现在超期"][0]) > 0
    with Session(engine) as session:
        actor = find_staff(session, "主管").actor
        for name in ("登记", "其中未办结", "其中已办结", "其中现在超期"):
            text, href = shown[name]
            path, _, query = href.partition("?")
            assert path == "/tickets"
            assert total(counts(session, actor, selection_of(parse_qsl(query)), (), now=services.now)) == int(text)


def test_each_sees_their_own_units_alone(browser):
    station = browser("承办", Role.HANDLER, STATION)
    page = station.get("/reports?period=month").text
    assert figures(page)["登记"][0] == "2"
    assert OTHER_STATION not in page
    assert "助手解答" not in page
    # A unit that is not theirs counts for nothing in the address.
    assert figures(station.get(f"/reports?period=month&unit={OTHER_STATION}").text)["登记"][0] == "2"
    hall = browser("主管", Role.SUPERVISOR, HALL)
    assert figures(hall.get(f"/reports?period=month&unit={OTHER_STATION}").text)["登记"][0] == "1"
    admin = browser("管理", Role.ADMIN, HALL)
    seen = admin.get("/reports?period=month").text
    assert figures(seen)["登记"] == ("4", "")
    assert "/tickets?" not in seen
    assert "助手解答" in seen
    assert "60.0%" in seen
    assert "没有答案" in seen
    assert re.search(r"有帮助.*?3.*?75\.0%.*?没帮助.*?1.*?25\.0%", seen, re.DOTALL)
    for path in ("/reports/behind/on_time", "/reports/export/list.csv"):
        assert admin.get(path).status_code == 403
    assert browser("坐席", Role.OPERATOR, HALL).get("/reports").status_code == 403


def test_what_operators_made_of_proposals(services, browser, engine):
    supervisor = browser("主管", Role.SUPERVISOR, HALL)
    services.add("坐席甲", Role.OPERATOR, HALL)
    with Session(engine) as session:
        begin_writing(session)
        member = find_staff(session, "坐席甲")
        for call, choice in (("a", "accepted"), ("b", "accepted"), ("c", "accepted"), ("d", "changed")):
            value = HALL if choice == "changed" else None
            record_choice(
                session, call, "unit", choice, text="路灯", proposal=STATION, value=value, member=member, now=NOW
            )
        session.commit()
    page = supervisor.get("/reports?period=month").text
    assert "坐席对建议的取舍" in page
    rows = rows_of(supervisor.get("/reports/export/proposals.csv?period=month"))
    assert rows[0] == ["建议", "采纳", "修改", "不用", "采纳率"]
    assert rows[1:] == [["承办单位", "3", "1", "0", "75.0%"]]
    assert "坐席对建议的取舍" not in browser("承办", Role.HANDLER, STATION).get("/reports?period=month").text


def test_what_is_behind_a_rate(browser):
    client = browser("主管", Role.SUPERVISOR, HALL)
    shown = figures(client.get("/reports?period=month").text)
    behind = client.get(shown["解决率"][1])
    assert behind.status_code == 200
    assert len(re.findall(r'href="/tickets/GM', behind.text)) == 2
    assert behind.text.index("没有达到：1 件") < behind.text.index("达到：1 件", behind.text.index("没有达到") + 8)
    assert client.get("/reports/behind/nonsense").status_code == 404


def test_categories_are_looked_into_and_volume_by_step(browser):
    client = browser("主管", Role.SUPERVISOR, HALL)
    inside = client.get("/reports?period=month&topic=城乡建设").text
    assert "城市建设和市政管理 / 环境卫生" in inside
    by_day = client.get("/reports?period=month").text
    assert '<th scope="row">2026-03-08</th>' in by_day
    by_week = client.get("/reports?period=month&step=week").text
    assert '<th scope="row">2026-03-02</th>' in by_week
    assert '<th scope="row">2026-03-08</th>' not in by_week


@pytest.mark.parametrize(
    "query", ["since=x&until=y", "since=2026-03-02&until=2026-03-01", "since=2001-01-01&until=2026-01-01"]
)
def test_wrong_days_are_said(browser, query):
    answer = browser("主管", Role.SUPERVISOR, HALL).get(f"/reports?{query}")
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)


def test_a_period_without_anything_says_what_to_do(services, browser):
    services.share = AssistantShare(0, 0, 0, {}, {})
    page = browser("主管", Role.SUPERVISOR, HALL).get("/reports?since=2020-01-01&until=2020-01-31").text
    assert "这段时间没有诉求" in page


def rows_of(answer):
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_a_list_leaves_masked_harmless_and_written_down(services, browser, engine):
    with Session(engine, expire_on_commit=False) as session:
        file_case(session, "formula", now=NOW + DAY).matter = FORMULA
        session.commit()
    client = browser("承办", Role.HANDLER, STATION)
    answer = client.get("/reports/export/list.csv?since=2026-03-01&until=2026-03-31&state=received")
    rows = rows_of(answer)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tickets-20260308-1000.csv"'
    assert len(rows) == 2
    matter = rows[1][rows[0].index("诉求内容（隐去个人信息）")]
    assert matter == "'" + FORMULA
    book = client.get("/reports/export/list.xlsx?since=2026-03-01&until=2026-03-31")
    with ZipFile(io.BytesIO(book.content)) as packed:
        sheet = packed.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row") == 4
    assert "<f>" not in sheet
    with Session(engine) as session:
        noted = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert [(one.actor, one.unit, one.action, one.subject, one.data["rows"]) for one in noted] == [
            ("承办", STATION, "export_list", "csv", 1),
            ("承办", STATION, "export_list", "xlsx", 3),
        ]
        assert noted[0].data["filter"] == {"since": "2026-03-01", "until": "2026-03-31", "state": "received"}
        assert noted[0].at == services.now
    log = browser("管理", Role.ADMIN, HALL).get("/audit?actor=承办").text
    assert log.count("导出清单") == 3  # two entries, and the choice above them
    assert "行数 1" in log
    assert client.get("/audit").status_code == 403


def test_a_list_that_is_too_long_is_refused_and_not_written_down(browser, engine, monkeypatch):
    monkeypatch.setattr("desk.exports.MOST_ROWS", 2)
    client = browser("主管", Role.SUPERVISOR, HALL)
    answer = client.get("/reports/export/list.csv?since=2026-03-01&until=2026-03-31")
    assert (answer.status_code, "超过 2 行" in answer.text) == (422, True)
    with Session(engine) as session:
        assert not session.scalars(select(AuditEntry)).all()


def test_every_table_leaves_as_a_file(browser, engine):
    client = browser("主管", Role.SUPERVISOR, HALL)
    page = client.get("/reports?period=month").text
    links = [unescape(link) for link in re.findall(r'href="(/reports/export/\w+\.csv[^"]*)"', page)]
    tables = [link for link in links if "list.csv" not in link]
    assert len(tables) > 6
    for link in tables:
        answer = client.get(link)
        assert answer.status_code == 200
        assert len(rows_of(answer)) > 1
    assert ["登记", "4", "1"] in rows_of(client.get(next(link for link in tables if "figures" in link)))
    with Session(engine) as session:
        assert (
            len(session.scalars(select(AuditEntry).where(AuditEntry.action == "export_table")).all()) == len(tables) + 1
        )
    assert client.get("/reports/export/nonsense.csv").status_code == 404
    assert client.get("/reports/export/states.pdf").status_code in {404, 422}


def test_the_year_is_one_page_for_the_own_units(browser):
    hall = browser("主管", Role.SUPERVISOR, HALL)
    page = hall.get("/reports/year/2026").text
    assert "2026 年诉求办理年度报告" in page
    assert "登记 5 件" in page
    assert "登记 3 件" in browser("承办", Role.HANDLER, STATION).get("/reports/year/2026").text
    assert hall.get("/reports/year/2027").status_code == 404
    assert hall.get("/reports/year/abc").status_code == 422


def test_a_report_is_kept_for_a_minute_for_its_reader_alone(services, browser, engine):
    client, station = browser("主管", Role.SUPERVISOR, HALL), browser("承办", Role.HANDLER, STATION)
    assert figures(client.get("/reports?period=month").text)["登记"][0] == "4"
    with Session(engine, expire_on_commit=False) as session:
        file_case(session, "one more", now=services.now)
        session.commit()
    assert figures(client.get("/reports?period=month").text)["登记"][0] == "4"
    assert figures(station.get("/reports?period=month").text)["登记"][0] == "3"
    services.pass_time(minutes=1, seconds=1)
    assert figures(client.get("/reports?period=month").text)["登记"][0] == "5"


def test_who_comes_while_others_are_counted_for_is_told_so(services, browser, monkeypatch):
    monkeypatch.setattr("desk.reports.SECONDS", 0.01)
    made = report_pages.Reports(services)
    made._counting.acquire()
    client = browser("主管", Role.SUPERVISOR, HALL)
    assert client.get("/reports").status_code == 200
    with services.sessions() as session:
        member = find_staff(session, "主管")
    wanted = report_pages.Wanted(member.actor, report_pages.preset("month", services.now.date()))
    with pytest.raises(DeskError) as refused:
        made.report(wanted, report_pages.Person(member, "", is_complete=True))
    assert (refused.value.code, refused.value.status) == ("report_busy", 503)


def test_a_statement_that_takes_too_long_is_ended(engine):
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT count(*) FROM n"
    )
    with Session(engine) as session:
        with pytest.raises(DeskError) as refused, bounded(session, 0.2):
            session.connection().exec_driver_sql(endless)
        assert refused.value.code == "report_too_large"
        session.rollback()
        assert count_by_state(session, person("supervisor", HALL), now=NOW) == {}


def test_what_is_changed_of_accounts_is_written_down(browser, engine):
    client = browser("管理", Role.ADMIN, HALL)
    target = browser("张三", Role.HANDLER, STATION)
    assert target.get("/reports").status_code == 200
    assert "登录的设备：1 个" in client.get("/people").text
    steps = (
        {"step": "logout"},
        {"step": "change", "role": "supervisor", "unit": HALL},
        {"step": "unfactor"},
        {"step": "reset"},
        {"step": "disable"},
    )
    for given in steps:
        assert client.post("/people", data=given | {"name": "张三"}).status_code == 200
    assert target.get("/reports").status_code == 303
    assert (
        client.post("/people", data={"step": "add", "name": "李四", "role": "editor", "unit": HALL}).status_code == 200
    )
    assert client.post("/people", data={"step": "logout", "name": "没有这个人"}).status_code == 422
    assert client.post("/people", data={"step": "nonsense", "name": "李四"}).status_code == 400
    with Session(engine) as session:
        noted = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert [one.action for one in noted] == [f"staff_{given['step']}" for given in steps] + ["staff_add"]
        assert {one.actor for one in noted} == {"管理"}
        assert noted[1].data == {
            "role": "supervisor",
            "unit": HALL,
            "before_role": "handler",
            "before_unit": STATION,
        }
        assert find_staff(session, "张三").has_factor is False
    log = client.get("/audit").text
    assert "原岗位 承办人" in log


def test_the_log_goes_on_page_by_page(browser, monkeypatch):
    monkeypatch.setattr("desk.audit.PAGE", 2)
    client = browser("管理", Role.ADMIN, HALL)
    assert "还没有记录" in client.get("/audit").text
    for name in ("甲", "乙", "丙"):
        client.post("/people", data={"step": "add", "name": name, "role": "handler", "unit": HALL})
    first = client.get("/audit").text
    following = unescape(re.search(r'href="(/audit\?[^"]*before=[^"]*)"', first)[1])
    second = client.get(following).text
    assert [first.count('<th scope="row">'), second.count('<th scope="row">')] == [2, 1]
    assert "甲" in second


def test_a_demonstration_says_so_on_every_page(services, browser):
    client = browser("主管", Role.SUPERVISOR, HALL)
    assert "演示数据：" not in client.get("/reports").text
    services.is_demo = True
    for path in ("/reports", "/tickets", "/reports/year/2026", "/account"):
        assert "演示数据：" in client.get(path).text
