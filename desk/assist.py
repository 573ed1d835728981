"""The page that an operator keeps open while a caller talks: what is known, where it goes, what is still to ask."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.datastructures import FormData

from desk import choices, drafts
from desk.accounts import Role
from desk.choices import AssistChoice
from desk.clock_words import span_words
from desk.entry import Entry, Person
from desk.pages import Pages
from desk.services import Assistance, Services
from desk.texts import TEXTS, say
from language.normalise import strip_hidden
from language.personal import mask_personal
from petitions import Draft, Route, correct, open_slots, own_rules
from petitions.clocks import Clock
from petitions.correcting import CORRECTABLE, JOINT, value_of
from petitions.triage import is_category, taxonomy
from web.requests import field, read_form

logger = logging.getLogger(__name__)

TEXT_LIMIT = 2_000
OPERATORS = (Role.OPERATOR, Role.SUPERVISOR)
ASSIST = Entry(OPERATORS)
CHANNEL = "hotline"
PRIORITIES = ("normal", "urgent", "emergency")
# How long a pause waits until what was typed is kept.
KEEPING_SECONDS = 1.0
_SIMILAR_SHOWN = 5
_PROPOSAL_LIMIT = 4_000
_VALUE_LIMIT = 1_000

Form = Annotated[FormData, Depends(read_form)]
Operator = Annotated[Person, Depends(ASSIST)]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal as a row: its value, what the operator made of it, and what it may be changed into.

    `is_current` marks the one that the next key is for; `choice` is empty while nothing fits the present proposal.
    """

    kind: str
    value: str
    shown: str
    choice: str
    changed: str
    options: Sequence[tuple[str, str]]
    is_current: bool


def assist_router(services: Services, pages: Pages) -> APIRouter:
    """The page and what it sends."""
    router = APIRouter(prefix="/assist")
    view = AssistView(services, pages)

    @router.get("")
    def get_assist(request: Request, person: Annotated[Person, Depends(Entry(OPERATORS, menu="assist"))]) -> Response:
        """The call as it stands; it survives a reload."""
        return view.show(request, person, view.call(person))

    @router.post("")
    def post_said(request: Request, person: Operator, form: Form) -> Response:
        """What the caller said so far; with script a part of the page comes back, without it the page again."""
        text = strip_hidden(field(form, "text").replace("\r\n", "\n")).strip()
        if len(text) > TEXT_LIMIT:
            call = drafts.Call(view.call(person).key, text)
            return view.show(request, person, call, problem=say("assist.too_long", limit=TEXT_LIMIT))
        call = view.keep(person, text, _turn(field(form, "turn"), services.clock()))
        if _is_part(request):
            return view.show(request, person, call)
        return RedirectResponse("/assist/file" if field(form, "next") == "file" else "/assist", 303)

    @router.post("/choice")
    def post_choice(request: Request, person: Operator, form: Form) -> Response:
        """What the operator makes of a proposal."""
        problem = view.choose(person, form)
        if problem or _is_part(request):
            said = "" if problem else view.said_of(form)
            return view.show(request, person, view.call(person), problem=problem, said=said)
        return RedirectResponse(f"/assist#row-{field(form, 'kind')}", 303)

    @router.post("/clear")
    def post_clear(person: Operator) -> Response:
        """Forget what was typed."""
        with services.sessions() as session:
            drafts.end_call(session, person.token)
            session.commit()
        return RedirectResponse("/assist", 303)

    return router


