"""Petitions: how one is read from messages, routed, filed and found again."""

from petitions.errors import PetitionError
from petitions.filing import Filed, file_petition, find_own_ticket, find_ticket, state_label, ticket_of
from petitions.intake import Draft, next_slot, read_message
from petitions.model import Petition
from petitions.numbers import Reference, parse_reference
from petitions.triage import Route, triage

__all__ = [
    "Draft",
    "Filed",
    "Petition",
    "PetitionError",
    "Reference",
    "Route",
    "file_petition",
    "find_own_ticket",
    "find_ticket",
    "next_slot",
    "parse_reference",
    "read_message",
    "state_label",
    "ticket_of",
    "triage",
]
