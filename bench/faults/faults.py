"""The table of faults: how each is made and ended, how long it lasts, and how soon the product must be well again."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from alembic.script import ScriptDirectory
from redis.exceptions import RedisError

from bench.faults.databases import KINDS
from bench.faults.keeper import NAMES
from bench.faults.world import World
from suqiutong import database
from suqiutong.settings import ROOT
from suqiutong.worker import last_runs
from tests.conftest import free_ports

Change = Callable[[World], AbstractContextManager[object]]
# Of Debian's package libfaketime.
FAKETIME = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketimeMT.so.1"
KILLED_UPGRADES = 6
# So many migrations are taken back for it.
MIGRATIONS = 5


def answers(world: World) -> bool:
    """Whether a new conversation is answered."""
    return world.answers()


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: Says it on the command line.
        text: Says it in the table.
        inject: Makes it, and ends it.
        hold_seconds: How long it lasts.
        limit_seconds: From its end on the product must be well again within so long.
        is_well: Whether it is.
        kinds: The databases on which it makes a difference.
        setting: What must be there before the product starts, and the settings that name it.
        missing: Says what this machine lacks for it; None when it lacks nothing.
    """

    name: str
    text: str
    inject: Change
    hold_seconds: float
    limit_seconds: float
    is_well: Callable[[World], bool] = answers
    kinds: tuple[str, ...] = tuple(KINDS)
    setting: Callable[[World], AbstractContextManager[dict[str, str]]] = lambda _world: nullcontext({})
    missing: Callable[[], str | None] = lambda: None


# Processes


@contextmanager
def killed(world: World, *, name: str) -> Iterator[None]:
    """A process is killed at a random moment."""
    time.sleep(random.uniform(0, 1))
    world.keeper.kill(name)
    yield


def worker_works(world: World) -> bool:
    """Whether the worker has done its jobs since the fault ended."""
    try:
        runs = last_runs(world.settings)
    except RedisError:
        return False  # it is only just starting
    return bool(runs) and all(runs[job].ended_at > world.ended_at for job in ("deliver", "tick")) and world.answers()


class Garbage(BaseHTTPRequestHandler):
    """An action server that answers, but never what an action server answers."""

    bodies = itertools.cycle(
        [
            (200, b"<html>It works!</html>"),
            (200, b'{"events": [], "responses": []}'),
            (200, b"[]"),
            (200, b'{"events": [{"event": "no such event"}], "responses": []}'),
            (200, b'{"events": 5, "responses": {"text": "999"}}'),
            (200, '{"events": [], "responses": [{"custom": {"kind": "answer", "text": "共9999场"}}]}'.encode()),
            (500, b"\xff\xfe\x00"),
            (200, b'{"events": [], "responses": [' + b"[" * 2000),
            (204, b""),
        ]
    )

    def do_POST(self) -> None:
        """Answer with the next piece of garbage."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = next(self.bodies)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def garbage(world: World) -> Iterator[None]:
    """Something else answers on the port of the action server."""
    port = int(world.environment["SUQIUTONG_ACTIONS_PORT"])
    with world.keeper.without("actions"), ThreadingHTTPServer(("127.0.0.1", port), Garbage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


# Files


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """The middle of a file is overwritten."""
    kept = path.with_name(f".{path.name}.kept")
    shutil.copy2(path, kept)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(4096))
    try:
        yield
    finally:
        kept.replace(path)


@contextmanager
def model_damaged(world: World) -> Iterator[None]:
    """The model is damaged when Rasa starts."""
    with damaged(world.models / "suqiutong.tar.gz"):
        world.keeper.kill("rasa")
        yield
    world.keeper.kill("rasa")


@contextmanager
def knowledge_damaged(world: World) -> Iterator[None]:
    """The knowledge base is damaged while the product runs, and still is when the action server starts."""
    with damaged(world.knowledge / "clauses.json"):
        time.sleep(3)
        world.keeper.kill("actions")
        yield


# The database


@contextmanager
def gone_at_start(world: World) -> Iterator[None]:
    """The database is not there, and the processes that use it start meanwhile."""
    with world.database.gone():
        world.keeper.kill("web", "actions", "worker", "desk")
        yield


@contextmanager
def migrating(world: World) -> Iterator[None]:
    """An upgrade of the schema is killed again and again before it is through."""
    world.keeper.stop()
    before = _earlier_revision()
    done = world.command("db", "downgrade", before)
    assert done.returncode == 0, done.stderr
    for _ in range(KILLED_UPGRADES):
        upgrade = subprocess.Popen(
            [sys.executable, "-m", "suqiutong", "db", "upgrade"],
            cwd=ROOT,
            env=world.keeper.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        engine = database.make_engine(world.database.url)
        with suppress(subprocess.TimeoutExpired):
            upgrade.wait(random.uniform(0.8, 2.5))
        upgrade.kill()
        upgrade.wait()
        assert database.current(engine) in {before, database.newest()}
        engine.dispose()
        if upgrade.returncode == 0:
            break
    yield
    world.start()


def _earlier_revision() -> str:
    """The revision of the schema some migrations before the newest."""
    walked = ScriptDirectory.from_config(database.alembic_config()).walk_revisions()
    return next(itertools.islice(walked, MIGRATIONS, None)).revision


@contextmanager
def power_cut(world: World) -> Iterator[None]:
    """The machine loses its power, and is switched on again."""
    time.sleep(random.uniform(0, 1))
    with world.keeper.frozen():
        world.disk.cut_power()
    world.keeper.cut()
    world.database.stop()
    world.disk.restore()
    yield
    world.database.start()
    world.start()


# What is around


class Redis:
    """A Redis that keeps the queue of the worker on the disk."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        folder.mkdir(exist_ok=True)
        self.url = f"redis://127.0.0.1:{port}/0"
        self._words = f"redis-server --port {port} --bind 127.0.0.1 --dir {folder} --appendonly yes".split()
        self.start()

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()


