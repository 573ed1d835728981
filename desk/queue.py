"""What the review console shows of the queue: a page of tickets, counts, one ticket; nothing else asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from petitions import Actor, Petition
from petitions.lifecycle import own_lifecycle
from petitions.listing import Wanted, count_by_state, get_petition, list_petitions
from petitions.network import own_network
from petitions.visibility import visible_to

PAGE = 30


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; each value stands in the address."""

    states: tuple[str, ...] = ()
    unit: str = ""
    before: int | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """The filters of an address; what is unknown there is left out."""
        lifecycle = own_lifecycle()
        name, unit, before = query.get("state", ""), query.get("unit", ""), query.get("before", "")
        states = (name,) if name in lifecycle.states else lifecycle.groups.get(name, ())
        return cls(
            states,
            unit if own_network().find(unit) else "",
            int(before) if before.isdecimal() and before.isascii() and len(before) < 16 else None,
        )

    @property
    def state(self) -> str:
        """Name of the state or group of states that is looked for."""
        lifecycle = own_lifecycle()
        groups = {states: name for name, states in lifecycle.groups.items()}
        return groups.get(self.states) or "".join(self.states[:1])

    def address(self, **changes: str | int | None) -> str:
        """The address of the same filters with some changed."""
        values = {"state": self.state, "unit": self.unit, "before": self.before} | changes
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/tickets?{query}" if query else "/tickets"


@dataclass(frozen=True, slots=True)
class TicketPage:
    """A page of tickets, and where the next one begins."""

    tickets: Sequence[Petition]
    next_before: int | None
    counts: Mapping[str, int] = field(default_factory=dict)


def ticket_page(session: Session, actor: Actor, filters: Filters) -> TicketPage:
    """One page of the tickets that the actor may see, newest first, with the counts of all of them by state."""
    wanted = Wanted(states=filters.states, unit=filters.unit or None)
    found = list_petitions(session, actor, wanted, after=str(filters.before) if filters.before else None, limit=PAGE)
    return TicketPage(found.petitions, int(found.next) if found.next else None, count_by_state(session, actor))


def ticket(session: Session, number: str, actor: Actor) -> Petition:
    """The ticket of that number.

    Raises:
        PetitionError: `no_such_number`, alike for one that is not there and one that the actor may not see.
    """
    return get_petition(session, number, actor)


def units_of(actor: Actor) -> list[str]:
    """The units whose tickets an actor sees: their own first, then those below."""
    return [actor.unit, *own_network().below(actor.unit)] if actor.unit else []


def may_read_conversation(session: Session, petition: Petition, actor: Actor) -> bool:
    """Whether an actor may read the conversation that a ticket comes from.

    Not when it also led to a ticket that they may not see: that could be an accusation against them.
    """
    mine = select(func.count()).select_from(Petition).where(Petition.conversation == petition.conversation)
    return session.scalar(mine) == session.scalar(mine.where(visible_to(actor)))
