"""Makes a process tell what it counts and times."""

from __future__ import annotations

import logging
import time
from typing import Any

from prometheus_client import start_http_server
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from suqiutong.errors import CommandError
from suqiutong.wiring import Services
from telemetry.metrics import CountingHandler, Metrics

_BEGAN = "statement_began"


def watch(services: Services, metrics: Metrics, port: int = 0) -> None:
    """Count and time what this process does.

    Args:
        services: Of this process.
        metrics: Of this process.
        port: Where on 127.0.0.1 they can be read; 0: nowhere.

    Raises:
        CommandError: the port cannot be used.
    """
    logging.getLogger().addHandler(CountingHandler(metrics))
    services.stage = metrics.stage
    watch_engine(services.engine, metrics)
    if port:
        try:
            start_http_server(port, addr="127.0.0.1", registry=metrics.registry)
        except OSError as error:
            raise CommandError(f"port {port} of the metrics cannot be used ({error.strerror})") from error


def watch_engine(engine: Engine, metrics: Metrics) -> None:
    """Time every statement and count what fails."""
    seconds = metrics.stage_seconds.labels("database")

    def begin(connection: Connection, *_: object) -> None:
        connection.info[_BEGAN] = time.perf_counter()

    def end(connection: Connection, *_: object) -> None:
        seconds.observe(time.perf_counter() - connection.info[_BEGAN])

    def fail(context: ExceptionContext) -> None:
        metrics.database_errors.labels(type(context.original_exception).__name__).inc()

    listeners: dict[str, Any] = {"before_cursor_execute": begin, "after_cursor_execute": end, "handle_error": fail}
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