class AssistView:
    """Makes the page."""

    def __init__(self, services: Services, pages: Pages) -> None:
        self._services = services
        self._pages = pages
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="keep")

    def call(self, person: Person) -> drafts.Call:
        """The call that this person is on."""
        services = self._services
        with services.sessions() as session:
            return drafts.read_call(session, services.keyring, person.token, now=services.clock())

    def keep(self, person: Person, text: str, turn: int) -> drafts.Call:
        """Keep what was typed; a database that is busy never keeps the operator waiting for help."""
        keeping = self._pool.submit(self._keep, person.token, text, turn)
        try:
            return keeping.result(KEEPING_SECONDS)
        except (TimeoutError, IntegrityError, OperationalError) as error:
            # A writer in the way, or two pauses at once: the next pause sends the whole text again.
            keeping.cancel()
            logger.warning("call_not_kept error=%s", type(error).__name__)
            return drafts.Call(self.call(person).key, text)

    def _keep(self, token: str, text: str, turn: int) -> drafts.Call:
        services = self._services
        with services.sessions() as session:
            call = drafts.keep_call(session, services.keyring, token, text, turn=turn, now=services.clock())
            session.commit()
            return call

    def choose(self, person: Person, form: FormData) -> str:
        """Keep a choice; what is wrong with it, in words, when it was not kept."""
        services = self._services
        kind, choice = field(form, "kind"), field(form, "choice")
        proposal, value = field(form, "proposal")[:_PROPOSAL_LIMIT], field(form, "value").strip()[:_VALUE_LIMIT]
        name = next((known for known in choices.CHOICES if known == choice), None)
        if kind not in choices.KINDS or name is None:
            return say("assist.unknown_choice")
        if name == "changed" and not self.is_allowed(kind, value):
            return say("assist.unknown_choice")
        call = self.call(person)
        if not call.key:
            return ""
        try:
            with services.sessions() as session:
                choices.record_choice(
                    session,
                    call.key,
                    kind,
                    name,
                    text=call.text,
                    proposal=proposal,
                    value=value if name == "changed" else None,
                    member=person.member,
                    now=services.clock(),
                )
                session.commit()
        except IntegrityError:
            # The same button pressed twice at once: the other one was kept.
            logger.info("choice_made_twice kind=%s", kind)
        return ""

    def said_of(self, form: FormData) -> str:
        """A choice in words, for whoever hears the page."""
        kind = TEXTS.all["assist"]["kinds"][field(form, "kind")]
        return say("assist.chosen", kind=kind, choice=TEXTS.all["assist"]["choices"][field(form, "choice")])

    def is_allowed(self, kind: str, value: str) -> bool:
        """Whether a proposal of this kind may be changed into this."""
        if kind == "category":
            parts = value.split(JOINT)
            return len(parts) == 3 and is_category((parts[0], parts[1], parts[2]))
        if kind in {"answer", "office"}:
            return bool(value)
        return value in {option for option, _ in self._options(kind)}

    def show(
        self, request: Request, person: Person, call: drafts.Call, *, problem: str = "", said: str = ""
    ) -> Response:
        """The page for what the caller said so far."""
        context: dict[str, Any] = {
            "call": call,
            "limit": TEXT_LIMIT,
            "place_name": self._services.jurisdiction.name,
            "problem_sentence": problem,
            "is_part": _is_part(request),
            "offices": [office.name for office in self._services.jurisdiction.offices],
            "categories": categories(),
            "said": said,
            "found": None,
        }
        if call.text and len(call.text) <= TEXT_LIMIT:
            context |= self._found(person, call, said)
        return self._pages.response(request, "assist.html", context, status=422 if problem else 200)

    def _found(self, person: Person, call: drafts.Call, said: str) -> dict[str, Any]:
        services, actor = self._services, person.member.actor
        found = services.assist(call.text, actor)
        draft = services.read_draft(call.text)
        with services.sessions() as session:
            made = choices.choices_of(session, call.key)
        route = corrected(found.route, made, services, say("assist.title"))
        asked = questions(draft, found.route)
        is_open = own_rules().lifecycle.groups["open"]
        similar = None if found.similar is None else [one for one in found.similar if one["state"] in is_open]
        return {
            "found": found,
            "route": route,
            "answer": self._answer(found, made),
            "rows": self._rows(found, made),
            "clocks": clocks_for(route),
            "asked": asked,
            "similar": None if similar is None else similar[:_SIMILAR_SHOWN],
            "danger_phones": self._phones(found),
            "said": said or _summary(found, route, asked, similar or []),
        }

    def _answer(self, found: Assistance, made: Mapping[str, AssistChoice]) -> Proposal | None:
        """The answer as a proposal; None when there is none."""
        if found.reply is None or found.reply["kind"] != "answer":
            return None
        text = str(found.reply["text"])
        return _row("answer", text, made.get("answer"), (), is_current=not _choice("answer", text, made))

    def _rows(self, found: Assistance, made: Mapping[str, AssistChoice]) -> list[Proposal]:
        """The fields of the route as proposals; the first that nothing was made of is the current one."""
        values = {kind: value_of(found.route, kind) for kind in CORRECTABLE}
        answer = self._answer(found, made)
        is_taken = answer is not None and answer.is_current
        current = next((kind for kind, value in values.items() if not _choice(kind, value, made)), None)
        return [
            _row(
                kind,
                value,
                made.get(kind),
                self._options(kind),
                is_current=kind == current and not is_taken,
            )
            for kind, value in values.items()
        ]

    def _options(self, kind: str) -> list[tuple[str, str]]:
        """What a field may be changed into, with its words; none where it is typed."""
        names: Sequence[str] = {
            "class": self._services.jurisdiction.classes,
            "unit": own_rules().network.names,
            "priority": PRIORITIES,
        }.get(kind, ())
        return [(name, shown(kind, name)) for name in names]

    def _phones(self, found: Assistance) -> list[tuple[str, str]]:
        """The numbers of a danger with who answers there."""
        if found.danger is None:
            return []
        names = {phone.number: phone.name for phone in self._services.jurisdiction.phones.values()}
        return [(number, names.get(number, "")) for number in found.danger.phones]


