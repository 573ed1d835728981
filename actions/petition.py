"""A petition: read message by message, read back, filed once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from rasa_sdk import Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher
from sqlalchemy.exc import SQLAlchemyError

from actions.base import (
    SURE,
    Ask,
    Event,
    ServiceAction,
    actions_since_message,
    due_words,
    intent_of,
    say,
    say_outside,
    text_of,
    texts,
    unit_words,
)
from actions.danger import say_crisis
from jurisdiction import Jurisdiction
from petitions import (
    Draft,
    Filed,
    PetitionError,
    Repeat,
    Route,
    channel_of,
    file_petition,
    look_for_repeat,
    next_matter,
    next_slot,
    part_question,
    read_message,
)
from petitions.photos import drop_photos_of, waiting_photos

logger = logging.getLogger(__name__)

FORM = "petition_form"
# Intents that the rules answer while a petition is being taken down, when understanding is sure.
_SIDE_INTENTS = frozenset(
    {
        "ask_knowledge", "ask_source", "ask_reason", "cancel_petition", "track_ticket", "handoff", "nlu_fallback",
        "out_of_scope", "misuse", "abuse", "greet", "thank", "goodbye", "ask_capability", "emergency", "crisis",
    }
)  # fmt: skip
# Intents that want the last question again.
_AGAIN_INTENTS = frozenset({"resume_petition", "repeat"})
_TRIES = 3
_SLOTS = ("petition_draft", "petition_key", "petition_outcome", "petition_tries")


class ReadPetition(ServiceAction):
    """Reads each message into the draft, or hands it to the rules by returning nothing."""

    called = f"validate_{FORM}"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """The draft with what the message gives, and what to ask next."""
        kept = _draft(tracker)
        if set(actions_since_message(tracker)) - {FORM, "action_listen", "action_extract_slots"}:
            return [SlotSet("requested_slot", _next(kept, self._route(kept)))]
        is_first = tracker.get_slot("petition_key") is None
        requested = None if is_first else tracker.get_slot("requested_slot")
        intent, confidence = intent_of(tracker)
        is_sure = not is_first and confidence >= SURE and not self._answers(kept, tracker)
        if is_sure and intent in _SIDE_INTENTS:
            return []
        if is_sure and intent in _AGAIN_INTENTS:
            return [SlotSet("petition_tries", 0), SlotSet("requested_slot", _next(kept, self._route(kept)))]
        text = text_of(tracker)
        if kept.matter is None:
            text = self._without_answered(dispatcher, text)
        draft = read_message(kept, text, requested, self.services.jurisdiction)
        draft = _with_place_moved(kept, draft, self.services.jurisdiction)
        if is_first:
            draft = self._with_what_was_said_before(draft, tracker)
            if draft.matter is None:
                draft = next_matter(draft, self.services.jurisdiction)
        if is_first and tracker.get_slot("in_crisis") and intent == "file_petition" and confidence < SURE:
            say_crisis(dispatcher, self.services)
            return [SlotSet("petition_outcome", "crisis"), SlotSet("requested_slot", None)]
        return self._events(dispatcher, tracker, kept, draft)

    def _without_answered(self, dispatcher: CollectingDispatcher, text: str) -> str:
        """`text` without the question behind its matter, once that is answered; what is not known stays in."""
        matter, question = part_question(text)
        if question and self.services.knowledge:
            reply = self.services.knowledge.answer(question, None)
            if reply.kind == "answer":
                dispatcher.utter_message(json_message=reply.to_json())
                return matter
        return text

    def _with_what_was_said_before(self, draft: Draft, tracker: Tracker) -> Draft:
        """A petition that begins after a danger or an unanswered question is about these, if it says nothing else."""
        danger: str | None = tracker.get_slot("danger_text")
        question: str | None = (tracker.get_slot("knowledge_context") or {}).get("unanswered")
        if danger and draft.matter:
            return self._beside_danger(draft, danger, draft.matter)
        if danger:
            return replace(draft, matter=danger)
        if draft.matter is None and question:
            return read_message(draft, question, None, self.services.jurisdiction)
        return draft

    def _beside_danger(self, draft: Draft, danger: str, matter: str) -> Draft:
        """The draft with the danger in it where it tells more of it; else the resident is asked what is filed."""
        first, *others = draft.matters or (matter,)
        whole = f"{danger}。{matter}"
        if self._is_of(danger, first):
            # It belongs to the first of several matters, or it would be gone once they are parted.
            return replace(draft, matter=whole, matters=(f"{danger}。{first}", *others) if others else ())
        return replace(draft, matter=whole, matters=(first, *others, danger))

    def _is_of(self, danger: str, matter: str) -> bool:
        """Whether a matter is plainly of this danger: the same danger, or the same kind of matter."""
        known, found = (self.services.find_danger(text) for text in (danger, matter))
        if known and found and known.name == found.name:
            return True
        return self.services.triage(danger).category == self.services.triage(matter).category

    def _answers(self, draft: Draft, tracker: Tracker) -> bool:
        """Whether the message plainly gives what was asked, whatever its intent looks like."""
        requested = tracker.get_slot("requested_slot")
        if requested in {None, "petition_matter"}:
            return False
        read = read_message(draft, text_of(tracker), requested, self.services.jurisdiction)
        return _plain(read) != _plain(draft)

    def _route(self, draft: Draft) -> Route | None:
        return self.services.triage(draft.text) if draft.matter else None

    def _events(self, dispatcher: CollectingDispatcher, tracker: Tracker, kept: Draft, draft: Draft) -> list[Event]:
        tries = 0 if draft != kept else int(tracker.get_slot("petition_tries") or 0) + 1
        if tries == _TRIES:
            say(dispatcher, "notice", texts()["stuck"])
        route = self._route(draft)
        is_outside = route is not None and route.level == "none" and not draft.matters
        return [
            SlotSet("petition_draft", draft.to_slots()),
            SlotSet("petition_key", tracker.get_slot("petition_key") or uuid4().hex),
            SlotSet("petition_tries", tries),
            SlotSet("petition_outcome", "outside" if is_outside else None),
            SlotSet("danger_text", None),
            SlotSet("requested_slot", None if is_outside else _next(draft, route)),
        ]


class AskMatter(Ask):
    """Asks what it is about."""

    called = "action_ask_petition_matter"
    sentence = "matter"


class AskApart(ServiceAction):
    """Asks whether several matters of one message are filed apart."""

    called = "action_ask_petition_apart"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Name them and ask."""
        words = texts()["ask"]
        rows = "\n".join(words["apart_row"].format(matter=matter) for matter in _draft(tracker).matters)
        # A prompt: the figure lock would hold back a clarification that repeats a figure of an earlier message.
        text = words["apart"].format(matters=rows)
        say(dispatcher, "prompt", text, buttons=texts()["apart_buttons"])
        return []


