"""When each job of the worker ran last, kept in the worker's own queue, which outlives it and all processes share."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from huey import Huey
from huey.constants import EmptyData

_KEY = "suqiutong.run."


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of a job.

    Attributes:
        ended_at: Seconds of the Unix epoch.
        seconds: How long it took.
        is_ok: Whether it did not fail.
        succeeded_at: When a run last did not fail, in seconds of the Unix epoch; None when none ever did.
    """

    ended_at: float
    seconds: float
    is_ok: bool
    succeeded_at: float | None


def note_run(queue: Huey, job: str, *, now: datetime, seconds: float, is_ok: bool) -> None:
    """Keep how a run ended, in place of the one before."""
    ended_at = now.timestamp()
    before = last_run(queue, job)
    succeeded_at = ended_at if is_ok else before.succeeded_at if before else None
    run = Run(ended_at, round(seconds, 3), is_ok, succeeded_at)
    queue.storage.put_data(_KEY + job, json.dumps(asdict(run)).encode())


def last_run(queue: Huey, job: str) -> Run | None:
    """The last run of a job; None when it never ran."""
    found = queue.storage.peek_data(_KEY + job)
    return None if found is EmptyData else Run(**json.loads(bytes(found)))
