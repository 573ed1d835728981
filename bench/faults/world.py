"""The product as the fault suite runs it: real processes, a disk and a database of its own, residents who talk."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from bench.faults.databases import KINDS
from bench.faults.disk import Disk
from bench.faults.keeper import Keeper
from bench.faults.residents import TEXTS
from suqiutong.settings import ROOT, Settings, read_settings
from tests.conftest import product_environment

DISK_MEGABYTES = 400
START_SECONDS = 300.0
TICK_SECONDS = 0.5


class World:
    """One installation on one kind of database."""

    def __init__(self, scratch: Path, kind: str, say: Callable[[str], None]) -> None:
        """Make it; nothing runs yet.

        Args:
            scratch: Folder for all of it.
            kind: Of the database.
            say: Takes a line of progress.
        """
        self.kind, self.scratch, self.say = kind, scratch, say
        self.data = scratch / "data"
        self.models, self.knowledge = scratch / "models", scratch / "knowledge"
        own = read_settings()
        shutil.copytree(own.models_folder, self.models)
        shutil.copytree(own.knowledge_folder.resolve(), self.knowledge)
        self.disk = Disk(self.data, DISK_MEGABYTES)
        self.database = KINDS[kind](self.disk)
        self.environment = product_environment(self.data) | {
            "SUQIUTONG_DATABASE_URL": self.database.url,
            "SUQIUTONG_MODELS": str(self.models),
            "SUQIUTONG_KNOWLEDGE": str(self.knowledge),
            "SUQIUTONG_MESSAGES_PER_MINUTE": "600",
        }
        self.settings = Settings(
            data=self.data,
            database_url=self.database.url,
            web_port=int(self.environment["SUQIUTONG_WEB_PORT"]),
            desk_port=int(self.environment["SUQIUTONG_DESK_PORT"]),
        )
        self.keeper = Keeper(self.environment, scratch / "log", say)
        # When the last fault ended, in seconds of the Unix epoch.
        self.ended_at = 0.0
        self.redis: Any = None

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product on this installation."""
        command = [sys.executable, "-m", "suqiutong", *words]
        return subprocess.run(  # noqa: S603 - our own commands
            command, cwd=ROOT, env=self.keeper.environment, capture_output=True, text=True, check=False
        )

    def start(self, extra: Mapping[str, str] = {}) -> None:
        """Prepare and start it, and wait until it is ready.

        Raises:
            SystemExit: it is not ready in time.
        """
        self.keeper.environment = {**self.environment, **extra}
        self.keeper.prepare()
        self.keeper.start()
        if self.seconds_until(self.is_ready, START_SECONDS) is None:
            sys.exit(f"the product is not ready after {START_SECONDS:.0f} s; its logs are in {self.scratch / 'log'}")

    def seconds_until(self, holds: Callable[[], bool], limit_seconds: float) -> float | None:
        """How long it takes until something holds; None when it takes longer."""
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > limit_seconds:
                return None
            time.sleep(TICK_SECONDS)
        return time.monotonic() - begun

    def is_ready(self) -> bool:
        """Whether all that an answer needs is there."""
        return _status(f"{self.settings.web_url}/readyz") == httpx.codes.OK

    def answers(self) -> bool:
        """Whether a new conversation is answered."""
        try:
            body = {"text": TEXTS["question"]}
            reply = httpx.post(f"{self.settings.web_url}/api/chat", json=body, timeout=10, trust_env=False)
        except httpx.HTTPError:
            return False
        return reply.status_code == httpx.codes.OK and reply.json()["messages"][0]["kind"] == "answer"

    def desk_answers(self) -> bool:
        """Whether the desk answers and so do the residents' pages."""
        return _status(f"{self.settings.desk_url}/login") == httpx.codes.OK and self.answers()

    def close(self) -> None:
        """End all and take it away."""
        self.keeper.close()
        try:
            self.database.close()
        finally:
            self.disk.close()


def _status(url: str) -> int:
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code
    except httpx.HTTPError:
        return 0