class AskLegalSeen(ServiceAction):
    """Names the legal path that comes first."""

    called = "action_ask_petition_legal_seen"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Ask whether to file all the same."""
        path = self.services.triage(_draft(tracker).text).legal_path
        say(dispatcher, "clarify", texts()["ask"]["legal_seen"].format(path=path), buttons=texts()["legal"])
        return []


class AskPlace(ServiceAction):
    """Asks where, or which of several places is meant."""

    called = "action_ask_petition_place"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Ask."""
        draft = _draft(tracker)
        if draft.choices:
            words = self.services.jurisdiction.locate(draft.text).words or draft.place
            buttons = [{"title": choice, "text": choice} for choice in draft.choices]
            say(dispatcher, "clarify", texts()["ask"]["place_open"].format(words=words), buttons=buttons)
        else:
            say(dispatcher, "prompt", texts()["ask"]["place"], buttons=[texts()["unknown_place"]])
        return []


class AskOccurred(Ask):
    """Asks when."""

    called = "action_ask_petition_occurred"
    sentence = "occurred"


class AskContact(ServiceAction):
    """Asks how to reach the petitioner."""

    called = "action_ask_petition_contact"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Ask; after an answer without a usable contact, say what is missing."""
        sentence = "contact_again" if tracker.get_slot("petition_tries") else "contact"
        say(dispatcher, "prompt", texts()["ask"][sentence], buttons=[texts()["anonymous"]])
        return []


class AskConfirmed(ServiceAction):
    """Reads the petition back."""

    called = "action_ask_petition_confirmed"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Read it back with where it would go and why."""
        draft = _draft(tracker)
        route = self.services.triage(draft.text)
        words = texts()["confirm"]
        repeat = look_for_repeat(self.services.sessions, draft, route, now=self.services.clock())
        unit = f"{route.unit}{route.office or ''}"
        text = words["text"].format(
            matter=draft.matter,
            place=draft.place or words["unknown"],
            occurred=draft.occurred or words["unknown"],
            contact=_contact(draft),
            category="—".join(route.category),
            unit=words["restricted"].format(unit=unit) if route.is_restricted else unit,
            priority=texts()["priorities"][route.priority],
            reasons="；".join(route.reasons),
            more=_more(route, repeat, self._photos(tracker)),
        )
        ticket = {**route.to_json(), "number": None, "state": "draft", "due": []}
        buttons = [*words["buttons"], *([words["same_button"]] if repeat else [])]
        say(dispatcher, "confirm", text, ticket=ticket, buttons=buttons)
        return [SlotSet("petition_draft", replace(draft, offered=repeat.number if repeat else None).to_slots())]

    def _photos(self, tracker: Tracker) -> int:
        """How many photos of the conversation go along; none is named while they cannot be counted."""
        try:
            with self.services.sessions() as session:
                return waiting_photos(session, tracker.sender_id)
        except SQLAlchemyError as error:
            logger.error("photos_not_counted error=%s", type(error).__name__)
            return 0


