"""The petition form at `/petition` and the look-up at `/petition/status`: no JavaScript, no Rasa."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from channels import filing
from channels.chat import TEXT_LIMIT, Chat, danger_message
from channels.fallback import off_words
from channels.render import Pages
from channels.sanitise import strip_hidden
from channels.services import Services
from channels.texts import say
from channels.tokens import Tokens
from language.personal import dialled, is_phone
from storage.switches import FORM
from web.errors import WebError
from web.requests import address_of, field, read_form

FORM_HOURS = 24
MATTER_LEAST = 4
LIMITS = {"matter": TEXT_LIMIT, "place": 200, "occurred": 100, "name": 40, "phone": 30}


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in the form."""

    matter: str = ""
    place: str = ""
    occurred: str = ""
    name: str = ""
    phone: str = ""
    is_anonymous: bool = False

    @classmethod
    def read(cls, form: FormData) -> Entry:
        """The fields as typed, without hidden characters."""
        typed = {name: strip_hidden(field(form, name).replace("\r\n", "\n")) for name in LIMITS}
        return cls(**typed, is_anonymous=field(form, "is_anonymous") == "1")

    def problems(self) -> dict[str, str]:
        """What must be changed, by field."""
        problems = {
            name: say("form.errors.too_long", limit=limit)
            for name, limit in LIMITS.items()
            if len(getattr(self, name)) > limit
        }
        if len(self.matter) < MATTER_LEAST:
            problems["matter"] = say("form.errors.matter_short" if self.matter else "form.errors.matter_empty")
        if not self.place:
            problems["place"] = say("form.errors.place_empty")
        if not self.is_anonymous:
            if not self.name:
                problems["name"] = say("form.errors.name_empty")
            if not is_phone(self.phone):
                problems["phone"] = say("form.errors.phone_wrong")
        return problems

    def settled(self) -> Entry:
        """The entry as it is filed: an anonymous one names nobody."""
        if self.is_anonymous:
            return replace(self, name="", phone="")
        return replace(self, phone=dialled(self.phone))


def danger_in(services: Services, entry: Entry) -> dict[str, Any] | None:
    """The card for a danger that the entry reports."""
    danger = services.find_danger(entry.matter)
    return danger_message(danger) if danger else None


def form_router(services: Services, chat: Chat, pages: Pages) -> APIRouter:
    """The form's pages."""
    router = APIRouter()
    keys = Tokens(services.secret, "form", hours=FORM_HOURS)

    def limit_pace(request: Request) -> None:
        wait_seconds = chat.address_limit.take(address_of(request))
        if wait_seconds is not None:
            raise WebError("too_fast", retry_after_seconds=wait_seconds)

    def show_form(request: Request, entry: Entry, problems: dict[str, str]) -> Response:
        context = {"entry": entry, "problems": problems, "matter_limit": TEXT_LIMIT}
        return pages.response(request, "petition.html", context, status=422 if problems else 200)

    def route_and_danger(entry: Entry) -> tuple[dict[str, Any], dict[str, Any] | None]:
        return filing.route_of(services, asdict(entry.settled())), danger_in(services, entry)

    async def off_page(request: Request, entry: Entry) -> Response | None:
        off = await run_in_threadpool(services.switches.off, FORM)
        if off is None:
            return None
        context = {"off": off_words(off), "typed": entry.matter, "danger": danger_in(services, entry)}
        return pages.response(request, "off.html", context, status=503)

    @router.get("/petition")
    async def get_form(request: Request) -> Response:
        """An empty form."""
        return await off_page(request, Entry()) or show_form(request, Entry(), {})

    @router.post("/petition")
    async def post_form(request: Request) -> Response:
        """Check the form, show it for review, and file it once confirmed."""
        form = await read_form(request)
        limit_pace(request)
        entry = Entry.read(form)
        if shown := await off_page(request, entry):
            return shown
        step = field(form, "step")
        if step == "change":
            return show_form(request, entry, {})
        problems = entry.problems()
        if problems:
            return show_form(request, entry, problems)
        route, danger = await run_in_threadpool(route_and_danger, entry)
        if route["level"] == "none":
            body = route["unit"] or say("form.outside_body")
            outside = say("form.outside", name=services.jurisdiction.name, body=body)
            return show_form(request, entry, {"place": outside})
        signed_key = field(form, "form_key")
        form_key = keys.read(signed_key)
        if step == "file" and form_key is not None:
            filed = await run_in_threadpool(filing.file, services, asdict(entry.settled()), form_key)
            return pages.response(request, "filed.html", {"filed": filed})
        context = {
            "entry": entry.settled(),
            "fields": asdict(entry),
            "route": route,
            "danger": danger,
            "form_key": signed_key if form_key else keys.sign(keys.new()),
            "is_expired": step == "file",
        }
        return pages.response(request, "review.html", context)

    def show_status(
        request: Request, number: str, *, ticket: dict[str, Any] | None = None, problem: str = ""
    ) -> Response:
        context = {"number": number, "ticket": ticket, "problem": problem}
        return pages.response(request, "status.html", context, status=404 if problem else 200)

    @router.get("/petition/status")
    async def get_status(request: Request) -> Response:
        """Ask for number and code."""
        return show_status(request, "")

    @router.post("/petition/status")
    async def post_status(request: Request) -> Response:
        """The progress of a petition, to whoever holds its number and code."""
        form = await read_form(request)
        limit_pace(request)
        number, code = (strip_hidden(field(form, name))[:100] for name in ("number", "code"))
        # Codes are guessed one number at a time, from many addresses.
        wait_seconds = chat.session_limit.take(f"status {number}")
        if wait_seconds is not None:
            raise WebError("too_fast", retry_after_seconds=wait_seconds)
        ticket = await run_in_threadpool(filing.find, services, number, code)
        if ticket is None:
            return show_status(request, number, problem=say("status.not_found"))
        return show_status(request, number, ticket=ticket)

    return router
