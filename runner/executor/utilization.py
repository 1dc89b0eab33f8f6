"""Measures how busy the capacity is while there is something to run, and what holds the next session up."""

from __future__ import annotations

from collections import defaultdict

from runner.executor.capacity import Capacity
from runner.model import Resources, Usage


class UtilizationMeter:
    """Adds usage up between two looks. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._seen = 0.0
        self._shares: dict[str, float] = {}
        self._lacking: str | None = None
        self._kept_there: int | None = None
        self._ran = 0.0
        self._busy: defaultdict[str, float] = defaultdict(float)
        self._lacked: defaultdict[str, float] = defaultdict(float)

    def look(self, now: float, capacity: Capacity, next_one: Resources | None, held_there: bool = False) -> None:
        """It is like this from now on. `next_one` is what the next session needs, None where none is left; `held_there` says
        whether any waits for the `max_parallel` that the backend keeps.
        """
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
        if self._lacking is None and held_there:
            self._lacking = "max_parallel"
        self._kept_there = capacity.kept_there

    def ran(self, until: float, seconds: float) -> None:
        """A job ran for so long until then; what it ran before the first look does not count."""
        self._ran += min(seconds, max(0.0, until - (self._began or 0.0)))

    @property
    def usage(self) -> Usage:
        """From the first look to the last."""
        seconds = self._seen - (self._began or 0.0)
        if not seconds:
            return Usage(0.0, {}, {})
        busy, lacked = ({name: sum_ / seconds for name, sum_ in sums.items()} for sums in (self._busy, self._lacked))
        if self._kept_there is not None:
            busy["max_parallel"] = min(1.0, self._ran / (seconds * self._kept_there))
        return Usage(seconds, busy, lacked)
