"""The progress of an apply, counted from its events. An event takes constant time; nothing is read or drawn here."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass

from runner.events import (
    ApplyInterrupted,
    ApplyStarted,
    ApplyWaiting,
    AttemptAdopted,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
    StopReached,
)
from runner.executor.capacity import Capacity, Lease
from runner.model import Outcome, Resources, Session
from runner.results.failures import Failure, Key, Logs, key


@dataclass(slots=True)
class RunningAttempt:
    """An attempt that has not ended."""

    session: Session
    attempt: int
    lease: Lease
    started: float | None = None
    """Unix time; None until its command has started."""
    waiting: str | None = None
    """Why it is queued at the backend."""


@dataclass(slots=True)
class CauseCount:
    """The failures of one cause. The example is the one that comes first in the plan."""

    example: Failure
    session: Session
    """The example's session."""
    logs: Logs
    """The logs that show why the example failed."""
    count: int = 0


class Tracker:
    """The counts that a display of an apply shows. Times are Unix seconds, taken from the events."""

    def __init__(self) -> None:
        self.name = ""
        """The sweep's name."""
        self.to_run = 0
        """Sessions of this apply."""
        self.began: float | None = None
        self.capacity = Capacity({})
        """What running attempts and builds hold."""
        self.outcomes: Counter[Outcome] = Counter()
        """The last outcome of each session that will not be tried again."""
        self.retries = 0
        """Attempts that another one followed or will follow."""
        self.retries_due: dict[str, float] = {}
        """When the next attempt is due, for each session that waits for one."""
        self.running: dict[str, RunningAttempt] = {}
        """The attempts that have not ended, by session."""
        self.waiting: Counter[str] = Counter()
        """Attempts that are queued at the backend, by reason."""
        self.contention: str | None = None
        """What the sessions that are not submitted wait for, if another runner has it."""
        self.causes: dict[Key, CauseCount] = {}
        self._prefetched: dict[str, tuple[Session, int]] = {}
        """Session and attempt number of attempts that were submitted before capacity was free."""
        self._builds: dict[str, Lease] = {}
        self._first_start: float | None = None
        self._run_seconds = 0.0
        """The durations of all attempts that have ended."""

    @property
    def done(self) -> int:
        return self.outcomes.total()

    @property
    def unsuccessful(self) -> int:
        return self.done - self.outcomes[Outcome.SUCCEEDED]

    @property
    def building(self) -> int:
        return len(self._builds)

    def open_attempt(self, session: str) -> RunningAttempt | None:
        """The attempt of this apply that has not ended, None without one; a prefetched one holds no capacity."""
        prefetched = self._prefetched.get(session)
        return self.running.get(session) if prefetched is None else RunningAttempt(*prefetched, Lease({}))

    def take(self, event: Event) -> None:
        match event:
            case ApplyStarted():
                self.begin(event.sweep, event.at, event.to_run, event.capacity, event.max_parallel)
            case AttemptSubmitted(ahead=True):
                self.retries_due.pop(event.session.id, None)
                self._prefetched[event.session.id] = (event.session, event.attempt)
            case AttemptSubmitted() | AttemptAdopted():
                self.submit(event.session, event.attempt)
            case AttemptWaiting():
                self.wait(event.session, event.reason)
            case AttemptStarted():
                if prefetched := self._prefetched.pop(event.session, None):
                    self.submit(*prefetched)
                self.start(event.session, event.at)
            case AttemptEnded():
                self._ended(event)
            case BuildStarted():
                cpu = min(1, self.capacity.limits.get("cpu", 1))
                self._builds[event.build] = self.capacity.overdraw({"cpu": cpu})
            case ApplyWaiting():
                self.contention = event.reason
            case ApplyInterrupted() | StopReached():
                self.retries_due.clear()
            case BuildEnded() if lease := self._builds.pop(event.build, None):
                self.capacity.release(lease)
            case _:
                pass

    def begin(self, name: str, at: float, to_run: int, capacity: Resources, max_parallel: int | None) -> None:
        self.name, self.began, self.to_run = name, at, to_run
        self.capacity = Capacity(capacity, max_parallel)

    def submit(self, session: Session, attempt: int) -> None:
        self.retries_due.pop(session.id, None)
        self.running[session.id] = RunningAttempt(session, attempt, self.capacity.overdraw(session.resources))

    def wait(self, session: str, reason: str) -> None:
        if running := self.running.get(session):
            self._stop_waiting(running)
            running.waiting = reason
            self.waiting[reason] += 1

    def start(self, session: str, at: float) -> None:
        if running := self.running.get(session):
            self._stop_waiting(running)
            running.started = at
            self._note_start(at)

    def end(self, outcome: Outcome, duration: float | None, started: float | None = None, *, count: int = 1) -> None:
        """Count sessions that will not be tried again, and the sum of their durations. `started`: for those that `start` was
        not called for, the first of them.
        """
        self.outcomes[outcome] += count
        self._run_seconds += duration or 0.0
        if started is not None:
            self._note_start(started)

    def add_retries(self, count: int, seconds: float) -> None:
        """Count attempts that are followed by another, and the seconds that they ran."""
        self.retries += count
        self._run_seconds += seconds

    def add_failure(self, failure: Failure, session: Session, logs: Logs) -> None:
        """Count a failure to its cause."""
        cause = self.causes.get(key(failure))
        if cause is None or session.index < cause.session.index:
            cause = self.causes[key(failure)] = CauseCount(failure, session, logs, cause.count if cause else 0)
        cause.count += 1

    def elapsed(self, now: float) -> float:
        return 0.0 if self.began is None else max(0.0, now - self.began)

    def rate(self, now: float) -> float | None:
        """Sessions that ended per second since the apply began; None before the first end."""
        elapsed = self.elapsed(now)
        return self.done / elapsed if self.done and elapsed else None

    def eta(self, now: float) -> float | None:
        """Seconds until the last session ends, None before one has ended.

        Assumes that the others take as long as those before, and that as many run at once.
        """
        if not self.done or self._first_start is None or not self._run_seconds:
            return None
        began = [running.started for running in self.running.values() if running.started is not None]
        elapsed = sum(max(0.0, now - started) for started in began)
        at_once = (self._run_seconds + elapsed) / max(now - self._first_start, 1e-3)
        each = self._run_seconds / self.done
        queued = self.to_run - self.done - len(began)
        left = max(0, queued) * each + sum(max(0.0, each - (now - started)) for started in began)
        return left / at_once if left else None

    def longest(self, count: int) -> list[RunningAttempt]:
        """At most `count` started attempts, the longest first."""
        began = (running for running in self.running.values() if running.started is not None)
        return heapq.nsmallest(count, began, key=lambda running: running.started or 0.0)

    def _ended(self, event: AttemptEnded) -> None:
        if prefetched := self._prefetched.pop(event.session, None):
            self.submit(*prefetched)
        running = self.running.pop(event.session, None)
        if running is None:
            return  # an earlier apply submitted it
        self._stop_waiting(running)
        self.capacity.release(running.lease)
        if event.retry_in is None:
            self.end(event.outcome, event.duration)
        else:
            self.add_retries(1, event.duration or 0.0)
            self.retries_due[event.session] = event.at + event.retry_in

    def _note_start(self, at: float) -> None:
        self._first_start = at if self._first_start is None else min(at, self._first_start)

    def _stop_waiting(self, running: RunningAttempt) -> None:
        if running.waiting is not None:
            self.waiting[running.waiting] -= 1
            if not self.waiting[running.waiting]:
                del self.waiting[running.waiting]
            running.waiting = None
