"""How fast the desk shows and searches a queue of a million tickets on PostgreSQL: p50 and p95 of whole pages.

The tickets are written straight into a database of its own (COPY), which is deleted afterwards. They have petitioners,
clocks and words as real ones, and no events: a page of the queue reads none. The processor time tells what a page costs
where other work makes the machine slow; that of the database is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
from sqlalchemy import Engine, text

from desk.accounts import Role, add_staff, set_password
from desk.app import create_app
from desk.entry import COOKIE
from desk.sessions import open_session
from jurisdiction import Jurisdiction, load_jurisdiction
from petitions.numbers import ticket_number
from petitions.search import words_of
from petitions.triage import triage
from suqiutong.database import upgrade
from suqiutong.demo import demo_rules
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.postgresql import postgresql_server

TARGET_MILLISECONDS = 300
SEED = 1
WARMING = 3
# Of a hundred tickets; the rest is closed.
OPEN = {"received": 2, "accepted": 2, "in_progress": 4, "replied": 2, "transferred": 1, "redo": 1}
YEARS = 3
CHANNELS = {"chat": 60, "form": 25, "open311": 8, "letter": 7}
PAGES = {
    "queue": "/tickets",
    "queue, open": "/tickets?state=open",
    "queue, one station": "/tickets?unit={station}",
    "queue, a page far back": "/tickets?after={middle}",
    "search, a common word": "/tickets?q=垃圾",
    "search, two words": "/tickets?q=半夜 打麻将",
    "search, a rare word": "/tickets?q={rare}",
    "search, nothing": "/tickets?q=长颈鹿",
}


@cache
def _kinds(jurisdiction_name: str) -> list[dict[str, Any]]:
    """What is filed where, with its words: every matter of the demonstration at every place of the subdistrict."""
    jurisdiction = _jurisdiction()
    assert jurisdiction.name == jurisdiction_name
    own = set(jurisdiction.communities)
    places = [place.name for place in jurisdiction.places if place.community in own]
    found = []
    for matter in demo_rules().matters:
        for place in places[::3]:
            said = matter.text.format(place=place)
            route = triage(said, jurisdiction)
            if route.unit:
                found.append({"weight": matter.weight, "matter": said, "place": place, "route": route})
    return found


@cache
def _jurisdiction() -> Jurisdiction:
    return load_jurisdiction()


def tickets(count: int, now: datetime) -> Iterator[dict[str, Any]]:
    """Made-up tickets, oldest first, ending now."""
    chance = random.Random(SEED)
    kinds = _kinds(_jurisdiction().name)
    weights = [kind["weight"] for kind in kinds]
    states = [*OPEN, "closed"]
    shares = [*OPEN.values(), 100 - sum(OPEN.values())]
    span = timedelta(days=365 * YEARS) / count
    for number in range(1, count + 1):
        kind = chance.choices(kinds, weights)[0]
        state = chance.choices(states, shares)[0]
        filed_at = now - span * (count - number + 1)
        yield {
            "id": number,
            "route": kind["route"],
            "matter": kind["matter"],
            "home": f"我住{chance.randint(1, 40)}栋{chance.randint(101, 3299)}房。",
            "place": kind["place"],
            "state": state,
            "channel": chance.choices(list(CHANNELS), list(CHANNELS.values()))[0],
            "filed_at": filed_at,
            "due_at": now + timedelta(hours=chance.uniform(-200, 1000)) if state != "closed" else None,
            "ended_at": filed_at + timedelta(days=chance.uniform(0.2, 40)) if state == "closed" else None,
        }


def _petition_row(one: dict[str, Any]) -> dict[str, Any]:
    route = one["route"]
    return {
        "id": one["id"],
        "number": ticket_number("GM", one["id"], one["filed_at"]),
        "form_key": f"bench-{one['id']}",
        "petitioner_id": one["id"],
        "class": route.class_,
        "category": json.dumps(route.category, ensure_ascii=False),
        "topic": route.category[0],
        "level": route.level,
        "unit": route.unit,
        "office": route.office,
        "community": route.community,
        "priority": route.priority,
        "flags": "[]",
        "is_restricted": route.is_restricted,
        "route": "{}",
        "matter": one["matter"] + one["home"],
        "place": one["place"],
        "conversation": f"bench-{one['id']}",
        "channel": one["channel"],
        "state": one["state"],
        "hops": 0,
        "unsatisfied": 0,
        "filed_at": one["filed_at"],
        "accepted_at": one["filed_at"] if one["state"] != "received" else None,
        "ended_at": one["ended_at"],
        "due_at": one["due_at"],
        "event_count": 0,
        "event_hash": "",
        "version": 1,
    }


def _clock_row(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": one["id"],
        "petition_id": one["id"],
        "clock": "close",
        "unit": "workdays",
        "amount": 15,
        "started_at": one["filed_at"],
        "counted_from": one["filed_at"],
        "due_at": one["due_at"] or one["filed_at"] + timedelta(days=21),
        "is_provisional": False,
        "is_window": False,
        "extended_days": 0,
        "article": "",
        "stopped_at": one["ended_at"],
        "step": 0,
    }


def _person_row(one: dict[str, Any]) -> dict[str, Any]:
    return {"id": one["id"], "token": f"{one['id']:032}", "is_anonymous": True, "created_at": one["filed_at"]}


def _text_row(one: dict[str, Any]) -> dict[str, Any]:
    number = ticket_number("GM", one["id"], one["filed_at"])
    # Each part ends with a sign at which words end, so that its words can be made once.
    words = (number.lower(), *_words_of(one["matter"]), *words_of(one["home"]))
    return {"petition_id": one["id"], "words": " ".join(dict.fromkeys(words))}


@cache
def _words_of(matter: str) -> tuple[str, ...]:
    return tuple(words_of(matter))


def fill(engine: Engine, count: int, now: datetime) -> None:
    """Write so many tickets; the indexes of the migrations are made anew when the rows are there."""
    of_tables = "schemaname = 'public' AND tablename IN ('petition', 'petitioner', 'running_clock', 'petition_text')"
    not_of_constraints = "indexname NOT LIKE 'pk_%' AND indexname NOT LIKE 'uq_%'"
    with engine.begin() as connection:
        found = connection.execute(
            text(f"SELECT indexname, indexdef FROM pg_indexes WHERE {of_tables} AND {not_of_constraints}")  # noqa: S608
        ).all()
        for name, _ in found:
            connection.execute(text(f'DROP INDEX "{name}"'))
        rows_of = (
            ("petitioner", _person_row),
            ("petition", _petition_row),
            ("running_clock", _clock_row),
            ("petition_text", _text_row),
        )
        driver: Any = connection.connection.driver_connection
        for table, row_of in rows_of:
            names = ", ".join(row_of(next(tickets(1, now))))
            with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for one in tickets(count, now):
                    copy.write_row(list(row_of(one).values()))
        for _, definition in found:
            connection.execute(text(definition))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


async def measure(services: Services, cookie: str, addresses: Sequence[str], *, people: int) -> list[float]:
    """How long each page took, in milliseconds, with so many people who ask at once, one page after the other.

    Args:
        services: Of the desk.
        cookie: Of somebody who has logged in.
        addresses: What is asked for, in turn.
        people: How many ask at once.
    """
    transport = httpx.ASGITransport(create_app(services))
    headers = {"Accept": "text/html", "Cookie": f"{COOKIE}={cookie}"}
    spent: list[float] = []
    waiting = list(addresses)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers) as client:

        async def ask() -> None:
            while waiting:
                address = waiting.pop()
                started = time.perf_counter()
                answer = await client.get(address, timeout=120)
                spent.append((time.perf_counter() - started) * 1000)
                assert answer.status_code == httpx.codes.OK, address

        await asyncio.gather(*(ask() for _ in range(people)))
    return spent


def print_pages(services: Services, count: int, *, rounds: int, people: int) -> float:
    """Measure every kind of page in a queue of so many tickets and print the table.

    Returns:
        The largest 95th percentile, in milliseconds.
    """
    hall = services.jurisdiction.hall("6", subdistrict=services.jurisdiction.name).name
    station = services.jurisdiction.hall("N", community=services.jurisdiction.communities[0]).name
    with services.writing() as session:
        # Writing the tickets may take longer than a login lasts.
        entered_at = services.clock()
        member, _ = add_staff(session, "bench", Role.SUPERVISOR, hall, now=entered_at)
        set_password(member, "a password for nobody")
        cookie = open_session(session, member, is_complete=True, now=entered_at)
    with services.sessions() as session:
        rare = session.scalar(text("SELECT number FROM petition WHERE id = :id"), {"id": count // 3})
    fields = {"station": station, "middle": count // 2, "rare": rare}
    print("| page | p50 ms | p95 ms | at most | processor time of the desk, ms |\n| --- | --- | --- | --- | --- |")
    slowest = 0.0
    for name, page in PAGES.items():
        path = page.format(**fields)
        asyncio.run(measure(services, cookie, [path] * WARMING, people=1))
        used = time.process_time()
        spent = asyncio.run(measure(services, cookie, [path] * rounds, people=people))
        used = (time.process_time() - used) * 1000 / rounds
        cuts = quantiles(spent, n=20, method="inclusive")
        slowest = max(slowest, cuts[18])
        print(f"| {name} | {cuts[9]:.0f} | {cuts[18]:.0f} | {max(spent):.0f} | {used:.0f} |", flush=True)
    return slowest


def main() -> None:
    """Generate, measure, print the table of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40, help="Pages of each kind.")
    parser.add_argument("--people", type=int, default=1, help="How many ask at once.")
    given = parser.parse_args()
    now = datetime.now(UTC)
    with postgresql_server() as server, tempfile.TemporaryDirectory() as folder:
        address = server.render_as_string(hide_password=False)
        services = Services(Settings(data=Path(folder), database_url=address, desk_second_factor=""))
        upgrade(services.engine)
        started = time.monotonic()
        fill(services.engine, given.tickets, now)
        print(f"{given.tickets:,} tickets written in {time.monotonic() - started:.0f} s\n")
        slowest = print_pages(services, given.tickets, rounds=given.rounds, people=given.people)
        services.engine.dispose()
    print(f"\nslowest p95 {slowest:.0f} ms of {TARGET_MILLISECONDS}, {given.people} at once")
    sys.exit(slowest > TARGET_MILLISECONDS)


if __name__ == "__main__":
    main()
