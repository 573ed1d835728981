"""Whether everything that the product needs is there: one finding a check, with what to do about it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib.metadata import version
from math import inf
from pathlib import Path

import httpx

from petitions.workdays import chinese_workdays
from suqiutong import rasa
from suqiutong.backup import DATA_NAME, KEYS_NAME
from suqiutong.doctor_data import examine_data
from suqiutong.errors import CommandError
from suqiutong.finding import Finding, Level, found, whether
from suqiutong.freshness import MODEL_INPUTS, STAMP, digest, is_fresh, knowledge_digest
from suqiutong.heartbeats import Run
from suqiutong.settings import ANY_ADDRESS, ROOT, SECRETS, Settings, read_secret
from suqiutong.up import check_ports
from suqiutong.wechat import read_account
from suqiutong.wiring import Services
from suqiutong.worker import SCHEDULE, SELDOM_HOURS, last_runs

WANTED_DISK_GIGABYTES, LEAST_DISK_GIGABYTES = 2.0, 0.2
SILENT_HOURS = 1 / 6
BACKUP_HOURS = 26
_ENV_SECRET = re.compile(r"^SUQIUTONG_(?:\w*SECRET|DATABASE_URL=\w+(?:\+\w+)?://[^/@\s]*:[^/@\s]+@)", re.MULTILINE)


def examine(services: Services) -> Iterator[Finding]:
    """All checks, in the order in which a start needs them. Nothing is made or changed."""
    settings, now = services.settings, services.clock()
    yield Finding("python", "ok", f"{sys.version.split()[0]}, suqiutong {version('suqiutong')}")
    yield _bot()
    yield from _disks(settings)
    yield _ports(settings)
    yield _address(settings)
    yield _secrets(settings)
    yield _permissions(settings)
    yield from examine_data(services)
    yield check_worker(_runs(settings), now)
    if settings.wechat_app_id:
        yield whether("wechat", lambda: read_account(settings), f"{settings.wechat_kind}, {settings.wechat_mode} mode")
    yield _made("knowledge", settings.knowledge_folder, knowledge_digest(settings), "suqiutong knowledge build")
    yield _made("model", settings.models_folder, digest(MODEL_INPUTS), "suqiutong train")
    yield check_calendar(now.date())
    yield check_backups(settings.backups_folder, now)


def check_calendar(today: date) -> Finding:
    """Whether the workdays of this year are known: due times of a later year are provisional."""
    last = max(chinese_workdays().years)
    return found(
        "calendar",
        "ok" if last >= today.year else "warn",
        f"Chinese workdays are known up to the end of {last}",
        "update the package chinesecalendar, or write the year into petitions/calendar.yml",
    )


def check_worker(runs: dict[str, Run] | None, now: datetime) -> Finding:
    """Whether the worker does its jobs.

    Args:
        runs: The last run of each job; None when they could not be read.
        now: Aware.
    """
    name, advice = "worker", "see that the worker runs (var/log/worker.log; systemctl status suqiutong-worker)"
    if runs is None:
        return Finding(name, "fail", "its queue cannot be read", "check SUQIUTONG_QUEUE_URL and the data folder")
    if not runs:
        return Finding(name, "warn", "it has never run", "start the product")
    ages = {job: (now.timestamp() - run.ended_at) / 3600 for job, run in runs.items()}
    silent = [job for job in SCHEDULE if not ages.get(job, inf) < SELDOM_HOURS.get(job, SILENT_HOURS)]
    if silent:
        is_stopped = not SELDOM_HOURS.keys() >= set(silent)
        return Finding(name, "fail" if is_stopped else "warn", f"not done lately: {', '.join(silent)}", advice)
    if failed := [job for job, run in runs.items() if not run.is_ok]:
        return Finding(name, "warn", f"failed last: {', '.join(failed)}", "its log says why (job_failed)")
    return Finding(name, "ok", f"{len(runs)} jobs done when they were due")


def check_backups(folder: Path | None, now: datetime) -> Finding:
    """Whether there is a new backup, and not with its keys beside it.

    Args:
        folder: Where backups of the data are put; None when nobody said.
        now: Aware.
    """
    name = "backup"
    if folder is None:
        return Finding(name, "warn", "nobody watches it", "set SUQIUTONG_BACKUPS to the folder of the nightly backups")
    files = list(folder.iterdir()) if folder.is_dir() else []
    times = [path.stat().st_mtime for path in files if DATA_NAME.fullmatch(path.name)]
    if not times:
        return Finding(name, "fail", f"there is none in {folder}", f"suqiutong backup {folder}")
    age = timedelta(seconds=now.timestamp() - max(times))
    text = f"the newest in {folder} is {age.total_seconds() / 3600:.0f} hours old"
    if age > timedelta(hours=BACKUP_HOURS):
        return Finding(name, "fail", text, "see why the nightly backup did not run (suqiutong-backup.timer)")
    if any(KEYS_NAME.fullmatch(path.name) for path in files):
        return Finding(name, "warn", f"{text}; keys lie beside it", "keep the files of the keys in another place")
    return Finding(name, "ok", text)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _bot() -> Finding:
    try:
        rasa.check_bot()
        code = "import sys, importlib.metadata as m; print(sys.version.split()[0] + ', rasa ' + m.version('rasa'))"
        told = subprocess.run([rasa.PYTHON, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - fixed command
    except (CommandError, OSError, subprocess.CalledProcessError) as error:
        return Finding("bot", "fail", str(error), "make setup")
    return Finding("bot", "ok", told.stdout.strip())


def _disks(settings: Settings) -> Iterator[Finding]:
    """One finding for the disk of the data, and one for that of the logs where it is another."""
    data, log = _existing(settings.data_folder), _existing(settings.log_folder)
    yield _disk("disk", data)
    if log.stat().st_dev != data.stat().st_dev:
        yield _disk("log disk", log)


def _disk(name: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 1e9
    level: Level = "ok" if free >= WANTED_DISK_GIGABYTES else "warn" if free >= LEAST_DISK_GIGABYTES else "fail"
    return found(name, level, f"{free:.1f} GB free for {folder}", "make room: old logs, old backups, other programs")


def _ports(settings: Settings) -> Finding:
    try:
        httpx.get(f"{settings.web_url}/healthz", timeout=2, trust_env=False).raise_for_status()
    except httpx.HTTPError:
        return whether("ports", lambda: check_ports(settings), "all free")
    return Finding("ports", "ok", f"the product is running at {settings.web_url}")


def _address(settings: Settings) -> Finding:
    """Whether residents' words travel in the open."""
    is_bare = settings.host in ANY_ADDRESS and not settings.public_url
    if settings.public_url and not settings.public_url.startswith("https://"):
        text = f"SUQIUTONG_PUBLIC_URL is {settings.public_url}"
        return Finding("address", "warn", text, "put a proxy with HTTPS in front and name its address")
    text = f"listens on {settings.host}" + (f" for {settings.public_url}" if settings.public_url else "")
    advice = "put a proxy with HTTPS in front, set SUQIUTONG_PUBLIC_URL, and SUQIUTONG_HOST back to 127.0.0.1"
    return found("address", "warn" if is_bare else "ok", text, advice)


