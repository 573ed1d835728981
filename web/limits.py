"""How fast a session or an address may send, in bounded memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

KEYS_KEPT = 20_000


class Shared(Protocol):
    """Buckets that several processes share."""

    def take(self, key: str, per_minute: int) -> int | None:
        """The whole seconds to wait; 0 when it may pass, None when nobody can be asked."""


class RateLimit:
    """A token bucket for each key: a burst of one minute's messages, refilled evenly.

    Args:
        per_minute: How many may pass.
        shared: Counts for all processes; this one counts by itself while it cannot be asked.
        name: Keeps the keys of this limit apart from those of others in what is shared.
        clock: Seconds.
        keys_kept: So many buckets of its own at most.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        shared: Shared | None = None,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
        keys_kept: int = KEYS_KEPT,
    ) -> None:
        self._per_minute = per_minute
        self._shared = shared
        self._name = name
        self._per_second = per_minute / 60
        self._burst = float(per_minute)
        self._clock = clock
        self._keys_kept = keys_kept
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> int | None:
        """Count one message of this key.

        Returns:
            None when it may pass, otherwise the whole seconds to wait (a refused message is not counted).
        """
        if self._shared and (shared := self._shared.take(f"{self._name} {key}", self._per_minute)) is not None:
            return shared or None
        now = self._clock()
        left, at = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        wait_seconds = None if left >= 1 else max(1, math.ceil((1 - left) / self._per_second))
        self._buckets[key] = (left if wait_seconds else left - 1, now)
        # The key unused for longest goes first: by then its bucket is mostly full again.
        while len(self._buckets) > self._keys_kept:
            self._buckets.popitem(last=False)
        return wait_seconds

    def __len__(self) -> int:
        return len(self._buckets)
