"""Jobs are tasks of arrays at a Slurm cluster. A job's id is `ARRAY_TASK`; in a pack, `ARRAY_TASK.PLACE`."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trio

from runner.backends.base import Started
from runner.backends.slurm import outcome
from runner.backends.slurm.arrays import Arrays
from runner.backends.slurm.job import Job
from runner.backends.slurm.options import read, surroundings
from runner.backends.slurm.poller import LONG, Watch
from runner.backends.slurm.retry import UNANSWERED, Controller
from runner.backends.slurm.scancel import Signals
from runner.model import Attempt, AttemptEnd

AGAIN = 3.0
"""Seconds after which a job that shall end is told so again: a signal may come before its wrapper listens."""

LEAVING = 15.0
"""Seconds beyond its grace that a wrapper gets to tell how it ended, before Slurm is told to end it."""

REMEMBERED = 1000
"""How many jobs whose end has been told are kept in memory whole, for those who ask again."""

FLUSHED_WITHIN = 5.0
"""Seconds for requests to end jobs to be on their way, when nobody waits for what comes of them."""

COLD = "at Slurm each session starts an interpreter of its own"


class Slurm:
    """Submits sessions in arrays, and follows them by the records that they leave in `folder`, which the nodes must share.

    Jobs outlive the client. Their time limits are carried out by their wrapper, with Slurm's own as the net below.
    """

    name = "slurm"
    outlives_client = True
    max_jobs: int | None = 4000
    prefetch_limit = 0

    def __init__(
        self, options: Mapping[str, Any], environ: Mapping[str, str], folder: Path, python: str = sys.executable
    ) -> None:
        self._environ = surroundings(environ)
        self._controller = Controller()
        self._watch = Watch(self._environ, self._controller, LONG)
        self._signals = Signals(self._environ)
        self._arrays = Arrays(read(options), self._environ, folder, self._controller, self._watch, python)
        self._attempts: dict[str, Attempt] = {}
        self._started: dict[Job, Started] = {}
        self._ended: dict[Job, AttemptEnd] = {}
        self._told: deque[Job] = deque()
        self._complained = False

    async def __aenter__(self) -> Self:
        await self._arrays.open()
        self._manager = trio.open_nursery()
        nursery = await self._manager.__aenter__()
        self._scope = nursery.cancel_scope
        nursery.start_soon(self._watch.run)
        nursery.start_soon(self._arrays.run)
        nursery.start_soon(self._signals.run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        with trio.move_on_after(FLUSHED_WITHIN, shield=True):
            await self._signals.flush()
        self._scope.cancel()
        # The caller's error is the caller's: a nursery would make a group of it.
        await self._manager.__aexit__(None, None, None)
        return None

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        job = await self._arrays.adopt(attempt.name) or await self._arrays.add(attempt, on_waiting)
        self._attempts[job] = attempt
        await trio.lowlevel.checkpoint()
        return job

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        await self._arrays.settle(name)
        return await self._arrays.find(name)

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        found: dict[str, Job] = {}
        for name, job in await self._arrays.begun_with(prefix):
            if job.record is None:
                found[name] = job
        if found:
            await self._watch.look_now(found.values())
        alive = ((name, job) for name, job in found.items() if job.record is None and job.row and not job.row.final)
        return {name: job.id for name, job in alive}

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        it = self._arrays.job(job)
        if it is None:
            await trio.lowlevel.checkpoint()
            return Started(time.time(), None)
        told: str | None = None

        def begun() -> bool:
            nonlocal told
            if it.began or it.settled:
                return True
            if why := self._waits_for(it, told):
                told = why
                on_waiting(why)
            return False

        if it not in self._started:
            await self._arrays.prepare()
            await self._watch.until(it, begun)
            record, row = it.record, it.row
            at = record.began if record else row.began if row else None
            host = record.host if record else row.host if row else None
            self._started[it] = Started(time.time() if at is None else at, host, self._cold(it))
        await trio.lowlevel.checkpoint()
        return self._started[it]

    def _cold(self, it: Job) -> str | None:
        records = [record for place in it.array.mates(it.task) if (record := it.array.records.get(place))]
        if records and records[0].by_shell:
            return (
                f"`{sys.executable}` does not work on {records[0].host or 'its node'}, and `sh` carries out packs there"
            )
        attempt = self._attempts.get(it.id)
        return COLD if attempt is not None and attempt.preload is not None else None

    def _waits_for(self, it: Job, told: str | None) -> str | None:
        """News of why it waits; that the controller is away is told of one job only."""
        if self._controller.away:
            news, self._complained = not self._complained, True
            return UNANSWERED if news else None
        self._complained = False
        why = it.row.waits_for if it.row else None
        return why if why != told else None

    async def wait(self, job: str) -> AttemptEnd:
        it = self._arrays.job(job)
        if it is None:
            await trio.lowlevel.checkpoint()
            return outcome.ended(None, None, began=True, alone=True, asked=False, limit=None)
        if it not in self._ended:
            await self._arrays.prepare()
            await self._watch.until(it, lambda: it.settled)
            if it.impossible and it.record is None:
                self._signals.end((it.array, it.task))
            if it not in self._ended:
                self._ended[it] = self._end(it)
                self._remember(it)
        await trio.lowlevel.checkpoint()
        return self._ended[it]

    def _remember(self, it: Job) -> None:
        """Its end has been told; what is large of it may be forgotten in time."""
        self._told.append(it)
        if len(self._told) > REMEMBERED:
            old = self._told.popleft()
            self._attempts.pop(old.id, None)
            self._started.pop(old, None)

    def _end(self, it: Job) -> AttemptEnd:
        if it.impossible and it.record is None and it.row is not None and it.asked is None:
            return outcome.impossible(it.row)
        attempt = self._attempts.get(it.id)
        if it.vanished and it.record is None:
            return outcome.cancelled(asked=it.asked is not None)
        return outcome.ended(
            it.record,
            it.row if it.row and it.row.final else None,
            began=it.began or (it.row is None and (attempt is None or os.path.lexists(attempt.stdout))),
            alone=it.array.pack == 1,
            asked=it.asked is not None,
            limit=attempt.timeout if attempt else None,
        )

    async def refresh(self, job: str) -> bool:
        """Jobs write into the shared folder themselves; only whether this one still does is to be found out."""
        it = self._arrays.job(job)
        if it is not None and it.record is None and not it.settled:
            await self._watch.look_now([it])
        await trio.lowlevel.checkpoint()
        return it is not None and it.record is None and not it.settled

    async def cancel(self, job: str, grace: float) -> None:
        it = self._arrays.job(job)
        if it is None or it in self._ended or it.record is not None:
            await trio.lowlevel.checkpoint()
            return
        await self._arrays.prepare()
        task = (it.array, it.task)
        if it.asked is None:
            await trio.to_thread.run_sync(it.array.ask, it.place)
            it.asked = trio.current_time()
        deadline = trio.current_time() + grace
        while not it.settled:
            now = trio.current_time()
            waits = it.row is not None and it.row.pending
            if (waits or now >= deadline + LEAVING) and all(self._done(mate) for mate in self._mates(it)):
                self._signals.end(task)
            else:
                self._signals.send(task, "USR2" if now >= deadline else "USR1")
            self._watch.look_soon()
            again = now + AGAIN
            with trio.move_on_at(deadline if now < deadline < again else again):
                await self._watch.until(it, lambda: it.settled)

    def _mates(self, it: Job) -> list[Job]:
        return [self._watch.job(it.array, place) for place in it.array.mates(it.task)]

    def _done(self, it: Job) -> bool:
        return it.asked is not None or it.record is not None
