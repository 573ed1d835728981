"""What the desk needs from the rest of the product, as structural types: the wiring fits them, tests fake them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from petitions import Actor, Draft, Keyring, Route


class DeskSettings(Protocol):
    """The settings that the desk reads."""

    @property
    def desk_idle_minutes(self) -> int:
        """After how many minutes without use a login ends."""

    @property
    def desk_session_hours(self) -> int:
        """How long a login lasts at most."""

    @property
    def desk_second_factor(self) -> str:
        """Roles that need a second factor, separated by commas."""


class Office(Protocol):
    """An office of the subdistrict."""

    @property
    def name(self) -> str:
        """Its name."""


class Phone(Protocol):
    """A phone number that may be shown."""

    @property
    def name(self) -> str:
        """Who answers."""

    @property
    def number(self) -> str:
        """The number to dial."""


class Jurisdiction(Protocol):
    """The local facts that the desk shows."""

    @property
    def name(self) -> str:
        """Name of the subdistrict, such as 光明街道."""

    @property
    def offices(self) -> Sequence[Office]:
        """The offices of the subdistrict."""

    @property
    def phones(self) -> Mapping[str, Phone]:
        """Phones by their key."""

    @property
    def communities(self) -> Sequence[str]:
        """The communities of the subdistrict."""

    @property
    def classes(self) -> Sequence[str]:
        """The classes of demand."""

    @property
    def accusation(self) -> str:
        """The class of demand that the accused never see."""


class Danger(Protocol):
    """A danger found in a text."""

    @property
    def kind(self) -> str:
        """`emergency` or `crisis`."""

    @property
    def advice(self) -> str:
        """What to do at once, in Chinese."""

    @property
    def phones(self) -> Sequence[str]:
        """Numbers to call."""


class Assistance(Protocol):
    """What is found for a caller's words so far."""

    @property
    def reply(self) -> Mapping[str, Any] | None:
        """A message of the contract; None when there is none in time."""

    @property
    def route(self) -> Route:
        """Where it would go."""

    @property
    def similar(self) -> Sequence[dict[str, Any]] | None:
        """Petitions like it that the actor may see; None when they could not be looked for in time."""

    @property
    def danger(self) -> Danger | None:
        """What threatens somebody."""


class Sessions(Protocol):
    """Makes database sessions: a SQLAlchemy sessionmaker."""

    def __call__(self) -> Session:
        """A new session, to be used as a context manager."""


class Services(Protocol):
    """All that the application is given when it is created."""

    @property
    def settings(self) -> DeskSettings:
        """Settings."""

    @property
    def jurisdiction(self) -> Jurisdiction:
        """Local facts."""

    @property
    def sessions(self) -> Sessions:
        """Database sessions."""

    @property
    def secret(self) -> bytes:
        """Key of every keyed digest made here."""

    @property
    def keyring(self) -> Keyring:
        """Keys of personal data and of second factors."""

    def clock(self) -> datetime:
        """Now, aware."""

    def assist(self, text: str, actor: Actor) -> Assistance:
        """What is found for a caller's words so far; files nothing."""

    def triage(self, text: str) -> Route:
        """Where a petition goes."""

    def find_danger(self, text: str) -> Danger | None:
        """The danger that the text reports."""

    def read_draft(self, text: str) -> Draft:
        """The draft of a petition that a caller's words make."""

    def similar(self, text: str, actor: Actor) -> Sequence[dict[str, Any]]:
        """Petitions like this one that the actor may see: `number`, `title`, `score`, `state`."""

    def said_in(self, conversation: str) -> Sequence[tuple[str, str]]:
        """What was said in a conversation, oldest first: a kind of the contract or `resident`, and the text."""
