"""Keeps the processes of the product running as systemd does: one that ends is started again after three seconds."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from suqiutong.settings import ROOT
from suqiutong.supervise import STOP_SECONDS, Child, read_procfile

# As RestartSec, StartLimitBurst and StartLimitIntervalSec in ops/systemd.
RESTART_SECONDS = 3.0
STARTS, STARTS_SECONDS = 10, 300.0
TICK_SECONDS = 0.1
NAMES = tuple(read_procfile(ROOT / "Procfile"))


class Keeper:
    """The processes of the Procfile."""

    def __init__(self, environment: Mapping[str, str], logs: Path, say: Callable[[str], None]) -> None:
        """Nothing runs before `start`.

        Args:
            environment: Of all processes; what is changed in it holds from their next start on.
            logs: Folder of their logs.
            say: Takes a line of progress.
        """
        self._say = say
        self.environment = dict(environment)
        self.children: dict[str, Child] = {}
        self._logs = logs
        self._held: set[str] = set()
        self._starts_at: dict[str, float] = {}
        self._started: dict[str, deque[float]] = {name: deque(maxlen=STARTS) for name in NAMES}
        self._lock = threading.RLock()
        self._is_stopped = threading.Event()
        logs.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._watch, daemon=True).start()

    def prepare(self) -> None:
        """Bring schema, knowledge base and model up to date.

        Raises:
            SystemExit: that failed.
        """
        command = [sys.executable, "-m", "suqiutong", "prepare"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            sys.exit(f"the product cannot be prepared: {done.stderr}")

    def start(self) -> None:
        """Start all that does not run."""
        with self._lock:
            for name in NAMES:
                if name not in self.children:
                    self._start(name)

    def stop(self) -> None:
        """End all, as an operator does, and start none again."""
        with self._lock:
            self._end(signal.SIGTERM)

    def cut(self) -> None:
        """End all at once, as a power cut does."""
        with self._lock:
            self._end(signal.SIGKILL)

    def close(self) -> None:
        """End all for good."""
        self._is_stopped.set()
        self.stop()

    def kill(self, *names: str) -> None:
        """Kill processes; they are started again."""
        for name in names:
            self.children[name].signal_group(signal.SIGKILL)

    @contextmanager
    def hanging(self, name: str) -> Iterator[None]:
        """A process that lives and does nothing."""
        child = self.children[name]
        child.signal_group(signal.SIGSTOP)
        try:
            yield
        finally:
            child.signal_group(signal.SIGCONT)

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """A process that is not there, and not started again."""
        self._held.add(name)
        self.kill(name)
        self.children[name].process.wait()
        try:
            yield
        finally:
            self._held.discard(name)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """No process does anything, so that their files can be copied as they are at this moment."""
        with self._lock:
            for child in self.children.values():
                child.signal_group(signal.SIGSTOP)
            yield

    def given_up(self) -> list[str]:
        """The processes that ended too often in too short a time, so that systemd would start them no more."""
        return [
            name
            for name, times in self._started.items()
            if len(times) == STARTS and times[-1] - times[0] < STARTS_SECONDS and not self._lives(name)
        ]

    def _lives(self, name: str) -> bool:
        return name in self.children and self.children[name].process.poll() is None

    def megabytes(self) -> dict[str, float]:
        """Memory of each process with its children; what several share is divided among them."""
        found = {}
        for name, child in list(self.children.items()):
            with suppress(psutil.Error):
                root = psutil.Process(child.process.pid)
                family = [root, *root.children(recursive=True)]
                found[name] = sum(one.memory_full_info().pss for one in family) / 1e6
        return found

    def cpu_seconds(self) -> float:
        """Processor time of all processes so far."""
        used = 0.0
        for child in list(self.children.values()):
            with suppress(psutil.Error):
                times = psutil.Process(child.process.pid).cpu_times()
                used += times.user + times.system
        return used

    def _start(self, name: str) -> None:
        words = shlex.split(read_procfile(ROOT / "Procfile")[name])[1:]
        command = shlex.join([sys.executable, "-m", "suqiutong", *words])
        child = Child(name, command, self._logs / f"{name}.log", folder=ROOT, environment=self.environment)
        child.listen(lambda _line: None)
        self.children[name] = child
        self._started[name].append(time.monotonic())

    def _end(self, number: signal.Signals) -> None:
        for child in self.children.values():
            child.signal_group(number)
            child.signal_group(signal.SIGCONT)
        for child in self.children.values():
            try:
                child.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.signal_group(signal.SIGKILL)
                child.process.wait()
        self.children.clear()
        self._starts_at.clear()
        for times in self._started.values():
            times.clear()

    def _watch(self) -> None:
        while not self._is_stopped.wait(TICK_SECONDS):
            with self._lock:
                for name, child in list(self.children.items()):
                    if child.process.poll() is None or name in self._held or name in self.given_up():
                        continue
                    if name not in self._starts_at:
                        self._say(f"  {name} ended (code {child.process.returncode})")
                    at = self._starts_at.setdefault(name, time.monotonic() + RESTART_SECONDS)
                    if time.monotonic() >= at:
                        del self._starts_at[name]
                        child.signal_group(signal.SIGKILL)
                        self._start(name)
