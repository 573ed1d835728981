"""What makes one ticket of two, and two of one."""

from __future__ import annotations

import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from desk import queue
from desk.pages import Pages
from desk.services import Services
from desk.texts import say
from desk.tickets import KEY_LIMIT_CHARACTERS, Reader, StepFormData, TicketView, number_of
from petitions import Petition, PetitionError, allowed_actions, split_petition
from petitions.similar import TITLE_CHARACTERS
from web.requests import field

MERGE_CHOICES = 20


def relations_router(services: Services, pages: Pages) -> APIRouter:
    """Choosing what a ticket is merged into, and splitting one."""
    router = APIRouter(prefix="/tickets/{number}")
    view = TicketView(services, pages)

    @router.get("/merge")
    def get_merge(request: Request, number: str, person: Reader, q: str = "") -> Response:
        """Tickets that this one may be merged into: those alike, and what somebody searches for."""
        actor = person.member.actor
        with services.sessions() as session:
            ticket = queue.ticket(session, number, actor)
            found = queue.find_tickets(session, actor, q, now=services.clock(), limit=MERGE_CHOICES)
            lists = [
                (say("handling.merge_found"), [_choice(one) for one in found if one.number != number]),
                (say("handling.merge_similar"), []),
            ]
            context = {
                "ticket": ticket,
                "lists": lists,
                "search": q,
                "may_merge": "merge" in allowed_actions(ticket, actor),
                "key": secrets.token_urlsafe(16),
            }
        lists[1][1].extend(one for one in services.similar(ticket.matter, actor) if one["number"] != number)
        return pages.response(request, "merge.html", context)

    @router.post("/split")
    def post_split(request: Request, number: str, person: Reader, form: StepFormData) -> Response:
        """File a part of a ticket as one of its own; its query code is shown once."""
        part, consent = field(form, "part"), field(form, "consent")
        try:
            with services.sessions() as session:
                ticket_id = queue.ticket(session, number, person.member.actor).id
                session.rollback()
                filed = split_petition(
                    session,
                    ticket_id,
                    person.member.actor,
                    part=part,
                    consent=consent,
                    triage=services.triage,
                    secret=services.secret,
                    keyring=services.keyring,
                    now=services.clock(),
                    key=field(form, "key")[:KEY_LIMIT_CHARACTERS],
                    expected_version=number_of(field(form, "version")),
                )
                session.commit()
        except PetitionError as error:
            if error.code == "no_such_number":
                raise
            seen, typed = number_of(field(form, "seen")), {"part": part, "consent": consent}
            return view.show(request, person, number, problem=error, action="split", typed=typed, seen=seen)
        return pages.response(request, "split.html", {"number": number, "filed": filed})

    return router


def _choice(ticket: Petition) -> dict[str, Any]:
    return {"number": ticket.number, "title": ticket.matter[:TITLE_CHARACTERS], "state": ticket.state}
