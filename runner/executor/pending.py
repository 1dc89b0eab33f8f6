"""Attempts that have not been started: the rest of the plan, what waits for capacity or a build, and retries."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Iterator

from runner.executor.capacity import Capacity, Lease
from runner.executor.queue import Entry, Queue
from runner.executor.types import Builds
from runner.model import Cause, Outcome, PlannedAttempt, Reason, Resources, Session

TURN = 64
"""How many sessions are taken from the plan before other tasks run."""

CANCELLED = Reason(Cause.REQUEST, "cancelled on request")


class PendingAttempts:
    """Feeds the queue from the plan, from finished builds and from retries. Times are trio's, in seconds.

    adopt: called with an entry whose job runs already, and the lease that it holds.
    end: called with an entry that ends before it is submitted, its outcome and the reason.
    full: whether to take no more sessions from the plan for now.
    """

    def __init__(
        self,
        *,
        capacity: Capacity,
        builds: Builds | None,
        build_resources: Callable[[Session], Resources],
        adopt: Callable[[Entry, Lease], None],
        end: Callable[[Entry, Outcome, Reason], None],
        full: Callable[[], bool],
    ) -> None:
        self.exhausted = False
        """Whether every session of the plan has been taken."""
        self._capacity = capacity
        self._builds = builds
        self._build_resources = build_resources
        self._adopt = adopt
        self._end = end
        self._full = full
        self._plan: Iterator[PlannedAttempt | None] = iter(())
        self._turn = 0
        self._serial = 0
        self._queue = Queue(self._pull)
        self._retries: list[tuple[float, int, Entry]] = []
        self._failed_builds: dict[str, Reason] = {}
        self._cancelled: set[str] = set()

    def begin(self, plan: Iterable[PlannedAttempt | None]) -> None:
        """Set the plan to take sessions from."""
        self._plan = iter(plan)

    @property
    def queued(self) -> int:
        """How many entries wait for capacity or a build."""
        return len(self._queue)

    @property
    def backing_off(self) -> int:
        """How many entries wait for the time of their retry."""
        return len(self._retries)

    @property
    def empty(self) -> bool:
        """Whether nothing is left to start."""
        return self.exhausted and not self._queue and not self._retries

    @property
    def next_retry(self) -> float:
        """When the next retry is due; infinity if there is none."""
        return self._retries[0][0] if self._retries else math.inf

    @property
    def first(self) -> Entry | None:
        """The entry that gets free capacity first; None if the queue is empty."""
        return self._queue.first

    @property
    def turn_over(self) -> bool:
        """Whether other tasks run before more of the plan is taken."""
        return not self._turn

    def startable(self, now: float) -> Iterator[tuple[Entry, Lease]]:
        """Take out what fits into the capacity, each entry with its lease."""
        self._turn = TURN
        while self.next_retry <= now:
            self._queue.add(heapq.heappop(self._retries)[2])
        return self._queue.startable(self._capacity)

    def next(self, wanted: Callable[[Entry], bool]) -> Entry | None:
        """Take out the first entry, without a lease, if it is `wanted`."""
        return self._queue.next(self._capacity, wanted)

    def retry(self, entry: Entry, at: float, ended: Outcome, *, charged: bool) -> None:
        """Queue the next attempt of this entry for the time `at`, before all sessions that were not tried yet.

        charged: whether it counts against the retry limit.
        """
        self._serial += 1
        following = Entry((0, self._serial), entry.session, entry.attempt + 1, entry.resources)
        following.retries = entry.retries + charged
        following.restarts = entry.restarts + (not charged)
        following.last = ended
        heapq.heappush(self._retries, (at, self._serial, following))

    def cancel(self, sessions: Collection[str]) -> list[Entry]:
        """Take out the entries of these sessions. Those still in the plan end as cancelled when they are taken from it."""
        self._cancelled.update(sessions)
        out = self._queue.remove(sessions)
        out += [entry for _, _, entry in self._retries if entry.session.id in sessions]
        self._retries = [item for item in self._retries if item[2].session.id not in sessions]
        heapq.heapify(self._retries)
        return out

    def build_succeeded(self, key: str) -> None:
        """Let the sessions of this build wait for capacity."""
        for entry in self._queue.unpark(key):
            self._queue.add(entry)

    def build_failed(self, key: str, reason: Reason) -> None:
        """End the sessions of this build as failed, also those that are still to come."""
        self._failed_builds[key] = reason
        for entry in self._queue.unpark(key):
            self._end(entry, Outcome.FAILED, reason)

    def _pull(self) -> bool:
        """Take one session from the plan. False if there is none, or not now."""
        if self.exhausted or not self._turn or self._full():
            return False
        self._turn -= 1
        for planned in self._plan:
            if planned is None:
                self._turn = 0
                return False
            self._place(planned)
            return True
        self.exhausted = True
        return False

    def _place(self, planned: PlannedAttempt) -> None:
        """Find out what a session waits for: capacity, a build, or nothing because it has ended or runs."""
        session = planned.session
        self._serial += 1
        entry = Entry((1, self._serial), session, planned.attempt, session.resources, adopt=planned.adopt)
        if planned.adopt is not None:
            self._adopt(entry, self._capacity.take(session.resources) or self._capacity.overdraw(session.resources))
        elif session.id in self._cancelled:
            self._end(entry, Outcome.CANCELLED, CANCELLED)
        elif excess := self._capacity.fits_ever(session.resources):
            self._end(entry, Outcome.REJECTED, Reason(Cause.CAPACITY, excess))
        elif self._builds is None or (key := self._builds.key(session)) is None:
            self._queue.add(entry)
        elif key in self._failed_builds:
            self._end(entry, Outcome.FAILED, self._failed_builds[key])
        elif self._queue.park(key, entry):
            self._queue.add(Entry((1, self._serial), session, 1, self._build_resources(session), build=key))
