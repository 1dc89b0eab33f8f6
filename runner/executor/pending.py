"""Everything that has not been started: the rest of the plan, what waits for room or a build, and what is to be tried again."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Iterator

from runner.executor.capacity import Capacity, Lease
from runner.executor.queue import Entry, Queue
from runner.executor.types import Builds, PlannedAttempt
from runner.model import Cause, Outcome, Reason, Resources, Session

BREATH = 64
"""How many sessions are taken from the plan before everybody else gets a turn."""

CANCELLED = Reason(Cause.REQUEST, "cancelled on request")


class PendingAttempts:
    """`adopt` is given a session whose job is there already; `end` one that ends before it begins, and how. `full` says when the
    backend takes no more. Times are trio's.
    """

    def __init__(
        self,
        capacity: Capacity,
        builds: Builds | None,
        build_needs: Callable[[Session], Resources],
        adopt: Callable[[Entry, Lease, str], None],
        end: Callable[[Entry, Outcome, Reason], None],
        full: Callable[[], bool],
    ) -> None:
        self.exhausted = False
        """Whether all of the plan has been taken."""
        self._capacity = capacity
        self._builds = builds
        self._build_needs = build_needs
        self._adopt = adopt
        self._end = end
        self._full = full
        self._todo: Iterator[PlannedAttempt | None] = iter(())
        self._breath = 0
        self._serial = 0
        self._queue = Queue(self._pull)
        self._retries: list[tuple[float, int, Entry]] = []
        self._failed_builds: dict[str, Reason] = {}
        self._cancelled: set[str] = set()

    def begin(self, todo: Iterable[PlannedAttempt | None]) -> None:
        self._todo = iter(todo)

    @property
    def queued(self) -> int:
        """How many were looked at, and wait for room or a build."""
        return len(self._queue)

    @property
    def backing_off(self) -> int:
        return len(self._retries)

    @property
    def over(self) -> bool:
        """Whether nothing is left to start."""
        return self.exhausted and not self._queue and not self._retries

    @property
    def next_retry(self) -> float:
        """When the next one is due; never, if none is."""
        return self._retries[0][0] if self._retries else math.inf

    @property
    def first(self) -> Entry | None:
        """What waits for room and would get it first, as far as it is known."""
        return self._queue.first

    @property
    def out_of_breath(self) -> bool:
        """Whether everybody else is to get a turn before more of the plan is looked at."""
        return not self._breath

    def startable(self, now: float) -> Iterator[tuple[Entry, Lease]]:
        """Take out what fits, each with its lease."""
        self._breath = BREATH
        while self.next_retry <= now:
            self._queue.add(heapq.heappop(self._retries)[2])
        return self._queue.startable(self._capacity)

    def next(self, wanted: Callable[[Entry], bool]) -> Entry | None:
        """Take out what is next in line although there is no room, if it is wanted."""
        return self._queue.next(self._capacity, wanted)

    def again(self, entry: Entry, at: float, ended: Outcome, *, charged: bool) -> None:
        """It is to be tried once more; before all that was not tried yet."""
        self._serial += 1
        again = Entry((0, self._serial), entry.session, entry.attempt + 1, entry.resources)
        again.retries = entry.retries + charged
        again.restarts = entry.restarts + (not charged)
        again.last = ended
        heapq.heappush(self._retries, (at, self._serial, again))

    def cancel(self, sessions: Collection[str]) -> list[Entry]:
        """Take out what waits of these sessions. What is still to be taken from the plan will end as cancelled."""
        self._cancelled.update(sessions)
        out = self._queue.remove(sessions)
        out += [entry for _, _, entry in self._retries if entry.session.id in sessions]
        self._retries = [item for item in self._retries if item[2].session.id not in sessions]
        heapq.heapify(self._retries)
        return out

    def built(self, key: str) -> None:
        """What has waited for this build waits for room now."""
        for entry in self._queue.unpark(key):
            self._queue.add(entry)

    def not_built(self, key: str, reason: Reason) -> None:
        """What has waited for this build, and all that ever would, has failed."""
        self._failed_builds[key] = reason
        for entry in self._queue.unpark(key):
            self._end(entry, Outcome.FAILED, reason)

    def _pull(self) -> bool:
        """One session of the plan, for the queue."""
        if self.exhausted or not self._breath or self._full():
            return False
        self._breath -= 1
        for todo in self._todo:
            if todo is None:
                self._breath = 0
                return False
            self._place(todo)
            return True
        self.exhausted = True
        return False

    def _place(self, todo: PlannedAttempt) -> None:
        """Find out what a session has to wait for: room, a build, or nothing any more."""
        session = todo.session
        self._serial += 1
        entry = Entry((1, self._serial), session, todo.attempt, session.resources)
        if todo.adopt is not None:
            lease = self._capacity.take(session.resources) or self._capacity.overdraw(session.resources)
            self._adopt(entry, lease, todo.adopt)
        elif session.id in self._cancelled:
            self._end(entry, Outcome.CANCELLED, CANCELLED)
        elif reason := self._capacity.fits_ever(session.resources):
            self._end(entry, Outcome.REJECTED, Reason(Cause.CAPACITY, reason))
        elif self._builds is None or (key := self._builds.key(session)) is None:
            self._queue.add(entry)
        elif key in self._failed_builds:
            self._end(entry, Outcome.FAILED, self._failed_builds[key])
        elif self._queue.park(key, entry):
            self._queue.add(Entry((1, self._serial), session, 1, self._build_needs(session), build=key))
