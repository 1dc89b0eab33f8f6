"""The attempts that are at the backend now, and requests to many of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import trio

from runner.backends.base import FOR_MAX_PARALLEL
from runner.executor.attempt_runner import ENDING, AttemptRunner, AttemptState
from runner.executor.pending import CANCELLED
from runner.executor.types import Running
from runner.model import Cause, Outcome, Reason


class Runners:
    """Attempt runners by the name of their attempt, from before the intent is emitted until the lease is passed on."""

    def __init__(self) -> None:
        self._by_name: dict[str, AttemptRunner] = {}
        self._limited_by_backend: set[AttemptRunner] = set()

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[AttemptRunner]:
        return iter(self._by_name.values())

    def add(self, runner: AttemptRunner) -> None:
        self._by_name[runner.attempt.name] = runner

    def remove(self, runner: AttemptRunner) -> None:
        del self._by_name[runner.attempt.name]
        self._limited_by_backend.discard(runner)

    @property
    def limited_by_backend(self) -> bool:
        """Whether an attempt waits for a `max_parallel` that the backend enforces."""
        return bool(self._limited_by_backend)

    def update_limited(self, runner: AttemptRunner) -> bool:
        """Call it when the reason for waiting has changed. True if `limited_by_backend` may have changed."""
        limited = runner.waiting == FOR_MAX_PARALLEL
        changed = limited != (runner in self._limited_by_backend)
        if changed:
            self._limited_by_backend ^= {runner}
        return changed

    @property
    def detachable(self) -> bool:
        """Whether every attempt is submitted, and none is being cancelled."""
        return all(it.stop is None and it.state is not AttemptState.SUBMITTING for it in self)

    def running(self) -> tuple[Running, ...]:
        """The sessions that hold a lease; no builds."""
        return tuple(
            Running(it.entry.session, it.entry.attempt, it.id, it.started, it.waiting, it.lease)
            for it in self
            if it.entry.build is None and it.lease is not None
        )

    def cancel_sessions(self, sessions: Collection[str]) -> None:
        """Cancel the attempts of these sessions, with their grace."""
        for runner in self:
            if runner.entry.build is None and runner.entry.session.id in sessions:
                runner.request_stop(Outcome.CANCELLED, CANCELLED, runner.attempt.grace)

    def cancel_all(self, reason: str, grace: float | None) -> None:
        """Cancel all attempts, in bounded time. grace: seconds; None: the grace of each."""
        for runner in self:
            seconds = runner.attempt.grace if grace is None else grace
            deadline = trio.current_time() + seconds + ENDING
            runner.request_stop(Outcome.CANCELLED, Reason(Cause.REQUEST, reason), seconds, deadline)

    def leave_all(self) -> None:
        """Stop following all attempts; their jobs run on."""
        for runner in self:
            runner.leave()
