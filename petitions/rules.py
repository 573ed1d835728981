"""All rules that the case work follows, in one hand: the table of steps, the clocks, the workdays, the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from petitions.clocks import Clock, own_clocks
from petitions.data import DataError
from petitions.lifecycle import Lifecycle, own_lifecycle
from petitions.network import Network, own_network
from petitions.workdays import Workdays, chinese_workdays


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides which step is allowed, and what it does.

    Raises:
        DataError: the table names a clock that is not there, or extends one that may not be extended.
    """

    lifecycle: Lifecycle
    clocks: Mapping[str, Clock]
    calendar: Workdays
    network: Network

    def __post_init__(self) -> None:
        if unknown := self.lifecycle.clock_names - set(self.clocks):
            raise DataError(f"lifecycle.yml: no such clock in clocks.yml: {', '.join(sorted(unknown))}")
        extended = {name for row in self.lifecycle.transitions for name in row.clocks.extend}
        for name in extended:
            if self.clocks[name].unit != "days" or not self.clocks[name].extension:
                raise DataError(f"lifecycle.yml: clock {name} is extended but has no extension in days")


@cache
def own_rules() -> Rules:
    """The rules beside the code, and the jurisdiction's network."""
    return Rules(own_lifecycle(), own_clocks(), chinese_workdays(), own_network())
