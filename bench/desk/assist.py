"""How fast the assist page answers a pause while several operators type: the real desk in a process of its own, warm.

Prints the table of docs/benchmarks.md. The database lies in a folder that is removed afterwards; the knowledge base
and the keys are those of the checkout. No text is sent twice, so that no vector of it is known.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import httpx
import yaml

from desk.accounts import Role, add_staff, set_password
from desk.entry import COOKIE
from desk.sessions import open_session
from petitions import Draft, file_petition
from petitions.network import own_network
from suqiutong.database import upgrade
from suqiutong.settings import ROOT, Settings, read_settings
from suqiutong.wiring import Services

CALLS: list[str] = yaml.safe_load(Path(__file__).with_name("calls.yml").read_text(encoding="utf-8"))
# An operator stops after each clause and then types the next one.
TYPING_SECONDS = 1.2
TICKETS = 200
WARM_UP_PAUSES = 8
START_SECONDS = 300.0


def pauses(operator: int, count: int) -> list[str]:
    """What stands in the box of an operator at each pause: call after call, a clause more each time."""
    found = []
    for place, call in enumerate(islice(cycle(CALLS), operator, operator + count)):
        clauses = re.findall(r"[^，]+，?", call)
        name = f"{operator}{place}号来电，"
        found += [name + "".join(clauses[: length + 1]) for length in range(len(clauses))]
    return found[:count]


def file_tickets(services: Services) -> None:
    """Tickets among which similar ones are looked for."""
    routes = [services.triage(call) for call in CALLS]
    with services.sessions() as session:
        for number in range(TICKETS):
            place = number % len(CALLS)
            draft = Draft(matter=f"{CALLS[place]}，第{number}次来电", is_anonymous=True)
            file_petition(
                session,
                draft,
                routes[place],
                form_key=f"bench:{number}",
                conversation="",
                channel="hotline",
                secret=services.secret,
                keyring=services.keyring,
                now=services.clock(),
            )
        session.commit()


def cookies(services: Services, operators: int) -> list[str]:
    """The cookies of so many operators who have logged in."""
    hall, now = own_network().names[0], services.clock()
    tokens = []
    with services.sessions() as session:
        for number in range(operators):
            member, _ = add_staff(session, f"坐席{number}", Role.OPERATOR, hall, now=now)
            set_password(member, f"足够长的密码{number}号坐席")
            session.flush()
            tokens.append(open_session(session, member, is_complete=True, now=now))
        session.commit()
    return tokens


async def operate(client: httpx.AsyncClient, token: str, texts: list[str], *, start_seconds: float) -> list[float]:
    """The milliseconds of each pause of one operator."""
    await asyncio.sleep(start_seconds)
    took = []
    for turn, text in enumerate(texts):
        await asyncio.sleep(TYPING_SECONDS)
        begun = time.perf_counter()
        answer = await client.post(
            "/assist",
            data={"text": text, "turn": str(turn)},
            cookies={COOKIE: token},
            headers={"HX-Request": "true", "Accept": "text/html"},
        )
        took.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.status_code
        assert 'id="row-unit"' in answer.text
    return took


async def measure(address: str, tokens: list[str], count: int) -> list[float]:
    """The milliseconds of all pauses of all operators, the first of each left out."""
    async with httpx.AsyncClient(base_url=address, timeout=30, trust_env=False) as client:
        await wait_until_ready(client)
        each = await asyncio.gather(
            *(
                operate(
                    client,
                    token,
                    pauses(number, WARM_UP_PAUSES + count),
                    start_seconds=number * TYPING_SECONDS / len(tokens),
                )
                for number, token in enumerate(tokens)
            )
        )
    return [milliseconds for took in each for milliseconds in took[WARM_UP_PAUSES:]]


async def wait_until_ready(client: httpx.AsyncClient) -> None:
    """Wait for the desk to listen."""
    ends_at = time.monotonic() + START_SECONDS
    while True:
        try:
            await client.get("/login")
        except httpx.TransportError:
            if time.monotonic() > ends_at:
                raise
            await asyncio.sleep(0.5)
        else:
            return


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--operators", type=int, nargs="+", default=[1, 5], help="How many type at once.")
    parser.add_argument("--pauses", type=int, default=40, help="How many pauses of each are measured.")
    parser.add_argument("--port", type=int, default=8180, help="A free port.")
    options = parser.parse_args()
    settings = read_settings()
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/bench.db"
        services = Services(settings.model_copy(update={"database_url": database}))
        upgrade(services.engine)
        file_tickets(services)
        print(f"{TICKETS} tickets, {options.pauses} pauses of each operator\n")
        print("| operators typing | median ms | p95 ms | longest ms |\n| --- | --- | --- | --- |")
        tokens = cookies(services, max(options.operators))
        for operators in options.operators:
            took = sorted(run(settings, database, options.port, tokens[:operators], options.pauses))
            p95 = took[int(len(took) * 0.95)]
            print(f"| {operators} | {median(took):.0f} | {p95:.0f} | {took[-1]:.0f} |", flush=True)
        services.engine.dispose()


def run(settings: Settings, database: str, port: int, tokens: list[str], count: int) -> list[float]:
    """Measure with a desk that is started for it."""
    changed = {"SUQIUTONG_DATABASE_URL": database, "SUQIUTONG_DESK_PORT": str(port), "SUQIUTONG_LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "suqiutong", "serve", "desk"]
    desk = subprocess.Popen(command, cwd=ROOT, env=os.environ | changed)  # noqa: S603 - our own command
    try:
        address = settings.model_copy(update={"desk_port": port}).desk_url
        return asyncio.run(measure(address, tokens, count))
    finally:
        desk.terminate()
        desk.wait()


if __name__ == "__main__":
    main()
