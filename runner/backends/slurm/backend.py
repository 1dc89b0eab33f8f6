"""The backend `slurm`: jobs are tasks of arrays. A job's id is `ARRAY_TASK`; in a pack `ARRAY_TASK.SESSION`."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trio

from runner import clock
from runner.backends.base import Started
from runner.backends.slurm.arrays import JobArrays
from runner.backends.slurm.cli import CONTROLLER_AWAY, Controller
from runner.backends.slurm.job import JobState, SlurmJob
from runner.backends.slurm.options import job_environment, parse_options
from runner.backends.slurm.outcome import attempt_end
from runner.backends.slurm.poller import SlurmPoller
from runner.backends.slurm.scancel import ScancelQueue
from runner.model import Attempt, AttemptEnd

REPEAT_INTERVAL = 3.0
"""Seconds after which the request to end a job is repeated: a signal is lost if it comes before the wrapper handles it."""

RECORD_TIME = 15.0
"""Seconds beyond its grace that a wrapper has to write its record, before Slurm is asked to end the task."""

MAX_ENDED = 1000
"""Jobs whose details are kept in memory after their end was returned."""

FLUSH_TIMEOUT = 5.0
"""Seconds to send outstanding requests when the backend is closed."""

NO_PRELOAD = "on Slurm each session starts its own interpreter"


class SlurmBackend:
    """Submits attempts in job arrays and follows them by the records that they write into `folder`, which the nodes must share.

    Jobs outlive the client. Their wrapper enforces their time limits; Slurm's own limit is somewhat later.
    """

    name = "slurm"
    outlives_client = True
    max_jobs: int | None = 4000
    prefetch_limit = 0

    def __init__(
        self, options: Mapping[str, Any], environ: Mapping[str, str], folder: Path, python: str = sys.executable
    ) -> None:
        self._controller = Controller(job_environment(environ))
        self._poller = SlurmPoller(self._controller)
        self._scancel = ScancelQueue(self._controller)
        self._arrays = JobArrays(
            parse_options(options), folder=folder, controller=self._controller, poller=self._poller, python=python
        )
        self._attempts: dict[str, Attempt] = {}
        self._started: dict[SlurmJob, Started] = {}
        self._ended: dict[SlurmJob, AttemptEnd] = {}
        self._oldest_ended: deque[SlurmJob] = deque()
        self._reported_away = False

    async def __aenter__(self) -> Self:
        await self._arrays.open()
        self._manager = trio.open_nursery()
        nursery = await self._manager.__aenter__()
        self._scope = nursery.cancel_scope
        nursery.start_soon(self._poller.run)
        nursery.start_soon(self._arrays.run)
        nursery.start_soon(self._scancel.run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        with trio.move_on_after(FLUSH_TIMEOUT, shield=True):
            await self._scancel.flush()
        self._scope.cancel()
        # Not given the caller's error: a nursery would wrap it in a group.
        await self._manager.__aexit__(None, None, None)
        return None

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        job = await self._arrays.adopt(attempt.name) or await self._arrays.add(attempt, on_waiting)
        self._attempts[job] = attempt
        await trio.lowlevel.checkpoint()
        return job

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        await self._arrays.withdraw(name)
        return await self._arrays.find(name)

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        found = {name: job for name, job in await self._arrays.find_all(prefix) if job.record is None}
        if found:
            await self._poller.poll_now(found.values())
        return {name: job.id for name, job in found.items() if job.record is None and _in_queue(job)}

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        it = self._arrays.job(job)
        if it is None:
            await trio.lowlevel.checkpoint()
            return Started(clock.now(), None)
        reported: str | None = None

        def begun() -> bool:
            nonlocal reported
            if it.began or self._poller.settled(it):
                return True
            if (reason := self._new_reason(it, reported)) is not None:
                reported = reason
                on_waiting(reason)
            return False

        if it not in self._started:
            await self._arrays.prepare()
            await self._poller.until(it, begun)
            record, row = it.record, it.facts.row
            at = record.began if record else row.began if row else None
            host = record.host if record else row.host if row else None
            self._started[it] = Started(clock.now() if at is None else at, host, self._cold(it))
        await trio.lowlevel.checkpoint()
        return self._started[it]

    def _cold(self, it: SlurmJob) -> str | None:
        """Why it started in a slower way than possible, None if it did not."""
        array = it.array
        for record in (array.records.get(index) for index in array.sessions_of(it.task)):
            if record is not None and record.by_shell:
                return f"`{sys.executable}` does not work on {record.host or 'its node'}, where `sh` runs the packs"
            if record is not None:
                break
        attempt = self._attempts.get(it.id)
        return NO_PRELOAD if attempt is not None and attempt.preload is not None else None

    def _new_reason(self, it: SlurmJob, reported: str | None) -> str | None:
        """Why it waits, if that differs from what was `reported`. An outage of the controller is reported for one job only."""
        if self._controller.away:
            is_new, self._reported_away = not self._reported_away, True
            return CONTROLLER_AWAY if is_new else None
        self._reported_away = False
        reason = it.facts.row.waits_for if it.facts.row else None
        return reason if reason != reported else None

    async def wait(self, job: str) -> AttemptEnd:
        it = self._arrays.job(job)
        if it is None:
            await trio.lowlevel.checkpoint()
            return attempt_end(JobState.ENDED, None, None, began=True, alone=True, marked=False, limit=None)
        if it not in self._ended:
            await self._arrays.prepare()
            await self._poller.until(it, lambda: self._poller.settled(it))
            state = self._poller.state(it)
            if state is JobState.IMPOSSIBLE:
                self._scancel.end((it.array, it.task))
            if it not in self._ended:
                self._ended[it] = self._end(it, state)
                self._forget_oldest(it)
        await trio.lowlevel.checkpoint()
        return self._ended[it]

    def _end(self, it: SlurmJob, state: JobState) -> AttemptEnd:
        attempt, row = self._attempts.get(it.id), it.facts.row
        unknown = row is None or (row.pending and state is JobState.ENDED)  # it may have begun since it was last listed
        return attempt_end(
            state,
            it.record,
            row,
            began=it.began or (unknown and (attempt is None or os.path.lexists(attempt.stdout))),
            alone=it.array.pack == 1,
            marked=it.marked_at is not None,
            limit=attempt.timeout if attempt else None,
        )

    def _forget_oldest(self, it: SlurmJob) -> None:
        """Note that the end of `it` was returned, and drop the details of the oldest such job beyond MAX_ENDED."""
        self._oldest_ended.append(it)
        if len(self._oldest_ended) > MAX_ENDED:
            oldest = self._oldest_ended.popleft()
            self._attempts.pop(oldest.id, None)
            self._started.pop(oldest, None)

    async def refresh(self, job: str) -> bool:
        """Jobs write into the shared folder themselves; this asks only whether the job may still run."""
        it = self._arrays.job(job)
        if it is not None and it.record is None and not self._poller.settled(it):
            await self._poller.poll_now([it])
        await trio.lowlevel.checkpoint()
        return it is not None and it.record is None and not self._poller.settled(it)

    async def cancel(self, job: str, grace: float) -> None:
        it = self._arrays.job(job)
        if it is None or it in self._ended or it.record is not None:
            await trio.lowlevel.checkpoint()
            return
        await self._arrays.prepare()
        if it.marked_at is None:
            await trio.to_thread.run_sync(it.array.mark, it.index)
            it.marked_at = trio.current_time()
        deadline = trio.current_time() + grace
        while not self._poller.settled(it):
            now = trio.current_time()
            self._request_end(it, now, deadline)
            self._poller.poll_soon()
            repeat_at = now + REPEAT_INTERVAL
            with trio.move_on_at(deadline if now < deadline < repeat_at else repeat_at):
                await self._poller.until(it, lambda: self._poller.settled(it))

    def _request_end(self, it: SlurmJob, now: float, deadline: float) -> None:
        """Signal the wrapper of a marked job; have Slurm end its task only if no other session of the pack needs it."""
        task = (it.array, it.task)
        pending = it.facts.row is not None and it.facts.row.pending
        if (pending or now >= deadline + RECORD_TIME) and all(map(_may_be_killed, self._pack_of(it))):
            self._scancel.end(task)
        else:
            self._scancel.signal(task, "USR2" if now >= deadline else "USR1")

    def _pack_of(self, it: SlurmJob) -> list[SlurmJob]:
        return [self._poller.job(it.array, index) for index in it.array.sessions_of(it.task)]


def _may_be_killed(job: SlurmJob) -> bool:
    return job.marked_at is not None or job.record is not None


def _in_queue(job: SlurmJob) -> bool:
    return job.facts.row is not None and not job.facts.row.final
