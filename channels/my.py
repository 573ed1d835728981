"""「我的诉求」 at `/my`: how far a resident's petitions have come, and receipts. No JavaScript, no Rasa."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from channels.chat import Chat
from channels.cookies import Conversations
from channels.render import Pages, due_words, moment_words
from channels.sanitise import strip_hidden
from channels.services import Services
from channels.texts import load_texts, say
from petitions import (
    PETITIONER,
    Petition,
    PetitionError,
    Progress,
    act,
    allowed_actions,
    find_ticket,
    list_own_tickets,
    parse_reference,
    progress_of,
    shown_code,
    state_label,
    ticket_of,
)
from petitions.lifecycle import own_lifecycle
from web.errors import WebError
from web.requests import address_of, field, read_form

SHOWN = 20
RATE = "follow_up"
MARKS = ("1", "2", "3", "4", "5")
NOTE_LIMIT = 500
FIELD_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Own:
    """A petition as its petitioner is shown it; with its code for who has typed it."""

    petition_id: int
    ticket: dict[str, Any]
    filed_at: datetime
    progress: Progress
    code: str = ""
    may_rate: bool = False


def receipt_rows(own: Own, printed_at: datetime) -> list[tuple[str, str]]:
    """What a receipt says: nothing of who filed it or what they wrote."""
    texts, ticket = load_texts()["ticket"], own.ticket
    rows = [
        (texts["number"], ticket["number"]),
        (texts["code"], own.code),
        (say("my.filed_at"), moment_words(own.filed_at)),
        (texts["state"], state_label(ticket["state"])),
        (texts["category"], texts["category_joiner"].join(filter(None, ticket["category"]))),
        (texts["unit"], ticket["unit"]),
        (texts["office"], ticket["office"] if ticket["office"] != ticket["unit"] else ""),
        (texts["community"], ticket["community"] or ""),
        *((texts["due"], due_words(due)) for due in ticket["due"]),
        (say("my.printed_at"), moment_words(printed_at)),
    ]
    return [(label, value) for label, value in rows if value]


def marks_of(form: FormData) -> dict[str, Any]:
    """What a form says of the resident's satisfaction; empty when something is missing."""
    solved = field(form, "is_solved")
    marks = {name: field(form, name) for name in own_lifecycle().follow_up.dimensions}
    if solved not in {"1", "0"} or not set(marks.values()) <= set(MARKS):
        return {}
    note = strip_hidden(field(form, "note").replace("\r\n", "\n")).strip()[:NOTE_LIMIT]
    given = {name: int(mark) for name, mark in marks.items()}
    return {"is_solved": solved == "1"} | given | ({"note": note} if note else {})


