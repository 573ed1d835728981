"""Brings everything up to date and runs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from knowledge.digests import check_digests
from knowledge.errors import KnowledgeError
from suqiutong import rasa
from suqiutong.errors import CommandError
from suqiutong.freshness import MODEL_INPUTS, STAMP, digest, is_fresh, knowledge_digest, write_stamp
from suqiutong.settings import ROOT, Settings, read_secret
from suqiutong.supervise import read_procfile, supervise
from suqiutong.wechat import read_account

SLOW_START_SECONDS = 180.0
Report = Callable[[str], None]


def check_ports(settings: Settings) -> None:
    """Raises: CommandError: two processes share a port, or something else uses one; names it."""
    ports = {"web": (settings.host, settings.web_port), "rasa": ("127.0.0.1", settings.rasa_port)}
    ports["desk"] = (settings.desk_host, settings.desk_port)
    ports["actions"] = ("127.0.0.1", settings.actions_port)
    taken: dict[int, str] = {}
    for name, (host, port) in ports.items():
        hint = f"set SUQIUTONG_{name.upper()}_PORT to another"
        if port in taken:
            raise CommandError(f"port {port} is given to both {taken[port]} and {name}: {hint}")
        taken[port] = name
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise CommandError(
                    f"port {port} ({name}) on {host} cannot be used ({error.strerror}): {hint}"
                ) from error


def ensure_knowledge(settings: Settings, report: Report) -> None:
    """Build the knowledge base when what it is made from has changed, or when it is damaged."""
    if is_fresh(settings.knowledge_folder / STAMP, knowledge_digest(settings)):
        try:
            check_digests(settings.knowledge_folder.resolve())
        except KnowledgeError as error:
            report(str(error))
        else:
            return
    report("Building the knowledge base …")
    # A process of its own gives the memory of the build back.
    if subprocess.run([sys.executable, "-m", "suqiutong", "knowledge", "build"], cwd=ROOT, check=False).returncode:
        raise CommandError("the knowledge base could not be built")


def ensure_model(settings: Settings, report: Report) -> Path:
    """The model that Rasa is to load; trained first when what it is made from has changed.

    Raises:
        CommandError: the training failed, or the model is corrupt and so is the one before.
    """
    model, stamp = settings.models_folder / rasa.MODEL, settings.models_folder / STAMP
    value = digest(MODEL_INPUTS)
    if not (model.exists() and is_fresh(stamp, value)):
        train_model(settings, report)
    return rasa.usable_model(settings.models_folder, report)


def train_model(settings: Settings, report: Report) -> None:
    """Train now, whether anything has changed or not."""
    value = digest(MODEL_INPUTS)
    started = time.monotonic()
    report("Training the model (a minute or two) …")
    rasa.train(settings.models_folder, settings.log_folder / "train.log", lambda line: report(f"  {line}"))
    write_stamp(settings.models_folder / STAMP, value)
    report(f"Trained in {time.monotonic() - started:.0f} s.")


class Readiness:
    """Says once that everything answers, and once that it takes too long."""

    def __init__(self, url: str, welcome: str, report: Report) -> None:
        self._url = url
        self._welcome = welcome
        self._report = report
        self._started = time.monotonic()
        self._is_ready = self._has_warned = False

    def check(self) -> None:
        """Ask the web process, until it has said yes."""
        if self._is_ready:
            return
        try:
            self._is_ready = httpx.get(f"{self._url}/readyz", timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            self._is_ready = False
        if self._is_ready:
            self._report(self._welcome)
        elif not self._has_warned and time.monotonic() - self._started > SLOW_START_SECONDS:
            self._has_warned = True
            self._report(f"Not ready after {SLOW_START_SECONDS:.0f} s: {self._url}/readyz says what is missing.")


def prepare(settings: Settings, upgrade_database: Callable[[], None], report: Report) -> None:
    """Bring schema, knowledge base and model up to date; nothing is done where they are.

    Raises:
        CommandError: something that the start needs is not there.
    """
    rasa.check_bot()
    read_secret(settings.data_folder)
    read_account(settings)
    upgrade_database()
    ensure_knowledge(settings, report)
    ensure_model(settings, report)


def run_everything(settings: Settings, upgrade_database: Callable[[], None], report: Report) -> int:
    """Check, bring up to date, start, and stay until told to stop.

    Returns:
        Exit code.

    Raises:
        CommandError: something that the start needs is not there.
    """
    check_ports(settings)
    prepare(settings, upgrade_database, report)
    welcome = (Path(__file__).parent / "welcome.txt").read_text(encoding="utf-8")
    addresses = {"url": settings.web_url, "desk": settings.desk_url, "logs": settings.log_folder}
    readiness = Readiness(settings.web_url, welcome.format(**addresses), report)
    commands = read_procfile(ROOT / "Procfile")
    report(f"Starting {', '.join(commands)} (logs in {settings.log_folder}) …")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    return supervise(
        commands, logs=settings.log_folder, folder=ROOT, environment=environment, report=report, on_tick=readiness.check
    )
