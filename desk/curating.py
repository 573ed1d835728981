"""Curated entries at the desk: listed, written, looked at, tried against the live assistant, approved, taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from desk.errors import DeskError
from desk.pages import Pages
from desk.services import Services
from desk.texts import TEXTS, say
from desk.unanswered import EDITOR, Editor, Form, ids_of
from knowledge import KnowledgeError, curated
from knowledge.curated import CuratedEntry, CuratedVersion, served, today_of
from knowledge.unanswered import find_questions, link
from storage import begin_writing
from web.requests import field

FIELDS = ("variants", "answer", "source", "reference", "source_on", "owner", "valid_from", "valid_until")
EXPIRING = "expiring"
VARIANTS_OFFERED = 20
TRIED_LIMIT_CHARACTERS = 400


def status_of(error: KnowledgeError) -> int:
    """The HTTP status of a refusal of the knowledge base."""
    return {"entry_unknown": 404, "entry_version": 404, "entry_changed": 409}.get(error.code, 422)


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs between two versions."""

    label: str
    before: str
    after: str


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The fields in which two versions differ, as a person reads them."""
    pairs = [(name, words_of(before.get(name)), words_of(after.get(name))) for name in FIELDS]
    return [Change(TEXTS.all["knowledge"]["fields"][name], old, new) for name, old, new in pairs if old != new]


def words_of(value: object) -> str:
    """A field as it is typed: variants one a line, days as 2026-01-31."""
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def entries_router(services: Services, pages: Pages) -> APIRouter:
    """The list of entries, and the form for a new one."""
    router = APIRouter(prefix="/knowledge/entries")
    view = EntryView(services, pages)

    @router.get("", dependencies=[Depends(EDITOR)])
    def get_entries(request: Request) -> Response:
        """All entries, or those of a state; what ends soon comes first."""
        return view.show_list(request, request.query_params.get("state", ""))

    @router.get("/new", dependencies=[Depends(EDITOR)])
    def get_new(request: Request) -> Response:
        """A form for a new entry, its variants taken from a group of questions."""
        ids = ids_of(request.query_params.get("questions", ""))
        return view.show_form(request, typed=view.offered(ids), questions=ids)

    @router.post("")
    def post_new(request: Request, person: Editor, form: Form) -> Response:
        """Write a new entry as a draft, and say that it answers the questions it came from."""
        typed, ids = typed_in(form), ids_of(field(form, "questions"))
        try:
            with services.sessions() as session:
                begin_writing(session)
                now, name = services.clock(), person.member.name
                entry = curated.write_entry(session, row_of(typed, name), now, version=None)
                link(session, [one.id for one in find_questions(session, ids)], entry.id, name, now)
                session.commit()
        except KnowledgeError as error:
            return view.show_form(request, typed=typed, questions=ids, problem=error)
        return RedirectResponse(f"/knowledge/entries/{entry.id}", 303)

    return router


def entry_router(services: Services, pages: Pages) -> APIRouter:
    """The page of one entry, and its forms."""
    router = APIRouter(prefix="/knowledge/entries/{number}")
    view = EntryView(services, pages)

    @router.get("", dependencies=[Depends(EDITOR)])
    def get_entry(request: Request, number: str) -> Response:
        """One entry with its versions."""
        return view.show(request, number)

    @router.get("/edit", dependencies=[Depends(EDITOR)])
    def get_edit(request: Request, number: str) -> Response:
        """A form for the entry as it is."""
        return view.show_form(request, number)

    @router.post("/edit")
    def post_edit(request: Request, number: str, person: Editor, form: Form) -> Response:
        """Change an entry, unless somebody else has meanwhile."""
        typed, version = typed_in(form) | {"id": number}, version_in(form)
        try:
            with services.sessions() as session:
                begin_writing(session)
                row = row_of(typed, person.member.name)
                curated.write_entry(session, row, services.clock(), version=version)
                session.commit()
        except KnowledgeError as error:
            if error.code == "entry_unknown":
                raise
            return view.show_form(request, number, typed=typed, seen=version, problem=error)
        return RedirectResponse(f"/knowledge/entries/{number}", 303)

    @router.post("/try", dependencies=[Depends(EDITOR)])
    def post_try(request: Request, number: str, form: Form) -> Response:
        """What residents get for a question now, and what they would get with this entry; nothing is kept."""
        return view.show(request, number, tried=field(form, "text").strip()[:TRIED_LIMIT_CHARACTERS])

    @router.get("/check", dependencies=[Depends(EDITOR)])
    def get_check(request: Request, number: str) -> Response:
        """The answers of the documents that this entry would take the place of."""
        return view.show_check(request, number)

    @router.post("/{action}")
    def post_step(request: Request, number: str, action: str, person: Editor, form: Form) -> Response:
        """Approve, return, retire, or bring an older version back."""
        if action not in STEPS:
            raise DeskError("not_found")
        version = version_in(form)
        try:
            with services.sessions() as session:
                begin_writing(session)
                STEPS[action](session, number, person.member.name, form, services.clock(), version)
                session.commit()
        except KnowledgeError as error:
            if error.code == "entry_unknown":
                raise
            return view.show(request, number, seen=version, problem=error)
        return RedirectResponse(f"/knowledge/entries/{number}", 303)

    return router


Step = Callable[[Session, str, str, FormData, Any, int], object]
STEPS: dict[str, Step] = {
    "approve": lambda session, number, by, _form, now, seen: curated.approve(session, number, by, now, version=seen),
    "return": lambda session, number, by, form, now, seen: curated.send_back(
        session, number, by, field(form, "reason"), now, version=seen
    ),
    "retire": lambda session, number, by, _form, now, seen: curated.retire(session, number, by, now, version=seen),
    "revert": lambda session, number, by, form, now, seen: curated.revert(
        session, number, _number(field(form, "to")), by, now, seen=seen
    ),
}


def typed_in(form: FormData) -> dict[str, str]:
    """What was typed into the form of an entry, as it was typed."""
    return {name: field(form, name) for name in ("id", *FIELDS)}


def row_of(typed: Mapping[str, str], by: str) -> dict[str, Any]:
    """What was typed, as an entry of a file."""
    row: dict[str, Any] = {name: text.strip() for name, text in typed.items() if text.strip()}
    lines = [line.strip() for line in typed["variants"].splitlines()]
    return row | {"variants": [line for line in lines if line], "written_by": by}


def version_in(form: FormData) -> int:
    """The version that a form carries along; -1, which no entry has, when it is none."""
    return _number(field(form, "version"))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


class EntryView:
    """Makes the pages of entries."""

    def __init__(self, services: Services, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    def offered(self, ids: Sequence[int]) -> dict[str, str]:
        """What a new entry begins with: the questions of a group that are still open, and today."""
        today = today_of(self._services.clock()).isoformat()
        with self._services.sessions() as session:
            texts = [one.text for one in find_questions(session, ids)]
        variants = [text for text in texts if len(text) <= curated.VARIANT_LIMIT_CHARACTERS][:VARIANTS_OFFERED]
        first = {"id": f"question-{ids[0]}"} if ids else {}
        typed = dict.fromkeys(("id", *FIELDS), "") | first
        return typed | {"variants": "\n".join(variants), "source_on": today, "valid_from": today}

    def show_list(self, request: Request, wanted: str) -> Response:
        """The list of entries."""
        today = today_of(self._services.clock())
        with self._services.sessions() as session:
            entries = curated.list_entries(session)
            rows = [(entry, entry.state(today), entry.is_expiring(today)) for entry in entries]
            counts = {state: sum(found == state for _, found, _ in rows) for state in curated.texts()["states"]}
            counts[EXPIRING] = sum(is_expiring for _, _, is_expiring in rows)
            shown = [row for row in rows if not wanted or row[1] == wanted or (wanted == EXPIRING and row[2])]
            context = {
                "rows": sorted(shown, key=_urgency),
                "counts": counts,
                "count": len(rows),
                "wanted": wanted,
                "states": curated.texts()["states"] | {EXPIRING: curated.texts()["expiring"]},
                "open_end": curated.texts()["open_end"],
            }
            return self._pages.response(request, "knowledge_entries.html", context)

    def show_form(
        self,
        request: Request,
        number: str = "",
        *,
        typed: Mapping[str, str] | None = None,
        questions: Sequence[int] = (),
        seen: int = -1,
        problem: KnowledgeError | None = None,
    ) -> Response:
        """The form of an entry.

        Args:
            request: Of the editor.
            number: Id of the entry; empty for a new one.
            typed: What stands in it; the entry as it is where that is None.
            questions: Ids of the questions that a new entry answers.
            seen: The version that the editor had read.
            problem: What could not be done.
        """
        faults: dict[str, list[str]] = {}
        for fault in problem.fields.get("faults", ()) if problem else ():  # type: ignore[attr-defined]
            faults.setdefault(fault.field, []).append(fault.sentence)
        context: dict[str, Any] = {"number": number, "questions": ",".join(map(str, questions)), "faults": faults}
        with self._services.sessions() as session:
            if number:
                entry = curated.find_entry(session, number)
                now_content = _content(entry)
                context |= {"version": entry.version, "is_served": entry.approved_at and not entry.retired_at}
                if problem and problem.code == "entry_changed":
                    versions = curated.history(session, number)
                    before = next((one.content for one in versions if one.version == seen), {})
                    context["stale"] = {"since": changes(before, now_content), "by": versions[-1].by}
                    context["mine"] = changes(now_content, _typed_content(typed or {}))
                typed = typed or {name: words_of(now_content.get(name)) for name in ("id", *FIELDS)}
        context |= {"typed": typed or {}, "problem_sentence": _sentence(problem) if problem else ""}
        context["limits"] = {"answer": curated.ANSWER_LIMIT_CHARACTERS, "variant": curated.VARIANT_LIMIT_CHARACTERS}
        status = status_of(problem) if problem else 200
        return self._pages.response(request, "knowledge_form.html", context, status=status)

    def show(
        self,
        request: Request,
        number: str,
        *,
        tried: str | None = None,
        seen: int = -1,
        problem: KnowledgeError | None = None,
    ) -> Response:
        """The page of an entry.

        Args:
            request: Of the editor.
            number: Id of the entry.
            tried: A question to try.
            seen: The version that the editor had read.
            problem: What could not be done.

        Raises:
            KnowledgeError: There is no such entry.
        """
        today = today_of(self._services.clock())
        with self._services.sessions() as session:
            entry = curated.find_entry(session, number)
            versions = curated.history(session, number)
            steps = [_told(one, before) for before, one in zip([None, *versions], versions, strict=False)]
            before = next((one.content for one in versions if one.version == seen), None)
            is_stale = problem is not None and problem.code == "entry_changed" and before is not None
            context = {
                "entry": entry,
                "state": entry.state(today),
                "is_expiring": entry.is_expiring(today),
                "states": curated.texts()["states"],
                "open_end": curated.texts()["open_end"],
                "steps": steps[::-1],
                "problem_sentence": _sentence(problem) if problem else "",
                "stale": {"since": changes(before or {}, _content(entry)), "by": versions[-1].by} if is_stale else None,
                "tried": tried,
                "has_knowledge": self._services.knowledge is not None,
            }
            if tried and (knowledge := self._services.knowledge):
                context |= {
                    "now": knowledge.preview(tried),
                    "then": knowledge.preview(tried, served(entry)),
                }
            return self._pages.response(
                request, "knowledge_entry.html", context, status=status_of(problem) if problem else 200
            )

    def show_check(self, request: Request, number: str) -> Response:
        """The answers of the documents that an entry would take the place of; a page, and a part of the entry's."""
        with self._services.sessions() as session:
            draft = served(curated.find_entry(session, number))
        knowledge = self._services.knowledge
        context = {"number": number, "replaced": knowledge.replaced_by(draft) if knowledge else None}
        return self._pages.response(request, "knowledge_check.html", context)


def _content(entry: CuratedEntry) -> dict[str, Any]:
    """An entry as a version holds it."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in entry.content().items()}


def _typed_content(typed: Mapping[str, str]) -> dict[str, Any]:
    row = row_of(typed, "")
    return {name: row[name] for name in FIELDS if name in row}


def _told(version: CuratedVersion, before: CuratedVersion | None) -> dict[str, Any]:
    return {
        "version": version.version,
        "label": say(f"knowledge.steps.{version.step}"),
        "by": version.by,
        "at": version.at,
        "reason": version.reason,
        "changes": changes(before.content, version.content) if before else [],
    }


def _urgency(row: tuple[CuratedEntry, str, bool]) -> tuple[bool, date, str]:
    """What ends soon first, by the day; then by id."""
    entry, _, is_expiring = row
    return not is_expiring, entry.valid_until or date.max if is_expiring else date.max, entry.id


def _sentence(problem: KnowledgeError) -> str:
    return say("knowledge.check_fields") if problem.code == "entries_invalid" else str(problem)
