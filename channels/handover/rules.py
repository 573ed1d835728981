"""The rules of `rules.yml`, checked, and the office hours that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from petitions.clocks import SHANGHAI
from petitions.data import load
from petitions.workdays import Workdays, chinese_workdays

Reason = Literal["crisis", "asked", "error", "failed", "decided"]
# Longer than any holiday.
_DAYS_AHEAD = 60


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Period(_Strict):
    """A stretch of a workday, in local time."""

    begins: time = Field(alias="from")
    ends: time = Field(alias="until")


class NotUnderstood(_Strict):
    """Replies of these kinds to these intents help nobody."""

    intents: frozenset[str]
    kinds: frozenset[str]


class ReasonRule(_Strict):
    """What becomes of a call that nobody takes."""

    is_filed: bool


class Rules(_Strict):
    """The rules of rules.yml."""

    as_of: date
    source: str = Field(min_length=1)
    office_hours: tuple[Period, ...] = Field(min_length=1)
    wait_minutes: int = Field(gt=0)
    quiet_minutes: int = Field(gt=0)
    promise_hours: int = Field(gt=0)
    idle_minutes: int = Field(gt=0)
    failures: int = Field(gt=0)
    failed_kinds: frozenset[str]
    not_understood: NotUnderstood
    down_minutes: int = Field(ge=0)
    words: int = Field(gt=0)
    saying_nothing: frozenset[str]
    class_: str = Field(alias="class")
    reasons: Mapping[Reason, ReasonRule]
    active_minutes: int = Field(gt=0)
    typing_seconds: int = Field(gt=0)

    @model_validator(mode="after")
    def _is_whole(self) -> Rules:
        ends = time.min
        for period in self.office_hours:
            if not ends <= period.begins < period.ends:
                raise ValueError("office_hours: each period begins after the one before has ended")
            ends = period.ends
        if missing := set(Reason.__args__) - set(self.reasons):  # type: ignore[attr-defined]
            raise ValueError(f"reasons: {', '.join(sorted(missing))} missing")
        return self

    @property
    def urgency(self) -> tuple[Reason, ...]:
        """The reasons, the most urgent first."""
        return tuple(self.reasons)


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When somebody is at the desk."""

    periods: tuple[Period, ...]
    workdays: Workdays

    def is_open(self, now: datetime) -> bool:
        """Whether `now` (aware) lies in them."""
        return any(begins <= now < ends for begins, ends in self._stretches(now))

    def after(self, start_at: datetime, hours: float) -> datetime:
        """The moment at which so many office hours have passed since `start_at`.

        Args:
            start_at: Aware.
            hours: More than none.

        Returns:
            Aware, in local time.
        """
        left = timedelta(hours=hours)
        for begins, ends in self._stretches(start_at):
            begun = max(begins, start_at)
            if begun + left <= ends:
                return begun + left
            left -= max(ends - begun, timedelta())
        raise ValueError("office hours end before the promise does")

    def _stretches(self, start_at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The stretches that have not ended at `start_at`, in order."""
        day = start_at.astimezone(SHANGHAI).date()
        for ahead in range(_DAYS_AHEAD):
            on = day + timedelta(days=ahead)
            if self.workdays.is_workday(on):
                for period in self.periods:
                    begins, ends = (datetime.combine(on, at, tzinfo=SHANGHAI) for at in (period.begins, period.ends))
                    if ends > start_at:
                        yield begins, ends


@cache
def own_rules() -> Rules:
    """The rules beside the code.

    Raises:
        DataError: the file cannot be used; the message names file and field.
    """
    return load(Path(__file__).with_name("rules.yml"), Rules)


@cache
def own_hours() -> OfficeHours:
    """The office hours of the rules beside the code."""
    return OfficeHours(own_rules().office_hours, chinese_workdays())
