"""One ticket with all that is known of it, and the steps that its reader may take."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from desk import presence, queue
from desk import replies as drafts
from desk.accounts import digest_of
from desk.clock_words import next_clock, words_of
from desk.entry import CASEWORKERS, Entry, Person
from desk.pages import Pages
from desk.services import Services
from desk.steps import known_fields, read_fields, step_forms
from desk.texts import TEXTS, say
from language.personal import mask_personal
from petitions import Actor, Petition, PetitionError, act, own_rules
from petitions.cases import is_claimed
from petitions.photos import photos_of
from petitions.privacy import masked, own_privacy, unmask
from petitions.replies import ReplyCheck, check_reply
from petitions.splitting import split_matters
from web.requests import field, read_form

TICKET = Entry(CASEWORKERS)
# The longest answer as UTF-8 in the escapes of a form.
FORM_LIMIT_BYTES = 400_000
KEY_LIMIT_CHARACTERS = 70

CLAIM_STEPS = frozenset({"claim", "release"})

Reader = Annotated[Person, Depends(TICKET)]


async def read_step_form(request: Request) -> FormData:
    """A form that may hold a long answer."""
    return await read_form(request, FORM_LIMIT_BYTES)


StepFormData = Annotated[FormData, Depends(read_step_form)]


def tickets_router(services: Services, pages: Pages) -> APIRouter:
    """The page of a ticket and its forms."""
    router = APIRouter(prefix="/tickets/{number}")
    view = TicketView(services, pages)

    @router.get("")
    def get_ticket(request: Request, number: str, person: Reader, draft: str = "") -> Response:
        """One ticket; `draft` names what its reply begins with."""
        return view.show(request, person, number, draft_name=draft)

    @router.get("/similar")
    def get_similar(request: Request, number: str, person: Reader) -> Response:
        """Tickets that tell of something alike; by itself a page, in the ticket's page a part of it."""
        with services.sessions() as session:
            ticket = queue.ticket(session, number, person.member.actor)
            matter = ticket.matter
        # Sentence vectors take their time: the page does not wait for them.
        found = [entry for entry in services.similar(matter, person.member.actor) if entry["number"] != number]
        return pages.response(request, "similar.html", {"number": number, "similar": found})

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
        """Take a step; a reply that leaves something open is shown once more before it goes."""
        typed = known_fields(form)
        version, seen = number_of(field(form, "version")), number_of(field(form, "seen"))
        if action == "reply" and (check := _check(services, person, number, form)):
            return view.show(request, person, number, action=action, typed=typed, seen=seen, check=check)
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
                    key=field(form, "key")[:KEY_LIMIT_CHARACTERS] or None,
                )
                session.commit()
        except PetitionError as error:
            if error.code == "no_such_number":
                raise
            return view.show(request, person, number, problem=error, action=action, typed=typed, seen=seen)
        return RedirectResponse(f"/tickets/{number}", 303)

    return router


def _check(services: Services, person: Person, number: str, form: FormData) -> ReplyCheck | None:
    """What the draft leaves open; None when nothing does, or when this very draft was shown with it already."""
    answer = field(form, "answer")
    wants_check = bool(field(form, "check"))
    if not answer.strip() or (not wants_check and field(form, "checked") == digest_of(answer)):
        return None
    with services.sessions() as session:
        ticket = queue.ticket(session, number, person.member.actor)
    found = check_reply(ticket, answer, services.encoder)
    return found if wants_check or not found.is_clear else None


def number_of(text: str) -> int:
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
        check: ReplyCheck | None = None,
        draft_name: str = "",
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
            check: What the typed reply leaves open.
            draft_name: The draft that the reply begins with.

        Raises:
            PetitionError: there is no such ticket for this reader.
        """
        services, now, actor = self._services, self._services.clock(), person.member.actor
        with services.sessions() as session:
            ticket = queue.ticket(session, number, actor)
            lookers = presence.look_at(session, ticket.id, person.member, now=now)
            session.commit()
            ticket = queue.ticket(session, number, actor)
            offices = [office.name for office in services.jurisdiction.offices]
            events = list(ticket.events)
            parts = split_matters(ticket.matter)
            given = {"split": {"part": parts[-1] if len(parts) > 1 else ""}, action: typed or {}}
            if draft_name:
                action, given["reply"] = "reply", {"answer": drafts.draft(ticket, draft_name)}
            forms = step_forms(ticket, actor, offices, given)
            is_stale = problem is not None and problem.code == "changed_meanwhile"
            context = {
                "ticket": ticket,
                "lookers": lookers,
                "worker": ticket.claimed_by if is_claimed(ticket, now) else None,
                "person_data": masked(services.keyring, ticket.petitioner),
                "whole": whole or {},
                "photos": photos_of(session, number, actor),
                "said": self._said(session, ticket, person),
                "clocks": words_of(ticket, now=now),
                "next_clock": next_clock(ticket, now=now),
                "history": [_told(event) for event in reversed(events)],
                # Taking a ticket and giving it back are buttons beside its number.
                "forms": [form for form in forms if form.action not in CLAIM_STEPS],
                "claim": _claim_step(ticket, actor, {form.action for form in forms}, now),
                "may_unmask": actor.role in own_privacy().may["unmask"],
                "key": secrets.token_urlsafe(16),
                "parts": parts if len(parts) > 1 else [],
                "drafts": drafts.drafts_for(ticket),
                "draft_name": draft_name,
                "check": check,
                "checked": digest_of((typed or {}).get("answer", "")) if check else "",
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


def _claim_step(ticket: Petition, actor: Actor, allowed: Collection[str], now: datetime) -> str:
    """Whether this reader may take the ticket or give it back; empty when neither."""
    is_free = not is_claimed(ticket, now)
    if not is_free and (ticket.claimed_by == actor.name or "claim" not in allowed):
        return "release" if "release" in allowed else ""
    is_bound = not is_free and actor.role in own_rules().lifecycle.claim.binds
    return "claim" if "claim" in allowed and not is_bound else ""


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
        "state": lifecycle.states[event.state_to].staff if event.state_from != event.state_to else "",
        "words": [(TEXTS.all["fields"].get(name, name), text) for name, text in words.items()],
        "given": [
            (TEXTS.all["fields"][name], _shown(value), lifecycle.fields[name].type == "ticket")
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
        "before_state": lifecycle.states[before.state_to].staff if before else "",
        "before_unit": before.unit if before else "",
        "since": [_told(event) for event in events[max(seen, 0) :]],
        "typed": [(TEXTS.all["fields"][name], text) for name, text in typed.items() if text.strip()],
    }
