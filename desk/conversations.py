"""Conversations that need a person: who waits, what was said, and the reply of whoever takes them."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from desk.assist import OPERATORS
from desk.clock_words import span_words
from desk.entry import Entry, Person
from desk.errors import DeskError
from desk.pages import Pages
from desk.services import Conversation, Services
from desk.texts import say
from language.normalise import strip_hidden
from language.personal import mask_personal
from web.requests import field, read_form

TEXT_LIMIT = 2_000
NOTE_LIMIT = 500
KEY_LIMIT_CHARACTERS = 40
FIELDS = ("matter", "place", "community", "occurred", "name", "phone")

CONVERSATION = Entry(OPERATORS)
Operator = Annotated[Person, Depends(CONVERSATION)]
Form = Annotated[FormData, Depends(read_form)]


def conversations_router(services: Services, pages: Pages) -> APIRouter:
    """The list, a conversation, and the steps of whoever takes it."""
    router = APIRouter(prefix="/conversations")
    view = ConversationView(services, pages)

    @router.get("", dependencies=[Depends(Entry(OPERATORS, menu="conversations"))])
    def get_list(request: Request) -> Response:
        """Who waits, who is served, who talks to the assistant."""
        return view.list(request)

    @router.get("/count", dependencies=[Depends(CONVERSATION)])
    def get_count(request: Request) -> Response:
        """How many wait, as the part of the navigation that asks for it."""
        return pages.response(request, "conversations_count.html")

    @router.post("/start")
    def post_start(request: Request, person: Operator, form: Form) -> Response:
        """Take a conversation of the assistant's."""
        with services.sessions() as session:
            handover_id = services.conversations.start(
                session, services.secret, number_of(field(form, "message")), person.member.actor, now=services.clock()
            )
            session.commit()
        if handover_id is None:
            return view.list(request, problem=say("conversations.problems.over"))
        return _to(handover_id)

    @router.get("/{number}")
    def get_conversation(request: Request, number: str, person: Operator) -> Response:
        """One conversation."""
        return view.show(request, person, number_of(number))

    @router.post("/{number}/take")
    def post_take(request: Request, number: str, person: Operator) -> Response:
        """Take one that waits: of two people, one has it."""
        handover_id = number_of(number)
        with services.sessions() as session:
            is_taken = services.conversations.take(
                session, services.secret, handover_id, person.member.actor, now=services.clock()
            )
            session.commit()
        return _to(handover_id) if is_taken else view.not_taken(request, person, handover_id)

    @router.post("/{number}/write")
    def post_write(request: Request, number: str, person: Operator, form: Form) -> Response:
        """Say something to the resident."""
        text = strip_hidden(field(form, "text").replace("\r\n", "\n")).strip()
        handover_id = number_of(number)
        if not text:
            return view.show(request, person, handover_id, problem=say("conversations.problems.empty"))
        if len(text) > TEXT_LIMIT:
            problem = say("conversations.problems.too_long", limit=TEXT_LIMIT)
            return view.show(request, person, handover_id, problem=problem, typed=text)
        key = field(form, "key")[:KEY_LIMIT_CHARACTERS] or secrets.token_urlsafe(16)
        with services.sessions() as session:
            is_said = services.conversations.write(
                session, services.secret, handover_id, person.member.actor, text, key=key, now=services.clock()
            )
            session.commit()
        if not is_said:
            return view.show(request, person, handover_id, problem=say("conversations.problems.not_held"), typed=text)
        return _to(handover_id)

    @router.post("/{number}/typing")
    def post_typing(number: str, person: Operator) -> Response:
        """Tell the resident that somebody is typing."""
        with services.sessions() as session:
            services.conversations.type_now(session, number_of(number), person.member.actor, now=services.clock())
            session.commit()
        return Response(status_code=204)

    @router.post("/{number}/finish")
    def post_finish(request: Request, number: str, person: Operator, form: Form) -> Response:
        """Give the conversation back to the assistant, or make a ticket of it."""
        note, handover_id = field(form, "note").strip()[:NOTE_LIMIT], number_of(number)
        if field(form, "step") == "file":
            if services.conversations.file(services, handover_id, person.member.actor, note) is None:
                return view.show(request, person, handover_id, problem=say("conversations.problems.not_filed"))
            return _to(handover_id)
        with services.sessions() as session:
            is_given = services.conversations.give_back(
                session, services.secret, handover_id, person.member.actor, note, now=services.clock()
            )
            session.commit()
        if not is_given:
            return view.show(request, person, handover_id, problem=say("conversations.problems.not_held"))
        return RedirectResponse("/conversations", 303)

    return router


def number_of(text: str) -> int:
    """A number of an address; -1, which nothing has, when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def _to(handover_id: int) -> Response:
    return RedirectResponse(f"/conversations/{handover_id}", 303)


class ConversationView:
    """Makes the pages."""

    def __init__(self, services: Services, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    def list(self, request: Request, *, problem: str = "") -> Response:
        """The lists."""
        now = self._services.clock()
        with self._services.sessions() as session:
            lists = self._services.conversations.lists(session, now=now)
        context = {
            "lists": lists,
            "span": lambda at: span_words(now - at),
            "problem_sentence": problem,
        }
        return self._pages.response(request, "conversations.html", context, status=409 if problem else 200)

    def not_taken(self, request: Request, person: Person, handover_id: int) -> Response:
        """The conversation as it is, with the reason why this person does not have it."""
        seen = self._read(handover_id)
        if seen.state == "held" and seen.held_by == person.member.name:
            return _to(handover_id)
        is_held = seen.state == "held"
        problem = say("conversations.problems.not_free", name=seen.held_by) if is_held else ""
        return self.show(request, person, handover_id, problem=problem or say("conversations.problems.over"))

    def show(
        self, request: Request, person: Person, handover_id: int, *, problem: str = "", typed: str = ""
    ) -> Response:
        """A conversation; personal data stand in whole for whoever holds it.

        Raises:
            DeskError: there is none of that number.
        """
        seen, now = self._read(handover_id), self._services.clock()
        is_mine = seen.state == "held" and seen.held_by == person.member.name
        context: dict[str, Any] = {
            "seen": seen,
            "is_mine": is_mine,
            "shown": _whole if is_mine else mask_personal,
            "span": lambda at: span_words(now - at),
            "key": secrets.token_urlsafe(16),
            "typed": typed,
            "limit": TEXT_LIMIT,
            "note_limit": NOTE_LIMIT,
            "problem_sentence": problem,
            "route": None,
            "draft": {},
        }
        # What a page asks by itself shows the talk alone.
        if "HX-Request" not in request.headers and seen.words:
            draft = self._services.read_draft(seen.words)
            context["route"] = self._services.triage(seen.words)
            context["draft"] = {name: value for name in FIELDS if (value := getattr(draft, name))}
        return self._pages.response(request, "conversation.html", context, status=409 if problem else 200)

    def _read(self, handover_id: int) -> Conversation:
        with self._services.sessions() as session:
            seen = self._services.conversations.conversation(session, handover_id, now=self._services.clock())
        if seen is None:
            raise DeskError("no_conversation")
        return seen


def _whole(text: str) -> str:
    return text
