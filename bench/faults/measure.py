"""Every fault that the product must survive, made for real while residents talk and file petitions.

Starts the product as on a machine of its own (real processes, kept running as systemd does), on SQLite and on
PostgreSQL, makes one fault after the other, and then asks: is every petition of which a resident was told there, once?
Does the log hold? Has every message that was kept been answered, every conversation gone on? How long did it take?
Prints the table of docs/operations.md; ends with 1 when anything is lost, double, broken or not well in time. Needs
root, for the disk that it fills and whose power it cuts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bench.faults import disk
from bench.faults.databases import KINDS
from bench.faults.faults import FAULTS, Fault
from bench.faults.residents import Residents, Talk
from bench.faults.world import World
from channels.handover.filing import form_key
from channels.handover.model import Handover
from channels.tokens import Tokens
from channels.waiting import count_waiting
from petitions.errors import PetitionError
from petitions.filing import find_ticket
from petitions.log import verify
from petitions.model import Petition
from suqiutong.database import make_engine
from suqiutong.settings import read_secret

RESIDENTS = 3
# How long they talk before a fault.
BEFORE_SECONDS = 8.0
# What was kept is tried again after a minute when answering it failed several times.
WAITING_SECONDS = 180.0
HEAD = (
    "| fault | database | answered, kept, refused, cut off | well after, s (at most) | went on | filed | lost | double "
    "| not told or answered | log |"
)


@dataclass
class Result:
    """What became of the product under one fault.

    Attributes:
        fault: Which.
        kind: Of the database.
        outcomes: What residents got for each attempt to say something, from the fault on until all was well.
        seconds: How long it took until all was well; None when it was not in time.
        begun: Conversations under way when the fault came.
        went_on: How many of them came to their petition, or to a person.
        filed: Petitions that residents were told of, in all.
        lost: Of those, how many are not there or not found by number and query code.
        double: Conversations with more petitions than one.
        untold: Petitions of which the resident was never told, although all is well.
        waiting: Messages without an answer.
        problem: What does not hold in the log, or what was given up; empty when all is well.
    """

    fault: Fault
    kind: str
    outcomes: Counter[str]
    seconds: float | None
    begun: int
    went_on: int
    filed: int
    lost: int
    double: int
    untold: int
    waiting: int
    problem: str

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, double or broken, and all is well again in time."""
        is_well = self.seconds is not None and self.seconds <= self.fault.limit_seconds
        is_whole = not (self.lost or self.double or self.untold or self.waiting or self.problem)
        return is_well and is_whole and self.went_on == self.begun

    def row(self) -> str:
        """Its row of the table."""
        names = ("answered", "understanding_down", "not_stored", "cut off")
        rest = sum(count for name, count in self.outcomes.items() if name not in names)
        met = ", ".join(str(self.outcomes[name] + (rest if name == "not_stored" else 0)) for name in names)
        took = "never" if self.seconds is None else f"{self.seconds:.0f}"
        log = self.problem or "holds"
        cells = (
            self.fault.text,
            self.kind,
            met,
            f"{took} ({self.fault.limit_seconds:.0f})",
            f"{self.went_on} of {self.begun}",
            *(str(one) for one in (self.filed, self.lost, self.double, self.untold + self.waiting)),
            log,
        )
        return f"| {' | '.join(cells)} |"


