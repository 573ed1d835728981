"""What every process counts and times, in a registry of its own. docs/monitoring.md explains each."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from telemetry.logs import event_of

# From a look at the danger lexicon to the longest wait for Rasa.
STAGE_BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters and times that all processes share."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "suqiutong_http_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.refusals = Counter("suqiutong_refusals", "Refused requests by code.", ["code"], registry=self.registry)
        self.stage_seconds = Histogram(
            "suqiutong_stage_seconds",
            "Time that each stage of the work takes.",
            ["stage"],
            buckets=STAGE_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.database_errors = Counter(
            "suqiutong_database_errors", "Errors of the database by kind.", ["error"], registry=self.registry
        )
        self.log_events = Counter(
            "suqiutong_log_events", "Log lines from warning on, by event.", ["level", "event"], registry=self.registry
        )

    def count_request(self, route: str, status: str) -> None:
        """Count one request."""
        self.requests.labels(route, status).inc()

    def stage(self, name: str) -> AbstractContextManager[object]:
        """Times what is done in it."""
        return self.stage_seconds.labels(name).time()


class CountingHandler(logging.Handler):
    """Counts warnings and errors: each event that a person should hear of is a line already."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.WARNING)
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        """Count one line; those of libraries as one event."""
        self._metrics.log_events.labels(record.levelname.lower(), event_of(record) or "library").inc()
