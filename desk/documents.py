"""The documents that answers are made from: what the base in use holds of each, and what does not hold."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from desk.pages import Pages
from desk.services import Services
from desk.unanswered import EDITOR
from knowledge import KnowledgeError

PROBLEMS_SHOWN = 50


def documents_router(services: Services, pages: Pages) -> APIRouter:
    """The list, and the check as a part of it."""
    router = APIRouter(prefix="/knowledge/documents")

    @router.get("", dependencies=[Depends(EDITOR)])
    def get_documents(request: Request) -> Response:
        """Every document."""
        context: dict[str, object] = {"rows": [], "build": "", "before": "", "problem_sentence": ""}
        try:
            build, before = services.builds()
            context |= {"rows": services.documents(), "build": build, "before": before}
        except KnowledgeError as error:
            context["problem_sentence"] = str(error)
        return pages.response(request, "knowledge_documents.html", context)

    @router.get("/check", dependencies=[Depends(EDITOR)])
    def get_check(request: Request) -> Response:
        """What `knowledge check` finds; a page, and a part of the list's."""
        count, problems = services.document_problems()
        context = {"count": count, "problems": problems[:PROBLEMS_SHOWN], "more": len(problems) - PROBLEMS_SHOWN}
        return pages.response(request, "knowledge_problems.html", context)

    return router