class SubmitPetition(ServiceAction):
    """Files the confirmed petition, or says why it is not for here."""

    called = "action_submit_petition"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """File it once; on failure the draft stays."""
        draft = _draft(tracker)
        outcome = tracker.get_slot("petition_outcome")
        if outcome == "outside":
            say_outside(dispatcher, self.services, self.services.jurisdiction.locate(draft.text))
            return self._done(dispatcher, draft)
        if outcome == "crisis":
            return _left(draft)
        try:
            filed = self._file(draft, tracker)
        except PetitionError as error:
            say(dispatcher, "notice", error.message)
            return self._done(dispatcher, draft)
        except SQLAlchemyError as error:
            logger.error("petition_not_saved conversation=%s error=%s", tracker.sender_id, type(error).__name__)
            say(dispatcher, "notice", texts()["not_saved"])
            return [SlotSet("petition_draft", replace(draft, is_confirmed=False).to_slots())]
        ticket = filed.ticket
        said = {"number": filed.number, "code": filed.code, "unit": unit_words(ticket), "due": due_words(ticket["due"])}
        sentence = "joined" if ticket["state"] == "merged" else "filed"
        say(dispatcher, "ticket", texts()[sentence].format(**said), ticket=ticket)
        return self._done(dispatcher, draft)

    def _done(self, dispatcher: CollectingDispatcher, draft: Draft) -> list[Event]:
        """Events that clear the petition and begin the one of the next matter of the same message."""
        if not draft.waiting:
            return forgotten()
        begun = next_matter(draft, self.services.jurisdiction)
        say(dispatcher, "notice", texts()["next_matter"].format(matter=draft.waiting[0]))
        kept = [SlotSet("petition_draft", begun.to_slots()), SlotSet("petition_key", uuid4().hex)]
        return [*forgotten(), *kept, FollowupAction(FORM)]

    def _file(self, draft: Draft, tracker: Tracker) -> Filed:
        with self.services.sessions() as session:
            filed = file_petition(
                session,
                draft,
                self.services.triage(draft.text),
                form_key=f"chat:{tracker.get_slot('petition_key')}",
                conversation=tracker.sender_id,
                channel=channel_of(tracker.sender_id),
                secret=self.services.secret,
                keyring=self.services.keyring,
                now=self.services.clock(),
                join=draft.offered if draft.is_same else None,
                photos_of=tracker.sender_id,
            )
            session.commit()
        return filed


