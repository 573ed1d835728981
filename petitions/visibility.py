"""Who may see which petition: the one rule for every listing, count, rate and search.

What is no accusation may be seen by all who work here. An accusation is seen by those who handle it (the responsible
unit and those above it, the unit it is offered to, the one that oversees it), and never by the accused unit or by a
unit below that. To everybody else it does not exist. A person at the desk is confined besides: of all petitions they
see only those that their unit handles in this sense, nothing of units above or beside.

Source: 信访工作条例 art. 30.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_, true

from petitions.log import Actor
from petitions.model import Petition
from petitions.network import Network, own_network

# Somebody who has proved nothing.
STRANGER = Actor("stranger", "stranger")


def visible_to(actor: Actor, network: Network | None = None) -> ColumnElement[bool]:
    """The condition on `Petition` that holds for what this actor may see.

    Args:
        actor: Who looks. The machine itself (`system`) sees all; whoever works for no unit sees no accusation.
        network: Another network than the jurisdiction's.
    """
    if actor.role == "system":
        return true()
    ordinary = Petition.is_restricted == false()
    if actor.role == "petitioner" or actor.unit is None:
        return false() if actor.is_confined else ordinary
    handled, not_accused = _of_unit(actor.unit, network or own_network())
    if actor.is_confined:
        return and_(handled, or_(ordinary, not_accused))
    return or_(ordinary, and_(handled, not_accused))


def visible_parts(actor: Actor, network: Network | None = None) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The same condition in two that exclude each other: what is no accusation, and accusations.

    Neither reads more columns than it must, so that an index can hold them all.
    """
    ordinary, accusation = Petition.is_restricted == false(), Petition.is_restricted == true()
    if actor.role == "system":
        return ordinary, accusation
    if actor.role == "petitioner" or actor.unit is None:
        return false() if actor.is_confined else ordinary, false()
    handled, not_accused = _of_unit(actor.unit, network or own_network())
    return and_(ordinary, handled) if actor.is_confined else ordinary, and_(accusation, handled, not_accused)


def _of_unit(unit: str, network: Network) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That the unit handles a petition, and that the petition accuses neither it nor one above it."""
    handled = or_(
        Petition.unit.in_([unit, *network.below(unit)]), Petition.offered_unit == unit, Petition.overseer_unit == unit
    )
    return handled, or_(Petition.accused_unit.is_(None), Petition.accused_unit.not_in([unit, *network.above(unit)]))


def may_see(petition: Petition, actor: Actor, network: Network) -> bool:
    """Whether this actor may see this petition; the same rule, for one that is at hand.

    A `petitioner` has proved that this petition is theirs.
    """
    if actor.role in {"system", "petitioner"}:
        return True
    is_handler = actor.unit is not None and handles(petition, actor.unit, network)
    if not petition.is_restricted:
        return is_handler or not actor.is_confined
    return is_handler and not is_accused(petition, str(actor.unit), network)


def handles(petition: Petition, unit: str, network: Network) -> bool:
    """Whether the unit is responsible, stands above the one that is, is offered the petition, or oversees it."""
    return unit in {petition.unit, petition.offered_unit, petition.overseer_unit, *network.above(petition.unit)}


def is_accused(petition: Petition, unit: str, network: Network) -> bool:
    """Whether the petition accuses this unit or one above it."""
    return petition.accused_unit in {unit, *network.above(unit)}
