"""The photos of a ticket: small on its page, and in whole, under the same rules as the ticket itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from desk import presence, queue
from desk.entry import CASEWORKERS, Entry, Person
from desk.services import Services
from desk.tickets import number_of
from petitions.photos import open_photo

PHOTOS = Entry(CASEWORKERS)

Reader = Annotated[Person, Depends(PHOTOS)]


def photos_router(services: Services) -> APIRouter:
    """Each photo of a ticket, in two sizes."""
    router = APIRouter(prefix="/tickets/{number}/photos/{position}")

    @router.get("")
    def get_photo(number: str, position: str, person: Reader) -> Response:
        """One photo in whole; whoever opens it reads the ticket, and the others who do see that."""
        actor = person.member.actor
        with services.sessions() as session:
            ticket_id = queue.ticket(session, number, actor).id
            content = open_photo(session, services.keyring, number, number_of(position), actor)
            presence.look_at(session, ticket_id, person.member, now=services.clock())
            session.commit()
        return _jpeg(content, f"{number}-{number_of(position)}.jpg")

    @router.get("/small")
    def get_small_photo(number: str, position: str, person: Reader) -> Response:
        """One photo as the ticket's page shows it."""
        with services.sessions() as session:
            content = open_photo(
                session, services.keyring, number, number_of(position), person.member.actor, size="small"
            )
        return _jpeg(content, f"{number}-{number_of(position)}-small.jpg")

    return router


def _jpeg(content: bytes, name: str) -> Response:
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type="image/jpeg", headers=headers)
