"""What follows the end of an attempt: its metrics, whether it is tried again, its record, its files."""

from __future__ import annotations

from collections.abc import Callable

import trio

from runner.executor.attempt_runner import AttemptRunner
from runner.executor.pending import PendingAttempts
from runner.executor.policy import restart, retry_pause
from runner.executor.queue import Entry
from runner.executor.recorder import Recorder
from runner.executor.types import Builds, Host
from runner.model import AttemptEnd, Cause, Metrics, Outcome, Reason, Retry
from runner.text.reasons import describe

JUDGED = frozenset((Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY))
"""The outcomes that say something of the program, and so of the inputs that it read."""


class Completion:
    """Carries out the end of attempts and builds. An exception comes from `host` or `builds`."""

    def __init__(
        self, *, host: Host, builds: Builds | None, retry: Retry, recorder: Recorder, pending: PendingAttempts
    ) -> None:
        self._host = host
        self._builds = builds
        self._retry = retry
        self._recorder = recorder
        self._pending = pending

    async def attempt(self, runner: AttemptRunner, end: AttemptEnd, may_retry: Callable[[], bool]) -> bool:
        """Record the end of an attempt, and queue the next one. Returns whether there is a next one.

        The caller shields it from cancellation: an end that is known gets recorded.

        may_retry: called once the metrics are collected, since that takes time.
        """
        entry = runner.entry
        metrics: Metrics = {}
        if end.outcome in JUDGED:
            began = runner.started.at if runner.started else None
            end = await self._host.verified(runner.attempt, end, began, adopted=entry.adopt is not None)
        if end.outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
            metrics = await self._host.collect(runner.attempt, end)
        if runner.attempt.secrets:
            await self._host.mask_logs(runner.attempt)
        pause = None
        charged = not restart(end, entry.restarts)
        if may_retry():
            pause = retry_pause(self._retry, end.outcome, entry.retries) if charged else 0.0
        self._record(entry, end, metrics, pause)
        if pause is not None:
            self._pending.retry(entry, trio.current_time() + pause, end.outcome, charged=charged)
        return pause is not None

    def build(self, key: str, end: AttemptEnd, *, fail_sessions: bool) -> None:
        """Record the end of a build. Its sessions wait for capacity then; if it failed, they fail, too, with `fail_sessions`."""
        assert self._builds is not None
        self._recorder.build_ended(key, end)
        self._builds.finished(key, end)
        if end.outcome is Outcome.SUCCEEDED:
            self._pending.build_succeeded(key)
        elif fail_sessions:
            self._pending.build_failed(key, Reason(Cause.BUILD, describe(end) or end.outcome.value))

    def unstarted(self, entry: Entry, outcome: Outcome, reason: Reason) -> None:
        """Record an attempt that ends before it is submitted."""
        attempt = self._host.make_attempt(entry.session, entry.attempt, (), None)
        if self._recorder.begun(entry, attempt):
            self._record(entry, AttemptEnd(outcome=outcome, reason=reason), {}, None)

    def _record(self, entry: Entry, end: AttemptEnd, metrics: Metrics, retry_in: float | None) -> None:
        self._recorder.ended(entry, end, metrics, retry_in)
        self._host.remove_files(entry.session.id, entry.attempt, end)
