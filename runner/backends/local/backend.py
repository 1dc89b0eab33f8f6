"""Jobs are processes here; a small spawner process (see `spawner`) starts, watches and ends them."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import trio

from runner.backends.base import Started
from runner.backends.local import orphans, outcome
from runner.backends.local.procfs import MARK
from runner.backends.local.protocol import (
    CANCEL,
    COLD,
    CRASHED,
    ENDED,
    HELLO,
    LOST,
    REFUSED,
    SPAWN,
    SPAWN_WARM,
    SPAWNED,
)
from runner.backends.local.supervisor_client import Connection
from runner.errors import EnvironmentFailed
from runner.model import Attempt, AttemptEnd, Outcome

REMEMBERED = 1000
"""How many jobs whose end has been told are kept in memory, for those who ask again."""

_PATIENCE = 5.0
"""Seconds for the spawner to end everything and itself; it needs milliseconds, unless it has been stopped."""


class _Job:
    """What is known of one attempt that the spawner has been given."""

    __slots__ = ("at", "cold", "ended", "id", "key", "lost", "mem", "name", "over", "pid", "refused", "taken", "told")

    def __init__(self, key: int, name: str, mem: int | None) -> None:
        self.key = key
        self.name = name
        self.mem = mem
        self.id = f"unstarted:{key}"
        self.pid: int | None = None
        self.at = 0.0
        self.cold: str | None = None
        self.lost: str | None = None
        self.refused: str | None = None
        self.ended: AttemptEnd | None = None
        self.taken = trio.Event()
        self.over = trio.Event()
        self.told = False


class LocalBackend:
    """Runs attempts on top of the environment `environ`. A job's id is the pid of its leader, in decimal.

    `memory` insists on a way to enforce memory limits (`cgroup-v1`, `cgroup-v2`, `sampling`) instead of the
    best one that this machine has. Leaving the context ends everything that still runs, at once. An attempt
    whose working directory cannot be entered ends as failed with 126. `submit` raises EnvironmentFailed where
    a stream's file cannot be opened, and once the spawner has died; what it ran is then ended, as `lost`.
    """

    name = "local"
    outlives_client = False
    max_jobs: int | None = None
    prefetch_limit = 32

    def __init__(self, environ: Mapping[str, str], *, memory: str | None = None) -> None:
        self._environ = environ
        self._memory = memory
        self._host = socket.gethostname()
        self._keys = 0
        self._by_key: dict[int, _Job] = {}  # those that have not ended
        self._by_name: dict[str, _Job] = {}
        self._by_id: dict[str, _Job] = {}
        self._told: deque[_Job] = deque()
        self._foreign: dict[str, tuple[str, int | None]] = {}  # job to name, and leader if known
        self._crash: str | None = None
        self._dead = False
        self._death = "the spawner died"
        self._gone = trio.Event()

    async def __aenter__(self) -> Self:
        self._connection = Connection()
        self._connection.send(HELLO, _encoded(self._environ), self._memory)
        # A task of our own nursery would turn what is raised in the caller's block into an exception group.
        trio.lowlevel.spawn_system_task(self._listen, name="runner.backends.local")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for key in self._by_key:
            self._connection.send(CANCEL, key, 0.0)
        self._connection.hang_up()
        self._connection.wake()
        with trio.CancelScope(shield=True):
            with trio.move_on_after(_PATIENCE):
                await self._gone.wait()
            if not self._gone.is_set():
                self._connection.kill()
                await self._gone.wait()

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        job = self._by_name.get(attempt.name)
        if job is None:
            if self._dead:
                raise EnvironmentFailed(self._death)
            job = self._spawn(attempt)
        try:
            await job.taken.wait()
        except trio.Cancelled:
            # Whoever does not look for it by its name will never know its id. It may have begun, but we have not heard of it.
            with trio.CancelScope(shield=True):
                self._connection.send(CANCEL, job.key, attempt.grace)
                with trio.move_on_after(_PATIENCE):
                    await job.taken.wait()
            raise
        if job.refused is not None:
            self._by_name.pop(job.name, None)
            raise EnvironmentFailed(job.refused)
        return job.id

    def _spawn(self, attempt: Attempt) -> _Job:
        self._keys += 1
        mem = attempt.resources.get("mem")
        job = _Job(self._keys, attempt.name, None if mem is None else int(mem))
        self._by_name[attempt.name] = job
        command = attempt.command
        try:
            fields = (
                os.fsencode(command) if isinstance(command, str) else [os.fsencode(word) for word in command],
                _encoded({**attempt.env, **attempt.secrets, MARK: attempt.name}),
                os.fsencode(attempt.workdir),
                os.fsencode(attempt.stdout),
                os.fsencode(attempt.stderr),
            )
        except UnicodeEncodeError as error:
            self._end(
                job,
                AttemptEnd(Outcome.FAILED, 126, f"{error.object[error.start : error.end]!r} is no text for a program"),
            )
            return job
        self._by_key[job.key] = self._by_id[job.id] = job
        message = (_kin(attempt), attempt.start_when_below, job.key, job.name, *fields, job.mem, attempt.grace)
        if attempt.preload is None:
            self._connection.send(SPAWN, *message)
        else:
            self._connection.send(SPAWN_WARM, *message, [os.fsencode(module) for module in attempt.preload])
        return job

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        if known := self._by_name.get(name):
            return known.id
        leader = int(job) if job and job.isdigit() and started and orphans.leads(int(job), started) else None
        pid = orphans.find(name, leader)
        if pid is None:
            return None
        self._foreign[str(pid)] = (name, leader)
        return str(pid)

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        await trio.lowlevel.checkpoint()
        return {}

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        await trio.lowlevel.checkpoint_if_cancelled()
        known = self._by_id.get(job)
        return Started(known.at, self._host, known.cold) if known else Started(time.time(), self._host)

    async def wait(self, job: str) -> AttemptEnd:
        known = self._by_id.get(job)
        if known is None:
            if job in self._foreign:
                await orphans.gone(*self._foreign[job])
            return AttemptEnd(Outcome.LOST, None, "its runner died")
        await trio.lowlevel.checkpoint_if_cancelled()
        if known.ended is None:
            await known.over.wait()
        return self._tell(known)

    async def refresh(self, job: str) -> bool:
        await trio.lowlevel.checkpoint()
        known = self._by_id.get(job)
        return known is not None and known.ended is None

    async def cancel(self, job: str, grace: float) -> None:
        known = self._by_id.get(job)
        if known is None:
            if job in self._foreign:
                await orphans.end(dict([self._foreign[job]]), grace)
            return
        if known.ended is None:
            self._connection.send(CANCEL, known.key, grace)
            if not grace:
                self._connection.wake()
        await known.over.wait()

    # The other side

    async def _listen(self) -> None:
        async with aclosing(self._connection.messages()) as messages:
            async for message in messages:
                self._hear(*message)
        self._dead = True
        with trio.CancelScope(shield=True):
            await self._bury()

    def _hear(self, kind: int, *message: Any) -> None:
        if kind == CRASHED:
            self._crash = message[0]
            return
        job = self._by_key[message[0]]
        if kind == SPAWNED:
            _, job.pid, job.at = message
            del self._by_id[job.id]
            job.id = str(job.pid)
            self._by_id[job.id] = job
            job.taken.set()
        elif kind == REFUSED:
            job.refused = message[1]
            self._end(job, AttemptEnd(Outcome.REJECTED, None, message[1]))
        elif kind == ENDED:
            lost = AttemptEnd(Outcome.LOST, None, job.lost) if job.lost else None
            self._end(job, lost or outcome.ended(job.mem, *message[1:]))
        elif kind == COLD:
            job.cold = message[1]
        elif kind == LOST:
            job.lost = message[1]

    def _end(self, job: _Job, ended: AttemptEnd) -> None:
        job.ended = ended
        job.at = job.at or time.time()
        self._by_key.pop(job.key, None)
        self._by_id.setdefault(job.id, job)
        job.taken.set()
        job.over.set()

    def _tell(self, job: _Job) -> AttemptEnd:
        """How a job ended, which may now be forgotten in time."""
        assert job.ended
        if not job.told:
            job.told = True
            self._told.append(job)
        if len(self._told) > REMEMBERED:
            old = self._told.popleft()
            for jobs, name in ((self._by_name, old.name), (self._by_id, old.id)):
                if jobs.get(name) is old:
                    del jobs[name]
        return job.ended

    async def _bury(self) -> None:
        """The spawner is gone, as it should or not: end what it has left, tell who waits, take its status."""
        left = list(self._by_key.values())
        how = await self._connection.end()
        self._death = f"the spawner died ({self._crash or how})"
        await orphans.end({job.name: job.pid for job in left}, 0.0)
        for job in left:
            if not job.taken.is_set():
                job.refused = self._death
            self._end(job, AttemptEnd(Outcome.LOST, None, "the spawner died"))
        self._gone.set()


def _kin(attempt: Attempt) -> int:
    """The same for all sessions that need the same; builds, which see all files there are, are apart."""
    return hash((frozenset(attempt.resources.items()), attempt.files is None))


def _encoded(environ: Mapping[str, str]) -> dict[bytes, bytes]:
    """As the kernel takes it: what os.fsencode does, at a third of its cost."""
    how = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
    return {name.encode(*how): value.encode(*how) for name, value in environ.items()}
