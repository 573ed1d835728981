"""The kill switches: which are off and why, for supervisors and administrators; flipped by the latter."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from desk import audit
from desk.accounts import Role
from desk.entry import Entry, Person
from desk.pages import Pages, local_time
from desk.services import Services
from desk.texts import TEXTS, say
from petitions.clocks import SHANGHAI
from storage import begin_writing, switches
from storage.switches import REASON_LIMIT_CHARACTERS, SwitchError
from web.errors import WebError
from web.requests import field, read_form

Form = Annotated[FormData, Depends(read_form)]
SEEING = Entry((Role.SUPERVISOR, Role.ADMIN), menu="switches")
FLIPPING = Entry((Role.ADMIN,))


def label(name: str) -> str:
    """What people call a switch."""
    return str(TEXTS.all["switches"]["names"].get(name, name))


def given(*, reason: str, until: datetime | None, is_public: bool) -> dict[str, Any]:
    """What the log of the desk keeps of a switch that was turned off."""
    words = TEXTS.all["page"]
    kept = {"reason": " ".join(reason.split()), "is_public": words["yes"] if is_public else words["no"]}
    return kept | ({"switch_until": local_time(until)} if until else {})


def switches_router(services: Services, pages: Pages) -> APIRouter:
    """The page and its forms."""
    router = APIRouter(prefix="/switches")

    def show(request: Request, person: Person, *, problem: str = "", typed: dict[str, str] | None = None) -> Response:
        with services.sessions() as session:
            found = {off.name: off for off in switches.switched_off(session, now=services.clock())}
            history = switches.flips(session)
        context = {
            "names": switches.NAMES,
            "found": found,
            "history": history,
            "may_flip": person.member.role in (FLIPPING.roles or ()),
            "problem_sentence": problem,
            "typed": typed or {},
            "reason_limit": REASON_LIMIT_CHARACTERS,
        }
        return pages.response(request, "switches.html", context, status=422 if problem else 200)

    @router.get("")
    def get_switches(request: Request, person: Annotated[Person, Depends(SEEING)]) -> Response:
        """All switches, and what was done with them."""
        return show(request, person)

    @router.post("")
    def post_switches(request: Request, person: Annotated[Person, Depends(FLIPPING)], form: Form) -> Response:
        """Turn one off or on."""
        step, name, reason = (field(form, part) for part in ("step", "name", "reason"))
        until, is_public = field(form, "until"), field(form, "is_public") == "1"
        if step not in {"off", "on"}:
            raise WebError("malformed")
        now, by = services.clock(), person.member.name
        try:
            ends_at = _moment(until)
            with services.sessions() as session:
                begin_writing(session)
                if step == "on":
                    switches.turn_on(session, name, by=by, now=now)
                    audit.note(session, person.member, "switch_on", label(name), now=now)
                else:
                    switches.turn_off(session, name, reason=reason, by=by, now=now, until=ends_at, is_public=is_public)
                    data = given(reason=reason, until=ends_at, is_public=is_public)
                    audit.note(session, person.member, "switch_off", label(name), data, now=now)
                session.commit()
        except SwitchError as error:
            problem = say(f"switches.errors.{error.code}", limit=REASON_LIMIT_CHARACTERS)
            typed = {"name": name, "reason": reason, "until": until, "is_public": "1" if is_public else ""}
            return show(request, person, problem=problem, typed=typed)
        services.switches.read_anew()
        return RedirectResponse("/switches", 303)

    return router


def _moment(text: str) -> datetime | None:
    """What a browser's field for a local time holds.

    Raises:
        SwitchError: `time`.
    """
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise SwitchError("time", "this is no time") from error
