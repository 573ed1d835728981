"""What the residents' door asks: whether a person has the conversation, and when one is called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from channels.handover import store
from channels.handover.model import HELD, Handover
from channels.handover.rules import Reason, own_hours, own_rules
from channels.handover.store import message
from channels.rasa import Said
from channels.texts import load_texts, say
from petitions.clocks import SHANGHAI

# What has happened, and what may save somebody, is said whoever has the conversation.
_SAID_ANYWAY = frozenset({"ticket", "emergency", "crisis"})


def answered(
    session: Session, conversation: str, number: int, said: Said, reason: Reason | None = None, *, now: datetime
) -> list[dict[str, Any]]:
    """What the resident gets for a message, a person called where that is needed.

    Args:
        session: Open transaction, in which the caller records what is returned.
        conversation: Identity of the conversation.
        number: Of the resident's message.
        said: What the assistant replies.
        reason: Why a person is needed, when the caller knows.
        now: Aware.
    """
    before = store.open_of(session, conversation)
    is_held = before is not None and before.state == HELD
    if is_held and not _SAID_ANYWAY.intersection(one["kind"] for one in said.messages):
        # Somebody took the conversation while the assistant was thinking: the message is theirs.
        store.hear(session, conversation, number)
        return []
    reason = reason or reason_of(session, conversation, number, said)
    if reason is None:
        return said.messages
    row = store.call(session, conversation, reason, number, now=now)
    is_known = before is not None and reason in {"failed", "crisis"}
    # Who is at risk is not told to wait for somebody who is not there.
    if is_known or (reason == "crisis" and not own_hours().is_open(now)):
        return said.messages
    called = called_message(session, row, reason, now=now)
    if reason != "asked":
        return [*said.messages, called]
    # What the assistant says of a person it cannot call gives way; the question of a form stays the last.
    return [called if one["kind"] == "handoff" else one for one in said.messages]


def reason_of(session: Session, conversation: str, number: int, said: Said) -> Reason | None:
    """Why what the assistant replies to a message calls a person; None when it does not."""
    rules = own_rules()
    kinds = [one["kind"] for one in said.messages]
    if "crisis" in kinds:
        return "crisis"
    if "handoff" in kinds:
        return "asked"
    if not store.is_failure(said.understood.intent, kinds, rules):
        return None
    failures = 1 + store.failures_before(session, conversation, number, rules)
    return "failed" if failures >= rules.failures else None


def reason_of_error(down_for: timedelta | None) -> Reason | None:
    """Why an exchange that failed calls a person; None when the message may wait until understanding is back.

    Args:
        down_for: How long understanding has been down; None when something else failed.
    """
    if down_for is None or down_for >= timedelta(minutes=own_rules().down_minutes):
        return "error"
    return None


def called_off(session: Session, conversation: str, *, now: datetime) -> Said | None:
    """What a resident gets who wants no person any more; None when none was called."""
    if not store.call_off(session, conversation, now=now):
        return None
    return Said([message("notice", say("handover.called_off"))])


def is_called_off(text: str) -> bool:
    """Whether a text says that no person is wanted any more, in the words of the button."""
    return text == say("handover.cancel")


def called_message(session: Session, row: Handover, reason: Reason, *, now: datetime) -> dict[str, Any]:
    """What a resident is told when a person is called: their place in line, or when somebody will be there."""
    if row.state == HELD:
        return message("handoff", say("handover.held"))
    hours, rules = own_hours(), own_rules()
    opening = load_texts()["handover"]["openings"][reason]
    if reason == "crisis":
        return message("handoff", opening)
    if hours.is_open(now):
        text = say(
            "handover.waiting", place=store.place_of(session, row), minutes=rules.wait_minutes, promised=promise(now)
        )
    else:
        text = say("handover.outside", times=times(), promised=promise(now))
    return message("handoff", opening + text, _buttons())


def promise(now: datetime) -> str:
    """By when a resident is answered whose words become a ticket now, in words."""
    return moment_words(promised_at(now))


def promised_at(now: datetime) -> datetime:
    """By when a resident is answered whose words become a ticket now."""
    return own_hours().after(now, own_rules().promise_hours)


def moment_words(at: datetime) -> str:
    """A moment in words, in local time."""
    local = at.astimezone(SHANGHAI)
    return say("handover.moment", month=local.month, day=local.day, time=local.strftime("%H:%M"))


def times() -> str:
    """The office hours in words."""
    shown = [
        say("handover.period", begins=f"{period.begins:%H:%M}", ends=f"{period.ends:%H:%M}")
        for period in own_rules().office_hours
    ]
    return say("handover.periods").join(shown)


def _buttons() -> Sequence[dict[str, str]]:
    return [
        {"title": say("handover.file_title"), "text": say("handover.file_text")},
        {"title": say("handover.cancel_title"), "text": say("handover.cancel")},
    ]
