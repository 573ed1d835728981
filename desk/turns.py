"""Turns to review: what the assistant understood badly or residents disliked, masked, to be labelled."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from desk.pages import Pages
from desk.services import Services
from desk.texts import TEXTS, say
from desk.unanswered import EDITOR, Editor, Form
from knowledge.unanswered import record_unanswered
from storage import begin_writing
from web.requests import field

PAGE = 20
UNKNOWN = "nlu_fallback"


def turns_router(services: Services, pages: Pages) -> APIRouter:
    """The turns that wait, and the form of each."""
    router = APIRouter(prefix="/knowledge/turns")

    def show(request: Request, *, problem: str = "") -> Response:
        before = _number(request.query_params.get("before", ""))
        with services.sessions() as session:
            turns = services.turns.waiting_turns(session, before=before, limit=PAGE + 1)
            context = {
                "turns": turns[:PAGE],
                "count": services.turns.waiting_count(session),
                "next_before": turns[PAGE - 1].id if len(turns) > PAGE else None,
                "before": before,
                "intents": TEXTS.all["knowledge"]["intents"],
                "unknown": UNKNOWN,
                "problem_sentence": problem,
            }
        return pages.response(request, "knowledge_turns.html", context, status=422 if problem else 200)

    @router.get("", dependencies=[Depends(EDITOR)])
    def get_turns(request: Request) -> Response:
        """The turns that wait, newest first."""
        return show(request)

    @router.post("/{number}")
    def post_label(request: Request, number: str, person: Editor, form: Form) -> Response:
        """Keep what the editor found."""
        verdict, intent = field(form, "verdict"), field(form, "intent")
        if verdict not in TEXTS.all["knowledge"]["verdicts"]:
            return show(request, problem=say("knowledge.verdict_needed"))
        if verdict == "wrong" and intent not in TEXTS.all["knowledge"]["intents"]:
            return show(request, problem=say("knowledge.intent_needed"))
        with services.sessions() as session:
            begin_writing(session)
            label = services.turns.label_turn(
                session, _number(number) or 0, verdict, person.member.name, intent=intent or None, now=services.clock()
            )
            if label is None:
                return show(request, problem=say("knowledge.turn_gone"))
            if verdict == "missing":
                record_unanswered(session, label.text, kind="no_answer", channel="review", now=services.clock())
            session.commit()
        return RedirectResponse("/knowledge/turns", 303)

    return router


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
