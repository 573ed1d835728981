"""What the review console shows of the queue: a page of tickets, counts, one ticket; nothing else asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk.texts import TEXTS
from petitions import Actor, Petition
from petitions.lifecycle import own_lifecycle
from petitions.listing import Wanted, count_by_state, get_petition, list_petitions
from petitions.network import own_network
from petitions.selection import read_selection
from petitions.visibility import visible_to

PAGE = 30
# Of what has ended no more is counted than anybody reads.
MOST_COUNTED = 10_000
SEARCH_LIMIT_CHARACTERS = 100
# What a clock may be asked for, and how far from now it ends.
DUE = {"over": timedelta(0), "day": timedelta(days=1), "days": timedelta(days=3)}
CLAIMS = ("mine", "free")
# What has a field in the form; the rest of a selection comes from statistics and stays as it is.
_IN_FORM = frozenset({"q", "state", "unit", "below", "first", "community", "class", "priority", "due", "claim"})
_LONGEST_MARK = 60

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; each value stands in the address, as `Selection.to_query` and the form of the queue write it.

    Attributes:
        wanted: What does not depend on who looks or when.
        due: One of `DUE`, or empty.
        claim: One of `CLAIMS`, or empty.
        after: Where the page begins.
    """

    wanted: Wanted = field(default_factory=Wanted)
    due: str = ""
    claim: str = ""
    after: str = ""

    @classmethod
    def read(cls, query: Query) -> Filters:
        """The filters of an address; what is unknown there is left out."""
        named = {name: values[0] for name, values in query.items() if values}
        priority, due, claim = named.get("priority"), named.get("due", ""), named.get("claim", "")
        wanted = Wanted(
            **read_selection(query),
            search=named.get("q", "").strip()[:SEARCH_LIMIT_CHARACTERS],
            with_below=named.get("below") == "1",
            priority=priority if priority in TEXTS.all["priorities"] else None,
        )
        return cls(
            wanted,
            due if due in DUE else "",
            claim if claim in CLAIMS else "",
            named.get("after", "")[:_LONGEST_MARK],
        )

    def for_(self, actor: Actor, *, now: datetime) -> Wanted:
        """What is wanted by this actor at this moment."""
        return replace(
            self.wanted,
            due_before=now + DUE[self.due] if self.due else None,
            is_claimed={"mine": True, "free": False}.get(self.claim),
            claimed_by=actor.name if self.claim == "mine" else None,
        )

    @property
    def values(self) -> dict[str, str | Sequence[str]]:
        """The parameters of the address, without the page; nothing for what does not matter."""
        named = {
            "q": self.wanted.search,
            "below": "1" if self.wanted.with_below else "",
            "priority": self.wanted.priority,
            "due": self.due,
            "claim": self.claim,
        }
        return self.wanted.to_query() | {name: value for name, value in named.items() if value}

    @property
    def query(self) -> str:
        """The address behind its question mark, without the page."""
        return urlencode(self.values, doseq=True)

    @property
    def others(self) -> list[tuple[str, str]]:
        """What is looked for and has no field in the form of the queue; several units have none."""
        kept = {name: value for name, value in self.values.items() if name not in _IN_FORM}
        if len(self.wanted.units) > 1:
            kept["unit"] = self.wanted.units
        lists = ((name, [value] if isinstance(value, str) else value) for name, value in kept.items())
        return [(name, value) for name, values in lists for value in values]

    @property
    def unit(self) -> str:
        """The responsible unit that the form shows."""
        return next(iter(self.wanted.units), "")

    def address(self, **changes: str) -> str:
        """The address of the same filters with some changed, from the first page on unless `after` is given."""
        query = {name: value for name, value in (self.values | changes).items() if value}
        # An address without any parameter is where somebody's own first list stands.
        return "/tickets?" + (urlencode(query, doseq=True) or "state=")


@dataclass(frozen=True, slots=True)
class TicketPage:
    """A page of tickets, where the next one begins, and how many are in each state, as far as they are counted."""

    tickets: Sequence[Petition]
    next: str | None
    counts: Mapping[str, int] = field(default_factory=dict)

    def shown(self, states: Iterable[str]) -> str:
        """How many are in these states; with a plus where there may be more."""
        states = set(states)
        is_more = any(self.counts.get(name, 0) >= MOST_COUNTED for name in own_lifecycle().endings & states)
        return f"{sum(self.counts.get(name, 0) for name in states)}{'+' if is_more else ''}"


def ticket_page(session: Session, actor: Actor, filters: Filters, *, now: datetime) -> TicketPage:
    """One page of the tickets that the actor may see, with the counts of all that match but for their state.

    Raises:
        PetitionError: `no_such_page`.
    """
    wanted = filters.for_(actor, now=now)
    found = list_petitions(session, actor, wanted, now=now, after=filters.after or None, limit=PAGE)
    counts = count_by_state(session, actor, wanted, now=now, most=MOST_COUNTED)
    return TicketPage(found.petitions, found.next, counts)


def find_tickets(session: Session, actor: Actor, search: str, *, now: datetime, limit: int) -> Sequence[Petition]:
    """The newest tickets that have these words and that the actor may see."""
    wanted = Wanted(search=search.strip()[:SEARCH_LIMIT_CHARACTERS])
    return list_petitions(session, actor, wanted, now=now, limit=limit).petitions if wanted.search else ()


def ticket(session: Session, number: str, actor: Actor) -> Petition:
    """The ticket of that number.

    Raises:
        PetitionError: `no_such_number`, alike for one that is not there and one that the actor may not see.
    """
    return get_petition(session, number, actor)


def units_of(actor: Actor) -> list[str]:
    """The units whose tickets an actor sees: their own first, then those below."""
    return [actor.unit, *own_network().below(actor.unit)] if actor.unit else []


def communities_of(actor: Actor) -> list[str]:
    """The communities in which those units work."""
    units = (own_network().find(name) for name in units_of(actor))
    return list(dict.fromkeys(unit.community for unit in units if unit and unit.community))


def may_read_conversation(session: Session, petition: Petition, actor: Actor) -> bool:
    """Whether an actor may read the conversation that a ticket comes from.

    Not when it also led to a ticket that they may not see: that could be an accusation against them.
    """
    mine = select(func.count()).select_from(Petition).where(Petition.conversation == petition.conversation)
    return session.scalar(mine) == session.scalar(mine.where(visible_to(actor)))
