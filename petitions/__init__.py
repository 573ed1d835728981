"""Petitions: how one is read from messages, routed, filed and found again, and handled to its end."""

from petitions.cases import Outcome, act, allowed_actions
from petitions.conversations import channel_of, new_wechat_conversation
from petitions.correcting import correct
from petitions.errors import PetitionError
from petitions.filing import (
    Filed,
    file_petition,
    find_own_ticket,
    find_ticket,
    joined_label,
    list_own_tickets,
    staff_label,
    state_label,
    ticket_of,
)
from petitions.intake import Draft, next_matter, next_slot, open_slots, read_message
from petitions.log import PETITIONER, SYSTEM, Actor, replay, seal, verify
from petitions.model import Petition
from petitions.numbers import Reference, parse_reference, shown_code
from petitions.parting import split_petition
from petitions.privacy import Keyring
from petitions.progress import Joined, Progress, progress_of, whole_of
from petitions.rates import rates
from petitions.repeats import Repeat, find_repeat, look_for_repeat
from petitions.rules import Rules, own_rules
from petitions.splitting import matter_beside, part_question
from petitions.ticking import recompute_provisional, tick
from petitions.triage import Route, triage

__all__ = [
    "PETITIONER",
    "SYSTEM",
    "Actor",
    "Draft",
    "Filed",
    "Joined",
    "Keyring",
    "Outcome",
    "Petition",
    "PetitionError",
    "Progress",
    "Reference",
    "Repeat",
    "Route",
    "Rules",
    "act",
    "allowed_actions",
    "channel_of",
    "correct",
    "file_petition",
    "find_own_ticket",
    "find_repeat",
    "find_ticket",
    "joined_label",
    "list_own_tickets",
    "look_for_repeat",
    "matter_beside",
    "new_wechat_conversation",
    "next_matter",
    "next_slot",
    "open_slots",
    "own_rules",
    "parse_reference",
    "part_question",
    "progress_of",
    "rates",
    "read_message",
    "recompute_provisional",
    "replay",
    "seal",
    "shown_code",
    "split_petition",
    "staff_label",
    "state_label",
    "tick",
    "ticket_of",
    "triage",
    "verify",
    "whole_of",
]
