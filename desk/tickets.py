"""The review console: the queue, one ticket with all that is known of it, and the steps that its reader may take."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from desk import presence, queue
from desk.accounts import PERSONS
from desk.clock_words import next_clock, words_of
from desk.entry import CASEWORKERS, Entry, Person
from desk.pages import Pages
from desk.services import Services
from desk.steps import known_fields, read_fields, step_forms
from desk.texts import TEXTS, say
from language.personal import mask_personal
from petitions import Petition, PetitionError, act, own_rules
from petitions.cases import lock_petitions
from petitions.privacy import masked, own_privacy, unmask
from storage import begin_writing
from web.requests import field, read_form

QUEUE = Entry(CASEWORKERS, menu="tickets")
TICKET = Entry(CASEWORKERS)
# The longest answer as UTF-8 in the escapes of a form.
FORM_LIMIT_BYTES = 400_000

Reader = Annotated[Person, Depends(TICKET)]


async def read_step_form(request: Request) -> FormData:
    """A form that may hold a long answer."""
    return await read_form(request, FORM_LIMIT_BYTES)


StepFormData = Annotated[FormData, Depends(read_step_form)]


def queue_router(services: Services, pages: Pages) -> APIRouter:
    """The first page, and the queue."""
    router = APIRouter()

    @router.get("/", dependencies=[Depends(Entry(PERSONS))])
    def get_start(request: Request) -> Response:
        """The first page that this person has."""
        menu = pages.menu(request)
        return RedirectResponse(menu[0].path if menu else "/account", 303)

    @router.get("/tickets")
    def get_queue(request: Request, person: Annotated[Person, Depends(QUEUE)]) -> Response:
        """The queue."""
        filters, now, actor = queue.Filters.read(request.query_params), services.clock(), person.member.actor
        with services.sessions() as session:
            page = queue.ticket_page(session, actor, filters)
            working = presence.workers(session, [ticket.id for ticket in page.tickets], now=now)
            rows = [(ticket, next_clock(ticket, now=now), working.get(ticket.id)) for ticket in page.tickets]
            return pages.response(
                request,
                "queue.html",
                {
                    "rows": rows,
                    "filters": filters,
                    "page": page,
                    "states": own_rules().lifecycle.states,
                    "groups": TEXTS.all["groups"],
                    "units": queue.units_of(actor),
                    "group_count": lambda name: sum(
                        page.counts.get(state, 0) for state in own_rules().lifecycle.groups[name]
                    ),
                },
            )

    return router


def tickets_router(services: Services, pages: Pages) -> APIRouter:
    """The page of a ticket and its forms."""
    router = APIRouter(prefix="/tickets/{number}")
    view = TicketView(services, pages)

    @router.get("")
    def get_ticket(request: Request, number: str, person: Reader) -> Response:
        """One ticket."""
        return view.show(request, person, number)

    @router.get("/similar")
    def get_similar(request: Request, number: str, person: Reader) -> Response:
        """Tickets that tell of something alike; by itself a page, in the ticket's page a part of it."""
        with services.sessions() as session:
            ticket = queue.ticket(session, number, person.member.actor)
            matter = ticket.matter
        # Sentence vectors take their time: the page does not wait for them.
        found = [entry for entry in services.similar(matter, person.member.actor) if entry["number"] != number]
        return pages.response(request, "similar.html", {"number": number, "similar": found})

    @router.post("/claim")
    def post_claim(number: str, person: Reader, form: StepFormData) -> Response:
        """Say that one works on a ticket, or no longer does."""
        with services.sessions() as session:
            ticket_id = queue.ticket(session, number, person.member.actor).id
            session.rollback()
            now = services.clock()
            begin_and_lock(session, ticket_id)
            if field(form, "release"):
                presence.release(session, ticket_id, person.member, now=now)
            else:
                presence.claim(session, ticket_id, person.member, now=now)
            session.commit()
        return RedirectResponse(f"/tickets/{number}", 303)

    @router.post("/unmask")
    def post_unmask(request: Request, number: str, person: Reader, form: StepFormData) -> Response:
        """Show personal data in whole; who saw them and why becomes an event."""
        kinds = [*own_privacy().kinds, *own_privacy().texts]
        reason = field(form, "reason")
        try:
            with services.sessions() as session:
                ticket_id = queue.ticket(session, number, person.member.actor).id
                session.rollback()
                values = unmask(
                    session,
                    services.keyring,
                    ticket_id,
                    kinds,
                    reason=reason,
                    actor=person.member.actor,
                    now=services.clock(),
                )
                session.commit()
        except PetitionError as error:
            if error.code == "no_such_number":
                raise
            return view.show(request, person, number, problem=error, reason=reason)
        return view.show(request, person, number, whole=values)

    @router.post("/act/{action}")
    def post_step(request: Request, number: str, action: str, person: Reader, form: StepFormData) -> Response:
        """Take a step."""
        typed = known_fields(form)
        version, seen = _number(field(form, "version")), _number(field(form, "seen"))
        try:
            with services.sessions() as session:
                ticket_id = queue.ticket(session, number, person.member.actor).id
                session.rollback()
                act(
                    session,
                    ticket_id,
                    action,
                    person.member.actor,
                    read_fields(typed),
                    now=services.clock(),
                    expected_version=version,
                    key=field(form, "key")[:100] or None,
                )
                session.commit()
        except PetitionError as error:
            if error.code == "no_such_number":
                raise
            return view.show(request, person, number, problem=error, action=action, typed=typed, seen=seen)
        return RedirectResponse(f"/tickets/{number}", 303)

    return router


