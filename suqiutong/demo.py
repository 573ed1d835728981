"""A demonstration: generated petitions that live through weeks in seconds, by the same steps that people take.

Nothing is written past the case work, so that clocks, outbox and log are those of a real queue and the log verifies.
What is in an append-only log cannot be taken out again: a demonstration has a database of its own, and ends with it.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from channels.store import receive, record_replies
from channels.turns import rate
from desk.accounts import Role, add_staff
from knowledge.curated import import_entries, today_of
from knowledge.unanswered import record_unanswered
from petitions import (
    PETITIONER,
    SYSTEM,
    Actor,
    Draft,
    Petition,
    PetitionError,
    act,
    file_petition,
    own_rules,
    seal,
    tick,
)
from petitions.clocks import SHANGHAI
from petitions.data import load
from petitions.images import Picture, redraw
from petitions.listing import get_petition
from petitions.outbox import letter_of, mark, put_into_inbox, take
from petitions.photos import add_photo
from petitions.privacy import unseal
from petitions.triage import Route, triage
from petitions.visibility import visible_to
from suqiutong import database
from suqiutong.demo_mark import CONVERSATION
from suqiutong.demo_photos import draw
from suqiutong.errors import CommandError
from suqiutong.wiring import Services

DAYS = 90
PETITIONS = 320
SEED = 1
_TICK = timedelta(hours=1)
_PHONE_DIGITS = 11
_MOST_ASKS = 6
# Of each scene so many are drawn: neighbours do photograph the same thing.
_VARIANTS = 4
_FIRST_HOUR, _LAST_HOUR = 7, 22
# What ends a life by chance: others joined what was to be withdrawn, or what was to take this one in has ended.
_BY_CHANCE = {"others_joined", "no_such_ticket"}
_RULES = Path(__file__).with_name("demo.yml")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Weighted(_Strict):
    weight: int


class _Account(_Strict):
    name: str
    role: Role
    level: Literal["6", "N"]


class _Matter(_Weighted):
    text: str
    # What a photo of it shows, of the scenes of demo_photos.yml.
    scene: str | None = None


class _DemoStep(_Strict):
    do: str
    by: str
    after: tuple[float, float]
    fields: dict[str, Any] = {}
    words: dict[str, str] = {}
    marks: str | None = None


class _Life(_Weighted):
    name: str
    steps: tuple[_DemoStep, ...]
    classes: tuple[str, ...] = ()
    is_accusation: bool = False
    is_repetition: bool = False


_One = TypeVar("_One", bound=_Weighted)


class DemoRules(_Strict):
    """The content of demo.yml."""

    mark: str
    editor: str
    names: tuple[str, ...]
    phone_prefix: str
    anonymous_share: float
    photo_share: float
    photo_channels: tuple[str, ...]
    place: str
    channels: dict[str, int]
    communities: dict[str, int]
    accounts: tuple[_Account, ...]
    matters: tuple[_Matter, ...]
    words: dict[str, tuple[str, ...]]
    marks: dict[str, dict[str, Any]]
    lives: tuple[_Life, ...]
    questions: tuple[str, ...]
    chats: tuple[_Matter, ...]
    chat_share: float
    helpful_share: float
    entries: tuple[dict[str, Any], ...]


@dataclass(slots=True)
class _Case:
    """A petition of the demonstration: what is filed when, and then how far its life has come."""

    filed_at: datetime
    matter: str
    place: str
    community: str | None
    route: Route
    life: _Life
    like: _Case | None
    scene: str | None = None
    number: str = ""
    done: int = 0


@dataclass(order=True, slots=True)
class _Turn:
    """When which case goes on; `order` keeps those of one moment apart."""

    at: datetime
    order: int
    case: _Case = field(compare=False)


@cache
def _picture(scene: str, seed: int) -> Picture:
    return redraw(draw(scene, seed))


@cache
def demo_rules() -> DemoRules:
    """What the demonstration is made of."""
    return load(_RULES, DemoRules)


def fill(
    services: Services,
    report: Callable[[str], None],
    *,
    now: datetime,
    seed: int = SEED,
    count: int = PETITIONS,
    days: int = DAYS,
) -> Counter[str]:
    """Fill an empty database with a demonstration that ends now; how many petitions lived which life.

    Args:
        services: Whose database.
        report: Told a line of progress now and then.
        now: Aware.
        seed: The same seed makes the same petitions.
        count: About how many petitions.
        days: How far back they go.

    Raises:
        CommandError: the database holds petitions, or messages would leave the product.
    """
    if services.settings.notify_url:
        raise CommandError("SUQIUTONG_NOTIFY_URL is set: a demonstration must not send messages to anybody")
    database.upgrade(services.engine)
    with services.sessions() as session:
        if session.scalar(select(func.count(Petition.id)).where(visible_to(SYSTEM))):
            raise CommandError("the database holds petitions already: name an empty one with --into")
    play = _Play(services, now, Random(seed), count, days)
    play.run(report)
    return play.lives


def add_accounts(services: Services, *, now: datetime) -> list[tuple[str, Role, str, str]]:
    """Somebody of every role for the desk of a demonstration: name, role, unit and password, which is kept nowhere.

    Raises:
        CommandError: the database holds no demonstration, or not only one: nobody gets an account there by this.
        AccountError: one of the names is taken.
    """
    jurisdiction = services.jurisdiction
    units = {"6": jurisdiction.hall("6", subdistrict=jurisdiction.name).name}
    units["N"] = jurisdiction.hall("N", community=jurisdiction.communities[0]).name
    made = []
    with services.writing() as session:
        _check_demo(session)
        for account in demo_rules().accounts:
            unit = units[account.level]
            member, password = add_staff(session, account.name, account.role, unit, now=now)
            # Whoever tries the demonstration need not think of a password first.
            member.must_change = False
            made.append((account.name, account.role, unit, password))
    return made


def remove(services: Services) -> None:
    """Empty a database that holds a demonstration and nothing else that was filed: all of it, accounts included.

    Raises:
        CommandError: there is no demonstration, or something real was filed beside it.
    """
    with services.writing() as session:
        _check_demo(session)
    keyring = services.keyring
    with services.writing() as session:
        # What is sealed cannot be taken back by the migrations.
        while unseal(session, keyring):
            pass
    database.downgrade(services.engine, "base")
    database.upgrade(services.engine)


def _check_demo(session: Session) -> None:
    demo = Petition.conversation == CONVERSATION
    rows = session.execute(select(demo, func.count()).where(visible_to(SYSTEM)).group_by(demo)).all()
    held = {bool(is_demo): number for is_demo, number in rows}
    if not held.get(True):
        raise CommandError("there is no demonstration in the database")
    if real := held.get(False):
        raise CommandError(f"{real} petitions in the database are no demonstration: nothing was changed")


class _Play:
    """One demonstration, played from its first day to now."""

    def __init__(self, services: Services, now: datetime, chance: Random, count: int, days: int) -> None:
        self._services = services
        self._now = now
        self._chance = chance
        self._rules = demo_rules()
        self._keyring = services.keyring
        self._start = datetime.combine((now.astimezone(SHANGHAI) - timedelta(days=days)).date(), time(), SHANGHAI)
        self._turns: list[_Turn] = []
        self._order = 0
        self.lives: Counter[str] = Counter()
        jurisdiction = services.jurisdiction
        own = set(jurisdiction.communities)
        pattern = re.compile(self._rules.place)
        # By community, so that each gets its share however many of its places are known.
        self._places = {community: [f"{community}社区"] for community in jurisdiction.communities}
        for place in jurisdiction.places:
            if place.community in own and pattern.search(place.name):
                self._places[str(place.community)].append(place.name)
        hall = jurisdiction.hall("6", subdistrict=jurisdiction.name).name
        self._units = [hall, *(jurisdiction.hall("N", community=name).name for name in jurisdiction.communities)]
        self._compose(count)

    def run(self, report: Callable[[str], None]) -> None:
        """Play it, a transaction a day."""
        end = self._start
        while end < self._now:
            start, end = end, min(end + timedelta(days=1), self._now)
            with self._services.writing() as session:
                self._day(session, start, end)
            with self._services.writing() as session:
                seal(session, now=end)
            if end.astimezone(SHANGHAI).day == 1 or end == self._now:
                report(f"{end.astimezone(SHANGHAI):%Y-%m-%d}: {sum(self.lives.values())} petitions")
        with self._services.writing() as session:
            self._questions(session)
        with self._services.writing() as session:
            self._chats(session, round(sum(self.lives.values()) * self._rules.chat_share))

    def _compose(self, count: int) -> None:
        """All petitions, in the order of their filing."""
        moments = sorted(self._moment() for _ in range(count))
        cases: list[_Case] = []
        for at in moments:
            if at > self._now:
                continue
            life = self._pick([life for life in self._rules.lives if not life.is_accusation])
            like = self._chance.choice(cases[-20:]) if life.is_repetition and cases else None
            if like is not None and not like.route.is_restricted:
                case = _Case(at, like.matter, like.place, like.community, like.route, life, like.like or like)
            else:
                case = self._new(at)
            cases.append(case)
            self._put(at, case)

    def _moment(self) -> datetime:
        length = (self._now - self._start).days
        day = self._start + timedelta(days=self._chance.randint(0, length))
        return day + timedelta(hours=self._chance.uniform(_FIRST_HOUR, _LAST_HOUR))

    def _new(self, at: datetime) -> _Case:
        """Something that nobody has filed so far."""
        while True:
            communities = list(self._places)
            weights = [self._rules.communities.get(name, 1) for name in communities]
            place = self._chance.choice(self._places[self._chance.choices(communities, weights)[0]])
            matter = self._pick(self._rules.matters)
            text = matter.text.format(place=place)
            # The words of the matters are plain enough: no sentence vectors, which would take most of the time.
            route = triage(text, self._services.jurisdiction)
            if route.unit is not None:
                break
        lives = [
            life
            for life in self._rules.lives
            if life.is_accusation == route.is_restricted
            and not life.is_repetition
            and (not life.classes or route.class_ in life.classes)
        ]
        community = self._services.jurisdiction.locate(place).community
        return _Case(at, text, place, community, route, self._pick(lives), None, matter.scene)

    def _day(self, session: Session, start: datetime, end: datetime) -> None:
        at = start
        while at < end:
            at = min(at + _TICK, end)
            while self._turns and self._turns[0].at <= at:
                turn = heapq.heappop(self._turns)
                self._go_on(session, turn.case, turn.at)
            while tick(session, at).looked_at:
                pass
        # Into the inboxes at the day's end; what waited would leave the product once an address is set.
        while message := take(session, now=end):
            put_into_inbox(session, letter_of(message, message.petition), now=end)
            mark(session, message.id, message.attempts, None, now=end)

    def _go_on(self, session: Session, case: _Case, at: datetime) -> None:
        """File the case or take its next step, and say when it goes on."""
        if not case.number:
            case.number = self._file(session, case)
            self.lives[case.life.name] += 1
        else:
            step = case.life.steps[case.done]
            petition = get_petition(session, case.number, SYSTEM)
            fields = self._fields(case, step, petition)
            if fields is None:
                return
            try:
                act(session, petition.id, step.do, self._actor(step.by, petition), fields, now=at)
            except PetitionError as error:
                if error.code not in _BY_CHANCE:
                    raise
                return
            case.done += 1
        if case.done < len(case.life.steps):
            hours = self._chance.uniform(*case.life.steps[case.done].after)
            self._put(at + timedelta(hours=hours), case)

    def _file(self, session: Session, case: _Case) -> str:
        is_anonymous = self._chance.random() < self._rules.anonymous_share
        digits = _PHONE_DIGITS - len(self._rules.phone_prefix)
        phone = f"{self._rules.phone_prefix}{self._chance.randrange(10**digits):0{digits}}"
        draft = Draft(
            matter=self._rules.mark + case.matter,
            place=case.place,
            community=case.community,
            name=None if is_anonymous else self._chance.choice(self._rules.names),
            phone=None if is_anonymous else phone,
            is_anonymous=is_anonymous,
        )
        channel = self._chance.choices(list(self._rules.channels), list(self._rules.channels.values()))[0]
        form_key = f"{CONVERSATION}-{self._order}-{case.filed_at:%Y%m%d%H%M%S}"
        if case.scene and channel in self._rules.photo_channels:
            self._photograph(session, case.scene, form_key, case.filed_at)
        filed = file_petition(
            session,
            draft,
            case.route,
            form_key=form_key,
            conversation=CONVERSATION,
            channel=channel,
            secret=self._services.secret,
            keyring=self._keyring,
            now=case.filed_at,
            photos_of=form_key,
        )
        return filed.number

    def _photograph(self, session: Session, scene: str, owner: str, at: datetime) -> None:
        """Give some petitions one photo or two; chance of its own, so that all else is as it is without photos."""
        chance = Random(owner)
        if chance.random() < self._rules.photo_share:
            for seed in chance.sample(range(_VARIANTS), chance.choice((1, 1, 2))):
                add_photo(session, self._keyring, owner, _picture(scene, seed), now=at)

    def _fields(self, case: _Case, step: _DemoStep, petition: Petition) -> dict[str, Any] | None:
        """What the step needs; None when it wants a petition that this one repeats, and there is none."""
        fields = dict(step.fields)
        if fields.get("unit") == "other":
            fields["unit"] = self._chance.choice([unit for unit in self._units if unit != petition.unit])
        if fields.get("into") == "like":
            if case.like is None:
                return None
            fields["into"] = case.like.number
        for name, value in (self._rules.marks[step.marks] if step.marks else {}).items():
            fields[name] = self._chance.randint(*value) if isinstance(value, list) else value
        return fields | {name: self._chance.choice(self._rules.words[key]) for name, key in step.words.items()}

    def _actor(self, by: str, petition: Petition) -> Actor:
        role, _, relation = by.partition(" ")
        if role == "petitioner":
            return PETITIONER
        units: Mapping[str, str | None] = {
            "own": petition.unit,
            "offered": petition.offered_unit,
            "above": own_rules().network.superior(petition.unit),
        }
        names = {account.role: account.name for account in self._rules.accounts}
        return Actor(names[Role(role)], role, units[relation])

    def _questions(self, session: Session) -> None:
        """What the editors find: questions without an answer, and drafts."""
        for question in self._rules.questions:
            for _ in range(self._chance.randint(1, _MOST_ASKS)):
                asked_at = min(self._moment(), self._now)
                record_unanswered(session, question, kind="no_answer", channel=CONVERSATION, now=asked_at)
        today = today_of(self._now).isoformat()
        given = {"written_by": self._rules.editor, "source_on": today, "valid_from": today}
        import_entries(session, [given | entry for entry in self._rules.entries], self._now)

    def _chats(self, session: Session, count: int) -> None:
        """What residents asked the assistant and how they found its answers; nothing without a knowledge base."""
        knowledge = self._services.knowledge
        if knowledge is None:
            return
        replies: dict[str, dict[str, Any]] = {}
        for number in range(count):
            text, at = self._pick(self._rules.chats).text, min(self._moment(), self._now)
            if text not in replies:
                replies[text] = knowledge.answer(text, None, is_counted=False).to_json()
            conversation, message_id = f"{CONVERSATION}-{number}", f"{number}"
            received = receive(session, conversation, text, message_id, now=at)
            record_replies(session, conversation, received.number, [replies[text]], now=at)
            # One in three says how good the answer was.
            if not number % 3:
                is_helpful = self._chance.random() < self._rules.helpful_share
                rate(session, conversation, message_id, "helpful" if is_helpful else "unhelpful", now=at)

    def _put(self, at: datetime, case: _Case) -> None:
        self._order += 1
        heapq.heappush(self._turns, _Turn(at, self._order, case))

    def _pick(self, some: Sequence[_One]) -> _One:
        return self._chance.choices(some, [one.weight for one in some])[0]
