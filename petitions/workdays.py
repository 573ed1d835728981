"""Chinese workdays, 调休 included, and how far they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

from chinese_calendar import constants
from pydantic import BaseModel, ConfigDict, Field

from petitions.data import load

_CALENDAR = Path(__file__).with_name("calendar.yml")
_DAY = timedelta(days=1)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Year(_Strict):
    """The notice of one year: what differs from the week."""

    source: str = Field(min_length=1)
    holidays: tuple[date, ...] = ()
    workdays: tuple[date, ...] = ()


class _Fixed(_Strict):
    source: str = Field(min_length=1)
    days: tuple[Annotated[str, Field(pattern=r"^\d\d-\d\d$")], ...]


class _Calendar(_Strict):
    as_of: date
    years: Mapping[int, Year]
    fixed: _Fixed


@dataclass(frozen=True, slots=True)
class Workdays:
    """Which days are worked.

    Args:
        holidays: Days off that the week alone does not tell.
        workdays: Saturdays and Sundays that are worked.
        years: Years whose notice is known; another year has weekends and fixed holidays only.
        fixed: Days off on a fixed date, as month and day.
    """

    holidays: frozenset[date]
    workdays: frozenset[date]
    years: frozenset[int]
    fixed: frozenset[tuple[int, int]]

    def is_workday(self, day: date) -> bool:
        """Whether `day` is worked, as far as is known."""
        if day in self.workdays:
            return True
        is_off = day in self.holidays if day.year in self.years else (day.month, day.day) in self.fixed
        return day.weekday() < 5 and not is_off

    def is_known(self, day: date) -> bool:
        """Whether the notice of that year is known."""
        return day.year in self.years

    def add(self, day: date, count: int) -> tuple[date, bool]:
        """The `count`th workday after `day` (before it when negative), and whether every day between is known."""
        step, left, is_known = (_DAY if count > 0 else -_DAY), abs(count), self.is_known(day)
        while left:
            day += step
            left -= self.is_workday(day)
            is_known = is_known and self.is_known(day)
        return day, is_known

    def count(self, after: date, until: date) -> int:
        """How many workdays lie after `after`, up to and with `until`."""
        days = (after + _DAY * i for i in range(1, (until - after).days + 1))
        return sum(self.is_workday(day) for day in days)


@cache
def chinese_workdays() -> Workdays:
    """The workdays that the package knows, with what calendar.yml adds."""
    return read_workdays(_CALENDAR)


def read_workdays(path: Path) -> Workdays:
    """The workdays that the package knows, with what this file adds.

    Raises:
        DataError: the file cannot be used; the message names file and field.
    """
    data = load(path, _Calendar)
    known = dict.fromkeys(constants.holidays, False) | dict.fromkeys(constants.workdays, True)
    # The package lists every holiday of a year it covers; a notice in the file replaces that year.
    known = {day: worked for day, worked in known.items() if day.year not in data.years}
    years = {day.year for day in constants.holidays} | set(data.years)
    for year in data.years.values():
        known |= dict.fromkeys(year.holidays, False) | dict.fromkeys(year.workdays, True)
    return Workdays(
        frozenset(day for day, worked in known.items() if not worked),
        frozenset(day for day, worked in known.items() if worked),
        frozenset(years),
        frozenset((int(day[:2]), int(day[3:])) for day in data.fixed.days),
    )
