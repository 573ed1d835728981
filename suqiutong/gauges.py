"""How the whole product stands, as seen from the web process: queue, outbox, worker, knowledge, model, database."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from channels.handover.board import waiting_count
from petitions.standing import standing
from suqiutong.freshness import made
from suqiutong.wiring import Services
from suqiutong.worker import last_runs

logger = logging.getLogger(__name__)
KEPT_SECONDS = 30.0


class Gauges(Collector):
    """Read at a scrape, at most every half minute, however many scrape.

    Args:
        services: Of this process.
        kept_seconds: How long what was read is said again.
    """

    def __init__(self, services: Services, *, kept_seconds: float = KEPT_SECONDS) -> None:
        self._services = services
        self._kept_seconds = kept_seconds
        self._lock = Lock()
        self._read_at = -kept_seconds
        self._metrics: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """All gauges; what was read before while another scrape still reads."""
        # A database that hangs must not hold every thread that is to serve residents.
        if self._lock.acquire(blocking=False):
            try:
                if time.monotonic() - self._read_at >= self._kept_seconds:
                    self._metrics = [*self._versions(), *self._worker(), *self._database()]
                    self._read_at = time.monotonic()
            finally:
                self._lock.release()
        return self._metrics

    def _versions(self) -> Iterator[Metric]:
        yield _gauge("build_info", "Version of the product.", "version", {version("suqiutong"): 1})
        settings = self._services.settings
        for name, folder, words in (
            ("knowledge_built", settings.knowledge_folder, "When the knowledge base in use was built."),
            ("model_trained", settings.models_folder, "When the model in use was trained."),
        ):
            found = made(folder)
            rows = {found.version: found.at} if found else {}
            yield _gauge(f"{name}_timestamp_seconds", words, "version", rows)

    def _worker(self) -> Iterator[Metric]:
        try:
            runs = last_runs(self._services.settings)
        except Exception as error:  # noqa: BLE001 - Redis and SQLite fail each in their own way
            logger.warning("last_runs_not_read error=%s", type(error).__name__)
            return
        yield _gauge(
            "job_last_run_timestamp_seconds",
            "When the worker last ended a job.",
            "job",
            {job: run.ended_at for job, run in runs.items()},
        )
        yield _gauge(
            "job_last_success_timestamp_seconds",
            "When a job last did not fail.",
            "job",
            {job: run.succeeded_at for job, run in runs.items() if run.succeeded_at},
        )
        yield _gauge("job_seconds", "How long a job took last.", "job", {job: run.seconds for job, run in runs.items()})

    def _database(self) -> Iterator[Metric]:
        try:
            with self._services.sessions() as session:
                now = standing(session, now=self._services.clock())
                waiting = waiting_count(session)
        except SQLAlchemyError as error:
            logger.warning("standing_not_read error=%s", type(error).__name__)
            yield _number("database_up", "Whether the database can be read.", 0)
            return
        yield _number("database_up", "Whether the database can be read.", 1)
        yield _number("handovers_waiting", "Conversations that wait for a person.", waiting)
        yield _gauge("tickets", "Open tickets by state.", "state", now.tickets)
        yield _gauge("tickets_overdue", "Clocks that have run out, by clock.", "clock", now.overdue)
        yield _number("due_times_provisional", "Due times that wait for a calendar.", now.provisional)
        yield _gauge("outbox_messages", "Messages that wait or were given up.", "state", now.outbox)
        yield _number("outbox_oldest_seconds", "Age of the oldest message that waits.", now.oldest_seconds)
        yield _number("outbox_late_seconds", "How long a message has been due.", now.late_seconds)


def add_gauges(registry: CollectorRegistry, services: Services) -> None:
    """Have a registry tell how the product stands."""
    registry.register(Gauges(services))


def _gauge(name: str, words: str, label: str, rows: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"suqiutong_{name}", words, labels=[label])
    for value, number in rows.items():
        family.add_metric([value], number)
    return family


def _number(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"suqiutong_{name}", words, value=value)
