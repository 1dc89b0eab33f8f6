"""What the executor states: what happens to sessions and builds as events, and the count of it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping

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
    Emit,
    Event,
)
from runner.executor.queue import Entry
from runner.model import Attempt, AttemptEnd, Outcome, Scalar, Usage
from runner.reasons import describe


class Recorder:
    """When `emit` or `commit` fails, the error goes to `on_error`, and `tell`, `commit` and `begun` return False.

    `failed` counts the sessions that failed for good.
    """

    def __init__(
        self,
        emit: Emit,
        commit: Callable[[], None],
        clock: Callable[[], float],
        backend: str,
        on_error: Callable[[Exception], None],
    ) -> None:
        self.failed = 0
        self._emit = emit
        self._commit = commit
        self._clock = clock
        self._backend = backend
        self._on_error = on_error
        self._last: Counter[Outcome] = Counter()

    def tell(self, event: Event) -> bool:
        try:
            self._emit(event)
        except Exception as error:
            self._on_error(error)
            return False
        return True

    def commit(self) -> bool:
        """Have what was told last."""
        try:
            self._commit()
        except Exception as error:
            self._on_error(error)
            return False
        return True

    def begun(self, entry: Entry, attempt: Attempt, adopt: str | None = None) -> bool:
        """It is about to be handed over, or has been by a dead runner."""
        now = self._clock()
        if entry.build is not None:
            command = attempt.command if isinstance(attempt.command, str) else shlex.join(attempt.command)
            return self.tell(BuildStarted(now, entry.build, command, attempt.name, self._backend))
        if entry.last is not None:
            self._last[entry.last] -= 1
        if adopt is not None:
            return self.tell(AttemptAdopted(now, entry.session, entry.attempt, adopt))
        ahead = attempt.start_when_below is not None
        return self.tell(AttemptSubmitted(now, entry.session, entry.attempt, attempt.name, self._backend, ahead))

    def accepted(self, entry: Entry, job: str) -> None:
        if entry.build is None:
            self.tell(AttemptAccepted(self._clock(), entry.session.id, entry.attempt, job))

    def waiting(self, entry: Entry, reason: str) -> None:
        if entry.build is None:
            self.tell(AttemptWaiting(self._clock(), entry.session.id, entry.attempt, reason))

    def started(self, entry: Entry, job: str, started: Started, devices: tuple[str, ...]) -> None:
        if entry.build is None:
            at, host = started.at, started.host
            self.tell(AttemptStarted(at, entry.session.id, entry.attempt, job, host, devices, started.cold))

    def ended(self, entry: Entry, ended: AttemptEnd, metrics: Mapping[str, Scalar], retry_in: float | None) -> None:
        self._last[ended.outcome] += 1
        if retry_in is None and ended.outcome not in (Outcome.SUCCEEDED, Outcome.CANCELLED):
            self.failed += 1
        self.tell(
            AttemptEnded(
                self._clock(),
                entry.session.id,
                entry.attempt,
                ended.outcome,
                ended.exit_status,
                describe(ended),
                ended.duration,
                ended.cpu_time,
                ended.max_rss,
                metrics,
                retry_in,
            )
        )

    def build_ended(self, key: str, ended: AttemptEnd) -> None:
        now = self._clock()
        self.tell(BuildEnded(now, key, ended.outcome, ended.exit_status, describe(ended), ended.duration))

    def summary(self, to_run: int, usage: Usage) -> ApplyEnded:
        """The last outcome of every session that has one; all others count as not run, also those left running."""
        outcomes = {outcome: count for outcome, count in self._last.items() if count}
        return ApplyEnded(self._clock(), outcomes, max(0, to_run - sum(outcomes.values())), usage)
