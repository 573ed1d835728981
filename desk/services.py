"""What the desk needs from the rest of the product, as structural types: the wiring fits them, tests fake them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from knowledge.build import DocumentRow, Problem
    from knowledge.serving import Answers
    from knowledge.worklist import WorkList
    from language.vectors import Encoder
    from petitions import Actor, Draft, Filed, Keyring, Route
    from storage.switches import Switches


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

    @property
    def desk_oidc_issuer(self) -> str:
        """The OpenID Connect provider; empty when there is none."""

    @property
    def desk_oidc_client_id(self) -> str:
        """What the provider calls the desk."""

    @property
    def desk_oidc_client_secret(self) -> str:
        """What the desk proves itself with."""

    @property
    def desk_oidc_claim(self) -> str:
        """The claim that holds the name of an account."""


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


class AssistantShare(Protocol):
    """What became of the conversations of a stretch of time."""

    @property
    def conversations(self) -> int:
        """How many there were."""

    @property
    def answered(self) -> int:
        """Of those, with an answer and without a ticket."""

    @property
    def filed(self) -> int:
        """Of those, with a ticket."""

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many replies of each kind of the contract were given."""

    @property
    def ratings(self) -> Mapping[str, int]:
        """How many answers residents called `helpful` and `unhelpful`."""