def _secrets(settings: Settings) -> Finding:
    path = settings.data_folder / SECRETS
    if not path.exists():
        # Both are made at the first start, so that one alone was lost.
        is_lost = settings.keys_file.exists()
        text = f"{path} is missing" if is_lost else "made at the first start"
        advice = "put it back from the backup of the keys before the next start, which would make another"
        return found("secrets", "fail" if is_lost else "ok", text, advice)
    return whether("secrets", lambda: read_secret(settings.data_folder), "readable by their owner alone")


def _permissions(settings: Settings) -> Finding:
    """Whether another account of this machine can read what it should not."""
    open_ones = [path for path in (settings.log_folder, settings.sources_folder) if _is_open(path)]
    open_ones += [path for path in settings.data_folder.glob("*.db") if _is_open(path)]
    environment = ROOT / ".env"
    if _is_open(environment) and _ENV_SECRET.search(environment.read_text(encoding="utf-8")):
        open_ones.append(environment)
    if _is_open(settings.data_folder) and open_ones:
        names = ", ".join(path.name for path in open_ones)
        advice = f"chmod -R go= {settings.data_folder}" + (" .env" if environment in open_ones else "")
        return Finding("permissions", "warn", f"others on this machine can read {names}", advice)
    return Finding("permissions", "ok", "others on this machine can read no data")


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & 0o077)


def _runs(settings: Settings) -> dict[str, Run] | None:
    try:
        return last_runs(settings)
    except Exception:  # noqa: BLE001 - Redis and SQLite fail each in their own way
        return None


def _made(name: str, folder: Path, value: str, command: str) -> Finding:
    stamp = folder / STAMP
    if not stamp.exists():
        return Finding(name, "fail", f"not made yet in {folder}", command)
    days = (time.time() - stamp.stat().st_mtime) / 86400
    fresh = is_fresh(stamp, value)
    text = f"{days:.1f} days old, {'up to date' if fresh else 'its inputs have changed since'}"
    return found(name, "ok" if fresh else "warn", text, command)
