"""Every metric is documented, and alerts and board name none that does not exist."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import promql_parser
import pytest
import yaml
from huey import MemoryHuey

from channels.metrics import Metrics
from suqiutong import gauges, worker
from suqiutong.database import upgrade
from suqiutong.heartbeats import last_run, note_run
from suqiutong.settings import Settings
from suqiutong.wiring import Services

ROOT = Path(__file__).resolve().parents[2]
OPS = ROOT / "ops"
PARTS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
NAME = re.compile(r"\b(?:suqiutong|process)_[a-z_]+\b")


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """All that a web process tells."""
    folder = tmp_path_factory.mktemp("data")
    services = Services(Settings(data=folder, knowledge=folder, models=folder))
    upgrade(services.engine)
    metrics = Metrics()
    gauges.add_gauges(metrics.registry, services)
    yield list(metrics.registry.collect())
    services.engine.dispose()


@pytest.fixture(scope="module")
def samples(families):
    """The names that an expression may use."""
    return {family.name + part for family in families for part in PARTS[family.type]}


def all_expressions():
    for group in yaml.safe_load((OPS / "alerts.yml").read_text(encoding="utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in json.loads((OPS / "grafana.json").read_text(encoding="utf-8"))["panels"]:
        yield from (target["expr"] for target in panel["targets"])


EXPRESSIONS = list(all_expressions())


def test_every_metric_is_documented(families):
    table = set(re.findall(r"^\| `(suqiutong_\w+)` \|", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE))
    told = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in families
        if family.name.startswith("suqiutong_")
    }
    assert told == table


def test_alerts_and_board_name_metrics_that_exist(samples):
    named = {name for expression in EXPRESSIONS for name in NAME.findall(expression)}
    assert len(named) > 10
    assert named <= samples


def test_alerts_and_board_name_events_and_jobs_that_exist():
    told = " ".join(EXPRESSIONS)
    files = [path for package in ("actions", "channels") for path in (ROOT / package).glob("*.py")]
    source = " ".join(path.read_text(encoding="utf-8") for path in files)
    events = set(re.findall(r'event="(\w+)"', told))
    assert len(events) > 3
    assert all(f'"{event} ' in source for event in events)
    jobs = {job for found in re.findall(r'job=~"([\w|]+)"', told) for job in found.split("|")}
    assert jobs == set(worker.SCHEDULE)


def test_every_alert_says_what_to_do():
    rules = [
        rule
        for group in yaml.safe_load((OPS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert all(rule["annotations"][name] for name in ("summary", "action"))
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_prometheus_can_read_every_expression(expression):
    promql_parser.parse(expression)


def test_the_board_asks_for_its_data_source_and_draws_nothing_twice():
    board = json.loads((OPS / "grafana.json").read_text(encoding="utf-8"))
    assert [one["type"] for one in board["templating"]["list"]] == ["datasource"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_a_run_is_kept_with_the_last_that_did_not_fail():
    queue = MemoryHuey(results=False)
    assert last_run(queue, "tick") is None
    note_run(queue, "tick", now=datetime(2026, 11, 26, tzinfo=UTC), seconds=0.25, is_ok=True)
    note_run(queue, "tick", now=datetime(2026, 11, 27, tzinfo=UTC), seconds=0.5, is_ok=False)
    run = last_run(queue, "tick")
    assert (run.seconds, run.is_ok) == (0.5, False)
    assert run.ended_at - run.succeeded_at == 86400
