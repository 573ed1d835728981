"""The case work on the command line, as a person types it."""

import json
import re

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.conftest import product_environment, run_command
from tests.integration.cases import OTHER_STATION, STATION, file_case


@pytest.fixture
def command(tmp_path, database_url):
    environment = product_environment(tmp_path / "data") | {"SUQIUTONG_DATABASE_URL": database_url}

    def command(*arguments):
        return run_command("petitions", *arguments, environment=environment)

    return command


@pytest.fixture
def number(engine):
    with Session(engine) as session:
        number = file_case(session).number
        session.commit()
    return number


def act(number, action, *fields, role="handler", unit=STATION):
    given = [part for field in fields for part in ("--field", field)]
    return ("act", number, action, "--as", "张三", "--role", role, "--unit", unit, *given)


def failure(result):
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def lines(result):
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_tickets_are_listed_searched_and_compared(command, number):
    wanted = ("--unit", STATION, "--state", "received", "--due-before", "2026-03-03", "--community", "碧眼")
    for arguments in ((), ("--search", "垃圾"), wanted):
        (ticket, end) = lines(command("list", *arguments))
        assert (ticket["number"], ticket["state"], end) == (number, "received", {"next": None})
    assert lines(command("list", "--search", "路灯")) == [{"next": None}]
    assert failure(command("list", "--after", "x")) == "error: 这一页不存在，请从第一页重新查看。"
    (like,) = lines(command("similar", "碧眼社区楼下垃圾三天没人清"))
    assert like["number"] == number


def test_a_petition_is_worked_on_shown_and_replayed(command, number):
    shown = json.loads(command("show", number).stdout)
    assert (shown["state"], shown["label"]) == ("received", "已收到，等待受理")
    assert [event["action"] for event in shown["events"]] == ["file"]
    fields = (f"unit={OTHER_STATION}", "reason=属地在白花")
    done = json.loads(command(*act(number, "transfer", *fields)).stdout)
    assert (done["state"], done["is_new"]) == ("transferred", True)
    refusal = failure(command(*act(number, "reply", "answer=x")))
    assert refusal.startswith("error: 工单现在的状态是“待对方接收”，不能“答复”。现在可以：受理、")
    assert "不由您办理" in failure(command(*act(number, "accept")))
    assert "缺少或有误：reason" in failure(command(*act(number, "return", unit=OTHER_STATION)))
    command(*act(number, "accept", unit=OTHER_STATION))
    days = ("extend", "days=10", "reason=复杂")
    assert json.loads(command(*act(number, *days, role="supervisor", unit=OTHER_STATION)).stdout)["state"] == "extended"
    before = json.loads(command("replay", number, "--at", "2026-03-02T10:00").stdout)
    assert (before["state"], before["unit"]) == ("received", STATION)
    assert json.loads(command("replay", number).stdout)["unit"] == OTHER_STATION
    assert "属地在白花" not in command("show", number).stdout


def test_the_same_step_twice_and_a_stale_one(command, number):
    for is_new in (True, False):
        done = json.loads(command(*act(number, "accept"), "--key", "k1").stdout)
        assert done["is_new"] is is_new
    assert "刚才被别人更新过" in failure(command(*act(number, "handle"), "--version", "1"))


@pytest.mark.usefixtures("number")
def test_the_clocks_tick_and_the_log_is_sealed_and_verified(command, engine):
    said = command("tick").stdout
    assert re.fullmatch(r"warned: 4, overdue: 4, escalated: 8\n", said)
    assert command("tick").stdout == "warned: 0, overdue: 0, escalated: 0\n"
    assert re.fullmatch(r"17 events of 1 petitions hold, 1 seals, digest [0-9a-f]{64}\n", command("verify").stdout)
    assert command("recompute").stdout == "recomputed: 0\n"
    group = json.loads(command("stats", "--since", "2026-01-01", "--until", "2027-12-31", "--by", "unit").stdout)
    assert (group["unit"], group["filed"], group["response"]["whole"]) == (STATION, 1, 1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE petition SET hops = 3"))
    result = command("verify")
    assert result.returncode == 1
    assert result.stdout == "petition 1 event -: row_differs\n"
    assert result.stderr == "error: the log does not hold in 1 places\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "GM0000000000000"), "没有这张工单"),
        (("replay", "GM0000000000000"), "没有这张工单"),
        (("stats", "--since", "x", "--until", "2026-01-01"), "x is no day"),
        (("stats", "--since", "2026-01-01", "--until", "2026-01-01", "--by", "mood"), "--by mood"),
    ],
)
def test_what_cannot_be_done_is_one_line(command, arguments, words):
    assert words in failure(command(*arguments))


def test_wrong_arguments_are_one_line(command, number):
    assert "no moment" in failure(command("replay", number, "--at", "gestern"))
    assert "name=value" in failure(command(*act(number, "accept", "office")))
