"""Drafts of replies to begin with, by the state, the class and the topic of a ticket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from petitions import Petition
from petitions.clocks import SHANGHAI
from petitions.data import load
from petitions.lifecycle import own_lifecycle
from petitions.triage import class_names, taxonomy

_FILE = Path(__file__).with_name("replies.yml")
PLACEHOLDERS = frozenset({"number", "filed_on", "unit", "category", "place"})


class ReplyDraft(BaseModel):
    """A draft, and for which tickets it is; what is empty does not matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)
    states: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    text: str = Field(min_length=1)
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        named = {name for _, name, _, _ in Formatter().parse(self.text) if name is not None}
        faults = (
            ("placeholder", named - PLACEHOLDERS),
            ("state", set(self.states) - set(own_lifecycle().states)),
            ("class", set(self.classes) - set(class_names())),
            ("topic", set(self.topics) - set(taxonomy())),
        )
        for kind, unknown in faults:
            if unknown:
                raise ValueError(f"unknown {kind} {', '.join(sorted(unknown))}")
        return self

    def fits(self, petition: Petition) -> bool:
        """Whether it is for this ticket."""
        pairs: Iterable[tuple[tuple[str, ...], str]] = (
            (self.states, petition.state),
            (self.classes, petition.class_),
            (self.topics, petition.topic),
        )
        return all(not names or value in names for names, value in pairs)

    def fill(self, petition: Petition) -> str:
        """The draft with what is known of the ticket in it."""
        filed_on = petition.filed_at.astimezone(SHANGHAI)
        return self.text.format(
            number=petition.number,
            filed_on=f"{filed_on.year}年{filed_on.month}月{filed_on.day}日",
            unit=petition.unit,
            category=petition.category[2] or petition.category[1],
            place=petition.place or "",
        ).strip()


class ReplyDrafts(BaseModel):
    """All drafts by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    replies: Mapping[str, ReplyDraft]


@cache
def own_drafts() -> ReplyDrafts:
    """The drafts beside the code."""
    return read_drafts(_FILE)


def read_drafts(path: Path) -> ReplyDrafts:
    """The drafts of a file.

    Raises:
        DataError: one cannot be used; the message names it.
    """
    return load(path, ReplyDrafts)


def drafts_for(petition: Petition) -> dict[str, str]:
    """Name and label of the drafts that fit a ticket, those made for its topic or state first."""
    fitting = [(name, one) for name, one in own_drafts().replies.items() if one.fits(petition)]
    fitting.sort(key=lambda pair: -(bool(pair[1].topics) + bool(pair[1].states)))
    return {name: one.label for name, one in fitting}


def draft(petition: Petition, name: str) -> str:
    """The draft of that name for a ticket; empty when it does not fit."""
    found = own_drafts().replies.get(name)
    return found.fill(petition) if found and found.fits(petition) else ""
