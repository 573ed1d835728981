"""The days that a report is about, as its address says them, and the days that it is compared with."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from desk.texts import say
from petitions.selection import Selection, read_selection

PRESETS = ("today", "week", "month", "quarter", "year")
DEFAULT = "month"
# Nobody keeps petitions for longer, and a chart of more months is none.
LONGEST = timedelta(days=3660)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"today": 1, "week": 7}


class PeriodError(ValueError):
    """Days that make no period; a code for the page."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last day, in Shanghai; `preset` names how they were chosen, empty for days of one's own."""

    preset: str
    since_on: date
    until_on: date

    @property
    def before(self) -> Period:
        """What it is compared with: as far into the week, month, quarter or year before, or as many days before."""
        if months := _MONTHS.get(self.preset):
            return Period("", _months_before(self.since_on, months), _months_before(self.until_on, months))
        length = timedelta(days=_DAYS.get(self.preset, (self.until_on - self.since_on).days + 1))
        return Period("", self.since_on - length, self.until_on - length)

    def to_query(self) -> dict[str, str]:
        """The parameters of an address."""
        if self.preset:
            return {"period": self.preset}
        return {"since": self.since_on.isoformat(), "until": self.until_on.isoformat()}


def read_period(query: Mapping[str, str], today: date) -> Period:
    """The period that an address names; this month without any.

    Raises:
        PeriodError: `days`, one is missing or none of the calendar; `order`, the last comes before the first; `long`.
    """
    since, until = query.get("since", ""), query.get("until", "")
    if not since and not until:
        return preset(query.get("period", ""), today)
    try:
        since_on, until_on = date.fromisoformat(since), date.fromisoformat(until)
    except ValueError as error:
        raise PeriodError("days") from error
    if since_on.year < 1950:
        raise PeriodError("days")
    if until_on < since_on:
        raise PeriodError("order")
    if until_on - since_on > LONGEST:
        raise PeriodError("long")
    return Period("", since_on, until_on)


def preset(name: str, today: date) -> Period:
    """The period of that name up to today; this month for an unknown one."""
    name = name if name in PRESETS else DEFAULT
    first_of_month = today.replace(day=1)
    starts = {
        "today": today,
        "week": today - timedelta(days=today.weekday()),
        "month": first_of_month,
        "quarter": first_of_month.replace(month=(today.month - 1) // 3 * 3 + 1),
        "year": first_of_month.replace(month=1),
    }
    return Period(name, starts[name], today)


def selection_of(pairs: Iterable[tuple[str, str]]) -> Selection:
    """The selection that the parameters of an address name, as `Selection.to_query` writes them.

    Raises:
        PeriodError: `days`, a day is none of the calendar: left out, it would make the selection larger than was meant.
    """
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    named = read_selection(query)
    if any(query.get(day, [""])[0] and named[f"{day}_on"] is None for day in ("since", "until")):
        raise PeriodError("days")
    return Selection(**named)


def period_words(period: Period) -> str:
    """A period as people write it."""
    if period.since_on == period.until_on:
        return period.since_on.isoformat()
    return say("reports.span", since=period.since_on.isoformat(), until=period.until_on.isoformat())


def list_address(selection: Selection, path: str = "/tickets") -> str:
    """Where the petitions of a selection are listed."""
    return f"{path}?{urlencode(selection.to_query(), doseq=True)}"


def _months_before(day: date, months: int) -> date:
    """The same day so many months before, or the last day of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
