"""The lists of the review console: the queue with its filters, what somebody keeps of them, steps with many tickets."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData, QueryParams

from desk import bulk, queue, views
from desk.accounts import PERSONS
from desk.clock_words import next_clock
from desk.entry import CASEWORKERS, Entry, Person
from desk.errors import DeskError
from desk.pages import Pages
from desk.services import Services
from desk.texts import TEXTS, say
from petitions import own_rules
from petitions.cases import is_claimed
from petitions.listing import COUNTED_LIMIT
from petitions.triage import class_names, taxonomy
from storage import begin_writing
from web.requests import field, read_form

QUEUE = Entry(CASEWORKERS, menu="tickets")
LISTS = Entry(CASEWORKERS)

Reader = Annotated[Person, Depends(LISTS)]
Form = Annotated[FormData, Depends(read_form)]


def queue_router(services: Services, pages: Pages) -> APIRouter:
    """The first page, the queue, and what is done with a whole list."""
    router = APIRouter()

    @router.get("/", dependencies=[Depends(Entry(PERSONS))])
    def get_start(request: Request) -> Response:
        """The first page that this person has."""
        menu = pages.menu(request)
        return RedirectResponse(menu[0].path if menu else "/account", 303)

    @router.get("/tickets")
    def get_queue(request: Request, person: Annotated[Person, Depends(QUEUE)]) -> Response:
        """The queue; without any filter the list that somebody chose to see first."""
        with services.sessions() as session:
            mine = views.views_of(session, person.member)
        first = next((view for view in mine if view.is_default), None)
        if first and not request.url.query:
            return RedirectResponse(f"/tickets?{first.query}", 303)
        return _show_queue(services, pages, request, person, mine)

    @router.post("/views")
    def post_view(request: Request, person: Reader, form: Form) -> Response:
        """Keep a list, drop it, or choose it as the first."""
        step, name = field(form, "step"), field(form, "name")
        filters = queue.Filters.read(parse_qs(field(form, "query")[: views.QUERY_LIMIT_CHARACTERS]))
        try:
            with services.sessions() as session:
                begin_writing(session)
                match step:
                    case "save":
                        views.save_view(session, person.member, name, filters.query or "state=")
                    case "drop":
                        views.drop_view(session, person.member, name)
                    case "default":
                        views.choose_default(session, person.member, name)
                    case _:
                        raise DeskError("malformed")
                session.commit()
        except DeskError as error:
            with services.sessions() as session:
                mine = views.views_of(session, person.member)
            return _show_queue(services, pages, request, person, mine, filters=filters, error=error)
        return RedirectResponse(filters.address(), 303)

    @router.post("/bulk")
    def post_bulk(request: Request, person: Reader, form: Form) -> Response:
        """One step with all tickets that were chosen."""
        step, key = field(form, "step"), field(form, "key")[:60]
        chosen = _chosen(form)
        if step not in bulk.STEPS:
            raise DeskError("malformed")
        if len(chosen) > bulk.MOST:
            raise DeskError("refused", sentence=say("lists.too_many", most=bulk.MOST))
        note = field(form, "note").strip()
        results = bulk.act_on_all(services, person.member.actor, step, chosen, note=note, key=key)
        back = queue.Filters.read(parse_qs(field(form, "query")[: views.QUERY_LIMIT_CHARACTERS]))
        done = sum(not result.problem for result in results)
        lead = say("lists.bulk_lead", step=own_rules().lifecycle.labels[step], done=done, refused=len(results) - done)
        return pages.response(request, "bulk.html", {"results": results, "lead": lead, "back": back.address()})

    return router


def _show_queue(
    services: Services,
    pages: Pages,
    request: Request,
    person: Person,
    mine: Sequence[views.SavedView],
    *,
    filters: queue.Filters | None = None,
    error: DeskError | None = None,
) -> Response:
    filters = filters or queue.Filters.read(_query(request.query_params))
    now, actor, lifecycle = services.clock(), person.member.actor, own_rules().lifecycle
    with services.sessions() as session:
        page = queue.ticket_page(session, actor, filters, now=now)
        rows = [
            (one, next_clock(one, now=now), one.claimed_by if is_claimed(one, now) else None) for one in page.tickets
        ]
        context = {
            "rows": rows,
            "filters": filters,
            "wanted": filters.wanted,
            "page": page,
            "views": mine,
            "error": error,
            "states": lifecycle.states,
            "groups": TEXTS.all["groups"],
            "units": queue.units_of(actor),
            "topics": list(taxonomy()),
            "communities": queue.communities_of(actor),
            "classes": class_names(),
            "counted": COUNTED_LIMIT,
            "group_count": lambda name: page.shown(lifecycle.groups[name]),
            "steps": [(step, lifecycle.labels[step]) for step in bulk.STEPS],
            "key": secrets.token_urlsafe(16),
        }
        return pages.response(request, "queue.html", context, status=error.status if error else 200)


def _query(params: QueryParams) -> dict[str, list[str]]:
    return {name: params.getlist(name) for name in params}


def _chosen(form: FormData) -> list[tuple[str, int]]:
    """Number and version of each ticket that was chosen; a version that is none fits no ticket."""
    pairs = (value.partition(":") for value in form.getlist("ticket") if isinstance(value, str))
    return [
        (number[:20], int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else -1)
        for number, _, version in pairs
    ]
