"""What all actions share: services, sentences, and how a message of the contract is said."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import yaml
from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher
from sqlalchemy.orm import Session

from jurisdiction import Jurisdiction, Location
from knowledge.serving import Answers
from language.danger import Danger
from petitions import Keyring, Route

Event = dict[str, Any]
# From this confidence on an intent is taken at its word.
SURE = 0.45


class Services(Protocol):
    """What actions need from the rest of the product."""

    @property
    def jurisdiction(self) -> Jurisdiction:
        """The local facts."""

    @property
    def knowledge(self) -> Answers | None:
        """What answers questions; None when it could not be loaded."""

    @property
    def sessions(self) -> Callable[[], Session]:
        """Makes database sessions."""

    @property
    def secret(self) -> bytes:
        """Key from which query codes are derived."""

    @property
    def keyring(self) -> Keyring:
        """Keys of personal data."""

    def clock(self) -> datetime:
        """Now, aware."""

    def triage(self, text: str) -> Route:
        """Where a petition goes."""

    def is_harmless(self, text: str) -> bool:
        """Whether what sounds of danger in a text is a saying, denied or past."""

    def note_unanswered(self, text: str, kind: str) -> None:
        """Put a question on the editors' list."""

    def find_danger(self, text: str) -> Danger | None:
        """The danger that a text reports."""


class ServiceAction(Action, ABC):  # type: ignore[misc]
    """An action with the services that it calls."""

    # Its name in the domain.
    called: str

    def __init__(self, services: Services) -> None:
        self.services = services

    def name(self) -> str:
        """Its name in the domain."""
        return self.called

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:  # noqa: ARG002
        """Do it; returns the events for Rasa."""
        return self.act(dispatcher, tracker)

    @abstractmethod
    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Do it; returns the events for Rasa."""


class Ask(ServiceAction):
    """An action that asks for a detail in one fixed sentence."""

    # Its sentence below `ask` in `texts.yml`.
    sentence: str

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:  # noqa: ARG002
        """Ask."""
        say(dispatcher, "prompt", texts()["ask"][self.sentence])
        return []


@cache
def texts() -> dict[str, Any]:
    """The sentences of `texts.yml`."""
    data: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("texts.yml").read_text(encoding="utf-8"))
    return data


def say(dispatcher: CollectingDispatcher, kind: str, text: str, **fields: object) -> None:
    """Say one message of the contract."""
    dispatcher.utter_message(json_message={"kind": kind, "text": text, **fields})


def say_outside(dispatcher: CollectingDispatcher, services: Services, location: Location) -> None:
    """Say that a place is not ours, and whose it is."""
    words = {"words": location.words, "district": services.jurisdiction.district, "body": location.body or ""}
    say(dispatcher, "refusal", texts()["outside"].format(**words))


def text_of(tracker: Tracker) -> str:
    """What the resident typed last."""
    return str(tracker.latest_message.get("text") or "")


def intent_of(tracker: Tracker) -> tuple[str, float]:
    """The intent of the last message and how sure understanding is of it."""
    intent = tracker.latest_message.get("intent") or {}
    return str(intent.get("name") or ""), float(intent.get("confidence") or 0.0)


def actions_since_message(tracker: Tracker) -> Sequence[str]:
    """Names of the actions that ran since the resident's last message."""
    names: list[str] = []
    for event in reversed(tracker.events):
        if event.get("event") == "user":
            break
        if event.get("event") == "action":
            names.append(str(event.get("name")))
    return names


def due_words(due: Sequence[Mapping[str, str]]) -> str:
    """The running clocks of a ticket in words, soonest first; empty without any."""
    words = texts()
    said = [
        words["due"][row["clock"]].format(date=datetime.fromisoformat(row["at"]).strftime(words["due_date"]))
        for row in sorted(due, key=lambda row: row["at"])
        if row["clock"] in words["due"]
    ]
    return words["due_joint"].join(said) + words["due_end"] if said else ""


def unit_words(ticket: Mapping[str, Any]) -> str:
    """Hall and office of a ticket."""
    return f"{ticket['unit']}{ticket['office'] or ''}"
