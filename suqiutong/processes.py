"""The processes of the Procfile: Rasa, the action server, the web process."""

from __future__ import annotations

import logging
import os
import sys

import uvicorn

from suqiutong import rasa
from suqiutong.settings import ROOT, Settings
from suqiutong.wiring import Services

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s - %(message)s"


def start_logging(settings: Settings) -> None:
    """Log to stderr, which `up` keeps in a file; libraries speak from warning on."""
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
    for name in ("actions", "channels", "desk", "knowledge", "petitions", "suqiutong"):
        logging.getLogger(name).setLevel(settings.log_level.upper())


def run_rasa(settings: Settings) -> None:
    """Become Rasa, in its own environment."""
    rasa.check_bot()
    options = [
        "--model",
        settings.models_folder / rasa.MODEL,
        "--port",
        settings.rasa_port,
        "--actions",
        settings.actions_url,
    ]
    command = [str(part) for part in (rasa.PYTHON, ROOT / "bot" / "server.py", *options)]
    os.execve(command[0], command, rasa.bot_environment())  # noqa: S606 - no shell is wanted


def run_actions(settings: Settings) -> None:
    """Become the action server."""
    command = [sys.executable, "-m", "actions", "--port", str(settings.actions_port)]
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def run_web(services: Services) -> None:
    """Serve residents and operators until told to stop."""
    from channels.app import create_app  # noqa: PLC0415 - the other processes do without

    start_logging(services.settings)
    settings = services.settings
    uvicorn.run(
        create_app(services),
        host=settings.host,
        port=settings.web_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.public_url),
        timeout_graceful_shutdown=5,
    )
