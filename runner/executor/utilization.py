"""Measures how busy the capacity is while sessions wait, and which limit holds up the next one."""

from __future__ import annotations

from collections import defaultdict

from runner.executor.capacity import Capacity
from runner.model import Resources, Usage


class UtilizationMeter:
    """Integrates the utilization over time. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._last = 0.0
        self._shares: dict[str, float] = {}
        self._bottleneck: str | None = None
        self._backend_limit: int | None = None
        self._ran = 0.0
        self._busy: defaultdict[str, float] = defaultdict(float)
        self._limited: defaultdict[str, float] = defaultdict(float)

    def record(
        self, now: float, capacity: Capacity, next_needs: Resources | None, limited_by_backend: bool = False
    ) -> None:
        """Record the utilization from `now` until the next call.

        next_needs: resources of the next session to start; None if there is none.
        limited_by_backend: whether a job waits for a `max_parallel` that the backend enforces.
        """
        if self._began is None:
            self._began = now
        else:
            passed = now - self._last
            for name, share in self._shares.items():
                self._busy[name] += share * passed
            if self._bottleneck is not None:
                self._limited[self._bottleneck] += passed
        self._last = now
        self._shares = capacity.shares
        self._bottleneck = None if next_needs is None else capacity.lacking(next_needs)
        if self._bottleneck is None and limited_by_backend:
            self._bottleneck = "max_parallel"
        self._backend_limit = capacity.kept_there

    def ran(self, until: float, seconds: float) -> None:
        """A job ran for so many seconds until then. Time before the first `record` does not count."""
        self._ran += min(seconds, max(0.0, until - (self._began or 0.0)))

    @property
    def usage(self) -> Usage:
        """From the first `record` to the last."""
        seconds = self._last - (self._began or 0.0)
        if not seconds:
            return Usage(0.0, {}, {})
        busy, limited = ({name: sum_ / seconds for name, sum_ in sums.items()} for sums in (self._busy, self._limited))
        if self._backend_limit is not None:
            busy["max_parallel"] = min(1.0, self._ran / (seconds * self._backend_limit))
        return Usage(seconds, busy, limited)
