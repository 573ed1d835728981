"""Beyond one machine, tried: every process restarted, killed and hung in turn while residents talk and file petitions.

Starts PostgreSQL, Redis, nginx (with the configuration of `ops/nginx`), two web, two action and two Rasa processes, the
worker and the desk. Prints what each fault cost residents, the cost of a message in processor time, and whether all
that was said and filed is stored exactly once; ends with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.cluster.machines import Cluster, running_cluster
from bench.cluster.residents import Residents, Sent, check_all, wait_until_stored
from suqiutong.settings import Settings
from suqiutong.worker import last_runs

# A server that failed is left alone so long by nginx (`ops/nginx/several.conf`), with a little time above it.
SETTLE_SECONDS = 12
HANG_SECONDS = 25
AWAY_SECONDS = 15
WORKER_SECONDS = 150


@dataclass(frozen=True)
class Fault:
    """What is done, and how many seconds its slowest message may take.

    Attributes:
        name: For the table.
        do: Does it and puts it right; returns once all is as before.
        most_seconds: The target.
    """

    name: str
    do: Callable[[Cluster], None]
    most_seconds: float


@dataclass(frozen=True)
class Cost:
    """What a fault cost those who wrote while it lasted."""

    name: str
    lasted: float
    messages: int
    repeated: int
    lost: int
    slowest: float
    most_seconds: float

    @property
    def is_missed(self) -> bool:
        """Whether a target is."""
        return bool(self.lost) or self.slowest > self.most_seconds


def restarted(name: str) -> Callable[[Cluster], None]:
    """Stops a process and starts it again."""

    def do(cluster: Cluster) -> None:
        cluster.stop(name)
        cluster.start(name)

    return do


def killed(name: str) -> Callable[[Cluster], None]:
    """Kills a process and starts it again."""

    def do(cluster: Cluster) -> None:
        cluster.kill(name)
        time.sleep(3)  # systemd's RestartSec
        cluster.start(name)

    return do


def hung(name: str) -> Callable[[Cluster], None]:
    """Has a process hang for a while."""

    def do(cluster: Cluster) -> None:
        cluster.signal(name, signal.SIGSTOP)
        time.sleep(HANG_SECONDS)
        cluster.signal(name, signal.SIGCONT)

    return do


def redis_gone(cluster: Cluster) -> None:
    """Kills Redis, and brings it back after a while."""
    cluster.kill("redis")
    time.sleep(AWAY_SECONDS)
    cluster.start("redis")


def database_restarted(cluster: Cluster) -> None:
    """Starts PostgreSQL anew under everybody's hands."""
    cluster.database.restart()


PROCESSES = ("web-1", "web-2", "actions-1", "actions-2", "rasa-1", "rasa-2", "worker", "desk")
FAULTS = (
    *(Fault(f"{name} restarted", restarted(name), 15) for name in PROCESSES),
    Fault("rasa-1 killed", killed("rasa-1"), 10),
    Fault("actions-1 killed", killed("actions-1"), 10),
    Fault("web-1 killed", killed("web-1"), 10),
    Fault("rasa-2 hung", hung("rasa-2"), 30),
    Fault("Redis killed", redis_gone, 10),
    Fault("PostgreSQL restarted", database_restarted, 20),
)


