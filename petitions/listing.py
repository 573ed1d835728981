"""Petitions for those who work on them: a page of them, how many there are, and one by its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from petitions.errors import PetitionError
from petitions.lifecycle import own_lifecycle
from petitions.log import Actor
from petitions.model import Petition
from petitions.network import Network, own_network
from petitions.search import find_by_words, wanted_words
from petitions.selection import Selection
from petitions.visibility import visible_parts, visible_to

PAGE = 50
# So many stretches of an index are merged at most; beyond that the rows are filtered as they are read.
_MERGED = 60
# So many tickets that have the searched words are looked at in the first round, and in no later round more than this.
_FIRST_ROUND, _LARGEST_ROUND = 200, 5000
COUNTED_LIMIT = 1000
# No id of a database has more digits.
_LONGEST_ID = 18


@dataclass(frozen=True, slots=True)
class Wanted(Selection):
    """Which petitions are wanted: a selection, with what only a list asks for; what is left out does not matter.

    Attributes:
        search: Words of the matter, the place or the number; all of them must occur.
        is_open: Whether something is still owed.
        with_below: The units below the responsible ones too.
        offered_to: The unit it is offered to.
        priority: How much it hurries.
        is_claimed: Whether somebody works on it now.
        claimed_by: Whoever works on it, or did last.
        due_before: Aware; a clock of the office ends before that.
    """

    search: str = ""
    is_open: bool | None = None
    with_below: bool = False
    offered_to: str | None = None
    priority: str | None = None
    is_claimed: bool | None = None
    claimed_by: str | None = None
    due_before: datetime | None = None

    def spread(self, network: Network) -> Wanted:
        """The same with every responsible unit named."""
        below = [unit for name in self.units for unit in network.below(name)] if self.with_below else []
        return replace(self, units=tuple(dict.fromkeys((*self.units, *below))), with_below=False)

    def conditions(self, now: datetime) -> list[ColumnElement[bool]]:
        """What holds for the columns of `Petition`, but for the searched words."""
        found = Selection.conditions(self, now)
        if self.is_open is not None:
            found.append(Petition.ended_at.is_(None) if self.is_open else Petition.ended_at.is_not(None))
        if self.is_claimed is not None:
            is_claimed = Petition.claimed_until > now
            found.append(is_claimed if self.is_claimed else or_(Petition.claimed_until.is_(None), ~is_claimed))
        if self.due_before is not None:
            found.append(Petition.due_at < self.due_before)
        plain = (
            (self.offered_to, Petition.offered_unit),
            (self.priority, Petition.priority),
            (self.claimed_by, Petition.claimed_by),
        )
        return [*found, *(column == value for value, column in plain if value is not None)]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of petitions, and what to ask for the next one; None after the last."""

    petitions: Sequence[Petition]
    next: str | None


ALL = Wanted()


