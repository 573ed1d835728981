"""The editors' commands as a person types them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from sqlalchemy.orm import sessionmaker

from knowledge.unanswered import RETENTION, record_unanswered
from suqiutong import database
from tests.conftest import product_environment, run_command

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "knowledge" / "curated.yml"


@pytest.fixture
def command(tmp_path):
    environment = product_environment(tmp_path / "data")

    def command(*arguments):
        return run_command(*arguments, environment=environment)

    assert command("db", "upgrade").returncode == 0
    return command


def listed(command, *words):
    result = command(*words, "list", "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_an_entry_from_its_file_to_its_end(command, tmp_path):
    count = len(yaml.safe_load(STARTER.read_text(encoding="utf-8"))["entries"])
    assert command("faq", "import", str(STARTER)).stdout == f"added {count}, changed 0, unchanged 0\n"
    assert command("faq", "import", str(STARTER)).stdout == f"added 0, changed 0, unchanged {count}\n"
    own = command("faq", "approve", "gas-phone", "--by", "初始内容")
    assert own.returncode != 0
    assert own.stderr.splitlines() == ["error: gas-phone 由 初始内容 写成，要由另一个人批准"]
    assert command("faq", "approve", "gas-phone", "--by", "张三", "--version", "1").returncode == 0
    states = {row["id"]: row["state"] for row in listed(command, "faq")}
    assert states.pop("gas-phone") == "live"
    assert set(states.values()) == {"draft"}
    lines = command("faq", "list").stdout.splitlines()
    assert "gas-phone\t生效\t2026-11-23~长期\t0\t城市建设办\t深圳燃气的电话是多少" in lines
    assert command("faq", "retire", "gas-phone", "--by", "张三").returncode == 0
    exported = tmp_path / "export.yml"
    exported.write_text(command("faq", "export").stdout, encoding="utf-8")
    assert command("faq", "import", str(exported)).stdout == f"added 0, changed 0, unchanged {count - 1}\n"
    assert command("faq", "revert", "gas-phone", "1", "--by", "李四").returncode == 0
    shown = json.loads(command("faq", "show", "gas-phone").stdout)
    assert (shown["state"], shown["written_by"], shown["version"]) == ("draft", "李四", 4)
    assert [one["step"] for one in shown["versions"]] == ["written", "approved", "retired", "reverted"]


def test_a_wrong_file_is_one_line_and_changes_nothing(command, tmp_path):
    path = tmp_path / "wrong.yml"
    path.write_text("entries:\n  - {id: a}\n  - {id: b, answer: 长}\n", encoding="utf-8")
    result = command("faq", "import", str(path))
    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    assert "a：answer：没有填写" in line
    assert "b：variants：没有填写" in line
    assert listed(command, "faq") == []


def test_questions_without_an_answer_are_worked_through(command, tmp_path):
    engine = database.make_engine(f"sqlite:///{tmp_path / 'data' / 'suqiutong.db'}")
    now = datetime.now(UTC)
    with sessionmaker(engine).begin() as session:
        for text in ("小学学位怎么申请", "小学学位如何申请", "公园几点关门", "办社保卡要带什么材料"):
            record_unanswered(session, text, kind="no_answer", channel="web", now=now)
        record_unanswered(session, "很久以前问过什么", kind="no_answer", channel="web", now=now - 2 * RETENTION)
    engine.dispose()
    first, second, *_ = listed(command, "unanswered")
    assert (first["id"], first["question"], first["asks"], first["ids"]) == (1, "小学学位怎么申请", 2, [1, 2])
    assert second["question"] == "公园几点关门"
    assert command("unanswered", "dismiss", "1", "--by", "张三", "--reason", "不归街道").returncode == 0
    assert command("faq", "import", str(STARTER)).returncode == 0
    assert command("unanswered", "link", "3", "hall-services", "--by", "张三").returncode == 0
    gone = command("unanswered", "dismiss", "1", "--by", "张三")
    assert "no open group 1" in gone.stderr
    assert command("unanswered", "purge").stdout == "deleted 1\n"
    (line,) = command("unanswered", "list", "--limit", "1", "--since", f"{now:%Y-%m-%d}").stdout.splitlines()
    assert line.startswith("4\t1\t")
    assert line.endswith("\t办社保卡要带什么材料")


def test_a_draft_is_returned_and_what_reviewers_found_is_exported(command):
    assert command("faq", "import", str(STARTER)).returncode == 0
    assert command("faq", "return", "gas-phone", "--by", "乙", "--reason", "请写明时间").returncode == 0
    assert {row["id"]: row["state"] for row in listed(command, "faq")}["gas-phone"] == "returned"
    refused = command("faq", "approve", "gas-phone", "--by", "乙")
    assert (refused.returncode, "已退回" in refused.stderr) == (1, True)
    assert yaml.safe_load(command("review", "export").stdout) == {"version": "3.1", "nlu": []}