@contextmanager
def with_redis(world: World) -> Iterator[dict[str, str]]:
    """The queue of the worker is in Redis, as it is where there are several machines."""
    world.redis = redis = Redis(world.scratch / "redis")
    kept = world.settings
    world.settings = kept.model_copy(update={"queue_url": redis.url})
    try:
        yield {"SUQIUTONG_QUEUE_URL": redis.url}
    finally:
        world.settings = kept
        redis.kill()


@contextmanager
def redis_gone(world: World) -> Iterator[None]:
    """Redis is killed, and started again."""
    world.redis.kill()
    yield
    world.redis.start()


@contextmanager
def with_clock(world: World) -> Iterator[dict[str, str]]:
    """The clock of all processes can be set; what they measure spans of time by cannot, as on a real machine."""
    offset = world.scratch / "clock"
    offset.write_text("+0", encoding="utf-8")
    yield {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


@contextmanager
def clock_jumps(world: World, *, offset: str) -> Iterator[None]:
    """The clock is wrong for a while, and then corrected at once."""
    (world.scratch / "clock").write_text(offset, encoding="utf-8")
    yield
    (world.scratch / "clock").write_text("+0", encoding="utf-8")


def lacks(name: str, package: str) -> Callable[[], str | None]:
    """Says which package brings a program that is not there."""
    return lambda: None if shutil.which(name) or Path(name).exists() else f"needs the package {package}"


# A start of Rasa takes half a minute on two cores, that of the others ten seconds.
RASA_SECONDS, OTHERS_SECONDS = 120, 60
KILLED = {"rasa": RASA_SECONDS, "worker": 120}
WELL = {"desk": World.desk_answers, "worker": worker_works}

FAULTS = (
    *(
        Fault(
            f"kill-{name}",
            f"`{name}` killed",
            partial(killed, name=name),
            0,
            KILLED.get(name, OTHERS_SECONDS),
            WELL.get(name, answers),
        )
        for name in NAMES
    ),
    Fault("rasa-hangs", "Rasa hangs for 25 s", lambda world: world.keeper.hanging("rasa"), 25, 30),
    Fault("actions-garbage", "the action server answers garbage for 25 s", garbage, 25, OTHERS_SECONDS),
    Fault("locked", "the database is locked for 25 s", lambda world: world.database.locked(), 25, 30),
    Fault("gone", "the database is gone for 20 s", lambda world: world.database.gone(), 20, 30),
    Fault("gone-at-start", "it is gone for 60 s, and all start meanwhile", gone_at_start, 60, OTHERS_SECONDS),
    Fault("read-only", "the database is read-only for 20 s", lambda world: world.database.read_only(), 20, 30),
    Fault("disk-full", "the disk is full for 20 s", lambda world: world.disk.full(), 20, OTHERS_SECONDS),
    Fault("model", "the model is damaged, Rasa starts anew", model_damaged, 60, RASA_SECONDS),
    Fault("knowledge", "the knowledge base is damaged, the actions start anew", knowledge_damaged, 30, 30),
    Fault("migration", "an upgrade is killed half-way, again and again", migrating, 0, 5),
    Fault("power-cut", "the power is cut", power_cut, 0, 5),
    Fault(
        "redis-gone",
        "Redis is gone for 20 s",
        redis_gone,
        20,
        120,
        worker_works,
        kinds=("sqlite",),
        setting=with_redis,
        missing=lacks("redis-server", "redis-server"),
    ),
    *(
        Fault(
            f"clock-{word}",
            f"the clock is 3 hours {word} for 20 s",
            partial(clock_jumps, offset=offset),
            20,
            30,
            kinds=("sqlite",),
            setting=with_clock,
            missing=lacks(FAKETIME, "libfaketime"),
        )
        for word, offset in (("ahead", "+3h"), ("behind", "-3h"))
    ),
)
