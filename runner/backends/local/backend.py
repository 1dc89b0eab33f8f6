"""The local backend: jobs are process trees on this machine. A supervisor process starts, watches and ends them."""

from __future__ import annotations

import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Self

import trio

from runner import clock
from runner.backends.base import Started
from runner.backends.local import orphans, procfs
from runner.backends.local.outcome import attempt_end
from runner.backends.local.procfs import MARK
from runner.backends.local.protocol import Cancel, Configure, Crashed, Ended, NotForked, Refused, Spawn, Spawned, Stuck
from runner.backends.local.submitted_job import SubmittedJob
from runner.backends.local.supervisor.termination import Obstacle
from runner.backends.local.supervisor_client import SupervisorClient
from runner.errors import EnvironmentFailed
from runner.model import Attempt, AttemptEnd, Cause, Outcome, Reason

KEPT_ENDS = 1000
"""How many jobs are kept in memory after `wait` has returned their end, for callers that ask again."""

SUPERVISOR_TIMEOUT = 5.0
"""Seconds for the supervisor to end every job and itself; it needs milliseconds, unless it was stopped."""


class LocalBackend:
    """Runs attempts with the variables of `environ`, under their own. A job's id is the pid of its leader.

    `memory_method` (`cgroup-v1`, `cgroup-v2` or `sampling`) enforces memory limits in this way instead of the best one that
    this machine has.
    Leaving the context ends every running job at once. An attempt whose working directory cannot be entered ends as failed
    with exit code 126. `submit` raises EnvironmentFailed if a file for stdout or stderr cannot be opened, and once the
    supervisor has died; its jobs are then ended, as `lost`.
    """

    name = "local"
    outlives_client = False
    max_jobs: int | None = None
    prefetch_limit = 32

    def __init__(self, environ: Mapping[str, str], *, memory_method: str | None = None) -> None:
        self._environ = environ
        self._memory_method = memory_method
        self._host = socket.gethostname()
        self._last_key = 0
        # A job is in `_open` until its end was returned once, then in `_recent`; the other two have the jobs of both.
        self._open: dict[int, SubmittedJob] = {}
        self._recent: deque[SubmittedJob] = deque()
        self._by_name: dict[str, SubmittedJob] = {}
        self._by_id: dict[str, SubmittedJob] = {}
        self._orphaned: dict[str, tuple[str, int | None]] = {}  # id of a dead runner's job to name and leader, if known
        self._traceback: str | None = None
        self._death: str | None = None  # how the supervisor died
        self._supervisor_gone = trio.Event()
        self._closing = False
        self._adopts = False
        self._children: frozenset[int] = frozenset()

    async def __aenter__(self) -> Self:
        self._adopts = procfs.become_subreaper()  # of what a supervisor leaves that dies
        self._children = procfs.own_children() if self._adopts else frozenset()
        self._client = SupervisorClient()
        self._client.send(Configure(environ=_encoded(self._environ), memory_method=self._memory_method))
        # A nursery of our own would wrap exceptions of the caller's block into an exception group.
        trio.lowlevel.spawn_system_task(self._listen, name="runner.backends.local")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for job in self._running():
            self._client.send(Cancel(key=job.key, grace=0.0))
        self._client.hang_up()
        self._client.wake()
        with trio.CancelScope(shield=True):
            with trio.move_on_after(SUPERVISOR_TIMEOUT):
                await self._supervisor_gone.wait()
            if not self._supervisor_gone.is_set():
                self._client.kill()
                await self._supervisor_gone.wait()
        if self._adopts:
            procfs.become_subreaper(False)

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        job = self._by_name.get(attempt.name)
        if job is None:
            if self._death is not None:
                raise EnvironmentFailed(self._death)
            job = self._spawn(attempt)
            job.on_waiting = on_waiting
        try:
            await job.accepted.wait()
        except trio.Cancelled:
            # The caller does not learn the job's id, so nothing else would end it.
            with trio.CancelScope(shield=True):
                self._client.send(Cancel(key=job.key, grace=attempt.grace))
                with trio.move_on_after(SUPERVISOR_TIMEOUT):
                    await job.accepted.wait()
            raise
        if job.refused is not None:
            self._open.pop(job.key, None)
            self._forget(job)
            raise EnvironmentFailed(job.refused)
        return job.id

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        if known := self._by_name.get(name):
            return known.id
        leader = int(job) if job and job.isdigit() and started and orphans.leads(int(job), started, name) else None
        pid = orphans.find(name, leader)
        if pid is None:
            return None
        self._orphaned[str(pid)] = (name, leader)
        return str(pid)

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        """Always none: jobs end with their runner. Memory cgroups that an earlier runner has left are removed."""
        await trio.lowlevel.checkpoint()
        await orphans.remove_empty_groups(prefix)
        return {}

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        await trio.lowlevel.checkpoint_if_cancelled()
        known = self._by_id.get(job)
        return Started(known.at, self._host, known.cold) if known else Started(clock.now(), self._host)

    async def wait(self, job: str) -> AttemptEnd:
        known = self._by_id.get(job)
        if known is None:
            if job in self._orphaned:
                await orphans.gone(*self._orphaned[job])
            return AttemptEnd(outcome=Outcome.LOST, reason=Reason(Cause.NO_RECORD, "its runner died"))
        await trio.lowlevel.checkpoint_if_cancelled()
        if known.end is None:
            await known.ended.wait()
        assert known.end
        if self._open.pop(known.key, None):
            self._recent.append(known)
            if len(self._recent) > KEPT_ENDS:
                self._forget(self._recent.popleft())
        return known.end

    async def refresh(self, job: str) -> bool:
        await trio.lowlevel.checkpoint()
        known = self._by_id.get(job)
        return known is not None and known.end is None

    async def cancel(self, job: str, grace: float) -> None:
        known = self._by_id.get(job)
        if known is None:
            if job in self._orphaned:
                await orphans.end(dict([self._orphaned[job]]), grace, _refuse)
            return
        if known.end is None:
            self._client.send(Cancel(key=known.key, grace=grace))
            if not grace:
                self._client.wake()
        await known.ended.wait()

    def _forget(self, job: SubmittedJob) -> None:
        for jobs, key in ((self._by_name, job.name), (self._by_id, job.id)):
            if jobs.get(key) is job:  # another job may have its pid by now
                del jobs[key]

    def _running(self) -> list[SubmittedJob]:
        return [job for job in self._open.values() if job.end is None]

    def _spawn(self, attempt: Attempt) -> SubmittedJob:
        self._last_key += 1
        mem = attempt.resources.get("mem")
        job = SubmittedJob(self._last_key, attempt.name, None if mem is None else int(mem))
        self._open[job.key] = self._by_name[job.name] = self._by_id[job.id] = job
        command, preload = attempt.command, attempt.preload
        try:
            message = Spawn(
                key=job.key,
                name=job.name,
                command=os.fsencode(command) if isinstance(command, str) else [os.fsencode(word) for word in command],
                env=_encoded({**attempt.env, **attempt.secrets, MARK: attempt.name}),
                workdir=os.fsencode(attempt.workdir),
                stdout=os.fsencode(attempt.stdout),
                stderr=os.fsencode(attempt.stderr),
                mem=job.mem,
                grace=attempt.grace,
                shape=_shape(attempt),
                start_when_below=attempt.start_when_below,
                preload=None if preload is None else [os.fsencode(module) for module in preload],
            )
        except UnicodeEncodeError as error:
            text = error.object[error.start : error.end]
            reason = Reason(Cause.NOT_STARTED, f"{text!r} cannot be passed to a program")
            self._end(job, AttemptEnd(outcome=Outcome.FAILED, exit_code=126, reason=reason))
        else:
            self._client.send(message)
        return job

    # Messages from the supervisor

    async def _listen(self) -> None:
        async with aclosing(self._client.messages()) as messages:
            async for message in messages:
                if isinstance(message, Crashed):
                    self._traceback = message.traceback
                else:
                    self._on_message(self._open[message.key], message)
        self._death = "the supervisor process died"
        with trio.CancelScope(shield=True):
            await self._clean_up()

    def _on_message(self, job: SubmittedJob, message: Spawned | Ended | Refused | NotForked | Stuck) -> None:
        match message:
            case Spawned():
                job.pid, job.at = message.pid, message.at
                del self._by_id[job.id]
                job.id = str(job.pid)
                self._by_id[job.id] = job
                job.accepted.set()
            case Ended():
                self._end(job, attempt_end(message, job.mem))
            case Refused():
                job.refused = message.reason
                self._end(job, AttemptEnd(outcome=Outcome.REJECTED, reason=Reason(Cause.REFUSED, message.reason)))
            case NotForked():
                job.cold = message.reason
            case Stuck():
                self._say_stuck(job, message.reason)

    def _say_stuck(self, job: SubmittedJob, reason: str) -> None:
        if job.on_waiting is not None:
            job.on_waiting(f"the session cannot be ended: {reason}")

    def _end(self, job: SubmittedJob, end: AttemptEnd) -> None:
        job.end = end
        job.at = job.at or clock.now()
        job.accepted.set()
        job.ended.set()

    async def _clean_up(self) -> None:
        """The supervisor is gone: end what it has left running, report these jobs as lost."""
        left = self._running()
        how = await self._client.close()
        self._death = f"the supervisor process died ({self._traceback or how})"
        said: set[str] = set()

        def say_once(obstacle: Obstacle) -> None:
            if self._closing:
                raise EnvironmentFailed(obstacle.text)
            if obstacle.text not in said:
                said.add(obstacle.text)
                for job in left:
                    self._say_stuck(job, obstacle.text)

        try:
            await orphans.end({job.name: job.pid for job in left}, 0.0, say_once)
            if self._adopts:
                await orphans.end_adopted(self._children, say_once)
        except EnvironmentFailed:  # the caller has left the jobs already; they stay open in the journal
            left = []
        for job in left:
            if not job.accepted.is_set():
                job.refused = self._death
            reason = Reason(Cause.SUPERVISOR_DIED, "the supervisor process died")
            self._end(job, AttemptEnd(outcome=Outcome.LOST, reason=reason))
        self._supervisor_gone.set()


def _refuse(obstacle: Obstacle) -> None:
    """Raise EnvironmentFailed for what an earlier runner has left."""
    raise EnvironmentFailed(
        f"what an earlier apply has started still runs: {obstacle.text}",
        f"end it, such as with `sudo kill -KILL {obstacle.pid}`, or wait for its end; then run the same command again",
    )


def _shape(attempt: Attempt) -> int:
    """Equal for attempts that need the same resources. Builds, which see all files, have shapes of their own."""
    return hash((frozenset(attempt.resources.items()), attempt.files is None))


def _encoded(environ: Mapping[str, str]) -> dict[bytes, bytes]:
    """As the kernel takes it: the result of os.fsencode, at a third of its cost."""
    how = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
    return {name.encode(*how): value.encode(*how) for name, value in environ.items()}
