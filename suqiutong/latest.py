"""A value that is loaded anew when what it is loaded from has changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """The newest value that could be loaded. Safe from threads: one loads, the others keep the value before.

    Args:
        mark: What tells one state from another; cheap, for it is asked for every time.
        load: The value, or None where it cannot be loaded; not tried again until the mark changes.
    """

    def __init__(self, mark: Callable[[], Hashable], load: Callable[[], T | None]) -> None:
        self._mark = mark
        self._load = load
        self._lock = Lock()
        self._loaded: Hashable = object()
        self._value: T | None = None

    def get(self) -> T | None:
        """The value; None where none could ever be loaded."""
        mark = self._mark()
        # Whoever has nothing yet waits for the one who loads.
        if mark != self._loaded and self._lock.acquire(blocking=self._value is None):
            try:
                if mark != self._loaded:
                    self._value = self._load() or self._value
                    self._loaded = mark
            finally:
                self._lock.release()
        return self._value
