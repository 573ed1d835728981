"""What residents are told while something does not work: numbers for danger, the plain form, the hotline."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from channels.services import Jurisdiction, Services
from channels.texts import load_texts, say
from storage.switches import FORM, Off

_HERE = ZoneInfo("Asia/Shanghai")
_HOTLINE = "hotline"


def emergency_numbers(jurisdiction: Jurisdiction) -> list[str]:
    """The numbers for danger, in the order of texts.yml."""
    keys = [key for key in load_texts()["emergency_phones"] if key != _HOTLINE]
    return [jurisdiction.phones[key].number for key in keys if key in jurisdiction.phones]


def hotline_number(jurisdiction: Jurisdiction) -> str:
    """The number for everything else."""
    return jurisdiction.phones[_HOTLINE].number


def help_words(services: Services, *, has_form: bool = True) -> str:
    """The numbers to call, and the form where it works and is not switched off."""
    words = say("help.danger", numbers=say("help.joiner").join(emergency_numbers(services.jurisdiction)))
    if has_form and services.switches.off(FORM) is None:
        words += say("help.form", form=services.settings.public_url + "/petition")
    return words + say("help.hotline", number=hotline_number(services.jurisdiction))


def off_words(off: Off) -> str:
    """What is off, and as much of why and for how long as residents may read."""
    words = [str(load_texts()["switches"]["words"][off.name])]
    if off.is_public:
        words.append(say("switches.reason", reason=off.reason))
    if off.until is not None:
        words.append(say("switches.until", at=off.until.astimezone(_HERE).strftime(say("switches.until_at"))))
    return "\n".join(words)


def off_notice(services: Services, off: Off) -> dict[str, Any]:
    """The message of the contract for whoever writes to a channel that is off."""
    text = f"{off_words(off)}\n{help_words(services)}"
    return {"kind": "notice", "text": text, "citations": [], "facts": [], "buttons": []}
