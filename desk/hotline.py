"""Filing for a caller: a form filled in from what was typed, read back word for word, filed exactly once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from desk import choices, drafts
from desk.assist import (
    CHANNEL,
    TEXT_LIMIT,
    Form,
    Operator,
    changes_of,
    clocks_for,
    corrected,
    shown,
)
from desk.choices import AssistChoice
from desk.entry import Person
from desk.pages import Pages
from desk.services import Services
from desk.texts import TEXTS, say
from language.normalise import strip_hidden
from language.personal import dialled, is_phone
from petitions import Draft, Filed, Repeat, Route, file_petition, look_for_repeat
from petitions.correcting import CORRECTABLE
from web.requests import field

logger = logging.getLogger(__name__)

MATTER_LEAST = 4
LIMITS = {"matter": TEXT_LIMIT, "place": 200, "occurred": 100, "name": 40, "phone": 30, "reason": 200}


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in the form."""

    matter: str = ""
    place: str = ""
    community: str = ""
    occurred: str = ""
    name: str = ""
    phone: str = ""
    is_anonymous: bool = False
    reason: str = ""

    @classmethod
    def of(cls, draft: Draft) -> Entry:
        """What the caller's words give."""
        return cls(
            matter=draft.matter or "",
            place=draft.place or "",
            community=draft.community or "",
            occurred=draft.occurred or "",
            name=draft.name or "",
            phone=draft.phone or "",
            is_anonymous=bool(draft.is_anonymous),
        )

    @classmethod
    def read(cls, form: FormData, communities: tuple[str, ...]) -> Entry:
        """The fields as typed, without hidden characters."""
        typed = {name: strip_hidden(field(form, name).replace("\r\n", "\n")).strip() for name in LIMITS}
        community = field(form, "community")
        return cls(
            **typed,
            community=community if community in communities else "",
            is_anonymous=field(form, "is_anonymous") == "1",
        )

    def problems(self, *, has_changes: bool) -> dict[str, str]:
        """What must be changed, by field.

        Args:
            has_changes: Whether the operator changed the route, for which they owe a reason.
        """
        problems = {
            name: say("hotline.errors.too_long", limit=limit)
            for name, limit in LIMITS.items()
            if len(getattr(self, name)) > limit
        }
        if not MATTER_LEAST <= len(self.matter) <= TEXT_LIMIT:
            problems["matter"] = say("hotline.errors.matter", limit=TEXT_LIMIT)
        if not self.place and not self.community:
            problems["place"] = say("hotline.errors.place")
        if not self.is_anonymous:
            if self.phone and not is_phone(self.phone):
                problems["phone"] = say("hotline.errors.phone")
            if not self.name and not self.phone:
                problems["name"] = say("hotline.errors.contact")
        if has_changes and not self.reason:
            problems["reason"] = say("hotline.errors.reason")
        return problems

    def draft(self) -> Draft:
        """What is filed; an anonymous one names nobody, and the community that was chosen stands in the place."""
        place = self.place
        if self.community and self.community not in place:
            place = f"{self.community}社区{place}"
        is_named = not self.is_anonymous
        return Draft(
            matter=self.matter,
            place=place,
            community=self.community or None,
            occurred=self.occurred or None,
            name=self.name or None if is_named else None,
            phone=dialled(self.phone) or None if is_named else None,
            is_anonymous=self.is_anonymous,
        )


def hotline_router(services: Services, pages: Pages) -> APIRouter:
    """The form, the read-back, the filing."""
    router = APIRouter(prefix="/assist/file")
    view = HotlineView(services, pages)

    @router.get("")
    def get_form(request: Request, person: Operator) -> Response:
        """The form, filled in from what was typed."""
        call = view.call(person)
        entry = Entry.of(services.read_draft(call.text)) if call.text else Entry()
        return view.form(request, entry, call.key or drafts.new_call_key(), {})

    @router.post("")
    def post_form(request: Request, person: Operator, form: Form) -> Response:
        """Check the form, show what is read to the caller, and file it once they agree."""
        entry = Entry.read(form, tuple(services.jurisdiction.communities))
        key, step = field(form, "call"), field(form, "step")
        if not drafts.is_call_key(key):
            return view.form(request, entry, drafts.new_call_key(), {"form": say("hotline.errors.key")})
        made = view.choices(key)
        problems = entry.problems(has_changes=bool(changes_of(made)))
        if problems or step == "change":
            return view.form(request, entry, key, problems if step != "change" else {})
        proposed = services.triage(entry.draft().text)
        route = view.corrected(proposed, made, person, entry.reason)
        if route.unit is None:
            return view.form(request, entry, key, {"form": say("hotline.errors.outside")})
        repeat = view.repeat(entry, route)
        problem = objection(form, repeat) if step == "file" else ""
        if step != "file" or problem:
            return view.read_back(request, entry, key, route, repeat, problem=problem)
        filed = view.file(person, entry, key, route, join=field(form, "same") or None)
        due = [(TEXTS.all["clocks"][one["clock"]], datetime.fromisoformat(one["at"])) for one in filed.ticket["due"]]
        return pages.response(request, "hotline_filed.html", {"filed": filed, "due": due})

    return router


