"""The whole path of a message, ours beside stock Rasa: the same texts, the same machine, in turns.

Ours is `POST /api/chat` of the running product, from the door to the database and back. Stock is Rasa with Jieba, DIET
and its default policies, trained on the same examples (bench/stock/), asked through its own REST channel, with one
custom action that says one sentence. Prints the table of docs/benchmarks.md; ends with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from suqiutong import rasa
from suqiutong.settings import ROOT
from tests.conftest import free_ports, product_environment

TEXTS: list[str] = yaml.safe_load(Path(__file__).with_name("texts.yml").read_text(encoding="utf-8"))
STOCK = ROOT / "bench" / "stock"
NUMBERS = itertools.count(1)
CLIENTS = (1, 8, 32)
JUDGED_AT = 8
LEAST_THROUGHPUT, MOST_P95 = 1.5, 0.7
START_SECONDS = 400
Say = Callable[[httpx.AsyncClient, str | None, str], Awaitable[str | None]]


@dataclass
class System:
    """One of the two: its process, how one message is said to it, and what was measured of it."""

    name: str
    process: psutil.Process
    say: Say
    start_seconds: float
    seconds: dict[int, list[float]] = field(default_factory=dict)
    spans: dict[int, list[tuple[int, float, float]]] = field(default_factory=dict)

    def processes(self) -> list[psutil.Process]:
        """It and all that it started."""
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        times = [one.cpu_times() for one in self.processes()]
        return sum(one.user + one.system for one in times)

    def megabytes(self) -> float:
        """Memory, what several processes share counted once."""
        return sum(one.memory_full_info().pss for one in self.processes()) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="How often the two take turns at each number of clients.")
    parser.add_argument("--seconds", type=float, default=15.0, help="How long each turn is.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        model = stock_model()
        ours = stack.enter_context(our_product(Path(scratch)))
        stock = stack.enter_context(stock_rasa(Path(scratch), model))
        for clients, _ in itertools.product(CLIENTS, range(options.rounds)):
            for system in (ours, stock):
                asyncio.run(take_turn(system, clients, options.seconds))
        print_table(ours, stock)
        sys.exit(judge(ours, stock))


async def take_turn(system: System, clients: int, seconds: float) -> None:
    """So many clients who talk for so long, each a message after the other."""
    took: list[float] = []
    ends_at = time.perf_counter() + seconds
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=httpx.Limits(max_connections=clients)) as client:

        async def talk(first: int) -> None:
            session = None
            for number in itertools.count(first):
                if time.perf_counter() >= ends_at:
                    return
                if number % len(TEXTS) == 0:
                    session = None
                begun = time.perf_counter()
                text = TEXTS[number % len(TEXTS)].format(n=next(NUMBERS))
                session = await system.say(client, session, text)
                took.append(time.perf_counter() - begun)

        begun, used = time.perf_counter(), system.cpu_seconds()
        # Each begins at another text: residents do not say the same in the same moment.
        await asyncio.gather(*(talk(number) for number in range(clients)))
        span = (len(took), time.perf_counter() - begun, system.cpu_seconds() - used)
    system.seconds.setdefault(clients, []).extend(took)
    system.spans.setdefault(clients, []).append(span)


@contextmanager
def our_product(scratch: Path) -> Iterator[System]:
    """The whole product with an empty database and no limits of pace."""
    environment = product_environment(scratch / "ours")
    for name in ("SUQIUTONG_MESSAGES_PER_MINUTE", "SUQIUTONG_ADDRESS_MESSAGES_PER_MINUTE"):
        environment[name] = "10000000"
    url = f"http://127.0.0.1:{environment['SUQIUTONG_WEB_PORT']}"

    async def say(client: httpx.AsyncClient, session: str | None, text: str) -> str:
        reply = await client.post(f"{url}/api/chat", json={"text": text, "session": session})
        reply.raise_for_status()
        return str(reply.json()["session"])

    with running([sys.executable, "-m", "suqiutong", "up"], environment, scratch / "ours.log") as process:
        yield System("ours", process, say, wait_for(f"{url}/readyz", process, scratch / "ours.log"))


@contextmanager
def stock_rasa(scratch: Path, model: Path) -> Iterator[System]:
    """Stock Rasa and its action server."""
    port, actions_port = free_ports(2)
    actions = [sys.executable, "-m", "rasa_sdk", "--actions", "bench.stock.actions", "--port", str(actions_port)]
    serve = f"-m rasa run --interface 127.0.0.1 --port {port} --model {model}".split()
    serve += ["--endpoints", str(STOCK / "endpoints.yml"), "--credentials", str(STOCK / "credentials.yml")]
    environment = rasa.bot_environment() | {"STOCK_ACTION_URL": f"http://127.0.0.1:{actions_port}/webhook"}
    url = f"http://127.0.0.1:{port}"
    numbers = itertools.count()

    async def say(client: httpx.AsyncClient, session: str | None, text: str) -> str:
        sender = session or f"client-{next(numbers)}"
        reply = await client.post(f"{url}/webhooks/rest/webhook", json={"sender": sender, "message": text})
        reply.raise_for_status()
        assert reply.json(), "no reply"
        return sender

    # One parent for both, as the product is one: so that the processor time of both is counted.
    script = f"trap 'kill 0' TERM; {' '.join(actions)} & {' '.join([str(rasa.PYTHON), *serve])} & wait"
    with running(["sh", "-c", script], environment, scratch / "stock.log") as process:
        yield System("stock Rasa", process, say, wait_for(url, process, scratch / "stock.log"))


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[psutil.Process]:
    """A process, ended with all that it started."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    family = psutil.Process(process.pid)
    try:
        yield family
    finally:
        ended = family.children(recursive=True)
        process.terminate()
        _, left = psutil.wait_procs([family, *ended], timeout=30)
        for one in left:
            one.kill()


