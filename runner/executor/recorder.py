"""What the executor states: the history of attempts and builds as events, and the counts over it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable

import trio

from runner.backends.base import Started
from runner.events import (
    ApplyEnded,
    AttemptAccepted,
    AttemptAdopted,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
)
from runner.executor.queue import Entry
from runner.executor.types import Host
from runner.model import Attempt, AttemptEnd, Metrics, Outcome, Usage
from runner.text.reasons import describe

COMMIT_DELAY = 0.005
"""Seconds that an event may wait for its commit; it is not displayed before. Only the intent to submit never waits."""


class Recorder:
    """Emits events to `host`. If that fails, `on_error` gets the exception, and the method returns False.

    failed: how many sessions have failed for good.
    """

    def __init__(
        self, host: Host, clock: Callable[[], float], backend: str, on_error: Callable[[Exception], None]
    ) -> None:
        self.failed = 0
        self._host = host
        self._clock = clock
        self._backend = backend
        self._on_error = on_error
        self._last: Counter[Outcome] = Counter()
        self._emitted = trio.Event()
        self._committing = trio.CancelScope(shield=True)

    def tell(self, event: Event) -> bool:
        """Emit an event."""
        try:
            self._host.emit(event)
        except Exception as error:
            self._on_error(error)
            return False
        self._emitted.set()
        return True

    def commit(self) -> bool:
        """Make all emitted events durable."""
        try:
            self._host.commit()
        except Exception as error:
            self._on_error(error)
            return False
        return True

    async def commit_in_time(self) -> None:
        """Commit each event at most COMMIT_DELAY after it was emitted, until `close` is called."""
        with self._committing:
            while True:
                await self._emitted.wait()
                await trio.sleep(COMMIT_DELAY)
                self._emitted = trio.Event()
                self.commit()

    def close(self) -> None:
        """End `commit_in_time`."""
        self._committing.cancel()

    def begun(self, entry: Entry, attempt: Attempt) -> bool:
        """The attempt is about to be submitted, or was submitted by an earlier runner."""
        now = self._clock()
        if entry.build is not None:
            command = attempt.command if isinstance(attempt.command, str) else shlex.join(attempt.command)
            return self.tell(BuildStarted(now, entry.build, command, attempt.name, self._backend))
        if entry.last is not None:
            self._last[entry.last] -= 1
        if entry.adopt is not None:
            return self.tell(AttemptAdopted(now, entry.session, entry.attempt, entry.adopt))
        ahead = attempt.start_when_below is not None
        return self.tell(AttemptSubmitted(now, entry.session, entry.attempt, attempt.name, self._backend, ahead))

    def accepted(self, entry: Entry, job: str) -> None:
        """The backend has accepted the attempt, as this job."""
        if entry.build is None:
            self.tell(AttemptAccepted(self._clock(), entry.session.id, entry.attempt, job))

    def waiting(self, entry: Entry, reason: str) -> None:
        """The attempt is queued at the backend for this reason."""
        if entry.build is None:
            self.tell(AttemptWaiting(self._clock(), entry.session.id, entry.attempt, reason))

    def started(self, entry: Entry, job: str, started: Started, devices: tuple[str, ...]) -> None:
        """The command has begun, and the attempt has a lease."""
        if entry.build is None:
            at, host = started.at, started.host
            self.tell(AttemptStarted(at, entry.session.id, entry.attempt, job, host, devices, started.cold))

    def ended(self, entry: Entry, end: AttemptEnd, metrics: Metrics, retry_in: float | None) -> None:
        """The attempt has ended. `retry_in`: seconds until the next one, None if there is none."""
        self._last[end.outcome] += 1
        if retry_in is None and end.outcome not in (Outcome.SUCCEEDED, Outcome.CANCELLED, Outcome.STALE):
            self.failed += 1
        self.tell(
            AttemptEnded(
                at=self._clock(),
                session=entry.session.id,
                attempt=entry.attempt,
                outcome=end.outcome,
                exit_code=end.exit_status,
                reason=describe(end),
                duration=end.duration,
                cpu_time=end.cpu_time,
                max_rss=end.max_rss,
                metrics=metrics,
                retry_in=retry_in,
            )
        )

    def build_ended(self, key: str, end: AttemptEnd) -> None:
        """The build has ended."""
        self.tell(BuildEnded(self._clock(), key, end.outcome, end.exit_status, describe(end), end.duration))

    def summary(self, to_run: int, usage: Usage) -> ApplyEnded:
        """The last outcome of every session that has one. All others count as not run, those left running included."""
        outcomes = {outcome: count for outcome, count in self._last.items() if count}
        return ApplyEnded(self._clock(), outcomes, max(0, to_run - sum(outcomes.values())), usage)
