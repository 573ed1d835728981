"""Whether everything that the product needs is there: one line a check."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import httpx
from sqlalchemy.exc import SQLAlchemyError

from petitions.workdays import chinese_workdays
from suqiutong import database, rasa
from suqiutong.errors import CommandError
from suqiutong.freshness import MODEL_INPUTS, STAMP, digest, is_fresh, knowledge_digest
from suqiutong.settings import SECRETS, Settings, read_secret
from suqiutong.up import check_ports
from suqiutong.wechat import read_account

FREE_DISK_GIGABYTES = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    name: str
    is_ok: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.is_ok else 'warn'} {self.name}: {self.text}"


def examine(settings: Settings, *, today: date) -> Iterator[Finding]:
    """All checks, in the order in which a start needs them."""
    yield Finding("python", True, f"{sys.version.split()[0]}, suqiutong {version('suqiutong')}")
    yield _bot()
    free = shutil.disk_usage(_existing(settings.data_folder)).free / 1e9
    yield Finding("disk", free >= FREE_DISK_GIGABYTES, f"{free:.0f} GB free for {settings.data_folder}")
    yield _ports(settings)
    yield _secrets(settings)
    yield _database(settings)
    if settings.wechat_app_id:
        yield _whether("wechat", lambda: read_account(settings), f"{settings.wechat_kind}, {settings.wechat_mode} mode")
    yield _made("knowledge", settings.knowledge_folder, knowledge_digest(settings))
    yield _made("model", settings.models_folder, digest(MODEL_INPUTS))
    yield check_calendar(today)


def check_calendar(today: date) -> Finding:
    """Whether the workdays of this year are known: due times of a later year are provisional."""
    last = max(chinese_workdays().years)
    return Finding("calendar", last >= today.year, f"Chinese workdays are known up to the end of {last}")


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _bot() -> Finding:
    try:
        rasa.check_bot()
        code = "import sys, importlib.metadata as m; print(sys.version.split()[0] + ', rasa ' + m.version('rasa'))"
        found = subprocess.run([rasa.PYTHON, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - fixed command
    except (CommandError, OSError, subprocess.CalledProcessError) as error:
        return Finding("bot", False, str(error))
    return Finding("bot", True, found.stdout.strip())


def _ports(settings: Settings) -> Finding:
    try:
        httpx.get(f"{settings.web_url}/healthz", timeout=2, trust_env=False).raise_for_status()
    except httpx.HTTPError:
        return _whether("ports", lambda: check_ports(settings), "all free")
    return Finding("ports", True, f"the product is running at {settings.web_url}")


def _secrets(settings: Settings) -> Finding:
    if not (settings.data_folder / SECRETS).exists():
        return Finding("secrets", True, "made at the first start")
    return _whether("secrets", lambda: read_secret(settings.data_folder), "readable by their owner alone")


def _whether(name: str, check: Callable[[], object], text: str) -> Finding:
    try:
        check()
    except CommandError as error:
        return Finding(name, False, str(error))
    return Finding(name, True, text)


def _database(settings: Settings) -> Finding:
    try:
        engine = database.make_engine(settings.database)
        backend = engine.url.get_backend_name()
        if backend == "sqlite" and not os.path.exists(engine.url.database or ""):
            return Finding("database", False, "not made yet: run `suqiutong db upgrade`")
        found = database.current(engine)
    except (CommandError, SQLAlchemyError) as error:
        return Finding("database", False, str(error).splitlines()[0])
    head = database.newest()
    return Finding("database", found == head, f"{backend}, schema {found or 'empty'}, newest {head}")


def _made(name: str, folder: Path, value: str) -> Finding:
    stamp = folder / STAMP
    if not stamp.exists():
        return Finding(name, False, f"not made yet in {folder}")
    days = (time.time() - stamp.stat().st_mtime) / 86400
    fresh = is_fresh(stamp, value)
    return Finding(name, fresh, f"{days:.1f} days old, {'up to date' if fresh else 'its inputs have changed since'}")
