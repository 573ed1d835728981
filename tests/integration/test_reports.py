"""Exported lists harm nobody and show nothing personal; the yearly report is what happened in the year."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from petitions import export
from petitions.clocks import SHANGHAI
from petitions.errors import PetitionError
from petitions.export import as_csv, petition_rows, write_xlsx
from petitions.filing import file_petition
from petitions.intake import Draft
from petitions.log import SYSTEM, Actor
from petitions.rates import Share
from petitions.selection import Selection
from petitions.yearly import RankedCategory, yearly_report
from tests.conftest import product_environment, run_command
from tests.integration.cases import (
    ACCEPTED,
    DISTRICT,
    HALL,
    KEYRING,
    OTHER_STATION,
    STATION,
    file_case,
    person,
    route,
    step,
)

START = datetime(2026, 3, 2, 10, tzinfo=SHANGHAI)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = START + 30 * DAY
MARCH = Selection(date(2026, 3, 1), date(2026, 3, 31))
FORMULAS = ['=HYPERLINK("http://x.cn","x")', "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "＝1", "＠x"]
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def file_words(session: Session, matter: str, key: str) -> None:
    """A petition with these words."""
    file_petition(
        session,
        Draft(matter=matter, place=matter, occurred=matter, name="演示甲", phone="15400001234"),
        route(),
        form_key=key,
        conversation="c",
        channel="form",
        secret=b"0" * 32,
        keyring=KEYRING,
        now=START,
    )


@pytest.fixture
def listed(engine: Engine) -> Engine:
    """Petitions whose words are formulas, and an accusation."""
    with Session(engine) as session:
        for number, words in enumerate(FORMULAS):
            file_words(session, words, f"formula-{number}")
        secret = replace(route(DISTRICT, class_="检举控告"), is_restricted=True, community=None)
        file_case(session, "secret", now=START, where=secret)
        session.commit()
    return engine


def rows_of(engine: Engine, actor: Actor = SYSTEM, selection: Selection = MARCH) -> list[tuple[str, ...]]:
    with Session(engine) as session:
        return list(petition_rows(session, actor, selection, KEYRING, now=LATER))


def cells_of(workbook: bytes) -> list[list[str]]:
    """All cells of the first sheet, which must be text."""
    sheet = ElementTree.fromstring(zipfile.ZipFile(io.BytesIO(workbook)).read("xl/worksheets/sheet1.xml"))
    assert not list(sheet.iter(f"{SHEET}f"))
    assert {cell.get("t") for cell in sheet.iter(f"{SHEET}c")} == {"inlineStr"}
    return [
        ["".join(text.text or "" for text in cell.iter(f"{SHEET}t")) for cell in row]
        for row in sheet.iter(f"{SHEET}row")
    ]


def test_a_list_is_masked_and_its_header_is_chinese(listed: Engine) -> None:
    header, first, *_ = rows_of(listed)
    assert header[:4] == ("工单号", "登记时间", "来源", "类别")
    row = dict(zip(header, first, strict=True))
    assert (row["登记时间"], row["来源"], row["状态"]) == ("2026-03-02 10:00", "网页表单", "新收到")
    assert row["诉求人（隐去部分）"] == "演**"
    assert row["电话（隐去部分）"] == "154****1234"
    assert "演示甲" not in str(first)
    assert "15400001234" not in str(first)


def test_no_cell_of_a_csv_is_a_formula(listed: Engine) -> None:
    written = b"".join(as_csv(rows_of(listed)))
    assert written.startswith(b"\xef\xbb\xbf")
    header, *rows = csv.reader(io.StringIO(written.decode("utf-8-sig"), newline=""))
    place = header.index("诉求内容（隐去个人信息）")
    assert [row[place] for row in rows[: len(FORMULAS)]] == ["'" + words for words in FORMULAS]
    assert rows[-1][place] == "楼下垃圾三天没人清"


def test_all_cells_of_a_workbook_are_text(listed: Engine, tmp_path: Path) -> None:
    with (tmp_path / "list.xlsx").open("wb") as file:
        write_xlsx(rows_of(listed), file)
    cells = cells_of((tmp_path / "list.xlsx").read_bytes())
    assert tuple(cells[0]) == rows_of(listed)[0]
    place = cells[0].index("诉求内容（隐去个人信息）")
    # The format writes a carriage return in this way, and a parser of XML makes line ends of the others.
    assert [row[place].replace("_x000D_", "\r") for row in cells[1:]] == [row[place] for row in rows_of(listed)[1:]]


def test_a_sheet_that_is_full_says_so(listed: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "XLSX_ROWS", 3)
    with (tmp_path / "list.xlsx").open("wb") as file, pytest.raises(PetitionError, match="too_many_rows"):
        write_xlsx(rows_of(listed), file)


def test_a_list_holds_what_was_selected_and_may_be_seen(listed: Engine) -> None:
    count = len(FORMULAS)
    assert len(rows_of(listed)) == count + 2
    assert len(rows_of(listed, person("handler", DISTRICT))) == count + 2
    assert len(rows_of(listed, person("handler", STATION))) == count + 1
    assert len(rows_of(listed, SYSTEM, replace(MARCH, channel="chat"))) == 2
    assert len(rows_of(listed, SYSTEM, replace(MARCH, since_on=date(2026, 3, 3)))) == 1


@pytest.mark.usefixtures("listed")
def test_the_list_and_the_report_on_the_command_line(database_url: str, tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "list.csv"
    environment = product_environment(data) | {"SUQIUTONG_DATABASE_URL": database_url}
    march = ("--since", "2026-03-01", "--until", "2026-03-31", "--as", "x", "--role", "handler", "--unit", STATION)
    command = ("petitions", "export", *march, "--format", "csv", "--output", str(target))
    # Another key than the one that sealed these names: no half of a file is left.
    assert (run_command(*command, environment=environment).returncode, target.exists()) == (1, False)
    key = {"key": KEYRING.keys["k1"].hex(), "made_at": START.isoformat()}
    (data / "keys.json").write_text(json.dumps({"current": "k1", "keys": {"k1": key}}), encoding="utf-8")
    assert run_command(*command, environment=environment).returncode == 0
    written = target.read_bytes()
    assert len(written.decode("utf-8-sig").splitlines()) >= len(FORMULAS) + 1
    assert (run_command(*command, environment=environment).returncode, target.read_bytes()) == (1, written)
    report = run_command("petitions", "report", "--year", "2026", environment=environment)
    assert json.loads(report.stdout)["received"] == len(FORMULAS) + 1


def test_the_report_of_a_year(engine: Engine) -> None:
    station, head = person("handler", STATION), person("supervisor", STATION)
    with Session(engine, expire_on_commit=False) as session:
        file_case(session, "last year", now=START - 365 * DAY)
        file_case(session, "late last year", now=START - 100 * DAY)
        for number in range(3):
            one = file_case(session, f"done {number}", now=START)
            step(session, one, "accept", station, now=START + HOUR)
            step(session, one, "reply", station, now=START + DAY, answer="x")
            step(session, one, "follow_up", now=START + 2 * DAY, **ACCEPTED)
        other = replace(route(HALL), category=("环境保护", "环境污染", "噪声污染"))
        declined = file_case(session, "declined", now=START, where=other, channel="form")
        step(session, declined, "decline", person("supervisor", HALL), now=START + HOUR, reason="x", path="诉讼")
        moved = file_case(session, "moved", now=START)
        sent = {"unit": OTHER_STATION, "reason": "x"}
        step(session, moved, "transfer", person("operator", STATION), now=START, **sent)
        step(session, moved, "return", person("handler", OTHER_STATION), now=START, reason="x")
        step(session, moved, "approve_return", head, now=START, reason="x")
        secret = replace(route(DISTRICT, class_="检举控告"), is_restricted=True, community=None)
        accusation = file_case(session, "secret", now=START, where=secret)
        above = person("supervisor", DISTRICT)
        step(session, accusation, "name_accused", above, now=START, accused="外单位", reason="x")
        step(session, accusation, "transfer", above, now=START, unit=HALL, reason="x")
        session.commit()
        found = yearly_report(session, 2026, SYSTEM, now=LATER)
        assert (found.received, found.received_before) == (6, 1)
        assert found.to_json()["by_class"] == {"投诉": 5, "检举控告": 1}
        assert found.to_json()["by_channel"] == {"chat": 5, "form": 1}
        assert (found.accepted, found.closed, found.declined_paths) == (3, 3, {"诉讼": 1})
        assert found.steps["transferred"] == 2
        assert (found.steps["objected"], found.steps["returns_approved"], found.steps["returns_refused"]) == (1, 1, 0)
        assert found.categories == (RankedCategory(1, "城乡建设", 5, 1), RankedCategory(2, "环境保护", 1, 0))
        assert [category.change for category in found.categories] == [4.0, None]
        assert [(one.group["third"], one.group["community"], one.count) for one in found.repeats] == [
            ("环境卫生", "碧眼", 4)
        ]
        assert (found.accusations, found.accusations_transferred) == (1, 1)
        assert found.rates is not None
        assert found.rates.satisfaction == found.rates.solution == Share(3, 3)
        # The year before was whole: the same report a year later compares with all of it.
        assert yearly_report(session, 2026, SYSTEM, now=LATER + 365 * DAY).received_before == 2
        assert yearly_report(session, 2025, SYSTEM, now=LATER).received == 2
        assert yearly_report(session, 2027, SYSTEM, now=LATER).rates is None
        clerk = yearly_report(session, 2026, station, now=LATER)
        assert (clerk.received, clerk.accusations, clerk.accusations_transferred) == (5, 0, 0)
