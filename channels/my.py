"""「我的诉求」 at `/my`: how far a resident's petitions have come, and receipts. No JavaScript, no Rasa."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from channels.chat import Chat
from channels.cookies import Conversations
from channels.render import Pages, due_words, moment_words
from channels.sanitise import strip_hidden
from channels.services import Services
from channels.texts import load_texts, say
from petitions import (
    Petition,
    PetitionError,
    Progress,
    find_ticket,
    list_own_tickets,
    parse_reference,
    progress_of,
    shown_code,
    state_label,
    ticket_of,
)
from web.errors import WebError
from web.limits import RateLimit
from web.requests import address_of, field, read_form

SHOWN = 20
FIELD_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Own:
    """A petition as its petitioner is shown it; with its code for who has typed it."""

    ticket: dict[str, Any]
    filed_at: datetime
    progress: Progress
    code: str = ""


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
                petition = find_ticket(session, number, code, secret=self._services.secret, now=self._services.clock())
            except PetitionError:
                return None
            return self._own(session, petition, shown_code(code.replace("-", "")))

    def by_session(self, number: str, conversation: str | None) -> Own | None:
        """The petition of that number, if it was filed in this conversation."""
        return next((own for own in self.filed_in(conversation) if own.ticket["number"] == number), None)

    def _list(self, session: Session, conversation: str) -> list[Petition]:
        return list(list_own_tickets(session, conversation, limit=SHOWN))

    def _own(self, session: Session, petition: Petition, code: str = "") -> Own:
        progress = progress_of(session, petition, self._services.keyring)
        return Own(ticket_of(petition), petition.filed_at, progress, code)


def my_router(services: Services, chat: Chat, pages: Pages, conversations: Conversations) -> APIRouter:
    """The page and its receipts."""
    router = APIRouter()
    petitions = OwnPetitions(services)
    limit = RateLimit(services.settings.lookups_per_minute)

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

    async def show(request: Request, *, number: str = "", found: Own | None = None, problem: str = "") -> Response:
        mine = await run_in_threadpool(petitions.filed_in, conversations.of(request))
        context = {
            "number": number,
            "found": found,
            "problem": problem,
            "mine": [own for own in mine if found is None or own.ticket["number"] != found.ticket["number"]],
        }
        return pages.response(request, "my.html", context, status=404 if problem else 200)

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

    @router.post("/my/receipt")
    async def post_receipt(request: Request) -> Response:
        """A receipt as a page to print or a file to keep, with number and code or of this session."""
        number, code, wanted = await read(request)
        if code:
            limit_pace(request, number)
            own = await run_in_threadpool(petitions.by_code, number, code)
        else:
            own = await run_in_threadpool(petitions.by_session, number, conversations.of(request))
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