class OwnPetitions:
    """Finds what a resident may see."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def filed_in(self, conversation: str | None) -> list[Own]:
        """The petitions of this conversation, newest first."""
        if conversation is None:
            return []
        with self._services.sessions() as session:
            return [self._own(session, petition) for petition in self._list(session, conversation)]

    def by_code(self, number: str, code: str) -> Own | None:
        """The petition of that number, for who knows its code; None for a wrong code as for an unknown number."""
        # People type both with spaces, dashes and small letters.
        number, code = parse_reference(number).number or number, parse_reference(code).code or code
        with self._services.sessions() as session:
            try:
                petition = find_ticket(session, number, code, secret=self._services.secret)
            except PetitionError:
                return None
            return self._own(session, petition, shown_code(code.replace("-", "")))

    def of(self, number: str, code: str, conversation: str | None) -> Own | None:
        """The petition of that number, for who knows its code or, without one, filed it in this conversation."""
        return self.by_code(number, code) if code else self.by_session(number, conversation)

    def by_session(self, number: str, conversation: str | None) -> Own | None:
        """The petition of that number, if it was filed in this conversation."""
        return next((own for own in self.filed_in(conversation) if own.ticket["number"] == number), None)

    def rate(self, own: Own, given: Mapping[str, Any]) -> str:
        """Take the step that tells how satisfied the resident is with a petition that is theirs.

        Returns:
            The code of what stands against it; empty when nothing does.
        """
        with self._services.sessions() as session:
            try:
                act(session, own.petition_id, RATE, PETITIONER, given, now=self._services.clock())
            except PetitionError as error:
                return error.code
            session.commit()
        return ""

    def _list(self, session: Session, conversation: str) -> list[Petition]:
        return list(list_own_tickets(session, conversation, limit=SHOWN))

    def _own(self, session: Session, petition: Petition, code: str = "") -> Own:
        progress = progress_of(session, petition, self._services.keyring)
        may_rate = RATE in allowed_actions(petition, PETITIONER)
        return Own(petition.id, ticket_of(petition), petition.filed_at, progress, code, may_rate)


def my_router(services: Services, chat: Chat, pages: Pages, conversations: Conversations) -> APIRouter:
    """The page and its receipts."""
    router = APIRouter()
    petitions = OwnPetitions(services)
    limit = services.limit("lookup", services.settings.lookups_per_minute)

    def limit_pace(request: Request, number: str) -> None:
        # Codes are guessed from one address, or one number at a time from many.
        waits = (limit.take(address_of(request)), chat.session_limit.take(f"status {number}"))
        wait_seconds = max((wait for wait in waits if wait is not None), default=None)
        if wait_seconds is not None:
            raise WebError("too_fast", retry_after_seconds=wait_seconds)

    async def read(request: Request) -> tuple[str, str, str]:
        form = await read_form(request)
        number, code, wanted = (strip_hidden(field(form, name))[:FIELD_LIMIT] for name in ("number", "code", "as"))
        return number, code, wanted

    async def show(
        request: Request,
        *,
        number: str = "",
        found: Own | None = None,
        problem: str = "",
        told: str = "",
        refused: str = "",
    ) -> Response:
        mine = await run_in_threadpool(petitions.filed_in, conversations.of(request))
        context = {
            "number": number,
            "found": found,
            "problem": problem,
            "told": told,
            "refused": refused,
            "marks": MARKS,
            "mine": [own for own in mine if found is None or own.ticket["number"] != found.ticket["number"]],
        }
        return pages.response(request, "my.html", context, status=404 if problem else 422 if refused else 200)

    @router.get("/my")
    async def get_my(request: Request) -> Response:
        """The petitions of this session, and the question for number and code."""
        return await show(request)

    @router.get("/petition/status")
    async def get_status() -> Response:
        """The address that was given out before."""
        return RedirectResponse("/my", 301)

    @router.post("/my")
    async def post_my(request: Request) -> Response:
        """The progress of a petition, to whoever holds its number and code."""
        number, code, _ = await read(request)
        limit_pace(request, number)
        found = await run_in_threadpool(petitions.by_code, number, code)
        return await show(request, number=number, found=found, problem="" if found else say("my.not_found"))

    async def asked(request: Request, number: str, code: str) -> Own | None:
        """The petition that is asked for, at the pace of somebody who may be guessing its code."""
        if code:
            limit_pace(request, number)
        return await run_in_threadpool(petitions.of, number, code, conversations.of(request))

    @router.post("/my/rate")
    async def post_rate(request: Request) -> Response:
        """How satisfied the resident is, once for each reply."""
        number, code, _ = await read(request)
        own = await asked(request, number, code)
        if own is None:
            return await show(request, number=number, problem=say("my.not_found"))
        given = marks_of(await read_form(request))
        problem = await run_in_threadpool(petitions.rate, own, given) if given else "wrong_fields"
        own = await run_in_threadpool(petitions.of, number, code, conversations.of(request))
        if problem:
            sentence = say("my.rate_missing") if problem == "wrong_fields" else say("my.rate_closed")
            return await show(request, found=own, refused=sentence)
        return await show(request, found=own, told=say("my.rate_thanks"))

    @router.post("/my/receipt")
    async def post_receipt(request: Request) -> Response:
        """A receipt as a page to print or a file to keep, with number and code or of this session."""
        number, code, wanted = await read(request)
        own = await asked(request, number, code)
        if own is None:
            return await show(request, number=number, problem=say("my.not_found"))
        rows = receipt_rows(own, services.clock())
        if wanted != "file":
            return pages.response(request, "receipt.html", {"rows": rows, "own": own})
        title = say("my.receipt_title", name=services.jurisdiction.name)
        text = "\n".join([title, *(say("my.receipt_row", label=label, value=value) for label, value in rows), ""])
        name = f"{own.ticket['number']}.txt"
        return PlainTextResponse(text, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    return router