def begin_and_lock(session: Session, ticket_id: int) -> None:
    """Begin a transaction that writes, alone with the ticket."""
    begin_writing(session)
    lock_petitions(session, {ticket_id})


def _number(text: str) -> int:
    """A number that a form carries along; -1, which no ticket has, when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


class TicketView:
    """Makes the page of a ticket, as it is or after something that could not be done."""

    def __init__(self, services: Services, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    def show(
        self,
        request: Request,
        person: Person,
        number: str,
        *,
        problem: PetitionError | None = None,
        action: str = "",
        typed: Mapping[str, str] | None = None,
        seen: int = -1,
        reason: str = "",
        whole: Mapping[str, str] | None = None,
    ) -> Response:
        """The page.

        Args:
            request: Of the reader.
            person: The reader.
            number: Of the ticket.
            problem: What could not be done.
            action: The step that could not be taken.
            typed: What was typed for it; it is kept.
            seen: How many events the reader had seen when they typed it.
            reason: What was typed as the reason to see personal data; it is kept.
            whole: Personal data that may be shown in whole, this once.

        Raises:
            PetitionError: there is no such ticket for this reader.
        """
        services, now, actor = self._services, self._services.clock(), person.member.actor
        with services.sessions() as session:
            ticket = queue.ticket(session, number, actor)
            around = presence.look_at(session, ticket.id, person.member, now=now)
            session.commit()
            ticket = queue.ticket(session, number, actor)
            offices = [office.name for office in services.jurisdiction.offices]
            events = list(ticket.events)
            is_stale = problem is not None and problem.code == "changed_meanwhile"
            context = {
                "ticket": ticket,
                "around": around,
                "person_data": masked(services.keyring, ticket.petitioner),
                "whole": whole or {},
                "said": self._said(session, ticket, person),
                "clocks": words_of(ticket, now=now),
                "next_clock": next_clock(ticket, now=now),
                "history": [_told(event) for event in reversed(events)],
                "forms": step_forms(ticket, actor, offices, {action: typed or {}}),
                "may_unmask": actor.role in own_privacy().may["unmask"],
                "key": secrets.token_urlsafe(16),
                "action": action,
                "problem_sentence": _sentence(problem) if problem else "",
                "offices": offices,
                "reason": reason,
                "stale": _stale(ticket, seen, typed or {}, action) if is_stale else None,
            }
            status = problem.status if problem else 200
            return self._pages.response(request, "ticket.html", context, status=status)

    def _said(self, session: Session, ticket: Petition, person: Person) -> list[tuple[str, str]] | None:
        """The conversation, masked; None when the reader may not have it."""
        if not ticket.conversation:
            return []
        if not queue.may_read_conversation(session, ticket, person.member.actor):
            return None
        return [(kind, mask_personal(text)) for kind, text in self._services.said_in(ticket.conversation)]


def _told(event: Any) -> dict[str, Any]:  # noqa: ANN401
    """An event as a person reads it."""
    lifecycle = own_rules().lifecycle
    words = event.private.payload if event.private else {}
    return {
        "at": event.at,
        "label": lifecycle.labels.get(event.action, event.action),
        "who": say(f"actors.{event.role}") if event.role in TEXTS.all["actors"] else event.actor,
        "role": TEXTS.all["roles"].get(event.role, ""),
        "unit": event.actor_unit,
        "state": lifecycle.states[event.state_to].label if event.state_from != event.state_to else "",
        "words": [(TEXTS.all["fields"].get(name, name), text) for name, text in words.items()],
        "given": [
            (TEXTS.all["fields"][name], _shown(value))
            for name, value in event.data.get("fields", {}).items()
            if name in TEXTS.all["fields"]
        ],
        "is_erased": bool(event.private_hash) and event.private is None,
    }


def _shown(value: object) -> str:
    return say("page.yes" if value else "page.no") if isinstance(value, bool) else str(value)


def _sentence(problem: PetitionError) -> str:
    """What could not be done, in words: the names of fields are those of the form."""
    if problem.code != "wrong_fields":
        return problem.message
    names = problem.fields["fields"].split("、")
    return say("ticket.wrong_fields", fields="、".join(TEXTS.all["fields"].get(name, name) for name in names))


def _stale(ticket: Petition, seen: int, typed: Mapping[str, str], action: str) -> dict[str, Any]:
    """Both versions of a ticket that changed while somebody typed: as they saw it, and as it is now."""
    lifecycle = own_rules().lifecycle
    events = list(ticket.events)
    before = events[seen - 1] if 0 < seen <= len(events) else None
    return {
        "label": lifecycle.labels.get(action, action),
        "before_state": lifecycle.states[before.state_to].label if before else "",
        "before_unit": before.unit if before else "",
        "since": [_told(event) for event in events[max(seen, 0) :]],
        "typed": [(TEXTS.all["fields"][name], text) for name, text in typed.items() if text.strip()],
    }
