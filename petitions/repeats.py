"""The same matter filed before: found before filing, and told without anything that another person said."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from language.normalise import normalise
from language.personal import mask_personal
from petitions.clocks import SHANGHAI
from petitions.data import load
from petitions.intake import Draft
from petitions.lifecycle import own_lifecycle
from petitions.model import Petition
from petitions.search import words_of
from petitions.similar import find_similar
from petitions.triage import Route
from petitions.visibility import STRANGER

logger = logging.getLogger(__name__)

_RULES = Path(__file__).with_name("repeats.yml")
_COMPARED = 20


class RepeatRules(BaseModel):
    """The rules of repeats.yml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    days: int = Field(gt=0)
    least_score: float
    least_shared: float
    vague: re.Pattern[str]
    source: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A petition that may be the same matter, as anybody may be told of it.

    `number` is for the code that joins, never for the resident. `is_concluded`: nobody can join it any more.
    """

    number: str
    category: str
    community: str
    filed_on: date
    state: str
    is_concluded: bool


@cache
def own_repeats() -> RepeatRules:
    """The rules beside the code."""
    return load(_RULES, RepeatRules)


def look_for_repeat(sessions: Callable[[], Session], draft: Draft, route: Route, *, now: datetime) -> Repeat | None:
    """As `find_repeat`, in a session of its own; a search that fails never keeps a petition from being filed."""
    try:
        with sessions() as session:
            return find_repeat(session, draft, route, now=now)
    except SQLAlchemyError as error:
        logger.error("repeat_not_searched error=%s", type(error).__name__)
        return None


def find_repeat(session: Session, draft: Draft, route: Route, *, now: datetime) -> Repeat | None:
    """The petition that most likely is the same matter: same place, same kind, like in meaning and words; None without.

    An accusation is neither compared nor offered. Whose place is not settled is not compared: the same words about
    another place are another matter.

    Args:
        session: Open.
        draft: What the resident said.
        route: Where it would go; its vector tells what it means.
        now: Aware.
    """
    draft = replace(draft, community=draft.community or route.community)
    if route.is_restricted or draft.community is None:
        return None
    rules = own_repeats()
    likely = find_similar(
        session, mask_personal(draft.text), route.vector, STRANGER, limit=_COMPARED, least=rules.least_score
    )
    since = now - timedelta(days=rules.days)
    for one in likely:
        if _is_same_kind(one.petition, draft, route, since) and _shared(one.petition, draft) >= rules.least_shared:
            return _told(one.petition)
    return None


def _is_same_kind(petition: Petition, draft: Draft, route: Route, since: datetime) -> bool:
    is_concluded = petition.state == own_lifecycle().concluded.state
    return (
        petition.community == draft.community
        and petition.category[:2] == list(route.category[:2])
        and _may_be_one_place(petition.place, draft.place)
        and petition.filed_at >= since
        and (petition.ended_at is None or is_concluded)
    )


def _shared(petition: Petition, draft: Draft) -> float:
    """Which share of the shorter matter's words the other has too; two matters of one place share its name anyway."""
    said = {*words_of(petition.place or ""), *words_of(draft.place or "")}
    one, other = (set(words_of(matter or "")) - said for matter in (petition.matter, draft.matter))
    return len(one & other) / (min(len(one), len(other)) or 1)


def _may_be_one_place(*places: str | None) -> bool:
    """Whether two places share a word, or one of them tells no more than its community."""
    vague = own_repeats().vague
    one, other = (set(words_of(vague.sub(" ", normalise(place or "")))) for place in places)
    return not one or not other or bool(one & other)


def _told(petition: Petition) -> Repeat:
    lifecycle = own_lifecycle()
    return Repeat(
        number=str(petition.number),
        category=petition.category[2],
        community=str(petition.community),
        filed_on=petition.filed_at.astimezone(SHANGHAI).date(),
        state=lifecycle.states[petition.state].label,
        is_concluded=petition.state == lifecycle.concluded.state,
    )
