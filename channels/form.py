"""The petition form at `/petition`: no JavaScript, no Rasa."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from channels import filing, photos
from channels.chat import TEXT_LIMIT, Chat, danger_message
from channels.cookies import Conversations
from channels.fallback import off_words
from channels.render import Pages
from channels.sanitise import strip_hidden
from channels.services import Services
from channels.texts import say
from channels.tokens import Tokens
from language.personal import dialled, is_phone
from petitions import Repeat, Route
from storage.switches import FORM
from web.errors import WebError
from web.requests import address_of, field

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


def same_words(repeat: Repeat) -> str:
    """A ticket that may be the same matter, as anybody may be told of it."""
    told = {
        "community": repeat.community,
        "category": repeat.category,
        "date": repeat.filed_on,
        "state": repeat.state,
    }
    return say("form.concluded", **told) if repeat.is_concluded else say("form.same", **told)


def agreed(form: FormData, repeat: Repeat | None) -> str | None:
    """The number of the ticket that the resident says is the same matter; None when another one or none was offered.

    The words that were agreed to stand for it: its number is not for whoever did not file it.
    """
    is_same = repeat is not None and not repeat.is_concluded and field(form, "same") == same_words(repeat)
    return repeat.number if repeat and is_same else None


def danger_in(services: Services, entry: Entry) -> dict[str, Any] | None:
    """The card for a danger that the entry reports."""
    danger = services.find_danger(entry.matter)
    return danger_message(danger) if danger else None


def form_router(
    services: Services, chat: Chat, pages: Pages, conversations: Conversations, uploads: photos.Uploads
) -> APIRouter:
    """The form's pages."""
    router = APIRouter()
    keys = Tokens(services.secret, "form", hours=FORM_HOURS)

    def show_form(
        request: Request, entry: Entry, problems: dict[str, str], own: Sequence[photos.Own] = (), signed_key: str = ""
    ) -> Response:
        context = {"entry": entry, "problems": problems, "matter_limit": TEXT_LIMIT}
        context |= {"photos": own, "form_key": signed_key}
        return pages.response(request, "petition.html", context, status=422 if problems else 200)

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
        _limit_pace(chat, request)
        try:
            form = await photos.read_photos(request)
        except WebError as error:
            if error.code != "too_large":
                raise
            # Of such a form nothing was read.
            return show_form(request, Entry(), {"photos": error.sentence})
        entry = Entry.read(form)
        if shown := await off_page(request, entry):
            await form.close()
            return shown
        step, key = field(form, "step"), keys.read(field(form, "form_key"))
        form_key = key or keys.new()
        signed_key = keys.sign(form_key)
        own, photo_problem = await uploads.changed(f"{filing.CHANNEL}:{form_key}", form)
        is_changing = step == "change"
        problems = {} if is_changing else entry.problems() | ({"photos": photo_problem} if photo_problem else {})
        if problems or is_changing:
            return show_form(request, entry, problems, own, signed_key)
        route, danger = await run_in_threadpool(_route_and_danger, services, entry)
        if route.level == "none":
            body = route.unit or say("form.outside_body")
            outside = say("form.outside", name=services.jurisdiction.name, body=body)
            return show_form(request, entry, {"place": outside}, own, signed_key)
        settled = asdict(entry.settled())
        is_filing = step == "file" and key is not None
        # Whoever was offered a ticket and files all the same needs no other offer.
        repeat = None if is_filing else await run_in_threadpool(filing.repeat_of, services, settled, route)
        join = agreed(form, repeat) if step == "join" else None
        if is_filing or (key is not None and join):
            conversation = conversations.of(request) or ""
            filed = await run_in_threadpool(
                partial(filing.file, services, settled, route, form_key, conversation=conversation, join=join)
            )
            return pages.response(request, "filed.html", {"filed": filed})
        context = {
            "entry": entry.settled(),
            "fields": asdict(entry),
            "route": route.to_json(),
            "danger": danger,
            "photos": own,
            "form_key": signed_key,
            "is_expired": step == "file",
            "same": same_words(repeat) if repeat else "",
            "may_join": repeat is not None and not repeat.is_concluded,
        }
        return pages.response(request, "review.html", context)

    return router


def _route_and_danger(services: Services, entry: Entry) -> tuple[Route, dict[str, Any] | None]:
    return filing.route_of(services, asdict(entry.settled())), danger_in(services, entry)


def _limit_pace(chat: Chat, request: Request) -> None:
    wait_seconds = chat.address_limit.take(address_of(request))
    if wait_seconds is not None:
        raise WebError("too_fast", retry_after_seconds=wait_seconds)