def list_petitions(
    session: Session,
    actor: Actor,
    wanted: Wanted = ALL,
    *,
    now: datetime,
    after: str | None = None,
    limit: int = PAGE,
    network: Network | None = None,
) -> Page:
    """One page of petitions that the actor may see.

    Newest first; soonest due first when `due_before` is wanted without a search. The time taken does not grow with the
    number of petitions: each order has an index, and it is read no further than the page.

    Args:
        session: Open.
        actor: Who looks.
        wanted: Which petitions.
        now: Aware; what is overdue or claimed is so at this moment.
        after: `next` of the page before.
        limit: At most this many.
        network: Another network than the jurisdiction's.

    Raises:
        PetitionError: `no_such_page` when `after` is not what a page gave.
    """
    network = network or own_network()
    look = _Look(session, actor, wanted.spread(network), now, network)
    if wanted.search.strip():
        found = look.by_words(_before(after), limit + 1)
    elif wanted.due_before is not None:
        found = look.soonest(after, limit + 1)
    else:
        found = look.newest(_before(after), limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    is_by_due = wanted.due_before is not None and not wanted.search.strip()
    return Page(found[:limit], _mark(last, is_by_due=is_by_due) if last else None)


def get_petition(session: Session, number: str, actor: Actor) -> Petition:
    """The petition of that number.

    Raises:
        PetitionError: `no_such_number`, alike for one that is not there and one that the actor may not see.
    """
    petition = session.scalar(select(Petition).where(Petition.number == number, visible_to(actor)))
    if petition is None:
        raise PetitionError("no_such_number")
    return petition


def count_by_state(
    session: Session,
    actor: Actor,
    wanted: Wanted = ALL,
    *,
    now: datetime,
    most: int | None = None,
    network: Network | None = None,
) -> dict[str, int]:
    """How many of the wanted petitions that the actor may see are in each state; the wanted state does not matter.

    A search counts the newest `COUNTED_LIMIT` that have the words.

    Args:
        session: Open.
        actor: Who looks.
        wanted: Which petitions.
        now: Aware.
        most: Of each unit's petitions in a state that ends them no more are counted: what has ended only grows.
        network: Another network than the jurisdiction's.
    """
    network = network or own_network()
    wanted = replace(wanted, state=None).spread(network)
    found = []
    if wanted.search.strip():
        words = wanted_words(wanted.search)
        found.append(Petition.id.in_(find_by_words(session, words, limit=COUNTED_LIMIT) if words else ()))
    states = own_lifecycle().states
    # A search has found so few that all are counted at once.
    endings = sorted(own_lifecycle().endings) if most is not None and not found else []
    under_way = [Petition.state.in_([name for name in states if name not in endings])] if endings else []
    # Each part is counted unit by unit, from an index alone where nothing else is asked.
    counts: Counter[str] = Counter()
    for unit, condition in product(wanted.units or (None,), visible_parts(actor, network)):
        of_unit = (condition, *replace(wanted, units=(unit,) if unit else ()).conditions(now), *found)
        by_state = select(Petition.state, func.count()).where(*of_unit, *under_way).group_by(Petition.state)
        parts = [by_state]
        for name in endings:
            ended = select(Petition.id).where(Petition.state == name, *of_unit).limit(most).subquery()
            parts.append(select(literal(name), func.count()).select_from(ended))
        for state, count in session.execute(union_all(*parts) if endings else by_state):
            counts[state] += count
    return {state: count for state, count in sorted(counts.items()) if count}


@dataclass(frozen=True, slots=True)
class _Look:
    """A look into the wanted petitions; every responsible unit is named."""

    session: Session
    actor: Actor
    wanted: Wanted
    now: datetime
    network: Network

    def newest(self, before_id: int | None, limit: int) -> Sequence[Petition]:
        """The newest petitions, each unit and state read from its own stretch of an index, in order."""
        parts = list(product(self.wanted.units or (None,), self.wanted.states or (None,)))
        if len(parts) == 1 or len(parts) > _MERGED:
            statement = self._statement(self.wanted, before_id)
            return self.session.scalars(statement.order_by(Petition.id.desc()).limit(limit)).all()
        stretches = []
        for unit, state in parts:
            one = replace(self.wanted, units=(unit,) if unit else (), state=state)
            newest = self._statement(one, before_id).with_only_columns(Petition.id)
            stretches.append(select(newest.order_by(Petition.id.desc()).limit(limit).subquery().c.id))
        every = union_all(*stretches).subquery()
        ids = select(every.c.id).order_by(every.c.id.desc()).limit(limit)
        return self.session.scalars(
            select(Petition)
            .where(Petition.id.in_(ids), visible_to(self.actor, self.network))
            .order_by(Petition.id.desc())
        ).all()

    def soonest(self, after: str | None, limit: int) -> Sequence[Petition]:
        """The petitions that are due soonest."""
        statement = self._statement(self.wanted, None)
        if after is not None:
            statement = statement.where(tuple_(Petition.due_at, Petition.id) > _due_mark(after))
        return self.session.scalars(statement.order_by(Petition.due_at, Petition.id).limit(limit)).all()

    def by_words(self, before_id: int | None, limit: int) -> Sequence[Petition]:
        """The newest petitions that have all of the words, found by the index of words and then looked at."""
        words = wanted_words(self.wanted.search)
        found: list[Petition] = []
        size = _FIRST_ROUND
        while words and len(found) < limit:
            ids = find_by_words(self.session, words, before_id=before_id, limit=size)
            statement = self._statement(self.wanted, None).where(Petition.id.in_(ids))
            found += self.session.scalars(statement.order_by(Petition.id.desc()).limit(limit - len(found)))
            if len(ids) < size:
                break
            before_id, size = ids[-1], min(size * 4, _LARGEST_ROUND)
        return found

    def _statement(self, wanted: Wanted, before_id: int | None) -> Select[Petition]:
        is_older = () if before_id is None else (Petition.id < before_id,)
        return select(Petition).where(
            visible_to(self.actor, self.network),
            Petition.number.is_not(None),
            *wanted.conditions(self.now),
            *is_older,
        )


def _before(after: str | None) -> int | None:
    return None if after is None else _id(after)


def _due_mark(after: str) -> tuple[datetime, int]:
    moment, _, number = after.partition("_")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError as error:
        raise PetitionError("no_such_page") from error
    if at.tzinfo is None:
        raise PetitionError("no_such_page")
    return at, _id(number)


def _id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID):
        raise PetitionError("no_such_page")
    return int(text)


def _mark(last: Petition, *, is_by_due: bool) -> str:
    return f"{last.due_at.isoformat()}_{last.id}" if is_by_due and last.due_at else str(last.id)
