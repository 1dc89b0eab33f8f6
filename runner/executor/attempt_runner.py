"""One attempt at its backend: submitted, followed to its end, and cancelled on request."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import trio

from runner.backends.base import Backend, Rejected, Started
from runner.errors import InputsChanged
from runner.executor.capacity import Lease
from runner.executor.queue import Entry
from runner.executor.recorder import Recorder
from runner.model import Attempt, AttemptEnd, Cause, Outcome, Reason

ENDING = 30.0
"""Seconds beyond its grace that a job gets to end before runner stops waiting for it."""


class StopRequest(NamedTuple):
    """A request to end a job, and how its end is recorded then."""

    outcome: Outcome
    reason: Reason


class AttemptState(enum.Enum):
    SUBMITTING = enum.auto()
    QUEUED = enum.auto()
    """Accepted by the backend; the command has not begun."""
    RUNNING = enum.auto()
    CANCELLING = enum.auto()
    ENDED = enum.auto()


class AttemptRunner:
    """A state machine that `run` moves on: submitting, queued, running, cancelling, ended.

    Each state waits for the backend inside one cancel scope, `_scope`, shielded from the cancellation of the apply. Cancelling
    it means: leave this state now. The first three states share a scope, because each scope costs some 10 µs of CPU time.
    Where to is decided by `stop` and `left`, the only requests there are:

        submitting, queued, running --stop--> cancelling      (queued and running also when the timeout has passed)
        any state                   --left--> ended           (without an AttemptEnd: the job runs on)

    id: the job's id at the backend; None until it is accepted.
    lease: None for a prefetched attempt. It may have begun; its start is recorded when it gets a lease.
    interchangeable: its lease fits any other attempt with the same resources (no build, no devices, not adopted).
    waiting: why it is queued at the backend. `on_change` is called when that changes, and once it is submitted.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        entry: Entry,
        attempt: Attempt,
        lease: Lease | None,
        recorder: Recorder,
        on_change: Callable[[AttemptRunner], None],
    ) -> None:
        self.entry = entry
        self.attempt = attempt
        self.lease = lease
        self.id = entry.adopt
        self.state = AttemptState.SUBMITTING
        self.stop: StopRequest | None = None
        self.started: Started | None = None
        self.waiting: str | None = None
        self.interchangeable = entry.adopt is None and entry.build is None and not (lease and lease.devices)
        self._backend = backend
        self._recorder = recorder
        self._on_change = on_change
        self._left = False
        self._grace = attempt.grace
        self._deadline = math.inf  # trio's time; from then on the job is not waited for
        self._lease_taken = trio.Event() if lease is None else None
        self._scope = trio.CancelScope(shield=True)

    @property
    def prefetched(self) -> bool:
        return self.lease is None

    def take_lease(self, lease: Lease) -> None:
        """Give a prefetched attempt the lease of one that has ended."""
        assert self._lease_taken is not None
        self.lease = lease
        self._lease_taken.set()
        self._record_start()

    async def has_lease(self) -> None:
        """Return when a prefetched attempt that has begun has its lease; at once in all other cases."""
        if self._lease_taken is not None and self.lease is None and self.started is not None:
            await self._lease_taken.wait()

    def request_stop(self, outcome: Outcome, reason: Reason, grace: float, deadline: float = math.inf) -> None:
        """Cancel the job. The first request decides outcome and reason; a later one can shorten grace and deadline."""
        first, sooner = self.stop is None, grace < self._grace
        if first:
            self.stop = StopRequest(outcome, reason)
        self._grace = min(self._grace, grace)
        self._deadline = min(self._deadline, deadline)
        if self._leaves_state(first=first, sooner=sooner):
            self._scope.cancel()
        else:
            self._scope.deadline = min(self._scope.deadline, self._deadline)

    def _leaves_state(self, *, first: bool, sooner: bool) -> bool:
        """Whether a stop request interrupts the current state."""
        match self.state:
            case AttemptState.SUBMITTING:
                # Where jobs outlive runner, an interrupted submission costs a search for the job: only on the second request.
                return not self._backend.outlives_client or (sooner and not first)
            case AttemptState.QUEUED | AttemptState.RUNNING:
                return True
            case AttemptState.CANCELLING:
                return sooner
            case AttemptState.ENDED:
                return False

    def leave(self) -> None:
        """Stop following the job; it runs on."""
        self._left = True
        self._scope.cancel()

    async def run(self) -> AttemptEnd | None:
        """Submit the attempt (one that is adopted, too: that starts nothing) and follow it to its end.

        Returns None if it was left, if it did not end within its deadline, or if its intent could not be committed.
        """
        end = await self._until_stopped()
        if self.state is AttemptState.CANCELLING:
            end = await self._cancel()
        self.state = AttemptState.ENDED
        return end

    async def recover(self) -> AttemptEnd | None:
        """End the job after an error of the backend, if the backend still can. None if it cannot, or if the job was left."""
        if self._left:
            return None
        try:
            end = await self._find() if self.id is None else None
            return end if self.id is None else await self._cancel()
        except Exception:
            return None
        finally:
            self.state = AttemptState.ENDED

    async def _until_stopped(self) -> AttemptEnd | None:
        """To ENDED, or to CANCELLING."""
        with self._scope:
            end = await self._submit()
            return await self._follow() if self.state is AttemptState.QUEUED else end
        if self.state is AttemptState.SUBMITTING:
            return None if self._left else await self._find()
        self.state = AttemptState.CANCELLING
        if self.stop is None and not self._left:
            self.stop = StopRequest(Outcome.TIMED_OUT, Reason(Cause.TIMEOUT, limit=self.attempt.timeout))
        return None

    async def _submit(self) -> AttemptEnd | None:
        """From SUBMITTING to QUEUED or ENDED. Returns the end if that was all."""
        adopted = self.id is not None
        if self.stop is not None and not adopted:
            self.state = AttemptState.ENDED
            return self._never_ran()
        if self._left or not self._recorder.commit():  # the intent first, so that a later runner looks for the job
            self.state = AttemptState.ENDED
            return None
        try:
            self.id = await self._backend.submit(self.attempt, self._set_waiting)
        except Rejected as refusal:
            self.state = AttemptState.ENDED
            return AttemptEnd(outcome=Outcome.REJECTED, reason=Reason(Cause.REFUSED, refusal.reason))
        except InputsChanged as error:
            self.state = AttemptState.ENDED
            return AttemptEnd(outcome=Outcome.STALE, reason=Reason(Cause.INPUTS, error.message), began=False)
        self.state = AttemptState.QUEUED
        if self._backend.outlives_client and not adopted:
            self._recorder.accepted(self.entry, self.id)
        self._on_change(self)
        return None

    async def _follow(self) -> AttemptEnd:
        """From QUEUED over RUNNING to ENDED."""
        assert self.id is not None
        if self.stop is not None or self._left:  # requested while it was submitted
            self._scope.cancel()
        self.started = await self._backend.started(self.id, self._set_waiting)
        self.state = AttemptState.RUNNING
        if self.waiting is not None:
            self.waiting = None
            self._on_change(self)
        self._record_start()
        if self.attempt.timeout is not None and not self._backend.outlives_client:
            self._scope.deadline = trio.current_time() + self.attempt.timeout
        return await self._backend.wait(self.id)

    async def _cancel(self) -> AttemptEnd | None:
        """From CANCELLING to ENDED. A request with a shorter grace starts it again."""
        self.state = AttemptState.CANCELLING
        while not self._left and trio.current_time() < self._deadline:
            with trio.CancelScope(deadline=self._deadline, shield=True) as self._scope:
                assert self.id is not None
                await self._backend.cancel(self.id, self._grace)
                end = await self._backend.wait(self.id)
                if self.started is None and end.duration is not None:  # it had begun, but `_follow` was left before
                    self.started = await self._backend.started(self.id, self._set_waiting)
                    self._record_start()
                return self._as_requested(end)
        return None

    async def _find(self) -> AttemptEnd | None:
        """After an interrupted submission: to CANCELLING if the backend has the job, else to ENDED.

        If the backend does not answer in time, the attempt stays open in the journal.
        """
        self.state = AttemptState.ENDED
        with trio.move_on_after(ENDING, shield=True):
            self.id = await self._backend.find(self.attempt.name)
            if self.id is None:
                return self._never_ran()
            self.state = AttemptState.CANCELLING
            return None
        self._left = True
        return None

    def _never_ran(self) -> AttemptEnd:
        assert self.stop is not None
        return AttemptEnd(outcome=self.stop.outcome, reason=self.stop.reason)

    def _as_requested(self, end: AttemptEnd) -> AttemptEnd:
        """The end with the outcome of the request. A job that had ended by itself, or was lost, keeps its own."""
        assert self.stop is not None
        if end.outcome is not Outcome.CANCELLED:
            return end
        return replace(end, outcome=self.stop.outcome, reason=self.stop.reason)

    def _set_waiting(self, reason: str) -> None:
        self.waiting = reason
        self._recorder.waiting(self.entry, reason)
        self._on_change(self)

    def _record_start(self) -> None:
        if self.started is not None and self.lease is not None and self.id is not None:
            self._recorder.started(self.entry, self.id, self.started, self.lease.devices)
