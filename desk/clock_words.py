"""Clocks in words: how long is left, how long it is over, paused or provisional."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from desk.texts import TEXTS, say
from petitions.cases import running_clocks
from petitions.clocks import own_clocks
from petitions.model import Petition, RunningClock

Tone = Literal["late", "soon", "calm", "paused"]
SOON = timedelta(days=1)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ClockWords:
    """A running clock as a person reads it; the tone is the colour, which never says more than the words."""

    label: str
    words: str
    tone: Tone
    due_at: datetime
    article: str
    is_window: bool


def span_words(span: timedelta) -> str:
    """A span of time in its two largest units, rounded down: `1 天 4 小时`, `35 分钟`."""
    days, hours, minutes = span // _DAY, span % _DAY // _HOUR, span % _HOUR // _MINUTE
    pairs = [(days, "days"), (hours, "hours"), (minutes, "minutes")]
    first = next((place for place, (amount, _) in enumerate(pairs) if amount), 2)
    shown = [pair for pair in pairs[first : first + 2] if pair[0]] or [(1, "minutes")]
    return " ".join(say(f"clock_words.{unit}", amount=amount) for amount, unit in shown)


def clock_words(clock: RunningClock, *, now: datetime) -> ClockWords:
    """One clock that nothing has stopped."""
    left = clock.due_at - now
    tone: Tone
    if clock.paused_at is not None:
        words, tone = say("clock_words.paused"), "paused"
    elif left < timedelta(0):
        words, tone = say("clock_words.over", span=span_words(-left)), "late"
    else:
        words, tone = say("clock_words.left", span=span_words(left)), "soon" if left < SOON else "calm"
    if clock.is_provisional:
        words = say("clock_words.provisional", words=words)
    label = TEXTS.all["clocks"][clock.clock]
    return ClockWords(label, words, tone, clock.due_at, clock.article, clock.is_window)


def words_of(petition: Petition, *, now: datetime) -> list[ClockWords]:
    """All clocks of a petition that nothing has stopped, the next one to run out first."""
    clocks = sorted(running_clocks(petition), key=lambda clock: (clock.is_window, clock.due_at))
    return [clock_words(clock, now=now) for clock in clocks]


def next_clock(petition: Petition, *, now: datetime) -> ClockWords | None:
    """The clock of the office that runs out first."""
    mine: Sequence[ClockWords] = [words for words in words_of(petition, now=now) if not words.is_window]
    running = [words for words in mine if words.tone != "paused"]
    return next(iter(running or mine), None)


def unnamed_clocks() -> set[str]:
    """Clocks of clocks.yml for which texts.yml has no word."""
    return set(own_clocks()) - set(TEXTS.all["clocks"])
