"""How well messages are understood that nobody trained or tuned with, by the lexicon, by the classifier and by both.

Runs in the environment of the product, on the file that `scripts/cross_validate.py held-out FILE` wrote in Rasa's;
prints Markdown. `scripts/bench_understanding.sh held-out` does both.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jurisdiction import load_jurisdiction
from language.danger import find_danger

DANGERS = ("emergency", "crisis")


class Row(NamedTuple):
    """A message, what it means, what the classifier takes it for, and whether the lexicon sees danger."""

    persona: str
    intent: str
    guess: str
    text: str
    is_listed: bool


def read_rows(file: Path) -> list[Row]:
    """The messages of the file, each shown to the lexicon."""
    jurisdiction = load_jurisdiction()
    with file.open(encoding="utf-8") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Row(*row, is_listed=find_danger(row[3], jurisdiction) is not None) for row in rows]


def share(rows: list[Row], holds: Callable[[Row], bool]) -> str:
    """The share of rows for which something holds, with their number."""
    return f"{sum(map(holds, rows)) / len(rows):.3f} of {len(rows)}" if rows else "–"


def report(rows: list[Row]) -> None:
    """Print accuracy by intent and persona, and danger by what looks for it."""
    print(f"accuracy of the classifier: {share(rows, lambda row: row.intent == row.guess)}")
    print("\n| intent | right | taken for |\n|---|---|---|")
    for intent in sorted({row.intent for row in rows}):
        own = [row for row in rows if row.intent == intent]
        taken = Counter(row.guess for row in own if row.guess != intent).most_common()
        names = ", ".join(f"{guess} ({times})" for guess, times in taken)
        print(f"| {intent} | {share(own, lambda row: row.intent == row.guess)} | {names} |")
    print("\n| persona | right |\n|---|---|")
    for persona in dict.fromkeys(row.persona for row in rows):
        own = [row for row in rows if row.persona == persona]
        print(f"| {persona} | {share(own, lambda row: row.intent == row.guess)} |")
    print("\n| looks for danger | emergencies found | crises found | false alarms |\n|---|---|---|---|")
    finders: dict[str, Callable[[Row], bool]] = {
        "lexicon": lambda row: row.is_listed,
        "classifier": lambda row: row.guess in DANGERS,
        "both": lambda row: row.is_listed or row.guess in DANGERS,
    }
    groups = [[row for row in rows if row.intent == danger] for danger in DANGERS]
    groups.append([row for row in rows if row.intent not in DANGERS])
    for name, finds in finders.items():
        print(f"| {name} | {' | '.join(share(group, finds) for group in groups)} |")


if __name__ == "__main__":
    report(read_rows(Path(sys.argv[1])))
