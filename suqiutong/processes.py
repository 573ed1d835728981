"""The processes of the Procfile: Rasa, the action server, the web process, the desk, the worker."""

# ruff: noqa: PLC0415 - each process imports what it alone needs
from __future__ import annotations

import base64
import hmac
import os
import resource
import sys
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.engine import make_url

from suqiutong import rasa
from suqiutong.settings import ROOT, Settings, read_secret
from suqiutong.wiring import Services
from telemetry.logs import start_logging

if TYPE_CHECKING:
    from fastapi import FastAPI

    from telemetry.metrics import Metrics as CommonMetrics

Counting = TypeVar("Counting", bound="CommonMetrics")

WARM_UP = "你好"
# Three for each page that may be open, with room for everything else.
FILES = 16_384


def prepare(services: Services) -> None:
    """Load now what the first message would wait for."""
    services.switches.all_off()
    if services.knowledge:
        services.knowledge.answer(WARM_UP)
    services.triage(WARM_UP)


def run_rasa(settings: Settings) -> None:
    """Become Rasa, in its own environment.

    Raises:
        CommandError: its environment or its model is missing or corrupt: it would start all the same and be silent.
    """
    rasa.check_bot()
    model = rasa.usable_model(settings.models_folder, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201 - Rasa's log
    options = [
        "--model",
        model,
        "--port",
        settings.rasa_port,
        "--actions",
        settings.actions_url,
    ]
    command = [str(part) for part in (rasa.PYTHON, ROOT / "bot" / "server.py", *options)]
    os.execve(command[0], command, rasa_environment(settings))  # noqa: S606 - no shell is wanted


def rasa_environment(settings: Settings) -> dict[str, str]:
    """The environment of Rasa, with the address of its conversations and the key that seals them."""
    key = hmac.digest(read_secret(settings.data_folder), b"rasa conversations", "sha256")
    return rasa.bot_environment() | {
        "SUQIUTONG_CONVERSATIONS": conversations_address(settings),
        "SUQIUTONG_CONVERSATIONS_KEY": base64.urlsafe_b64encode(key).decode(),
    }


def conversations_address(settings: Settings) -> str:
    """Where Rasa keeps its conversations: a file, or PostgreSQL with all else, where every Rasa finds them."""
    url = make_url(settings.database)
    if url.get_backend_name() != "postgresql":
        return f"sqlite:///{settings.data_folder / 'conversations.db'}"
    # The driver of the product is not in the environment of Rasa.
    return url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def run_actions(services: Services) -> None:
    """Serve Rasa's calls until told to stop."""
    from actions.server import serve
    from telemetry.metrics import Metrics

    settings = services.settings
    metrics = _begin(services, Metrics(), settings.actions_metrics_port)
    prepare(services)
    serve(services, settings.actions_port, metrics)


def run_worker(services: Services) -> None:
    """Do what is due on schedule until told to stop."""
    from suqiutong import worker
    from telemetry.metrics import Metrics

    _begin(services, Metrics(), services.settings.worker_metrics_port)
    worker.run_worker(services)


def run_web(services: Services) -> None:
    """Serve residents and programs until told to stop."""
    from channels.app import create_app
    from channels.metrics import Metrics
    from suqiutong.gauges import add_gauges

    settings = services.settings
    metrics = _begin(services, Metrics())
    add_gauges(metrics.registry, services)
    prepare(services)
    _serve(
        create_app(services, metrics=metrics),
        settings.host,
        settings.web_port,
        is_behind_proxy=bool(settings.public_url),
    )


def run_desk(services: Services) -> None:
    """Serve the people of the office until told to stop."""
    from desk.app import create_app
    from telemetry.metrics import Metrics

    settings = services.settings
    metrics = _begin(services, Metrics(), settings.desk_metrics_port)
    prepare(services)
    services.assist(WARM_UP)
    services.read_draft(WARM_UP)
    is_behind_proxy = settings.desk_behind_proxy
    application = create_app(services, metrics=metrics)
    _serve(application, settings.desk_host, settings.desk_port, is_behind_proxy=is_behind_proxy)


def _begin(services: Services, metrics: Counting, port: int = 0) -> Counting:
    """Have this process log, count and time what it does; its metrics."""
    from suqiutong.watching import watch

    start_logging(services.settings.log_level, services.settings.log_format)
    watch(services, metrics, port)
    return metrics


def allow_files() -> None:
    """Let this process have as many connections open as it is allowed to: systemd and shells begin with 1,024.

    Every open page of a resident is one (`channels/live.py`).
    """
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if resource.RLIM_INFINITY != now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _serve(application: FastAPI, host: str, port: int, *, is_behind_proxy: bool) -> None:
    import uvicorn

    allow_files()
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=is_behind_proxy,
        timeout_graceful_shutdown=5,
    )
