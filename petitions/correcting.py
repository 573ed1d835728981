"""The route of a petition as a person corrects it before it is filed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from petitions.network import Network, own_network
from petitions.triage import Level, Route

# What may be corrected; the level follows from the unit, the clocks from class and priority.
CORRECTABLE = ("class", "category", "unit", "office", "priority")
JOINT = " / "


def correct(
    route: Route, changes: Mapping[str, str], *, accusation: str, reason: str, network: Network | None = None
) -> Route:
    """The route with a person's changes, which its reasons tell.

    What became an accusation goes to the highest unit unless the person names another, and is kept from the accused;
    what was found to be one stays so.

    Args:
        route: As proposed.
        changes: New values by the names of `CORRECTABLE`, checked by the caller; a category is joined by `JOINT`.
        accusation: The class of accusations.
        reason: Why, and by whom.
        network: Another network than the jurisdiction's.
    """
    network = network or own_network()
    changes = dict(changes)
    if changes.get("class") == accusation and not route.is_restricted:
        changes.setdefault("unit", next(name for name in network.names if not network.above(name)))
    values: dict[str, Any] = {}
    if "class" in changes:
        values["class_"] = changes["class"]
        values["is_restricted"] = route.is_restricted or changes["class"] == accusation
    if "category" in changes:
        values["category"] = tuple(changes["category"].split(JOINT))
    if "priority" in changes:
        values["priority"] = changes["priority"]
    if unit := network.find(changes.get("unit", "")):
        # An office belongs to the unit that was proposed.
        values |= {"unit": unit.name, "level": cast("Level", unit.level), "office": None}
        values["community"] = unit.community or route.community
    if "office" in changes:
        values["office"] = changes["office"]
    return replace(route, **values, reasons=(*route.reasons, reason)) if values else route


def value_of(route: Route, name: str) -> str:
    """What a route says of one of `CORRECTABLE`; empty when it says nothing."""
    if name == "category":
        return JOINT.join(route.category)
    values = {"class": route.class_, "unit": route.unit, "office": route.office, "priority": route.priority}
    return values[name] or ""
