"""Pauses between the tries of a request that a cluster does not answer for now."""

from __future__ import annotations

import random

import trio


class Backoff:
    """Pauses that double from `first` to `longest` seconds, for one request that is repeated until it is answered.

    Each pause is shortened by a random factor between 0.5 and 1, so that clients that failed together do not return together.
    """

    def __init__(self, *, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._next = first
        self._failing_since: float | None = None

    def failed(self) -> float:
        """Note that a try failed. Returns the seconds since the first failure after the last success."""
        now = trio.current_time()
        if self._failing_since is None:
            self._failing_since = now
        return now - self._failing_since

    async def pause(self, at_least: float = 0.0) -> None:
        """Wait before the next try, `at_least` so many seconds."""
        seconds = self._next * random.uniform(0.5, 1.0)
        self._next = min(self._longest, self._next * 2)
        await trio.sleep(max(at_least, seconds))

    def succeeded(self) -> None:
        """Note that a try was answered: the next failure starts again with the shortest pause."""
        self._next = self._first
        self._failing_since = None
