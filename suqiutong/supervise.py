"""Runs the processes of the Procfile together: all start, all end, and the one that died is heard."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, TextIO

from honcho.environ import parse_procfile

LAST_LINES = 20
KEPT_LOGS = 5
# Six files of each process at most.
LOG_LIMIT_BYTES = 50_000_000
STOP_SECONDS = 10.0
TICK_SECONDS = 0.3
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# As Python's logging and as Rasa's structured logs write it.
LOUD = re.compile(r"\b(?:WARNING|ERROR|CRITICAL)\b|\[(?:warning|error|critical) *\]|^Traceback")


def read_procfile(path: Path) -> dict[str, str]:
    """Commands by the names of their processes, in the order of the file."""
    return dict(parse_procfile(path.read_text(encoding="utf-8")).processes)


def rotate(log: Path) -> None:
    """Make room for a new log: `rasa.log` becomes `rasa.log.1`, and so on; the oldest goes."""
    for number in range(KEPT_LOGS - 1, -1, -1):
        old = log if number == 0 else log.with_name(f"{log.name}.{number}")
        if old.exists():
            old.replace(log.with_name(f"{log.name}.{number + 1}"))


class Child:
    """One process of the Procfile in a process group of its own, so that its children end with it."""

    def __init__(self, name: str, command: str, log: Path, *, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._path = log
        self.process = subprocess.Popen(  # noqa: S603 - the Procfile is part of the product
            shlex.split(command),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._log = _new_log(log)

    def listen(self, report: Callable[[str], None]) -> threading.Thread:
        """Copy all output to the log, and warnings to the screen, until the process closes it."""
        thread = threading.Thread(
            target=self._copy, args=(self.process.stdout, report), name=f"log-{self.name}", daemon=True
        )
        thread.start()
        return thread

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it started."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return  # all of the group have ended

    def _copy(self, output: IO[str], report: Callable[[str], None]) -> None:
        size = 0
        with output:
            for line in output:
                length = len(line.encode())
                if size + length > LOG_LIMIT_BYTES:
                    self._turn()
                    size = 0
                size += length
                # A full disk costs lines, but nobody who stops reading may stop the process that speaks.
                with suppress(OSError):
                    self._log.write(line)
                self.last_lines.append(line.rstrip())
                if LOUD.search(line):
                    report(f"[{self.name}] {line.rstrip()}")
        self._close()

    def _turn(self) -> None:
        """Begin a new log, so that none grows without end; the old one goes on where none can be made."""
        before = self._log
        with suppress(OSError):
            self._log = _new_log(self._path)
            before.close()

    def _close(self) -> None:
        with suppress(OSError):
            self._log.close()


def _new_log(path: Path) -> TextIO:
    rotate(path)
    return path.open("w", encoding="utf-8", buffering=1)


def supervise(
    commands: Mapping[str, str],
    *,
    logs: Path,
    folder: Path,
    environment: Mapping[str, str],
    report: Callable[[str], None],
    on_tick: Callable[[], None],
) -> int:
    """Run all processes until one dies or a signal comes, then end them all.

    Args:
        commands: Commands by name.
        logs: Folder of the log files, one a process.
        folder: Working directory of the processes.
        environment: Their environment.
        report: Takes lines for the screen.
        on_tick: Called a few times a second while all run.

    Returns:
        Exit code: 0 when a signal ended it, 1 when a process died.
    """
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in STOP_SIGNALS}
    logs.mkdir(parents=True, exist_ok=True)
    children: list[Child] = []
    threads: list[threading.Thread] = []
    try:
        for name, command in commands.items():
            child = Child(name, command, logs / f"{name}.log", folder=folder, environment=environment)
            children.append(child)
            threads.append(child.listen(report))
        while not stop.wait(TICK_SECONDS) and all(child.process.poll() is None for child in children):
            on_tick()
        dead = [] if stop.is_set() else [child for child in children if child.process.poll() is not None]
    finally:
        _end(children)
        for thread in threads:
            thread.join(timeout=2)
        for number, handler in before.items():
            signal.signal(number, handler)
    for child in dead:
        report(f"{child.name} ended by itself (code {child.process.returncode}); its last lines:")
        for line in child.last_lines:
            report(f"  {line}")
    return 1 if dead else 0


def _end(children: list[Child]) -> None:
    for child in children:
        child.signal_group(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, deadline - time.monotonic()))
    for child in children:  # what did not listen, and what a process left behind in its group
        child.signal_group(signal.SIGKILL)
        child.process.wait()