class CancelPetition(ServiceAction):
    """Gives the petition up."""

    called = "action_cancel_petition"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[Event]:
        """Say that nothing was filed; what was given is forgotten, but for a matter that waits for its own petition."""
        draft = _draft(tracker)
        if draft.waiting:
            text = texts()["cancelled_one"].format(matter=draft.waiting[0])
            say(dispatcher, "notice", text, buttons=texts()["next_matter_buttons"])
        else:
            said = texts()["cancelled" if draft.matter else "nothing_left"]
            say(dispatcher, "notice", said + (texts()["cancelled_photos"] if self._drop_photos(tracker) else ""))
        return _left(draft)

    def _drop_photos(self, tracker: Tracker) -> int:
        """Delete the photos that waited for the petition, or they would go along with the next; how many."""
        try:
            with self.services.sessions() as session:
                count = drop_photos_of(session, [tracker.sender_id])
                session.commit()
        except SQLAlchemyError as error:
            logger.error("photos_not_dropped error=%s", type(error).__name__)
            return 0
        return count


def _next(draft: Draft, route: Route | None) -> str | None:
    """What to ask next; without a matter there is no route yet."""
    return next_slot(draft, route) if route else "petition_matter"


def forgotten() -> list[Event]:
    """Events that clear all that was kept of a petition."""
    return [SlotSet(slot, None) for slot in _SLOTS]


def _left(draft: Draft) -> list[Event]:
    """Events that clear a petition but for the matters that wait for their own."""
    if not draft.waiting:
        return forgotten()
    left = Draft(name=draft.name, phone=draft.phone, is_anonymous=draft.is_anonymous, waiting=draft.waiting)
    return [*forgotten(), SlotSet("petition_draft", left.to_slots())]


def _draft(tracker: Tracker) -> Draft:
    kept: Mapping[str, Any] | None = tracker.get_slot("petition_draft")
    return Draft.from_slots(kept or {})


def _plain(draft: Draft) -> tuple[object, ...]:
    """What of a draft only a message that means it can fill; a name may be any short word."""
    return draft.community, draft.phone, bool(draft.is_anonymous), draft.is_confirmed, draft.legal_seen, draft.matters


def _contact(draft: Draft) -> str:
    words = texts()["confirm"]
    if draft.is_anonymous:
        return str(words["anonymous"])
    return " ".join(filter(None, (draft.name, draft.phone))) or str(words["unknown"])


def _more(route: Route, repeat: Repeat | None, photos: int) -> str:
    """What the read-back adds: photos, how many may speak for all, and the ticket that may be the same matter."""
    words = texts()["confirm"]
    lines = [words["photos"].format(count=photos)] if photos else []
    lines += [words["collective"]] if "collective" in route.flags else []
    if repeat:
        date = repeat.filed_on.strftime(words["same_date"])
        said = {"category": repeat.category, "community": repeat.community, "date": date, "state": repeat.state}
        lines.append(words["concluded" if repeat.is_concluded else "same"].format(**said))
    return "".join(f"\n{line}" for line in lines)


def _with_place_moved(kept: Draft, draft: Draft, jurisdiction: Jurisdiction) -> Draft:
    """`draft` whose matter names the corrected place too: two communities would leave the hall undecided."""
    if not (draft.matter and kept.community and draft.community and draft.community != kept.community):
        return draft
    old, new = (jurisdiction.locate(str(place)).words for place in (kept.place, draft.place))
    return replace(draft, matter=draft.matter.replace(old, new)) if old else draft
