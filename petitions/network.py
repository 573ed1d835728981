"""The units of the "1+6+N" network: who stands above whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from jurisdiction import Jurisdiction, load_jurisdiction


@dataclass(frozen=True, slots=True)
class Unit:
    """A hall or station; `above` are the units over it, the next one first."""

    name: str
    level: str
    community: str | None
    above: tuple[str, ...]


class Network:
    """All units by name."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units: Mapping[str, Unit] = {unit.name: unit for unit in units}

    @property
    def names(self) -> tuple[str, ...]:
        """All units, in the order of the jurisdiction."""
        return tuple(self._units)

    def find(self, name: str) -> Unit | None:
        """The unit of that name."""
        return self._units.get(name)

    def above(self, name: str) -> tuple[str, ...]:
        """The units over this one, the next one first; none over the highest or one that is not known."""
        unit = self._units.get(name)
        return unit.above if unit else ()

    def below(self, name: str) -> tuple[str, ...]:
        """The units under this one, at any depth."""
        return tuple(unit.name for unit in self._units.values() if name in unit.above)

    def is_above(self, name: str, other: str) -> bool:
        """Whether the first stands over the second; a unit with none over it counts as its own superior."""
        above = self.above(other)
        return name in above if above else name == other

    def superior(self, name: str) -> str:
        """The next unit over this one; the unit itself where none is."""
        return next(iter(self.above(name)), name)


def network_of(jurisdiction: Jurisdiction) -> Network:
    """The network of a jurisdiction: stations under its own subdistrict hall, all of those under the district's."""
    district = tuple(hall.name for hall in jurisdiction.halls if hall.level == "1")
    own = jurisdiction.hall("6", subdistrict=jurisdiction.name).name
    above = {"1": (), "6": district, "N": (own, *district)}
    return Network(Unit(hall.name, hall.level, hall.community, above[hall.level]) for hall in jurisdiction.halls)


@cache
def own_network() -> Network:
    """The network of the jurisdiction beside the code."""
    return network_of(load_jurisdiction())
