"""Where an apply stands, as its events tell it. Takes an event in constant time, reads no file and draws nothing."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from runner.events import (
    ApplyInterrupted,
    ApplyStarted,
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
from runner.results.failures import Failure, Key, key


@dataclass(slots=True)
class Running:
    """An attempt that has no end yet. `started` is Unix time, None until its command has begun; `waiting` is why it has not."""

    session: Session
    attempt: int
    lease: Lease
    started: float | None = None
    waiting: str | None = None


@dataclass(slots=True)
class Kind:
    """The failures of one cause: how many, and of the one that comes first in the plan its session and the log that tells."""

    example: Failure
    session: Session
    log: Path
    count: int = 0


class Tally:
    """All that a display of an apply needs. Times are Unix seconds, as the events have them.

    `to_run` counts the sessions of this apply, `outcomes` those of them that have ended for good, `retries` the attempts that
    were followed by another; `again` has the sessions that wait for theirs, and when it is due. `capacity` holds what runs and
    what builds, as the executor counts it.
    """

    def __init__(self) -> None:
        self.name = ""
        self.to_run = 0
        self.began: float | None = None
        self.capacity = Capacity({})
        self.outcomes: Counter[Outcome] = Counter()
        self.retries = 0
        self.again: dict[str, float] = {}
        self.running: dict[str, Running] = {}
        self.waiting: Counter[str] = Counter()
        """How many wait at the backend, by its reason."""
        self.kinds: dict[Key, Kind] = {}
        self._ahead: dict[str, tuple[Session, int]] = {}
        self._builds: dict[str, Lease] = {}
        self._first_start: float | None = None
        self._spent = 0.0

    @property
    def done(self) -> int:
        return self.outcomes.total()

    @property
    def bad(self) -> int:
        return self.done - self.outcomes[Outcome.SUCCEEDED]

    @property
    def building(self) -> int:
        return len(self._builds)

    def known(self, session: str) -> Running | None:
        """The attempt of this apply that has no end yet, if there is one; while it is ahead of its room it takes none."""
        ahead = self._ahead.get(session)
        return self.running.get(session) if ahead is None else Running(*ahead, Lease({}))

    def take(self, event: Event) -> None:
        match event:
            case ApplyStarted():
                self.begin(event.sweep, event.at, event.to_run, event.capacity, event.max_parallel)
            case AttemptSubmitted(ahead=True):
                self.again.pop(event.session.id, None)
                self._ahead[event.session.id] = (event.session, event.attempt)
            case AttemptSubmitted() | AttemptAdopted():
                self.submitted(event.session, event.attempt)
            case AttemptWaiting():
                self.waits(event.session, event.reason)
            case AttemptStarted():
                if ahead := self._ahead.pop(event.session, None):
                    self.submitted(*ahead)
                self.started(event.session, event.at)
            case AttemptEnded():
                self._ended(event)
            case BuildStarted():
                cpu = min(1, self.capacity.limits.get("cpu", 1))
                self._builds[event.build] = self.capacity.overdraw({"cpu": cpu})
            case ApplyInterrupted() | StopReached():
                self.again.clear()
            case BuildEnded() if lease := self._builds.pop(event.build, None):
                self.capacity.release(lease)
            case _:
                pass

    def begin(self, name: str, at: float, to_run: int, capacity: Resources, max_parallel: int | None) -> None:
        self.name, self.began, self.to_run = name, at, to_run
        self.capacity = Capacity(capacity, max_parallel)

    def submitted(self, session: Session, attempt: int) -> None:
        self.again.pop(session.id, None)
        self.running[session.id] = Running(session, attempt, self.capacity.overdraw(session.resources))

    def waits(self, session: str, reason: str) -> None:
        if running := self.running.get(session):
            self._waits_no_more(running)
            running.waiting = reason
            self.waiting[reason] += 1

    def started(self, session: str, at: float) -> None:
        if running := self.running.get(session):
            self._waits_no_more(running)
            running.started = at
            self._first_start = at if self._first_start is None else min(at, self._first_start)

    def ended_for_good(self, outcome: Outcome, duration: float | None, started: float | None = None) -> None:
        """Count a session that has ended; of one that was never seen running, `started` says when it did."""
        self.outcomes[outcome] += 1
        self._spent += duration or 0.0
        if started is not None:
            self._first_start = started if self._first_start is None else min(started, self._first_start)

    def tried_again(self, count: int, seconds: float) -> None:
        """Count attempts that were followed by another, or are to be, and the seconds that they ran."""
        self.retries += count
        self._spent += seconds

    def fails(self, failure: Failure, session: Session, log: Path) -> None:
        """Count a failure to its cause."""
        kind = self.kinds.get(key(failure))
        if kind is None or session.index < kind.session.index:
            kind = self.kinds[key(failure)] = Kind(failure, session, log, kind.count if kind else 0)
        kind.count += 1

    def elapsed(self, now: float) -> float:
        return 0.0 if self.began is None else max(0.0, now - self.began)

    def rate(self, now: float) -> float | None:
        """Sessions that end in a second, over the whole apply; None until one has."""
        elapsed = self.elapsed(now)
        return self.done / elapsed if self.done and elapsed else None

    def eta(self, now: float) -> float | None:
        """Seconds until all has ended, if the rest takes as long as those so far and as many run at once; None while nothing
        is known.
        """
        if not self.done or self._first_start is None or not self._spent:
            return None
        began = [running.started for running in self.running.values() if running.started is not None]
        elapsed = sum(max(0.0, now - started) for started in began)
        at_once = (self._spent + elapsed) / max(now - self._first_start, 1e-3)
        each = self._spent / self.done
        queued = self.to_run - self.done - len(began)
        left = max(0, queued) * each + sum(max(0.0, each - (now - started)) for started in began)
        return left / at_once if left else None

    def longest(self, count: int) -> list[Running]:
        """That many of those that run, the longest first."""
        began = (running for running in self.running.values() if running.started is not None)
        return heapq.nsmallest(count, began, key=lambda running: running.started or 0.0)

    def _ended(self, event: AttemptEnded) -> None:
        if ahead := self._ahead.pop(event.session, None):
            self.submitted(*ahead)
        running = self.running.pop(event.session, None)
        if running is None:
            return  # what a dead runner has left
        self._waits_no_more(running)
        self.capacity.release(running.lease)
        if event.retry_in is None:
            self.ended_for_good(event.outcome, event.duration)
        else:
            self.tried_again(1, event.duration or 0.0)
            self.again[event.session] = event.at + event.retry_in

    def _waits_no_more(self, running: Running) -> None:
        if running.waiting is not None:
            self.waiting[running.waiting] -= 1
            if not self.waiting[running.waiting]:
                del self.waiting[running.waiting]
            running.waiting = None
