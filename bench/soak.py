"""The product under load for a long time: its memory must stay flat and nothing may fail; then many who only look on.

Measures how many messages a second it answers at most, lets residents talk at 70 % of that, and looks every ten seconds
at the memory of each process. With `--idle` it then opens that many conversations at once that say nothing, each with
its stream as the page opens one, and tells what they cost. Prints the tables of docs/benchmarks.md; ends with 1 when
the memory of a process grows by more than 5 % after the warm-up, or anything fails.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np

from bench.faults.keeper import Keeper
from bench.speed.measure import TEXTS
from channels.cookies import COOKIE
from channels.tokens import Tokens
from suqiutong.settings import read_secret
from tests.conftest import product_environment

CLIENTS = 8
SHARE = 0.7
SAMPLE_SECONDS = 10.0
MOST_GROWTH = 0.05
START_SECONDS = 400.0
CAPACITY_SECONDS = 30.0
IDLE_SECONDS = 60.0
# What systemd gives a service, and what this program needs for the other ends of the streams.
SERVICE_FILES, OWN_FILES = 1024, 16_384
Samples = dict[str, list[tuple[float, float]]]


class Load:
    """Clients who talk, each conversation as the clients of `make bench`."""

    def __init__(self, url: str) -> None:
        self.answered = 0
        self.errors: Counter[str] = Counter()
        self._url = url

    async def run(self, seconds: float, rate: float | None = None) -> float:
        """Talk for so long; messages answered a second.

        Args:
            seconds: How long.
            rate: Messages a second of all together; None: as fast as they are answered.
        """
        begun, before = time.monotonic(), self.answered
        turns, numbers = itertools.count(), itertools.count(1)

        async def talk(client: httpx.AsyncClient) -> None:
            session = None
            for number in itertools.count():
                due = begun + next(turns) / rate if rate else time.monotonic()
                if max(due, time.monotonic()) >= begun + seconds:
                    return
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                session = None if number % len(TEXTS) == 0 else session
                session = await self.say(client, session, TEXTS[number % len(TEXTS)].format(n=next(numbers)))

        async with httpx.AsyncClient(base_url=self._url, timeout=60, trust_env=False) as client:
            await asyncio.gather(*(talk(client) for _ in range(CLIENTS)))
        return (self.answered - before) / (time.monotonic() - begun)

    async def say(self, client: httpx.AsyncClient, session: str | None, text: str) -> str | None:
        """Say one message; the session in which to go on."""
        try:
            reply = await client.post("/api/chat", json={"text": text, "session": session})
        except httpx.HTTPError as error:
            self.errors[type(error).__name__] += 1
            return session
        if reply.status_code != httpx.codes.OK:
            self.errors[f"status {reply.status_code}"] += 1
            return session
        self.answered += 1
        return str(reply.json()["session"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="How long the load lasts, with its warm-up.")
    parser.add_argument("--warm-up", type=float, default=5.0, help="After how many minutes memory is judged.")
    parser.add_argument("--idle", type=int, default=0, metavar="N", help="Then open N conversations that say nothing.")
    options = parser.parse_args()
    if options.warm_up >= options.minutes:
        parser.error("the warm-up takes all the time: nothing would be judged")
    scratch = Path(tempfile.mkdtemp(prefix="soak-"))
    environment = product_environment(scratch / "data")
    for name in ("SUQIUTONG_MESSAGES_PER_MINUTE", "SUQIUTONG_ADDRESS_MESSAGES_PER_MINUTE"):
        environment[name] = "10000000"
    url = f"http://127.0.0.1:{environment['SUQIUTONG_WEB_PORT']}"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (SERVICE_FILES, hard))
    with closing(Keeper(environment, scratch / "log", say)) as keeper:
        say(f"Starting (logs in {scratch / 'log'}) …")
        keeper.prepare()
        keeper.start()
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(OWN_FILES, hard), hard))
        wait_until(lambda: is_ready(url), START_SECONDS, "the product is not ready")
        is_good = asyncio.run(soak(keeper, url, options.minutes * 60, options.warm_up * 60))
        if options.idle:
            tokens = Tokens(read_secret(scratch / "data"), "conversation", hours=12)
            is_good &= asyncio.run(look_on(keeper, url, tokens, options.idle))
    sys.exit(0 if is_good else 1)


async def soak(keeper: Keeper, url: str, seconds: float, warm_up: float) -> bool:
    """Load for so long; whether memory stays flat and nothing fails."""
    load = Load(url)
    capacity = await load.run(CAPACITY_SECONDS)
    capacity = await load.run(CAPACITY_SECONDS)
    rate = capacity * SHARE
    say(f"{capacity:.1f} messages a second at most; {seconds / 60:.0f} minutes at {rate:.1f} …")
    load.answered = 0
    samples: Samples = {}
    watching = asyncio.create_task(watch(keeper, samples))
    reached = await load.run(seconds, rate)
    watching.cancel()
    print(f"capacity {capacity:.1f} messages/s; {load.answered} answered at {reached:.1f} messages/s, ", end="")
    print(f"errors: {', '.join(f'{name} × {count}' for name, count in load.errors.items()) or 'none'}\n")
    print("| process | MB after the warm-up | MB at the end | growth, linear fit |\n| --- | --- | --- | --- |")
    grown = {name: fit(rows, warm_up) for name, rows in samples.items()}
    for name, (first, last, growth) in grown.items():
        print(f"| {name} | {first:.0f} | {last:.0f} | {growth:+.1%} |")
    missed = [name for name, (_, _, growth) in grown.items() if growth > MOST_GROWTH]
    print(f"\nat most {MOST_GROWTH:.0%}; missed by: {', '.join(missed) or 'none'}\n")
    return not (missed or load.errors)


async def watch(keeper: Keeper, samples: Samples) -> None:
    """Note the memory of each process every ten seconds, until cancelled."""
    begun = time.monotonic()
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        for name, megabytes in (await asyncio.to_thread(keeper.megabytes)).items():
            samples.setdefault(name, []).append((time.monotonic() - begun, megabytes))


def fit(rows: list[tuple[float, float]], warm_up: float) -> tuple[float, float, float]:
    """What a straight line through the samples after the warm-up says.

    Args:
        rows: Seconds from the start, and megabytes.
        warm_up: In seconds.

    Returns:
        Megabytes after the warm-up, megabytes at the end, and the growth as a share of the first.
    """
    times, sizes = np.array([row for row in rows if row[0] >= warm_up]).T
    slope, start = np.polyfit(times, sizes, 1)
    first, last = start + slope * times[0], start + slope * times[-1]
    return float(first), float(last), float(last / first - 1)


async def look_on(keeper: Keeper, url: str, tokens: Tokens, count: int) -> bool:
    """Open conversations that say nothing; whether all stay open."""
    say(f"{count} conversations that say nothing …")
    before, used = keeper.megabytes()["web"], keeper.cpu_seconds()
    await asyncio.sleep(IDLE_SECONDS)
    quiet = (keeper.cpu_seconds() - used) / IDLE_SECONDS
    limits = httpx.Limits(max_connections=None)
    problems: Counter[str] = Counter()
    opened = 0

    async def listen(client: httpx.AsyncClient) -> None:
        nonlocal opened
        try:
            headers = {"Cookie": f"{COOKIE}={tokens.sign(tokens.new())}"}
            async with client.stream("GET", "/chat/events", headers=headers) as reply:
                if reply.status_code != httpx.codes.OK:
                    problems[f"status {reply.status_code}"] += 1
                    return
                opened += 1
                async for _ in reply.aiter_bytes():
                    pass  # a heartbeat
            problems["ended"] += 1
        except httpx.HTTPError as error:
            problems[type(error).__name__] += 1

    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, limits=limits) as client:
        tasks = []
        for number in range(count):
            tasks.append(asyncio.create_task(listen(client)))
            if number % 50 == 0:
                await asyncio.sleep(0.2)
        await asyncio.sleep(5)
        used = keeper.cpu_seconds()
        await asyncio.sleep(IDLE_SECONDS)
        busy = (keeper.cpu_seconds() - used) / IDLE_SECONDS
        after = keeper.megabytes()["web"]
        begun = time.monotonic()
        load = Load(url)
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as other:
            await load.say(other, None, TEXTS[0])
        took = time.monotonic() - begun
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print("| open, idle | memory of web, MB | each, KB | processor, % of a core | without them | a message then, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    each = (after - before) * 1000 / count
    print(f"| {opened} | {before:.0f} → {after:.0f} | {each:.0f} | {busy:.1%} | {quiet:.1%} | {took:.2f} |")
    print(f"\nfailed: {', '.join(f'{name} × {number}' for name, number in problems.items()) or 'none'}")
    return opened == count and not problems and load.answered == 1


def is_ready(url: str) -> bool:
    """Whether all that an answer needs is there."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def wait_until(holds: Callable[[], bool], seconds: float, problem: str) -> None:
    """Raises: SystemExit: it does not hold in so long."""
    ends_at = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends_at:
            sys.exit(problem)
        time.sleep(0.5)


def say(line: str) -> None:
    """Tell of the progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
