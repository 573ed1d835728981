"""The first page of the knowledge desk: questions without an answer in groups, each led to an entry or set aside."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from desk.accounts import Role
from desk.entry import Entry, Person
from desk.pages import Pages
from desk.services import Services
from desk.texts import say
from knowledge import KnowledgeError
from knowledge.curated import list_entries
from knowledge.unanswered import dismiss, link
from storage import begin_writing
from web.requests import field, read_form

EDITORS = (Role.EDITOR, Role.ADMIN)
EDITOR = Entry(EDITORS)
SHOWN = 50
# A group has at most as many questions as are read.
IDS_LIMIT = 500

Editor = Annotated[Person, Depends(EDITOR)]
Form = Annotated[FormData, Depends(read_form)]


def ids_of(text: str) -> list[int]:
    """The numbers in a text such as 3,14,15; those that are none are left out."""
    parts = text.split(",")[:IDS_LIMIT]
    return [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) < 10]


def work_router(services: Services, pages: Pages) -> APIRouter:
    """The work list and what is done with a group."""
    router = APIRouter(prefix="/knowledge")

    def show(request: Request, *, problem: str = "", done: str = "") -> Response:
        work = services.work_list.get()
        with services.sessions() as session:
            entries = [entry for entry in list_entries(session) if not entry.retired_at]
            context = {
                "is_making": work is None,
                "work": (work or [])[:SHOWN],
                "count": len(work or []),
                "entries": entries,
                "waiting": services.turns.waiting_count(session),
                "problem_sentence": problem,
                "done": done,
            }
        return pages.response(request, "knowledge_work.html", context, status=422 if problem else 200)

    @router.get("", dependencies=[Depends(Entry(EDITORS, menu="knowledge"))])
    def get_work(request: Request) -> Response:
        """The groups, most asked first."""
        return show(request)

    @router.post("/unanswered/dismiss")
    def post_dismiss(request: Request, person: Editor, form: Form) -> Response:
        """Say that a group needs no answer, and why."""
        reason = field(form, "reason").strip()
        if not reason:
            return show(request, problem=say("knowledge.reason_needed"))
        try:
            with services.sessions() as session:
                begin_writing(session)
                ids = ids_of(field(form, "ids"))
                dismiss(session, ids, person.member.name, reason, services.clock())
                session.commit()
        except KnowledgeError as error:
            return show(request, problem=_sentence(error))
        return RedirectResponse("/knowledge", 303)

    @router.post("/unanswered/link")
    def post_link(request: Request, person: Editor, form: Form) -> Response:
        """Say that an entry answers a group."""
        entry_id = field(form, "entry")
        if not entry_id:
            return show(request, problem=say("knowledge.entry_needed"))
        try:
            with services.sessions() as session:
                begin_writing(session)
                link(session, ids_of(field(form, "ids")), entry_id, person.member.name, services.clock())
                session.commit()
        except KnowledgeError as error:
            return show(request, problem=_sentence(error))
        return RedirectResponse("/knowledge", 303)

    return router


def _sentence(error: KnowledgeError) -> str:
    return say("knowledge.group_changed") if error.code == "question_unknown" else str(error)
