"""A fake backend: jobs are points in time on trio's clock, and fail in every way that real ones do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

import trio

from runner.backends.base import Rejected, Started
from runner.model import Attempt, AttemptEnd, Cause, Outcome, Reason, Resources

DYING = 0.125
"""Seconds from SIGKILL to the end of a job."""


@dataclass(frozen=True)
class Script:
    """The behaviour of a job. Times in seconds.

    accepting: from submission to acceptance.
    queued, why: from acceptance to start, and the reason for the wait.
    duration: from start to end.
    telling: from the end until `wait` returns.
    leaving, exit_on_term: how long it takes to end after SIGTERM, and its exit code then; None: it ignores SIGTERM.
    begins: False: it is lost before its command begins.
    refuse: message of `Rejected`, raised by `submit`.
    submit_error, wait_error: raised by `submit` and by `wait`.
    """

    duration: float = 1.0
    exit_code: int = 0
    outcome: Outcome | None = None
    accepting: float = 0.0
    queued: float = 0.0
    why: str = "Resources"
    telling: float = 0.0
    leaving: float | None = 0.25
    exit_on_term: int = 143
    begins: bool = True
    refuse: str | None = None
    submit_error: Exception | None = None
    wait_error: Exception | None = None
    max_rss: int | None = None


@dataclass
class FakeJob:
    """A job is its start and its end. Cancelling changes them and wakes the waiting tasks."""

    id: str
    attempt: Attempt
    script: Script
    starts: float
    ends: float
    ended: AttemptEnd
    changed: trio.Event = field(default_factory=trio.Event)

    @property
    def alive(self) -> bool:
        return trio.current_time() < self.ends

    async def reach(self, moment: Callable[[], float]) -> None:
        """Return at this time of the job, even if the time changes while it is waited for."""
        await trio.lowlevel.checkpoint()
        while trio.current_time() < moment():
            with trio.move_on_at(moment()):
                await self.changed.wait()

    def end_by(self, when: float, outcome: Outcome, exit_code: int | None) -> None:
        if when < self.ends:
            self.ends = when
            ran = max(0.0, when - self.starts)
            self.ended = AttemptEnd(
                outcome=outcome, exit_code=exit_code, duration=ran, cpu_time=ran, max_rss=self.script.max_rss
            )
            self.starts = min(self.starts, when)
            self.changed.set()
            self.changed = trio.Event()


class Cluster:
    """Holds the jobs. It outlives a backend, as a remote cluster does."""

    def __init__(self) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self.names: dict[str, FakeJob] = {}

    @property
    def alive(self) -> list[FakeJob]:
        return [job for job in self.jobs.values() if job.alive]

    def add(self, attempt: Attempt, script: Script, timeout: float | None) -> FakeJob:
        starts = trio.current_time() + script.queued
        outcome = script.outcome or (Outcome.FAILED if script.exit_code else Outcome.SUCCEEDED)
        ended = AttemptEnd(
            outcome=outcome,
            exit_code=script.exit_code,
            duration=script.duration,
            cpu_time=script.duration,
            max_rss=script.max_rss,
        )
        if not script.begins:
            ended = AttemptEnd(outcome=Outcome.LOST, reason=Reason(Cause.NO_RECORD, "it never began"), began=False)
        job = FakeJob(f"fake-{len(self.jobs)}", attempt, script, starts, starts + script.duration, ended)
        if timeout is not None:
            patience = attempt.grace if script.leaving is None else min(script.leaving, attempt.grace)
            if timeout < script.duration:
                job.end_by(starts + timeout + patience, Outcome.TIMED_OUT, script.exit_on_term)
        self.jobs[job.id] = self.names[attempt.name] = job
        return job


class FakeBackend:
    """`script` says what an attempt does. With a `cluster` of its own its jobs outlive it, and carry their timeout.

    Of the attempts it prefetches, the first begins as soon as it may, on the very moment that another ends.
    """

    name = "fake"

    def __init__(
        self, script: Callable[[Attempt], Script], cluster: Cluster | None = None, prefetch_limit: int = 0
    ) -> None:
        self.outlives_client = cluster is not None
        self.max_jobs: int | None = None
        self.prefetch_limit = prefetch_limit
        self.cluster = cluster or Cluster()
        self._script = script
        self.submitted: list[str] = []
        self.graces: list[float] = []
        self._let_in: dict[str, Resources] = {}
        self._line: list[str] = []
        self._moved = trio.Event()

    async def __aenter__(self) -> FakeBackend:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.outlives_client:
            for job in self.cluster.alive:
                job.end_by(trio.current_time(), Outcome.FAILED, 137)

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        if attempt.start_when_below is not None:
            await self._turn(attempt, attempt.start_when_below)
        self._let_in[attempt.name] = attempt.resources
        try:
            return await self._accept(attempt)
        finally:
            self._let_in.pop(attempt.name, None)
            self._move()

    async def _turn(self, attempt: Attempt, most: int) -> None:
        """In the order of the calls: a backend hears of them one after the other."""
        self._line.append(attempt.name)
        try:
            while self._line[0] != attempt.name or self._running(attempt.resources) >= most:
                await self._any_move(attempt.resources)
        finally:
            self._line.remove(attempt.name)
            self._move()

    def _move(self) -> None:
        """Wake all attempts that wait in the line."""
        self._moved.set()
        self._moved = trio.Event()

    def _running(self, resources: Resources) -> int:
        alive = sum(job.attempt.resources == resources for job in self.cluster.alive)
        return alive + sum(each == resources for each in self._let_in.values())

    async def _any_move(self, resources: Resources) -> None:
        """Return when one of these jobs has ended, however soon it is made to, or one has left the line."""

        async def end(job: FakeJob) -> None:
            await job.reach(lambda: job.ends)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for job in self.cluster.alive:
                if job.attempt.resources == resources:
                    nursery.start_soon(end, job)
            await self._moved.wait()
            nursery.cancel_scope.cancel()

    async def _accept(self, attempt: Attempt) -> str:
        await trio.lowlevel.checkpoint()
        if attempt.name in self.cluster.names:
            return self.cluster.names[attempt.name].id
        script = self._script(attempt)
        if script.refuse is not None:
            raise Rejected(script.refuse)
        if script.submit_error is not None:
            raise script.submit_error
        self.submitted.append(attempt.name)
        job = self.cluster.add(attempt, script, attempt.timeout if self.outlives_client else None)
        del self._let_in[attempt.name]
        self._move()
        await trio.sleep(script.accepting)
        return job.id

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        await trio.lowlevel.checkpoint()
        known = self.cluster.names.get(name)
        return None if known is None else known.id

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        await trio.lowlevel.checkpoint()
        return {job.attempt.name: job.id for job in self.cluster.alive if job.attempt.name.startswith(prefix)}

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        it = self._job(job)
        if trio.current_time() < it.starts:
            on_waiting(it.script.why)
        await it.reach(lambda: it.starts)
        return Started(it.starts, "fakehost")

    async def wait(self, job: str) -> AttemptEnd:
        it = self._job(job)
        if it.script.wait_error is not None:
            await trio.lowlevel.checkpoint()
            raise it.script.wait_error
        await it.reach(lambda: it.ends)
        await trio.sleep(it.script.telling)
        return it.ended

    async def refresh(self, job: str) -> bool:
        await trio.lowlevel.checkpoint()
        return self._job(job).alive

    async def cancel(self, job: str, grace: float) -> None:
        await trio.lowlevel.checkpoint()
        if job not in self.cluster.jobs:
            return
        self.graces.append(grace)
        it = self.cluster.jobs[job]
        now = trio.current_time()
        if now < it.starts:
            it.end_by(now, Outcome.CANCELLED, None)
        elif it.script.leaving is not None and it.script.leaving <= grace:
            it.end_by(now + it.script.leaving, Outcome.CANCELLED, it.script.exit_on_term)
        else:
            it.end_by(now + grace + DYING, Outcome.CANCELLED, 137)
        await it.reach(lambda: it.ends)

    def _job(self, job: str) -> FakeJob:
        return self.cluster.jobs[job]
