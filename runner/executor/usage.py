"""Measures how busy the capacity is while there is something to run, and what holds the next session up."""

from __future__ import annotations

from collections import defaultdict

from runner.capacity import Capacity
from runner.model import Resources, Usage


class Meter:
    """Adds usage up between two looks. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._seen = 0.0
        self._shares: dict[str, float] = {}
        self._lacking: str | None = None
        self._busy: defaultdict[str, float] = defaultdict(float)
        self._lacked: defaultdict[str, float] = defaultdict(float)

    def look(self, now: float, capacity: Capacity, next_one: Resources | None) -> None:
        """It is like this from now on. `next_one` is what the next session needs, None where none is left."""
        if self._began is None:
            self._began = now
        else:
            passed = now - self._seen
            for name, share in self._shares.items():
                self._busy[name] += share * passed
            if self._lacking is not None:
                self._lacked[self._lacking] += passed
        self._seen = now
        self._shares = capacity.shares
        self._lacking = None if next_one is None else capacity.lacking(next_one)

    @property
    def usage(self) -> Usage:
        """From the first look to the last."""
        seconds = self._seen - (self._began or 0.0)
        if not seconds:
            return Usage(0.0, {}, {})
        busy, lacked = ({name: sum_ / seconds for name, sum_ in sums.items()} for sums in (self._busy, self._lacked))
        return Usage(seconds, busy, lacked)
