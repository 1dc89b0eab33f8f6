"""Attempts that are submitted before capacity is free, so that short sessions follow each other without a round trip.

The backend starts the next one the moment another ends (`Attempt.start_when_below`); the executor hears of it later.
Both have to agree on which attempt holds which lease. That rests on these invariants:

1. An attempt is prefetched only while every running attempt has its resources. Then any lease fits any of them.
2. `start_when_below` is the number of leases held when it is submitted: the backend never runs more than that.
3. The backend starts prefetched attempts in the order of their submission, and leases are passed on in the same order.
4. While an attempt is prefetched, a lease that becomes free is passed to the first one, never back to the capacity.

So the capacity never counts fewer attempts than run, and the start of an attempt is recorded after the end of the one
before it, with whose lease it runs.
"""

from __future__ import annotations

import math
from collections import Counter, deque

from runner.executor.attempt_runner import AttemptRunner
from runner.executor.capacity import Lease
from runner.executor.queue import Entry

SHORT = 0.1
"""Seconds: the millisecond between two sessions does not matter to one that runs longer."""

STOCK = 0.02
"""Seconds for which the backend gets attempts in advance: several times what it takes to submit the next ones."""


class Prefetch:
    """Decides how many attempts to prefetch, and passes leases on to them. At most `limit` at a time.

    As many as are likely to start within STOCK; not more than attempts were short in a row, since retries queue behind
    them. They are submitted when half of them have started: the cost of a commit and of a message is shared.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._duration = math.inf  # of the last attempt, in seconds
        self._short_in_row = 0
        self._runners = 0
        self._by_shape: Counter[object] = Counter()
        self._without_lease: deque[AttemptRunner] = deque()

    def __len__(self) -> int:
        """How many attempts have no lease yet."""
        return len(self._without_lease)

    @property
    def first(self) -> Entry | None:
        """The attempt that gets the next lease."""
        return self._without_lease[0].entry if self._without_lease else None

    @property
    def wanted(self) -> int:
        """How many attempts to prefetch now."""
        leases = self._runners - len(self._without_lease)
        stock = min(self._limit, self._short_in_row, math.ceil(STOCK * leases / self._duration))
        missing = stock - len(self._without_lease)
        return missing if 2 * missing >= stock else 0

    def start_when_below(self, entry: Entry) -> int | None:
        """The number of leases held, by invariant 2; None if invariant 1 does not hold for the entry."""
        if entry.build is not None or self._by_shape.get(entry.shape, 0) != self._runners:
            return None
        return self._runners - len(self._without_lease) or None

    def begun(self, runner: AttemptRunner) -> None:
        """Count an attempt that is about to be submitted."""
        self._runners += 1
        if runner.interchangeable:
            self._by_shape[runner.entry.shape] += 1
        if runner.prefetched:
            self._without_lease.append(runner)

    def ended(self, runner: AttemptRunner, duration: float | None) -> Lease | None:
        """The lease of an ended attempt, if the capacity gets it back: invariant 4.

        duration: seconds; None if it says nothing about the attempts to come.
        """
        self._runners -= 1
        if runner.interchangeable:
            shape = runner.entry.shape
            self._by_shape[shape] -= 1
            if not self._by_shape[shape]:
                del self._by_shape[shape]
            self._duration = math.inf if duration is None else max(duration, 1e-6)
            self._short_in_row = self._short_in_row + 1 if self._duration < SHORT else 0
            if runner.lease is not None and self._without_lease and self._without_lease[0].entry.shape == shape:
                self._without_lease.popleft().take_lease(runner.lease)  # invariant 3
                return None
        if runner.prefetched:
            self._without_lease.remove(runner)
        return runner.lease
