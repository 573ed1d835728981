"""Abuse answered once and then slowed, a conversation at a time; forgotten at a restart."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, PositiveInt

from channels.rasa import Said
from web.limits import KEYS_KEPT, RateLimit

T = TypeVar("T")

ABUSE = "abuse"
_RULES = Path(__file__).with_name("manners.yml")


class MannersRules(BaseModel):
    """The rules of manners.yml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    source: str
    answered: PositiveInt
    within_minutes: PositiveInt
    slowed_minutes: PositiveInt
    slowed_per_minute: PositiveInt


@cache
def own_manners() -> MannersRules:
    """The rules beside the code."""
    return MannersRules.model_validate(yaml.safe_load(_RULES.read_text(encoding="utf-8")))


def is_abuse(said: Said) -> bool:
    """Whether the assistant took a message for abuse and for nothing else."""
    return said.understood.intent == ABUSE and {message["kind"] for message in said.messages} == {"refusal"}


class Manners:
    """Counts the abusive messages of each conversation, in bounded memory."""

    def __init__(self, rules: MannersRules, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rules = rules
        self._clock = clock
        self._seen: OrderedDict[str, list[float]] = OrderedDict()
        self._slow_until: OrderedDict[str, float] = OrderedDict()
        self._pace = RateLimit(rules.slowed_per_minute, clock=clock)

    def note(self, conversation: str) -> bool:
        """Count an abusive message; whether abuse was answered already, so that a slow time begins."""
        now = self._clock()
        since = now - self.rules.within_minutes * 60
        seen = [at for at in self._seen.pop(conversation, ()) if at > since]
        _keep(self._seen, conversation, [*seen, now][-self.rules.answered :])
        if len(seen) < self.rules.answered:
            return False
        self._slow_until.pop(conversation, None)
        _keep(self._slow_until, conversation, now + self.rules.slowed_minutes * 60)
        return True

    def take(self, conversation: str) -> int | None:
        """Count a message; the seconds to wait when the conversation is slowed and this one is too fast."""
        if self._slow_until.get(conversation, 0.0) <= self._clock():
            return None
        return self._pace.take(conversation)


def _keep(kept: OrderedDict[str, T], key: str, value: T) -> None:
    kept[key] = value
    while len(kept) > KEYS_KEPT:
        kept.popitem(last=False)
