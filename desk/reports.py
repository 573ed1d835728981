"""The pages of figures: a report of any period, what stands behind a rate, and the year as one page."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from desk import queue
from desk.accounts import Role
from desk.bounds import SECONDS, bounded
from desk.entry import CASEWORKERS, Entry, Person
from desk.errors import DeskError
from desk.figures import RATES, SHOWN, STEPS, Report, Table, Wanted, make_report, percent, rates_of
from desk.pages import Pages
from desk.periods import PRESETS, PeriodError, preset, read_period
from desk.services import Services
from desk.texts import say
from petitions.clocks import SHANGHAI
from petitions.export import label
from petitions.rates import Share, named
from petitions.yearly import yearly_report

REPORTERS = (Role.SUPERVISOR, Role.HANDLER, Role.ADMIN)
REPORTS = Entry(REPORTERS, menu="reports")
REPORT = Entry(REPORTERS)
# Lists of tickets are for those who open tickets.
BEHIND = Entry((Role.SUPERVISOR, Role.HANDLER))
# The assistant works for the whole subdistrict, whatever unit somebody looks at.
SEES_ASSISTANT = (Role.SUPERVISOR, Role.ADMIN)
FRESH = timedelta(minutes=1)
KEPT_REPORTS = 64
BEHIND_SHOWN = 200

Reader = Annotated[Person, Depends(REPORT)]


class Reports:
    """Makes reports, one at a time, and keeps each for a minute for the person who asked."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._counting = threading.Lock()
        self._kept: dict[tuple[object, ...], Report] = {}

    def wanted(self, request: Request, person: Person) -> Wanted:
        """What an address asks for; units that the person does not see are left out.

        Raises:
            PeriodError: its days make no period.
        """
        query, actor = request.query_params, person.member.actor
        unit, step = query.get("unit", ""), query.get("step", "")
        return Wanted(
            actor,
            read_period(query, self._services.clock().astimezone(SHANGHAI).date()),
            unit if unit in queue.units_of(actor) else "",
            query.get("topic", ""),
            next((one for one in STEPS if one == step), None),
        )

    def report(self, wanted: Wanted, person: Person) -> Report:
        """The report, made anew when the one that is kept is older than a minute.

        Raises:
            DeskError: `report_busy`, others are counted for; `report_too_large`, it took too long.
        """
        role = Role(person.member.role)
        key = (role, wanted)
        if found := self._fresh(key):
            return found
        # Counting keeps a processor busy: what else the desk does must not wait behind several of them.
        if not self._counting.acquire(timeout=SECONDS):
            raise DeskError("report_busy", retry_after_seconds=5)
        try:
            return self._fresh(key) or self._make(key, wanted, role)
        finally:
            self._counting.release()

    def _make(self, key: tuple[object, ...], wanted: Wanted, role: Role) -> Report:
        services = self._services
        with services.sessions() as session, bounded(session):
            made = make_report(
                session,
                wanted,
                now=services.clock(),
                share=services.assistant_share if role in SEES_ASSISTANT else None,
                has_lists=role in CASEWORKERS,
            )
        self._kept = dict(list(self._kept.items())[1 - KEPT_REPORTS :]) | {key: made}
        return made

    def _fresh(self, key: tuple[object, ...]) -> Report | None:
        found = self._kept.get(key)
        return found if found and self._services.clock() - found.made_at < FRESH else None


def reports_router(services: Services, pages: Pages, reports: Reports) -> APIRouter:
    """The pages of figures."""
    router = APIRouter(prefix="/reports")

    @router.get("")
    def get_reports(request: Request, person: Annotated[Person, Depends(REPORTS)]) -> Response:
        """A report of any period."""
        problem, today = "", services.clock().astimezone(SHANGHAI).date()
        try:
            wanted = reports.wanted(request, person)
        except PeriodError as error:
            problem = say(f"reports.problems.{error.code}")
            wanted = Wanted(person.member.actor, preset("", today))
        report = reports.report(wanted, person)
        context = {
            "report": report,
            "wanted": wanted,
            "presets": PRESETS,
            "units": queue.units_of(person.member.actor),
            "shown": SHOWN,
            "year": today.year,
            "may_list": person.member.role in CASEWORKERS,
            "problem_sentence": problem,
        }
        return pages.response(request, "reports.html", context, status=422 if problem else 200)

    @router.get("/behind/{rate}")
    def get_behind(request: Request, rate: str, person: Annotated[Person, Depends(BEHIND)]) -> Response:
        """The tickets that count against a rate, and those that count for it."""
        if rate not in RATES:
            raise DeskError("not_found")
        wanted = _known(reports, request, person)
        with services.sessions() as session, bounded(session):
            found = rates_of(session, wanted, wanted.period)
            share: Share = getattr(found, rate) if found else Share(0, 0)
            groups = [
                (name, len(ids), named(session, wanted.actor, ids, limit=BEHIND_SHOWN))
                for name, ids in (("missed", share.missed), ("kept", share.kept))
            ]
        context = {"rate": rate, "text": percent(share), "groups": groups, "wanted": wanted, "most": BEHIND_SHOWN}
        return pages.response(request, "behind.html", context)

    @router.get("/year/{year}")
    def get_year(request: Request, year: int, person: Reader) -> Response:
        """The report of a year, as one page to print."""
        now = services.clock()
        if not 1950 <= year <= now.astimezone(SHANGHAI).year:
            raise DeskError("not_found")
        with services.sessions() as session, bounded(session):
            found = yearly_report(session, year, person.member.actor, now=now)
        rates = [(name, percent(getattr(found.rates, name) if found.rates else None)) for name in RATES]
        context = {
            "yearly": found,
            "rates": rates,
            "unit": person.member.unit or "",
            "label": label,
            "now": now,
            "is_over": now.astimezone(SHANGHAI).year > year,
        }
        return pages.response(request, "year.html", context)

    return router


def table_of(reports: Reports, request: Request, person: Person, name: str) -> tuple[Table, Wanted]:
    """A table of a report, and what the report was about.

    Raises:
        DeskError: `not_found`, there is no such table, or the address names no period.
    """
    wanted = _known(reports, request, person)
    table = reports.report(wanted, person).table(name)
    if table is None:
        raise DeskError("not_found")
    return table, wanted


def _known(reports: Reports, request: Request, person: Person) -> Wanted:
    try:
        return reports.wanted(request, person)
    except PeriodError as error:
        raise DeskError("not_found") from error
