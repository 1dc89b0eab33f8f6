"""Attempts that the backend has before there is room for them, so that short sessions follow each other without a pause."""

from __future__ import annotations

import math
from collections import Counter, deque

from runner.executor.attempt_runner import AttemptRunner
from runner.executor.capacity import Lease
from runner.executor.queue import Entry

SHORT = 0.1
"""Seconds: a session that takes longer does not feel the millisecond that runner takes to start the next one."""

MOMENT = 0.02
"""Seconds for which the backend is to have enough to begin: some times what runner takes to hand over the next ones."""


class Prefetch:
    """At most `limit` of them, and only while all that runs needs the same, as the next one does. Then any room is as good as any
    other: the backend lets the next one in when one ends, and here the room is passed on in the same order, once that is known.
    While one waits here, no room of its size is given back: so what it began in is always that of one whose end is to be told.

    They are as many as are likely to begin in a moment, and no more than were short in a row, as what comes again waits behind
    them. They are handed over when half of them have begun: to write down and to tell costs less for many at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._duration = math.inf
        self._short = 0  # so many in a row
        self._jobs = 0
        self._alike: Counter[object] = Counter()
        self._waiting: deque[AttemptRunner] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Entry | None:
        return self._waiting[0].entry if self._waiting else None

    @property
    def lacking(self) -> int:
        """How many are to be handed over now."""
        running = self._jobs - len(self._waiting)
        wanted = min(self._limit, self._short, math.ceil(MOMENT * running / self._duration))
        missing = wanted - len(self._waiting)
        return missing if 2 * missing >= wanted else 0

    def start_when_below(self, entry: Entry) -> int | None:
        """How many like it may run at once; None where all that runs is not like it, so that it has to wait for room."""
        if entry.build is not None or self._alike.get(entry.shape, 0) != self._jobs:
            return None
        return self._jobs - len(self._waiting) or None

    def begun(self, job: AttemptRunner) -> None:
        self._jobs += 1
        if job.plain:
            self._alike[job.entry.shape] += 1
        if job.ahead:
            self._waiting.append(job)

    def ended(self, job: AttemptRunner, duration: float | None) -> Lease | None:
        """Its room, unless one that went ahead has it now. `duration` is None where it says nothing about those to come."""
        self._jobs -= 1
        if job.plain:
            shape = job.entry.shape
            self._alike[shape] -= 1
            if not self._alike[shape]:
                del self._alike[shape]
            self._duration = math.inf if duration is None else max(duration, 1e-6)
            self._short = self._short + 1 if self._duration < SHORT else 0
            if job.lease is not None and self._waiting and self._waiting[0].entry.shape == shape:
                self._waiting.popleft().take_room(job.lease)
                return None
        if job.ahead:
            self._waiting.remove(job)
        return job.lease
