"""Petitions for those who work on them: a page of them, how many there are, and one by its number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

from sqlalchemy import ColumnElement, Select, and_, false, func, select, true, tuple_, union_all
from sqlalchemy.orm import Session

from petitions.errors import PetitionError
from petitions.log import Actor
from petitions.model import Petition
from petitions.network import Network, own_network
from petitions.search import find_by_words, wanted_words
from petitions.visibility import visible_to

PAGE = 50
# So many stretches of an index are merged at most; beyond that the rows are filtered as they are read.
_MERGED = 60
# So many tickets that have the searched words are looked at in the first round, and in no later round more than this.
_FIRST_ROUND, _LARGEST_ROUND = 200, 5000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which petitions are wanted; what is left out does not matter.

    Attributes:
        search: Words of the matter, the place or the number; all of them must occur.
        states: In one of these states.
        is_open: Whether something is still owed.
        unit: The responsible unit.
        with_below: The units below that one too.
        offered_to: The unit it is offered to.
        topic: First level of the category.
        community: Where it is.
        class_: Kind of demand.
        priority: How much it hurries.
        claimed_by: Whoever works on it, or did last.
        due_before: Aware; a clock of the office ends before that.
    """

    search: str = ""
    states: tuple[str, ...] = ()
    is_open: bool | None = None
    unit: str | None = None
    with_below: bool = False
    offered_to: str | None = None
    topic: str | None = None
    community: str | None = None
    class_: str | None = None
    priority: str | None = None
    claimed_by: str | None = None
    due_before: datetime | None = None

    def units(self, network: Network) -> tuple[str, ...]:
        """The responsible units; none where every unit will do."""
        if self.unit is None:
            return ()
        return (self.unit, *(network.below(self.unit) if self.with_below else ()))


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
        after: `next` of the page before.
        limit: At most this many.
        network: Another network than the jurisdiction's.

    Raises:
        PetitionError: `no_such_page` when `after` is not what a page gave.
    """
    network = network or own_network()
    if wanted.search.strip():
        found = _search(session, actor, wanted, _before(after), limit + 1, network)
    elif wanted.due_before is not None:
        found = _soonest(session, actor, wanted, after, limit + 1, network)
    else:
        found = _newest(session, actor, wanted, _before(after), limit + 1, network)
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
    session: Session, actor: Actor, unit: str | None = None, *, with_below: bool = False, network: Network | None = None
) -> dict[str, int]:
    """How many of the petitions that the actor may see are in each state, all or those of a responsible unit."""
    network = network or own_network()
    units = Wanted(unit=unit, with_below=with_below).units(network)
    # What is no accusation may be seen by all who are not confined, and is counted unit by unit from an index alone.
    seen, is_open = visible_to(actor, network), Petition.is_restricted == false()
    conditions = (is_open & seen if actor.is_confined else is_open, and_(Petition.is_restricted == true(), seen))
    counts: dict[str, int] = {}
    for one in units or (None,):
        of_unit = () if one is None else (Petition.unit == one,)
        for condition in conditions:
            statement = select(Petition.state, func.count()).where(condition, *of_unit).group_by(Petition.state)
            for state, count in session.execute(statement):
                counts[state] = counts.get(state, 0) + count
    return dict(sorted(counts.items()))


def _newest(
    session: Session, actor: Actor, wanted: Wanted, before_id: int | None, limit: int, network: Network
) -> Sequence[Petition]:
    """The newest petitions, each unit and state read from its own stretch of an index, in order."""
    units, states = wanted.units(network), wanted.states
    parts = list(product(units or (None,), states or (None,)))
    if len(parts) > _MERGED:
        parts = [(None, None)]
    rest = replace(wanted, states=() if len(parts) > 1 else states)
    if len(parts) == 1:
        return session.scalars(
            _statement(actor, rest, before_id, network).order_by(Petition.id.desc()).limit(limit)
        ).all()
    stretches = []
    for unit, state in parts:
        one = replace(wanted, unit=unit, with_below=False, states=(state,) if state else ())
        newest = _statement(actor, one, before_id, network).with_only_columns(Petition.id)
        stretches.append(select(newest.order_by(Petition.id.desc()).limit(limit).subquery().c.id))
    every = union_all(*stretches).subquery()
    ids = select(every.c.id).order_by(every.c.id.desc()).limit(limit)
    return session.scalars(
        select(Petition).where(Petition.id.in_(ids), visible_to(actor, network)).order_by(Petition.id.desc())
    ).all()


def _soonest(
    session: Session, actor: Actor, wanted: Wanted, after: str | None, limit: int, network: Network
) -> Sequence[Petition]:
    """The petitions that are due soonest."""
    statement = _statement(actor, wanted, None, network).where(Petition.due_at < wanted.due_before)
    if after is not None:
        moment, _, number = after.partition("_")
        try:
            last = datetime.fromisoformat(moment), int(number)
        except ValueError as error:
            raise PetitionError("no_such_page") from error
        if last[0].tzinfo is None:
            raise PetitionError("no_such_page")
        statement = statement.where(tuple_(Petition.due_at, Petition.id) > last)
    return session.scalars(statement.order_by(Petition.due_at, Petition.id).limit(limit)).all()


def _search(
    session: Session, actor: Actor, wanted: Wanted, before_id: int | None, limit: int, network: Network
) -> Sequence[Petition]:
    """The newest petitions that have all of the words, found by the index of words and then looked at."""
    words = wanted_words(wanted.search)
    found: list[Petition] = []
    size = _FIRST_ROUND
    while words and len(found) < limit:
        ids = find_by_words(session, words, before_id=before_id, limit=size)
        statement = _statement(actor, wanted, None, network).where(Petition.id.in_(ids))
        if wanted.due_before is not None:
            statement = statement.where(Petition.due_at < wanted.due_before)
        found += session.scalars(statement.order_by(Petition.id.desc()).limit(limit - len(found)))
        if len(ids) < size:
            break
        before_id, size = ids[-1], min(size * 4, _LARGEST_ROUND)
    return found


def _statement(actor: Actor, wanted: Wanted, before_id: int | None, network: Network) -> Select[Petition]:
    conditions = [visible_to(actor, network), Petition.number.is_not(None), *_conditions(wanted, network)]
    if before_id is not None:
        conditions.append(Petition.id < before_id)
    return select(Petition).where(*conditions)


def _conditions(wanted: Wanted, network: Network) -> Iterator[ColumnElement[bool]]:
    """One condition for everything that is wanted of the petition's own row."""
    units = wanted.units(network)
    for names, attribute in ((units, Petition.unit), (wanted.states, Petition.state)):
        if names:
            yield attribute == names[0] if len(names) == 1 else attribute.in_(names)
    if wanted.is_open is not None:
        yield Petition.ended_at.is_(None) if wanted.is_open else Petition.ended_at.is_not(None)
    plain: tuple[tuple[str | None, ColumnElement[bool]], ...] = (
        (wanted.offered_to, Petition.offered_unit == wanted.offered_to),
        (wanted.topic, Petition.topic == wanted.topic),
        (wanted.community, Petition.community == wanted.community),
        (wanted.class_, Petition.class_ == wanted.class_),
        (wanted.priority, Petition.priority == wanted.priority),
        (wanted.claimed_by, Petition.claimed_by == wanted.claimed_by),
    )
    yield from (condition for value, condition in plain if value is not None)


def _before(after: str | None) -> int | None:
    if after is None:
        return None
    if not after.isdecimal():
        raise PetitionError("no_such_page")
    return int(after)


def _mark(last: Petition, *, is_by_due: bool) -> str:
    return f"{last.due_at.isoformat()}_{last.id}" if is_by_due and last.due_at else str(last.id)