class Turn(Protocol):
    """A message of a resident that waits for a look, masked."""

    @property
    def id(self) -> int:
        """Of the message."""

    @property
    def text(self) -> str:
        """What the resident said."""

    @property
    def replies(self) -> Sequence[str]:
        """What the assistant said."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def intent(self) -> str | None:
        """What was understood."""

    @property
    def confidence(self) -> float | None:
        """How surely, 0 to 1."""

    @property
    def doubt(self) -> str | None:
        """Why it may have been wrong."""

    @property
    def rating(self) -> str | None:
        """What the resident thinks of the answer."""


class Label(Protocol):
    """What somebody found when they looked at a turn."""

    text: Any


class Turns(Protocol):
    """The turns of the transcript that wait for a look."""

    def waiting_count(self, session: Session) -> int:
        """How many there are."""

    def waiting_turns(self, session: Session, *, before: int | None = None, limit: int = ...) -> Sequence[Turn]:
        """A page of them, newest first."""

    def label_turn(
        self, session: Session, turn_id: int, verdict: str, by: str, *, intent: str | None = None, now: datetime
    ) -> Label | None:
        """Keep what somebody found, once; None when nothing of that id waits."""


class ConversationRow(Protocol):
    """A conversation in a list."""

    @property
    def id(self) -> int:
        """Of the hand-over; of a message of the resident where there is none."""

    @property
    def reason(self) -> str:
        """Why a person was called; empty where none was."""

    @property
    def since_at(self) -> datetime:
        """Since when it stands there."""

    @property
    def words(self) -> str:
        """What the resident said last, masked."""

    @property
    def held_by(self) -> str | None:
        """Who holds it, or held it last."""

    @property
    def state(self) -> str:
        """Of the hand-over."""

    @property
    def ticket(self) -> str | None:
        """The ticket that it became."""

    @property
    def note(self) -> str | None:
        """What was written for colleagues."""


class ConversationLists(Protocol):
    """Conversations by who is with them."""

    @property
    def waiting(self) -> Sequence[ConversationRow]:
        """Those into which a person was called, the most urgent first."""

    @property
    def held(self) -> Sequence[ConversationRow]:
        """Those that a person holds."""

    @property
    def active(self) -> Sequence[ConversationRow]:
        """Those of the assistant."""

    @property
    def ended(self) -> Sequence[ConversationRow]:
        """Those that are over."""


class ConversationLine(Protocol):
    """A message of a conversation."""

    @property
    def side(self) -> str:
        """`resident`, `assistant` or `staff`."""

    @property
    def text(self) -> str:
        """What was said."""

    @property
    def at(self) -> datetime:
        """When."""


class Conversation(Protocol):
    """A conversation with all that was said in it."""

    @property
    def id(self) -> int:
        """Of its hand-over."""

    @property
    def held_by(self) -> str | None:
        """Who holds it, or held it last."""

    @property
    def state(self) -> str:
        """Of its hand-over."""

    @property
    def lines(self) -> Sequence[ConversationLine]:
        """What was said, oldest first."""

    @property
    def words(self) -> str:
        """What the resident said of their matter."""


class Conversations(Protocol):
    """The conversations of residents, and what a person may do with them: each in the caller's transaction."""

    def lists(self, session: Session, *, now: datetime) -> ConversationLists:
        """All that the first page shows."""

    def waiting_count(self, session: Session) -> int:
        """How many calls nobody has taken."""

    def conversation(self, session: Session, handover_id: int, *, now: datetime) -> Conversation | None:
        """One of them; None when there is none."""

    def marks(self, session: Session, *, now: datetime) -> Mapping[int, str]:
        """What changes with each; under 0, what changes when one begins or ends."""

    def take(self, session: Session, secret: bytes, handover_id: int, actor: Actor, *, now: datetime) -> bool:
        """Take one that waits; False when somebody else has it."""

    def start(self, session: Session, secret: bytes, message_row: int, actor: Actor, *, now: datetime) -> int | None:
        """Take one of the assistant's; None when somebody else has it."""

    def write(
        self, session: Session, secret: bytes, handover_id: int, actor: Actor, text: str, *, key: str, now: datetime
    ) -> bool:
        """Say something to the resident; False when the actor does not hold it."""

    def give_back(
        self, session: Session, secret: bytes, handover_id: int, actor: Actor, note: str, *, now: datetime
    ) -> bool:
        """Let the assistant go on; False when the actor does not hold it."""

    def type_now(self, session: Session, handover_id: int, actor: Actor, *, now: datetime) -> None:
        """Whoever holds it is typing."""

    def file(self, services: Services, handover_id: int, actor: Actor, note: str) -> Filed | None:
        """Make a ticket of it, in transactions of its own; None when the actor does not hold it."""


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

    @property
    def encoder(self) -> Encoder:
        """Sentence vectors."""

    def clock(self) -> datetime:
        """Now, aware."""

    def assist(self, text: str, actor: Actor) -> Assistance:
        """What is found for a caller's words so far; files nothing."""

    def find_danger(self, text: str) -> Danger | None:
        """The danger that the text reports."""

    def read_draft(self, text: str) -> Draft:
        """The draft of a petition that a caller's words make."""

    def similar(self, text: str, actor: Actor) -> Sequence[dict[str, Any]]:
        """Petitions like this one that the actor may see: `number`, `title`, `score`, `state`."""

    def said_in(self, conversation: str) -> Sequence[tuple[str, str]]:
        """What was said in a conversation, oldest first, each text with its kind or `resident` or `staff` before it."""

    def triage(self, text: str) -> Route:
        """Where a petition goes."""

    def assistant_share(self, since: datetime, until: datetime) -> AssistantShare:
        """What the assistant did from one moment to another, both aware."""

    def holds_demo(self) -> bool:
        """Whether the database holds a demonstration."""

    @property
    def switches(self) -> Switches:
        """What is off."""

    @property
    def knowledge(self) -> Answers | None:
        """What answers residents; None when it could not be loaded."""

    @property
    def work_list(self) -> WorkList:
        """The open questions in groups."""

    @property
    def turns(self) -> Turns:
        """The turns to review."""

    @property
    def conversations(self) -> Conversations:
        """The conversations of residents."""

    def documents(self) -> Sequence[DocumentRow]:
        """Every document, with what the base in use holds of it."""

    def builds(self) -> tuple[str, str]:
        """The number of the build in use, and of the one before."""

    def document_problems(self) -> tuple[int, Sequence[Problem]]:
        """How many facts have been built, and what does not hold against the documents."""