def corrected(route: Route, made: Mapping[str, AssistChoice], services: Services, name: str, reason: str = "") -> Route:
    """The route with what the operator changed, told in its reasons.

    Args:
        route: As proposed.
        made: The choices of the call.
        services: Knows which class is an accusation.
        name: Who changed it.
        reason: Why.
    """
    changes = changes_of(made)
    words = "；".join(
        say(
            "hotline.change_words",
            kind=TEXTS.all["assist"]["kinds"][kind],
            before=shown(kind, value_of(route, kind)) or say("assist.unproposed"),
            after=shown(kind, value),
        )
        for kind, value in changes.items()
    )
    told = say("hotline.corrected", name=name, changes=words, reason=reason)
    return correct(route, changes, accusation=services.jurisdiction.accusation, reason=told)


def changes_of(made: Mapping[str, AssistChoice]) -> dict[str, str]:
    """What the operator put in place of proposals of the route."""
    return {kind: made[kind].value or "" for kind in CORRECTABLE if kind in made and made[kind].choice == "changed"}


def clocks_for(route: Route) -> list[tuple[str, str, str]]:
    """The office's clocks that would run once it is filed by phone: label, how long, article."""
    rules = own_rules()
    started = [(name, rules.clocks[name]) for name in rules.lifecycle.opening.clocks.start]
    return [
        (TEXTS.all["clocks"][name], _span(clock), clock.article)
        for name, clock in started
        if clock.runs_for(class_=route.class_, channel=CHANNEL, priority=route.priority) and not clock.is_window
    ]


def questions(draft: Draft, route: Route) -> list[str]:
    """What is still to ask, in words that can be read out."""
    asked = []
    for slot in open_slots(draft, route):
        if slot == "place" and draft.choices:
            place = draft.place or say("assist.place_none")
            asked.append(say("assist.ask.place_open", place=place, choices="、".join(draft.choices)))
        elif slot != "confirmed":
            asked.append(say(f"assist.ask.{slot}"))
    return asked


def categories() -> list[str]:
    """The national list, each category as it is typed."""
    return [
        JOINT.join((first, second, third))
        for first, seconds in taxonomy().items()
        for second, thirds in seconds.items()
        for third in thirds
    ]


def _summary(found: Assistance, route: Route, asked: Sequence[str], similar: Sequence[Any]) -> str:
    """What has changed on the page, for whoever hears it."""
    kind = "unknown" if found.reply is None else "with" if found.reply["kind"] == "answer" else "without"
    seen = "similar_count" if similar else "similar_none_said" if found.similar is not None else "similar_unknown"
    return say(
        "assist.updated",
        answer=say(f"assist.{kind}_answer"),
        unit=f"{route.unit or say('assist.nobody')}{route.office or ''}",
        missing=say("assist.missing_count", count=len(asked)) if asked else say("assist.missing_none"),
        similar=say(f"assist.{seen}", count=len(similar)),
    )


def _row(
    kind: str,
    value: str,
    made: AssistChoice | None,
    options: Sequence[tuple[str, str]],
    *,
    is_current: bool,
) -> Proposal:
    choice = _choice(kind, value, {kind: made} if made else {})
    changed = shown(kind, made.value or "") if made and choice == "changed" else ""
    return Proposal(kind, value, shown(kind, value), choice, changed, options, is_current)


def _choice(kind: str, value: str, made: Mapping[str, AssistChoice]) -> str:
    """What was made of this very proposal; a changed route stands whatever is proposed later."""
    row = made.get(kind)
    if row is None:
        return ""
    stands = row.choice == "changed" and kind != "answer"
    return row.choice if stands or row.proposal == mask_personal(value) else ""


def shown(kind: str, value: str) -> str:
    """A value of the route in words."""
    return TEXTS.all["priorities"].get(value, value) if kind == "priority" else value


def _span(clock: Clock) -> str:
    if clock.unit == "workdays":
        return say("assist.workdays", amount=clock.amount)
    return span_words(timedelta(**{clock.unit: clock.amount}))


def _turn(typed: str, now: datetime) -> int:
    """The count of a pause; without script the time itself counts."""
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 16 else int(now.timestamp() * 1000)


def _is_part(request: Request) -> bool:
    return "HX-Request" in request.headers