def main() -> None:
    """Try and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--residents", type=int, default=8, help="How many talk at once.")
    parser.add_argument("--quiet", type=float, default=30.0, help="How many seconds without a fault are measured.")
    parser.add_argument("--port", type=int, default=21000, help="The first of sixty ports.")
    parser.add_argument("--only", default="", help="Only the faults whose name holds this.")
    parser.add_argument("--keep", action="store_true", help="Keep the folder with the logs.")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="cluster"))
    say(f"Starting everything (logs in {scratch}) …")
    with running_cluster(scratch, options.port) as cluster:
        is_missed = asyncio.run(try_all(cluster, options))
    if not options.keep and not is_missed:
        for path in sorted(scratch.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        scratch.rmdir()
    sys.exit(is_missed)


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


async def try_all(cluster: Cluster, options: argparse.Namespace) -> bool:
    """All faults under load; whether a target was missed."""
    await asyncio.sleep(SETTLE_SECONDS)  # the processes have looked for each other in vain before
    residents = Residents(cluster.door, options.residents)
    talking = asyncio.create_task(residents.run())
    await asyncio.sleep(SETTLE_SECONDS)
    say("Measuring without a fault …")
    used, begun = cluster.cpu_seconds(), time.monotonic()
    await asyncio.sleep(options.quiet)
    spent = {kind: seconds - used[kind] for kind, seconds in cluster.cpu_seconds().items()}
    quiet = between(residents.sent, begun, time.monotonic())
    megabytes = cluster.megabytes()
    costs = []
    for fault in FAULTS:
        if options.only in fault.name:
            say(f"{fault.name} …")
            costs.append(await cost_of(fault, cluster, residents))
    ended_at = time.time()
    residents.is_over = True
    await talking
    settings = Settings(
        data=cluster.scratch / "data",
        database_url=cluster.environment["SUQIUTONG_DATABASE_URL"],
        queue_url=cluster.environment["SUQIUTONG_QUEUE_URL"],
    )
    say("Waiting for the worker …")
    is_working = await asyncio.to_thread(worker_goes_on, settings, ended_at)
    await asyncio.to_thread(wait_until_stored, settings)
    wrong = check_all(residents.talks, settings)
    verified = cluster.suqiutong("petitions", "verify")
    print_costs(costs)
    print_quiet(quiet, options.quiet, spent, megabytes)
    filed = sum(len(talk.filed) for talk in residents.talks)
    print(
        f"\n{len(residents.sent)} messages, {filed} petitions in {len(residents.talks)} conversations. Wrong: ", end=""
    )
    print(", ".join(f"{name} {count}" for name, count in wrong.items()))
    print(f"`suqiutong petitions verify`: {'holds' if verified.returncode == 0 else 'BROKEN'}. ", end="")
    print(f"The worker {'works on' if is_working else 'STOPPED'}.")
    return any(cost.is_missed for cost in costs) or any(wrong.values()) or bool(verified.returncode) or not is_working


async def cost_of(fault: Fault, cluster: Cluster, residents: Residents) -> Cost:
    """What one fault costs residents, from when it happens until nothing of it is left."""
    begun = time.monotonic()
    await asyncio.to_thread(fault.do, cluster)
    lasted = time.monotonic() - begun
    await asyncio.sleep(SETTLE_SECONDS)
    concerned = between(residents.sent, begun, begun + lasted + SETTLE_SECONDS)
    while any(not one.kinds and not is_given_up(one) for one in concerned):
        await asyncio.sleep(0.5)
    return Cost(
        fault.name,
        lasted,
        len(concerned),
        sum(one.attempts > 1 for one in concerned),
        sum(not one.kinds for one in concerned),
        max((one.seconds for one in concerned), default=0.0),
        fault.most_seconds,
    )


def is_given_up(one: Sent) -> bool:
    """Whether nobody waits for its answer any more."""
    return time.monotonic() - one.begun > 95 or any(reason.isdigit() and reason < "500" for reason in one.refused)


def between(sent: list[Sent], begun: float, ended: float) -> list[Sent]:
    """The messages that were under way in a stretch of time."""
    return [one for one in sent if one.begun < ended and (not one.seconds or one.begun + one.seconds > begun)]


def worker_goes_on(settings: Settings, since: float) -> bool:
    """Whether the worker ends one of its jobs within its time."""
    ends_at = time.monotonic() + WORKER_SECONDS
    while time.monotonic() < ends_at:
        tick = last_runs(settings).get("tick")
        if tick and tick.succeeded_at and tick.succeeded_at > since:
            return True
        time.sleep(5)
    return False


def print_costs(costs: list[Cost]) -> None:
    """What each fault cost."""
    print("| fault | until all is as before, s | messages meanwhile | sent again | lost | slowest, s | at most |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one in costs:
        counts = f"{one.messages} | {one.repeated} | {one.lost} | {one.slowest:.1f} | {one.most_seconds:.0f}"
        print(f"| {one.name} | {one.lasted:.0f} | {counts} |{' MISSED' if one.is_missed else ''}")


def print_quiet(quiet: list[Sent], seconds: float, spent: dict[str, float], megabytes: dict[str, float]) -> None:
    """The cost of a message while nothing fails."""
    count = sum(bool(one.kinds) for one in quiet)
    cuts = statistics.quantiles([one.seconds for one in quiet if one.kinds], n=100, method="inclusive")
    print(f"\nWithout a fault: {count / seconds:.1f} messages/s, p50 {cuts[49]:.2f} s, p95 {cuts[94]:.2f} s, ", end="")
    print(f"{psutil.cpu_count()} cores.\n\n| | processor ms a message | memory MB |\n| --- | --- | --- |")
    for kind, used in sorted(spent.items(), key=lambda item: -item[1]):
        each = [round(size) for name, size in megabytes.items() if name.partition("-")[0] == kind]
        print(f"| {kind} | {used * 1000 / count:.1f} | {' + '.join(map(str, each))} |")
    print(f"| together | {sum(spent.values()) * 1000 / count:.0f} | {sum(megabytes.values()):.0f} |")


if __name__ == "__main__":
    main()
