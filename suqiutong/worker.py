"""The worker: Huey runs the jobs on schedule, in one process beside the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from huey import Huey, RedisHuey, SqliteHuey, crontab

from petitions.ticking import Ticked
from suqiutong.heartbeats import Run, last_run, note_run
from suqiutong.jobs import JOBS
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from telemetry.logs import in_request, new_request_id, trace_of

logger = logging.getLogger(__name__)

QUEUE = "queue.db"
# In UTC: the nights of Shanghai begin at 16.
SCHEDULE: dict[str, Callable[..., bool]] = {
    "deliver": crontab(),
    "handover": crontab(),
    "wechat": crontab(),
    "tick": crontab(),
    "write_texts": crontab(hour="19", minute="0"),
    "index": crontab(),
    "photos": crontab(minute="25"),
    "recompute": crontab(hour="19", minute="10"),
    "clean": crontab(hour="19", minute="40"),
}
# How many hours may pass without the jobs that are not due every minute.
SELDOM_HOURS = {"photos": 3, "write_texts": 30, "recompute": 30, "clean": 30}


def make_queue(settings: Settings) -> Huey:
    """Where Huey keeps its tasks: a file in the data folder, or Redis."""
    if not settings.queue_url:
        settings.data_folder.mkdir(parents=True, exist_ok=True)
        return SqliteHuey("suqiutong", filename=str(settings.data_folder / QUEUE), utc=True, results=False)
    return RedisHuey("suqiutong", url=settings.queue_url, utc=True, results=False)


def add_jobs(queue: Huey, services: Services) -> dict[str, Any]:
    """Give the queue every job of the schedule; the tasks by name."""
    return {
        name: queue.periodic_task(when, name=name, expires=600)(_guarded(name, services, queue))
        for name, when in SCHEDULE.items()
    }


def last_runs(settings: Settings) -> dict[str, Run]:
    """The last run of each job that ever ran."""
    if not settings.queue_url and not (settings.data_folder / QUEUE).exists():
        return {}
    queue = make_queue(settings)
    try:
        found = {job: last_run(queue, job) for job in SCHEDULE}
    finally:
        queue.storage.close()
    return {job: run for job, run in found.items() if run}


def run_worker(services: Services) -> None:
    """Work until told to stop; what was due while nobody worked is done first."""
    queue = make_queue(services.settings)
    tasks = add_jobs(queue, services)
    for task in tasks.values():
        task()
    queue.create_consumer(workers=1, worker_type="thread", periodic=True).run()


def _guarded(name: str, services: Services, queue: Huey) -> Callable[[], None]:
    def run() -> None:
        # Lines of one run belong together, as those of one request do.
        with in_request(new_request_id()):
            started = time.perf_counter()
            is_ok = False
            try:
                with services.stage(f"job_{name}"):
                    done = JOBS[name](services)
                is_ok = True
            except Exception as error:  # noqa: BLE001 - its text may hold personal data; the next run tries again
                logger.error("job_failed job=%s trace=%s", name, trace_of(error))
            else:
                logger.info("job_done job=%s done=%s", name, _told(done))
            note_run(queue, name, now=services.clock(), seconds=time.perf_counter() - started, is_ok=is_ok)

    return run


def _told(done: object) -> str:
    counts = asdict(done) if isinstance(done, Ticked) else done
    if not isinstance(counts, Mapping):
        return str(counts)
    return ",".join(f"{name}:{count}" for name, count in counts.items()) or "0"
