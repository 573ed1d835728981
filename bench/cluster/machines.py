"""All that runs beyond one machine, started for real on one: PostgreSQL, Redis, nginx and several of each process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from suqiutong.settings import ROOT
from tests.postgresql import PostgresqlServer, running_server

PACKAGES = {"nginx": "nginx", "redis-server": "redis-server", "openssl": "openssl"}
CONFIGURATION = ROOT / "ops" / "nginx"
INSTANCES = (1, 2)
START_SECONDS = 300
STOP_SECONDS = 40
# Ports above the first one.
DOOR, PLAIN_DOOR, DESK_DOOR, WEB, RASA, ACTIONS, DESK, REDIS = 1, 2, 3, 10, 20, 30, 40, 50


@dataclass(frozen=True)
class Part:
    """A process: its command, and the address that answers once it is ready; None for one that listens nowhere."""

    command: tuple[str, ...]
    url: str | None


class Cluster:
    """The processes by name, each to be stopped, killed and started again.

    Args:
        scratch: Folder of data, configurations and logs.
        first_port: The first of sixty ports.
        database: The server of PostgreSQL.
    """

    def __init__(self, scratch: Path, first_port: int, database: PostgresqlServer) -> None:
        self.scratch = scratch
        self.first_port = first_port
        self.database = database
        self.door = f"https://127.0.0.1:{first_port + DOOR}"
        self.environment = os.environ | {
            "SUQIUTONG_HOST": "127.0.0.1",
            "SUQIUTONG_DATA": str(scratch / "data"),
            "SUQIUTONG_KNOWLEDGE": "var/knowledge",
            "SUQIUTONG_MODELS": "var/models",
            "SUQIUTONG_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "SUQIUTONG_QUEUE_URL": f"redis://127.0.0.1:{first_port + REDIS}/0",
            "SUQIUTONG_PUBLIC_URL": self.door,
            "SUQIUTONG_DESK_BEHIND_PROXY": "true",
            "SUQIUTONG_RASA_AT_ONCE": "32",
            "SUQIUTONG_WEB_PORT": str(first_port + WEB),
            "SUQIUTONG_RASA_PORT": str(first_port + RASA),
            "SUQIUTONG_ACTIONS_PORT": str(first_port + ACTIONS),
            "SUQIUTONG_DESK_PORT": str(first_port + DESK),
        }
        self.parts = self._parts()
        self.running: dict[str, psutil.Popen] = {}

    def start(self, *names: str) -> float:
        """Start processes at once; seconds until all are ready."""
        begun = time.monotonic()
        for name in names:
            with (self.scratch / f"{name}.log").open("ab") as log:
                self.running[name] = psutil.Popen(
                    self.parts[name].command,
                    cwd=ROOT,
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        for name in names:
            self._wait_for(name)
        return time.monotonic() - begun

    def stop(self, name: str) -> None:
        """Stop a process as systemd does: it is asked to, and killed when it does not listen."""
        process = self.running.pop(name)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self.running[name].send_signal(number)

    def kill(self, name: str) -> None:
        """Kill a process without a word."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop_all(self) -> None:
        """Stop what runs."""
        for name in reversed(list(self.running)):
            self.stop(name)

    def suqiutong(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product."""
        command = [sys.executable, "-m", "suqiutong", *arguments]
        return subprocess.run(  # noqa: S603 - our own command
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time so far by kind of process, the server of the database among them."""
        used: dict[str, float] = {}
        for name, process in [*self.running.items(), ("postgresql", self._postmaster())]:
            kind = name.partition("-")[0]
            family = [process.cpu_times(), *(child.cpu_times() for child in process.children(recursive=True))]
            ended = family[0].children_user + family[0].children_system
            used[kind] = used.get(kind, 0.0) + ended + sum(one.user + one.system for one in family)
        return used

    def megabytes(self) -> dict[str, float]:
        """Memory of each process with its children, what several share counted once."""
        families = {name: [one, *one.children(recursive=True)] for name, one in self.running.items()}
        families["postgresql"] = [self._postmaster(), *self._postmaster().children(recursive=True)]
        return {name: sum(one.memory_full_info().pss for one in family) / 1e6 for name, family in families.items()}

    def _postmaster(self) -> psutil.Process:
        lines = (Path(str(self.database.url.query["host"])) / "data" / "postmaster.pid").read_text().splitlines()
        return psutil.Process(int(lines[0]))

    def _parts(self) -> dict[str, Part]:
        first = self.first_port
        redis = f"redis-server --bind 127.0.0.1 --port {first + REDIS} --dir {self.scratch} --appendonly yes"
        # nginx leaves its own account for its workers; here all belongs to whoever runs it.
        options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        nginx = ("nginx", "-p", str(self.scratch), "-c", str(self.scratch / "nginx.conf"), "-g", options)
        parts = {"redis": Part(tuple(redis.split()), None), "nginx": Part(nginx, None)}
        ready = {"web": (WEB, "/healthz"), "rasa": (RASA, "/"), "actions": (ACTIONS, "/health")}
        for name, (port, path) in ready.items():
            for number in INSTANCES:
                command = (sys.executable, "-m", "suqiutong", "serve", name, "--instance", str(number))
                parts[f"{name}-{number}"] = Part(command, f"http://127.0.0.1:{first + port + number}{path}")
        parts["desk"] = Part((sys.executable, "-m", "suqiutong", "serve", "desk"), f"http://127.0.0.1:{first + DESK}/")
        parts["worker"] = Part((sys.executable, "-m", "suqiutong", "serve", "worker"), None)
        return parts

    def _wait_for(self, name: str) -> None:
        process, url = self.running[name], self.parts[name].url
        ends_at = time.monotonic() + START_SECONDS
        while time.monotonic() < ends_at and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            try:
                # The desk asks who is there.
                if url is None or not httpx.get(url, timeout=5, trust_env=False).is_server_error:
                    return
            except httpx.HTTPError:
                pass  # not listening yet
            time.sleep(0.25)
        log = (self.scratch / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        sys.exit(f"{name} did not start:\n{log[-3000:]}")

    def configure(self) -> None:
        """Write the configuration of nginx: the files of `ops/nginx`, with the ports and paths of here."""
        first, folder = self.first_port, self.scratch
        usual = {"127.0.0.1:8010": DESK, "127.0.0.1:5005": RASA, "127.0.0.1:5055": ACTIONS}
        for number in INSTANCES:
            usual |= {f"127.0.0.1:{8000 + number}": WEB + number, f"127.0.0.1:{5005 + number}": RASA + number}
            usual |= {f"127.0.0.1:{5055 + number}": ACTIONS + number}
        usual |= {"listen 80;": PLAIN_DOOR, "listen 443 ": DOOR, "listen 10.0.0.5:443 ": DESK_DOOR}
        replaced = {
            old: f"{'listen ' * ('listen' in old)}127.0.0.1:{first + port}{old[-1] * ('listen' in old)}"
            for old, port in usual.items()
        }
        replaced |= {"/var/log/nginx": str(folder), "/etc/ssl/suqiu": str(folder)}
        for path in (CONFIGURATION / "door.conf", CONFIGURATION / "several.conf"):
            text = path.read_text(encoding="utf-8")
            for old, new in replaced.items():
                text = text.replace(old, new)
            (folder / path.name).write_text(text, encoding="utf-8")
        temporary = "".join(
            f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"pid {folder}/nginx.pid;\nerror_log {folder}/nginx.error.log;\nevents {{}}\n"
            f"http {{ {temporary} include {folder}/door.conf; include {folder}/several.conf; }}\n",
            encoding="utf-8",
        )
        names = "-subj /CN=suqiu.example.gov.cn -addext subjectAltName=DNS:suqiu.example.gov.cn,IP:127.0.0.1"
        keys = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {folder}/key.pem -out {folder}/fullchain.pem"
        for command in (f"{keys} {names}", f"nginx -p {folder} -c {folder}/nginx.conf -t"):
            done = subprocess.run(  # noqa: S603 - fixed commands
                command.split(), capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"{command.split()[0]}: {done.stderr}")


@contextmanager
def running_cluster(scratch: Path, first_port: int) -> Iterator[Cluster]:
    """Everything, prepared and ready."""
    if missing := [package for program, package in PACKAGES.items() if not shutil.which(program)]:
        sys.exit(f"install first: apt-get install --no-install-recommends {' '.join(missing)}")
    with ExitStack() as stack:
        database = stack.enter_context(running_server(["max_connections=200"]))
        cluster = Cluster(scratch, first_port, database)
        stack.callback(cluster.stop_all)
        cluster.configure()
        prepared = cluster.suqiutong("prepare")
        if prepared.returncode:
            sys.exit(f"prepare: {prepared.stderr}")
        cluster.start("redis", "nginx")
        cluster.start(*(name for name in cluster.parts if name not in cluster.running))
        yield cluster
