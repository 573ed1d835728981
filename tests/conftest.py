"""What tests of all kinds share."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from suqiutong import database

pytest_plugins = ("tests.wordless",)

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 400
PRAGMAS = database._PRAGMAS


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """SQLite waits for no disk: nothing here has to outlive a power cut, and thousands of databases would wait."""
    database._PRAGMAS = tuple(pragma.replace("synchronous=FULL", "synchronous=OFF") for pragma in PRAGMAS)
    yield
    database._PRAGMAS = PRAGMAS


@dataclass(frozen=True)
class Product:
    """The product while it runs."""

    url: str
    token: str
    environment: dict[str, str]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line against the same data."""
        return run_command(*arguments, environment=self.environment)


def run_command(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `suqiutong` as a person does."""
    command = [sys.executable, "-m", "suqiutong", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def free_ports(count: int) -> list[int]:
    """Ports that nothing uses, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def product_environment(data: Path) -> dict[str, str]:
    """The environment of a product with data and ports of its own, and the model and knowledge base of the checkout."""
    web, desk, rasa, actions = free_ports(4)
    return os.environ | {
        "SUQIUTONG_HOST": "127.0.0.1",
        "SUQIUTONG_DATA": str(data),
        "SUQIUTONG_KNOWLEDGE": "var/knowledge",
        "SUQIUTONG_MODELS": "var/models",
        "SUQIUTONG_WEB_PORT": str(web),
        "SUQIUTONG_DESK_PORT": str(desk),
        "SUQIUTONG_RASA_PORT": str(rasa),
        "SUQIUTONG_ACTIONS_PORT": str(actions),
    }


def wechat_environment(secrets: Path) -> dict[str, str]:
    """The environment of a product with a WeChat account, whose interfaces are to be simulated on a port of its own."""
    secrets.write_text('{"token": "spamtest", "aes_key": "%s", "app_secret": "s"}' % ("A" * 43), encoding="utf-8")
    secrets.chmod(0o600)
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    return {
        "SUQIUTONG_WECHAT_APP_ID": "wxb11529c136998cb6",
        "SUQIUTONG_WECHAT_KIND": "service",
        "SUQIUTONG_WECHAT_SECRETS": str(secrets),
        "SUQIUTONG_WECHAT_API_URL": address,
        "SUQIUTONG_WECHAT_LOGIN_URL": address,
    }


def start_up(environment: dict[str, str], output: Path) -> subprocess.Popen[bytes]:
    """`suqiutong up`, its words going to a file."""
    with output.open("wb") as file:
        command = [sys.executable, "-m", "suqiutong", "up"]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], output: Path) -> None:
    """Wait for /readyz, and fail with the product's own words when it ends before."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the product ended with code {process.returncode}:\n{output.read_text(encoding='utf-8')}")
        try:
            if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(0.5)
    pytest.fail(f"not ready after {START_SECONDS} s:\n{output.read_text(encoding='utf-8')}")


@pytest.fixture(scope="session")
def running(
    tmp_path_factory: pytest.TempPathFactory, lines_with_words: Callable[[Path], list[str]]
) -> Iterator[Product]:
    """The whole product with an empty database; the model is trained first when its inputs have changed."""
    folder = tmp_path_factory.mktemp("product")
    output = folder / "up.txt"
    environment = product_environment(folder / "data") | wechat_environment(folder / "wechat.json")
    url = f"http://127.0.0.1:{environment['SUQIUTONG_WEB_PORT']}"
    process = start_up(environment, output)
    try:
        wait_until_ready(url, process, output)
        made = run_command("token", "create", "--role", "operator", "--name", "tests", environment=environment)
        assert made.returncode == 0, made.stderr
        yield Product(url, made.stdout.strip(), environment)
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
    assert code == 0, output.read_text(encoding="utf-8")
    # What was said to it in all tests is in none of its logs; those of a training name its examples.
    assert not [line for line in lines_with_words(folder / "data" / "log") if not line.startswith("train.log")]
