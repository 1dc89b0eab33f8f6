"""One attempt at its backend: handed over, followed to its end, and ended when somebody asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import trio

from runner.backends.base import Backend, Rejected, Started
from runner.executor.capacity import Lease
from runner.executor.queue import Entry
from runner.executor.recorder import Recorder
from runner.model import Attempt, AttemptEnd, Cause, Outcome, Reason

ENDING = 30.0
"""Seconds beyond its grace that a job gets to be gone before runner leaves without it."""


class StopRequest(NamedTuple):
    """A request to end a job, and how its end is recorded then."""

    outcome: Outcome
    reason: Reason


class AttemptRunner:
    """It is seen through shielded from whoever cancels the apply: `ask` and `leave` alone cut it short. One scope serves for
    that and for its timeout, as scopes are what costs most in a short session.

    `id` is None until the backend has accepted it, `asked` until somebody wants its end; `waiting` is why it
    is queued at the backend, and `on_waiting` is called when that changes. `lease` is None while it is ahead of its room: then
    it may begin, but that is not told before it has one. `plain` is one whose room can be passed on to any other with the same
    resources: no build, no devices, not adopted.
    """

    def __init__(
        self,
        backend: Backend,
        entry: Entry,
        attempt: Attempt,
        lease: Lease | None,
        record: Recorder,
        on_waiting: Callable[[AttemptRunner], None],
        adopt: str | None = None,
    ) -> None:
        self.entry = entry
        self.attempt = attempt
        self.lease = lease
        self.id = adopt
        self.plain = adopt is None and entry.build is None and not (lease and lease.devices)
        self.asked: StopRequest | None = None
        self.started: Started | None = None
        self.waiting: str | None = None
        self._backend = backend
        self._record = record
        self._on_waiting = on_waiting
        self._grace = attempt.grace
        self._give_up = math.inf
        self._room = trio.Event()
        self._scope = trio.CancelScope(shield=True)
        self._following = False
        self._left = False

    def ask(self, outcome: Outcome, reason: Reason, grace: float, give_up: float = math.inf) -> None:
        """Have it ended; again with a shorter grace: hurry. At `give_up` (trio's time) wait no longer."""
        first, hurry = self.asked is None, grace < self._grace
        if self.asked is None:
            self.asked = StopRequest(outcome, reason)
        self._grace = min(self._grace, grace)
        self._give_up = min(self._give_up, give_up)
        if self._following or not self._backend.outlives_client or (hurry and not first):
            self._scope.cancel()
        else:
            self._scope.deadline = min(self._scope.deadline, self._give_up)

    @property
    def ahead(self) -> bool:
        return self.lease is None

    def take_room(self, lease: Lease) -> None:
        """The room of another one, for one that is ahead."""
        self.lease = lease
        self._room.set()
        self._tell_started()

    async def has_room(self) -> None:
        """Return when one that has begun ahead of its room has that; at once where there is nothing to wait for."""
        if self.ahead and self.started is not None:
            with trio.CancelScope(shield=True):
                await self._room.wait()

    def leave(self) -> None:
        """Let it run on, alone."""
        self._left = True
        self._scope.cancel()

    async def run(self, submitted: Callable[[], None]) -> AttemptEnd | None:
        """See it through, from handing it over (also one that is adopted: that starts nothing) to its end.

        `submitted` is called once that has been done, or not. None if it was left, is not gone although it should be,
        or if its intent could not be recorded.
        """
        ended: AttemptEnd | None = None
        with self._scope:
            try:
                ended = await self._submit()
            finally:
                submitted()
            if ended is None and self.id is not None:
                ended = await self._follow(self.id)
        if self._scope.cancelled_caught and not self._left:
            return await self._cut_short()
        return ended

    async def _submit(self) -> AttemptEnd | None:
        """Hand it over. Its end, if that was all."""
        adopted = self.id is not None
        if self.asked is not None and not adopted:
            return _never_ran(self.asked)
        if self._left or not self._record.commit():  # the intent first: else nobody would look for what a crash leaves
            return None
        try:
            self.id = await self._backend.submit(self.attempt, self._wait)
        except Rejected as refusal:
            return AttemptEnd(outcome=Outcome.REJECTED, reason=Reason(Cause.REFUSED, refusal.reason))
        if self._backend.outlives_client and not adopted:
            self._record.accepted(self.entry, self.id)
        return None

    async def _follow(self, job: str) -> AttemptEnd:
        timeout = None if self._backend.outlives_client else self.attempt.timeout
        self._following = True
        if self.asked is not None or self._left:
            self._scope.cancel()
        self.started = await self._backend.started(job, self._wait)
        if self.waiting is not None:
            self.waiting = None
            self._on_waiting(self)
        self._tell_started()
        if timeout is not None:
            self._scope.deadline = trio.current_time() + timeout
        return await self._backend.wait(job)

    def _tell_started(self) -> None:
        if self.started is not None and self.lease is not None and self.id is not None:
            self._record.started(self.entry, self.id, self.started, self.lease.devices)

    async def _cut_short(self) -> AttemptEnd | None:
        """Somebody has asked for its end, or its time is over."""
        if self.id is None:
            ended = await self._look_for()
            if self.id is None:
                return ended
        self._following = False
        if self.asked is None:
            assert self.attempt.timeout is not None
            self.asked = StopRequest(Outcome.TIMED_OUT, Reason(Cause.TIMEOUT, limit=self.attempt.timeout))
        return await self._end(self.asked)

    async def salvage(self) -> AttemptEnd | None:
        """After an error at the backend: end it if that still works, unless it was left."""
        if self._left:
            return None
        assert self.asked is not None
        self._following = False
        try:
            ended = await self._look_for() if self.id is None else None
            return ended if self.id is None else await self._end(self.asked)
        except Exception:
            return None

    def _wait(self, reason: str) -> None:
        self.waiting = reason
        self._record.waiting(self.entry, reason)
        self._on_waiting(self)

    async def _look_for(self) -> AttemptEnd | None:
        """The submission was cut short; did the backend get it? With no answer the journal keeps it open."""
        assert self.asked is not None
        with trio.move_on_after(ENDING, shield=True):
            self.id = await self._backend.find(self.attempt.name)
            return _never_ran(self.asked) if self.id is None else None
        self._left = True
        return None

    async def _end(self, asked: StopRequest) -> AttemptEnd | None:
        assert self.id is not None
        while not self._left and trio.current_time() < self._give_up:
            with trio.CancelScope(deadline=self._give_up, shield=True) as self._scope:
                await self._backend.cancel(self.id, self._grace)
                ended = await self._backend.wait(self.id)
                if self.started is None and ended.duration is not None:  # it had begun, and nobody had heard of it
                    self.started = await self._backend.started(self.id, self._wait)
                    self._tell_started()
                return _as_asked(ended, asked)
        return None


def _never_ran(asked: StopRequest) -> AttemptEnd:
    return AttemptEnd(outcome=asked.outcome, reason=asked.reason)


def _as_asked(ended: AttemptEnd, asked: StopRequest) -> AttemptEnd:
    """What had ended by itself, or nobody knows how, stays as it is."""
    if ended.outcome is not Outcome.CANCELLED:
        return ended
    return replace(ended, outcome=asked.outcome, reason=asked.reason)