class HotlineView:
    """Makes the pages of the form, and files it."""

    def __init__(self, services: Services, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    def call(self, person: Person) -> drafts.Call:
        """The call that this person is on."""
        services = self._services
        with services.sessions() as session:
            return drafts.read_call(session, services.keyring, person.token, now=services.clock())

    def choices(self, key: str) -> Mapping[str, AssistChoice]:
        """What the operator chose in a call."""
        with self._services.sessions() as session:
            return choices.choices_of(session, key)

    def corrected(self, proposed: Route, made: Mapping[str, AssistChoice], person: Person, reason: str) -> Route:
        """The route as it is filed, with all that the operator did to it among its reasons."""
        name = person.member.name
        route = corrected(proposed, made, self._services, name, reason)
        rejected = tuple(
            say(
                "hotline.rejected",
                name=name,
                kind=TEXTS.all["assist"]["kinds"][kind],
                value=shown(kind, made[kind].proposal),
            )
            for kind in CORRECTABLE
            if kind in made and made[kind].choice == "rejected"
        )
        return replace(route, reasons=(*route.reasons, *rejected))

    def form(self, request: Request, entry: Entry, key: str, problems: Mapping[str, str]) -> Response:
        """The form."""
        made = self.choices(key)
        context = {
            "entry": entry,
            "call_key": key,
            "problems": problems,
            "limits": LIMITS,
            "communities": self._services.jurisdiction.communities,
            "changes": [
                (TEXTS.all["assist"]["kinds"][kind], shown(kind, value)) for kind, value in changes_of(made).items()
            ],
        }
        return self._pages.response(request, "hotline.html", context, status=422 if problems else 200)

    def repeat(self, entry: Entry, route: Route) -> Repeat | None:
        """The ticket that may be the same matter."""
        return look_for_repeat(self._services.sessions, entry.draft(), route, now=self._services.clock())

    def read_back(
        self, request: Request, entry: Entry, key: str, route: Route, repeat: Repeat | None, *, problem: str = ""
    ) -> Response:
        """What is read to the caller, and the button that files it."""
        danger = self._services.find_danger(entry.matter)
        context = {
            "entry": entry,
            "fields": asdict(entry),
            "call_key": key,
            "route": route,
            "text": spoken(entry.draft(), route),
            "clocks": clocks_for(route),
            "danger": danger,
            "repeat": repeat,
            "problem_sentence": problem,
        }
        return self._pages.response(request, "hotline_read.html", context, status=422 if problem else 200)

    def file(self, person: Person, entry: Entry, key: str, route: Route, *, join: str | None) -> Filed:
        """File it and end the call, in one transaction; the same form again gives the same petition and code.

        Args:
            person: Who files it.
            entry: The form.
            key: Of the call.
            route: Where it goes.
            join: Number of the ticket that the caller says is the same matter.
        """
        services = self._services
        agreed = say("hotline.consented", name=person.member.name)
        with services.sessions() as session:
            filed = file_petition(
                session,
                entry.draft(),
                replace(route, reasons=(*route.reasons, agreed)),
                # Of this person: another one who learns the key gets no code by it.
                form_key=f"{CHANNEL}:{person.member.id}:{key}",
                conversation="",
                channel=CHANNEL,
                secret=services.secret,
                keyring=services.keyring,
                now=services.clock(),
                join=join,
            )
            drafts.end_call(session, person.token)
            session.commit()
        return filed


def objection(form: FormData, repeat: Repeat | None) -> str:
    """What keeps the form from being filed as it was read: no consent, or the ticket to join is not there any more."""
    if field(form, "has_consent") != "1":
        return say("hotline.errors.has_consent")
    same = field(form, "same")
    is_offered = repeat is not None and not repeat.is_concluded and repeat.number == same
    return "" if is_offered or not same else say("hotline.errors.same")


def spoken(draft: Draft, route: Route) -> str:
    """The text that is read to the caller, word for word."""
    unknown = say("hotline.unknown")
    more = [
        say("hotline.more_restricted") if route.is_restricted else "",
        say("hotline.more_legal", path=route.legal_path) if route.legal_path else "",
        say("hotline.more_collective") if "collective" in route.flags else "",
    ]
    return say(
        "hotline.read_back",
        matter=_ended(draft.matter or ""),
        place=draft.place or unknown,
        occurred=draft.occurred or unknown,
        contact=_contact(draft),
        class_=route.class_,
        category="、".join(route.category),
        unit=f"{route.unit}{route.office or ''}",
        priority=TEXTS.all["priorities"][route.priority],
        more="".join(more),
    )


def _ended(matter: str) -> str:
    return matter if matter.endswith(("。", "？", "！", "?", "!", "…")) else f"{matter}。"


def _contact(draft: Draft) -> str:
    if draft.is_anonymous:
        return say("hotline.contact_anonymous")
    given = "named" if draft.name and draft.phone else "phone" if draft.phone else "name"
    return say(f"hotline.contact_{given}", name=draft.name, phone=draft.phone)