def main() -> None:
    """Make the faults and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="List the faults.")
    parser.add_argument("--only", metavar="NAME", action="append", help="This fault alone; may be repeated.")
    parser.add_argument("--database", choices=KINDS, action="append", help="On this kind of database alone.")
    parser.add_argument("--residents", type=int, default=RESIDENTS, help="How many talk at once.")
    parser.add_argument("--keep", action="store_true", help="Keep the logs of the processes, and say where.")
    options = parser.parse_args()
    if options.list:
        for fault in FAULTS:
            print(f"{fault.name}\t{fault.text}\t{' and '.join(fault.kinds)}")
        return
    if unknown := set(options.only or ()) - {fault.name for fault in FAULTS}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))} (--list shows all)")
    if not disk.is_possible():
        sys.exit("needs root and mkfs.ext4 on Linux: it makes a disk, fills it and cuts its power")
    wanted = [fault for fault in FAULTS if not options.only or fault.name in options.only]
    left_out = {fault.name: why for fault in wanted if (why := fault.missing())}
    results = []
    for kind in options.database or KINDS:
        faults = [fault for fault in wanted if kind in fault.kinds and fault.name not in left_out]
        if faults:
            results += run_all(kind, faults, options.residents, is_kept=options.keep)
    print(f"{HEAD}\n|{' --- |' * (HEAD.count('|') - 1)}")
    for result in results:
        print(result.row())
    for name, why in left_out.items():
        print(f"\nnot made here: {name} ({why})")
    bad = [f"{result.fault.name} on {result.kind}" for result in results if not result.is_good]
    print(f"\n{len(results)} faults, missed: {', '.join(bad) or 'none'}")
    sys.exit(1 if bad or not results else 0)


def run_all(kind: str, faults: Sequence[Fault], residents: int, *, is_kept: bool) -> Iterable[Result]:
    """What becomes of one installation under one fault after the other."""
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    # The account of PostgreSQL must reach the disk in it.
    scratch.chmod(0o711)
    say(f"{kind}: starting (logs in {scratch / 'log'}) …")
    results = []
    with closing(World(scratch, kind, say)) as world:
        world.start()
        known: list[Talk] = []
        for fault in faults:
            results.append(run_one(world, fault, residents, known))
            say(results[-1].row())
    if not is_kept:
        shutil.rmtree(scratch, ignore_errors=True)
    return results


def run_one(world: World, fault: Fault, count: int, known: list[Talk]) -> Result:
    """Make one fault while residents talk, and look at what is left.

    Args:
        world: Running.
        fault: To make.
        count: How many residents talk at once.
        known: All conversations so far; grows.
    """
    say(f"{world.kind}: {fault.text} …")
    with fault.setting(world) as extra:
        if extra:
            restart(world, extra)
        residents = Residents(
            world.settings.web_url, count, patience_seconds=fault.hold_seconds + fault.limit_seconds + WAITING_SECONDS
        )
        residents.begin()
        world.seconds_until(lambda: len(residents.open_talks()) == count, BEFORE_SECONDS * 4)
        time.sleep(BEFORE_SECONDS)
        before = Counter(residents.outcomes)
        begun = residents.open_talks()
        with fault.inject(world):
            time.sleep(fault.hold_seconds)
        world.ended_at = time.time()
        seconds = world.seconds_until(lambda: fault.is_well(world), fault.limit_seconds * 2)
        outcomes = residents.outcomes - before
        residents.finish()
        known += residents.talks
        result = look(world, fault, outcomes, seconds, begun, known)
        if extra:
            restart(world, {})
    return result


def restart(world: World, extra: dict[str, str]) -> None:
    """Start all anew with other settings."""
    world.keeper.stop()
    world.start(extra)


def look(
    world: World,
    fault: Fault,
    outcomes: Counter[str],
    seconds: float | None,
    begun: Sequence[Talk],
    known: Sequence[Talk],
) -> Result:
    """Hold what residents know against what the database holds."""
    engine = make_engine(world.database.url)
    problem = ", ".join(f"{name} given up" for name in world.keeper.given_up())
    lost = double = untold = 0
    try:
        world.seconds_until(lambda: not waiting(engine), WAITING_SECONDS)
        with Session(engine) as session:
            secret = read_secret(world.data)
            tokens = Tokens(secret, "conversation", hours=world.settings.session_hours)
            # A call that nobody takes, as in the evening, becomes a petition, of which the resident is told later.
            calls = [form_key(handover_id) for handover_id in session.scalars(select(Handover.id))]
            own = select(Petition.conversation, Petition.number).where(Petition.form_key.not_in(calls))
            numbers: dict[str, list[str]] = {}
            for conversation, number in session.execute(own):
                numbers.setdefault(conversation, []).append(number)
            for talk in known:
                filed = numbers.get(tokens.read(talk.session) or "", [])
                double += len(filed) > 1 or (len(filed) == 1 and not talk.is_confirmed)
                if talk.number is None:
                    untold += len(filed)
                elif talk.number not in filed or not is_found(session, talk, secret):
                    lost += 1
            chain = verify(session)
            problem = ", ".join(filter(None, (problem, *(one.problem for one in chain.faults[:2]))))
            left = count_waiting(session)
    except SQLAlchemyError as error:
        problem, left = f"{problem} {type(error).__name__}", 0
    finally:
        engine.dispose()
    for talk in known:
        if talk.ending != "filed":
            say(f"  {talk.ending}: {talk.seen[-4:]}")
            talk.ending = "filed" if talk.number else talk.ending
    # Whoever gets two answers that are none is given to a person, and goes on there.
    went_on = sum(talk.ending in {"filed", "handed_over"} for talk in begun)
    told = sum(talk.number is not None for talk in known)
    return Result(fault, world.kind, outcomes, seconds, len(begun), went_on, told, lost, double, untold, left, problem)


def waiting(engine: Engine) -> bool:
    """Whether messages wait for an answer, or the database cannot say."""
    try:
        with Session(engine) as session:
            return count_waiting(session) > 0
    except SQLAlchemyError:
        return True


def is_found(session: Session, talk: Talk, secret: bytes) -> bool:
    """Whether a resident finds the petition by the number and query code that they were told."""
    try:
        find_ticket(session, talk.number or "", talk.code or "", secret=secret)
    except PetitionError:
        return False
    return True


def say(line: str) -> None:
    """Tell of the progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
