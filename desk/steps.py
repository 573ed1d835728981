"""The steps of the lifecycle table as forms: which a person may take now, what each asks for, what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from desk.queue import units_of
from desk.texts import TEXTS
from petitions import Actor, Petition, allowed_actions, own_rules
from petitions.lifecycle import FieldRule, Transition

# What is written at length.
LONG = frozenset({"answer", "opinion"})
# What nobody types: the number of the ticket that a split files.
MADE = frozenset({"second"})


@dataclass(frozen=True, slots=True)
class FieldForm:
    """A field of a form."""

    name: str
    label: str
    type: str
    is_needed: bool
    is_long: bool
    least: int | None
    most: int | None
    choices: Sequence[str]
    value: str


@dataclass(frozen=True, slots=True)
class StepForm:
    """A step as a form; the article says where it stands."""

    action: str
    label: str
    source: str
    fields: Sequence[FieldForm]


def step_forms(
    petition: Petition, actor: Actor, offices: Sequence[str], typed: Mapping[str, Mapping[str, str]] | None = None
) -> list[StepForm]:
    """The steps that this actor may take now.

    Args:
        petition: As it stands.
        actor: Who asks.
        offices: Names of the offices that may be chosen.
        typed: What was typed already, by step.
    """
    lifecycle = own_rules().lifecycle
    forms = []
    for action in allowed_actions(petition, actor):
        row = first_row(petition.state, action, actor)
        given = (typed or {}).get(action, {})
        fields = [
            _field(name, lifecycle.fields[name], row, actor, offices, given.get(name, ""))
            for name in (*row.needs, *row.may)
            if name not in MADE
        ]
        forms.append(StepForm(action, row.label, row.source, fields))
    return forms


def first_row(state: str, action: str, actor: Actor) -> Transition:
    """The row of the table that tells what a step asks for: the first that fits the role, otherwise the first."""
    rows = [row for row in own_rules().lifecycle.rows(state) if row.action == action]
    return next((row for row in rows if any(role == actor.role for role, _ in row.who)), rows[0])


def read_fields(given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a form in the types that the table asks for; what is empty is left out, what is wrong stays."""
    rules = own_rules().lifecycle.fields
    values: dict[str, Any] = {}
    for name, typed in given.items():
        if text := typed.replace("\r\n", "\n").strip():
            values[name] = _typed(rules[name], text)
    return values


def known_fields(form: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the table that a posted form has, as they were typed."""
    return {name: value for name in own_rules().lifecycle.fields if isinstance(value := form.get(name), str)}


def _typed(rule: FieldRule, text: str) -> str | int | bool:
    if rule.type == "integer" and text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    if rule.type == "boolean" and text in {"yes", "no"}:
        return text == "yes"
    return text


def _field(name: str, rule: FieldRule, row: Transition, actor: Actor, offices: Sequence[str], value: str) -> FieldForm:
    choices: Sequence[str] = ()
    if rule.type == "unit":
        network = own_rules().network
        # Everyone in the network may be given a ticket, one's own part of it first.
        near = units_of(actor)
        choices = [*near, *(unit for unit in network.names if unit not in near), *rule.also]
    elif name == "office":
        choices = offices
    return FieldForm(
        name,
        TEXTS.all["fields"][name],
        rule.type,
        name in row.needs,
        name in LONG,
        rule.least,
        rule.most,
        choices,
        value,
    )