def wait_for(url: str, process: psutil.Process, log: Path) -> float:
    """Seconds until it answers.

    Raises:
        SystemExit: it ended or took too long.
    """
    begun = time.perf_counter()
    while time.perf_counter() - begun < START_SECONDS and process.is_running():
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return time.perf_counter() - begun
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(0.25)
    sys.exit(f"{url} does not answer:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


def stock_model() -> Path:
    """Stock Rasa, trained on our examples: one story an intent, one sentence as the answer to all.

    Training takes half an hour, so that the model is kept until the examples or the configuration are others.
    """
    files = [*sorted((ROOT / "data" / "nlu").glob("*.yml")), STOCK / "config.yml"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    kept = ROOT / "var" / "bench" / f"stock-{digest}.tar.gz"
    if not kept.exists():
        print("Training stock Rasa (half an hour, once) …", file=sys.stderr)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            train_stock(Path(folder), files[:-1]).replace(kept)
    return kept


def train_stock(scratch: Path, examples: list[Path]) -> Path:
    """The model that was trained, in a folder that is used for it alone."""
    data = scratch / "data"
    data.mkdir()
    intents = set()
    for path in examples:
        (data / path.name).write_bytes(path.read_bytes())
        intents |= {
            block["intent"].partition("/")[0] for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
        }
    stories = [{"story": intent, "steps": [{"intent": intent}, {"action": "action_say"}]} for intent in sorted(intents)]
    write(data / "stories.yml", {"version": "3.1", "stories": stories})
    domain = {"version": "3.1", "intents": sorted(intents), "actions": ["action_say"]}
    write(scratch / "domain.yml", domain)
    options = f"--config {STOCK / 'config.yml'} --domain {scratch / 'domain.yml'} --data {data} --out {scratch}"
    done = subprocess.run(  # noqa: S603 - fixed command
        [str(rasa.PYTHON), "-m", "rasa", "train", *options.split(), "--fixed-model-name", "stock"],
        env=rasa.bot_environment(),
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"stock Rasa could not be trained:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return scratch / "stock.tar.gz"


def write(path: Path, content: dict[str, Any]) -> None:
    """A YAML file."""
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def figures(system: System, clients: int) -> tuple[float, float, float, float, float]:
    """Messages a second; p50, p95 and p99 in ms; processor ms a message."""
    count, seconds, used = (sum(column) for column in zip(*system.spans[clients], strict=True))
    cuts = statistics.quantiles(system.seconds[clients], n=100, method="inclusive")
    return count / seconds, cuts[49] * 1000, cuts[94] * 1000, cuts[98] * 1000, used * 1000 / count


def print_table(ours: System, stock: System) -> None:
    """Both beside each other."""
    print("| | clients | messages/s | p50 ms | p95 ms | p99 ms | processor ms a message |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for clients in CLIENTS:
        for system in (ours, stock):
            rate, *times, used = figures(system, clients)
            shown = " | ".join(f"{one:.0f}" for one in times)
            print(f"| {system.name} | {clients} | {rate:.1f} | {shown} | {used:.0f} |")
    print("\n| | start s | memory MB |\n| --- | --- | --- |")
    for system in (ours, stock):
        print(f"| {system.name} | {system.start_seconds:.0f} | {system.megabytes():.0f} |")


def judge(ours: System, stock: System) -> int:
    """Print the two ratios that are aimed at; 1 when one is missed."""
    mine, theirs = figures(ours, JUDGED_AT), figures(stock, JUDGED_AT)
    throughput, p95 = mine[0] / theirs[0], mine[2] / theirs[2]
    print(f"\nat {JUDGED_AT} clients: throughput {throughput:.2f} times (at least {LEAST_THROUGHPUT}), ", end="")
    print(f"p95 {p95:.2f} times (at most {MOST_P95})")
    return int(throughput < LEAST_THROUGHPUT or p95 > MOST_P95)


if __name__ == "__main__":
    main()
