"""What processes tell of themselves and of the product, from a real database and a real queue."""

import logging
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from petitions.outbox import take
from petitions.standing import standing
from suqiutong import gauges, jobs, watching
from suqiutong.errors import CommandError
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from suqiutong.worker import SCHEDULE, add_jobs, last_runs, make_queue
from telemetry.metrics import Metrics
from tests.conftest import free_ports
from tests.integration.cases import NOW, STATION, file_case, person, step


class ClockedServices(Services):
    """The services with a clock that the test turns."""

    now = NOW

    def clock(self):
        return self.now


@pytest.fixture
def services(database_url, tmp_path):
    services = ClockedServices(Settings(data=tmp_path, database_url=database_url, knowledge=tmp_path, models=tmp_path))
    yield services
    services.engine.dispose()


@pytest.fixture
def quiet_root():
    """The handlers of the root as they were."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    root.handlers[:] = before


def test_the_queue_as_it_stands(engine):
    with Session(engine) as session:
        file_case(session)
        step(session, file_case(session, key="form-2"), "accept", person("handler", STATION))
        session.commit()
        now = standing(session, now=NOW)
        assert {state: count for state, count in now.tickets.items() if count} == {"received": 1, "accepted": 1}
        assert now.overdue == {}
        assert (now.outbox["dead"], now.oldest_seconds, now.late_seconds) == (0, 0.0, 0.0)
        assert now.outbox["pending"] > 2
        later = standing(session, now=NOW + timedelta(days=200))
        assert later.overdue["accept"] == 1
        assert sum(later.overdue.values()) > 1
        assert later.late_seconds == later.oldest_seconds == timedelta(days=200).total_seconds()
    with Session(engine) as session:
        assert take(session, now=NOW)
        session.commit()
    with Session(engine) as session:
        assert standing(session, now=NOW).outbox == now.outbox


def test_the_web_process_tells_how_the_product_stands(services):
    with services.writing() as session:
        file_case(session)
    queue = make_queue(services.settings)
    add_jobs(queue, services)["tick"].call_local()
    (services.settings.models_folder / "stamp").write_text("0123456789abcdef", encoding="utf-8")
    metrics = Metrics()
    gauges.add_gauges(metrics.registry, services)
    told = generate_latest(metrics.registry).decode()
    assert "suqiutong_database_up 1.0" in told
    assert 'suqiutong_tickets{state="received"} 1.0' in told
    assert 'suqiutong_outbox_messages{state="pending"} 2.0' in told
    name, label = "suqiutong_job_last_success_timestamp_seconds", {"job": "tick"}
    assert metrics.registry.get_sample_value(name, label) == NOW.timestamp()
    assert 'suqiutong_model_trained_timestamp_seconds{version="0123456789ab"}' in told
    with services.writing() as session:
        file_case(session, key="form-2")
    # Another scrape so soon asks nobody.
    assert 'suqiutong_tickets{state="received"} 1.0' in generate_latest(metrics.registry).decode()


def test_a_database_that_cannot_be_read_is_told_and_costs_nothing_else(tmp_path, caplog):
    services = ClockedServices(Settings(data=tmp_path, database_url=f"sqlite:///{tmp_path}/none/at/all.db"))
    told = {metric.name: metric for metric in gauges.Gauges(services).collect()}
    assert told["suqiutong_database_up"].samples[0].value == 0
    assert told["suqiutong_build_info"].samples
    assert "suqiutong_tickets" not in told
    assert "standing_not_read error=OperationalError" in caplog.text


def test_a_scrape_does_not_wait_for_one_that_hangs(services, monkeypatch):
    seen = gauges.Gauges(services, kept_seconds=0.0)
    before = seen.collect()
    inner = []

    def scrape_again(*_args, **_options):
        inner.append(seen.collect())
        raise OperationalError("slow", None, TimeoutError())

    monkeypatch.setattr(gauges, "standing", scrape_again)
    after = {metric.name: metric for metric in seen.collect()}
    assert inner == [before]
    assert after["suqiutong_database_up"].samples[0].value == 0


def test_a_job_leaves_its_last_run_in_the_queue_also_when_it_fails(services, monkeypatch):
    assert last_runs(services.settings) == {}
    assert not list(services.settings.data_folder.glob("queue.db*"))
    tasks = add_jobs(make_queue(services.settings), services)
    tasks["clean"].call_local()

    def fail(_services):
        raise ValueError

    monkeypatch.setitem(jobs.JOBS, "clean", fail)
    services.now = NOW + timedelta(days=1)
    tasks["clean"].call_local()
    [run] = last_runs(services.settings).values()
    assert (run.is_ok, run.ended_at, run.succeeded_at) == (False, services.now.timestamp(), NOW.timestamp())
    assert set(SCHEDULE) == set(jobs.JOBS)


@pytest.mark.usefixtures("quiet_root")
def test_statements_errors_stages_and_warnings_are_counted_and_served_on_this_machine(services):
    metrics = Metrics()
    [port] = free_ports(1)
    watching.watch(services, metrics, port)
    with services.sessions() as session:
        session.execute(sql("SELECT 1"))
        with pytest.raises(DBAPIError):
            session.execute(sql("SELECT nothing FROM nowhere"))
    with services.stage("knowledge"):
        logging.getLogger("channels.chat").error("figure_lock_closed kind=%s figures=%s", "answer", 1)
        logging.getLogger("huey").warning("something of %s", "its own")
    told = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert metrics.registry.get_sample_value("suqiutong_stage_seconds_count", {"stage": "database"}) >= 1
    assert 'suqiutong_stage_seconds_count{stage="knowledge"} 1.0' in told
    assert 'suqiutong_database_errors_total{error="' in told
    assert 'suqiutong_log_events_total{event="figure_lock_closed",level="error"} 1.0' in told
    assert 'suqiutong_log_events_total{event="library",level="warning"} 1.0' in told
    with pytest.raises(CommandError, match=str(port)):
        watching.watch(services, Metrics(), port)


@pytest.mark.rasa
def test_one_id_is_found_in_every_process_and_words_in_none(running):
    identity, words = "found-everywhere-1", "碧眼社区楼下的石榴树三天没人浇水"
    reply = httpx.post(
        f"{running.url}/api/chat",
        json={"text": f"我要投诉，{words}"},
        headers={"X-Request-ID": identity},
        timeout=60,
        trust_env=False,
    )
    assert (reply.status_code, reply.headers["X-Request-ID"]) == (200, identity)
    folder = Path(running.environment["SUQIUTONG_DATA"]) / "log"
    # A line is written when its reply is gone, and reaches the file through the process that started all.
    deadline = time.monotonic() + 30
    wanted = f"[{identity}] - request method=POST route=/api/chat status=200"
    while wanted not in (folder / "web.log").read_text() and time.monotonic() < deadline:
        time.sleep(0.2)
    logs = {path.stem: path.read_text() for path in folder.glob("*.log")}
    assert {"rasa", "actions", "web", "desk", "worker"} <= set(logs)
    assert wanted in logs["web"]
    assert f"[{identity}] - action action=validate_petition_form" in logs["actions"]
    assert not [name for name, text in logs.items() if "石榴" in text]
    told = httpx.get(f"{running.url}/metrics", trust_env=False).text
    assert 'suqiutong_stage_seconds_count{stage="understanding"}' in told
    assert 'suqiutong_job_last_run_timestamp_seconds{job="deliver"}' in told
