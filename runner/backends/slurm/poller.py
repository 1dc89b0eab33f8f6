"""Where all jobs stand: one look at the records in the shared folder, and now and then one at Slurm's queue for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import trio

from runner.backends.slurm import squeue
from runner.backends.slurm.cli import Refused, Unreachable
from runner.backends.slurm.job import MISSES, Job
from runner.backends.slurm.retry import Controller, Patience
from runner.backends.slurm.spool import Array
from runner.backends.slurm.squeue import REST, Row

SHORT, GROWTH, LONG = 0.5, 2.0, 30.0
"""Seconds between two looks at the queue: short after something was asked for, then growing, and a fraction of MinJobAge."""

GLANCE, FLOW, LONGEST_GLANCE = 0.1, 0.2, 1.0
"""Seconds between two looks at the records: at first, while they come, and when they have not for a while."""

TRIES = 3
"""Questions to accounting that may stay without an answer."""

_NAMES = 200
"""Arrays in one question."""


class Watch:
    """Looks while somebody waits."""

    def __init__(self, environ: Mapping[str, str], controller: Controller, longest: float) -> None:
        self.longest = longest
        self._environ = environ
        self._controller = controller
        self._jobs: dict[tuple[Array, int], Job] = {}
        self._interval = SHORT
        self._due = math.inf
        self._moved = trio.Event()
        self._wanted_again = trio.Event()
        self._unanswered: dict[Array, int] = {}
        self._error: Exception | None = None
        self._collecting = trio.Lock()

    def job(self, array: Array, place: int) -> Job:
        if (array, place) not in self._jobs:
            self._jobs[array, place] = Job(array, place)
        return self._jobs[array, place]

    async def until(self, job: Job, condition: Callable[[], bool]) -> None:
        """Raises what keeps the watch from going on."""
        job.waiters += 1
        try:
            while not condition():
                if self._error is not None:
                    raise self._error
                self._wanted_again.set()
                self._look_in(self._interval)
                await job.changed.wait()
        finally:
            job.waiters -= 1

    def look_soon(self) -> None:
        """Something has been asked for."""
        self._interval = SHORT
        self._look_in(SHORT / 2)

    async def look_now(self, jobs: Iterable[Job]) -> None:
        """Ask the queue about these. Raises EnvironmentFailed when nobody answers for too long."""
        patience = Patience(self._controller)
        while True:
            try:
                await self._look(list(jobs))
            except Unreachable as fault:
                await patience.wait(fault)
            else:
                patience.over()
                return

    async def run(self) -> None:
        """Never returns. What goes wrong for good is told to whoever waits."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._glance)
            nursery.start_soon(self._poll)

    def _wanted(self) -> Iterator[Job]:
        return (job for job in self._jobs.values() if job.waiters)

    def _look_in(self, seconds: float) -> None:
        due = trio.current_time() + seconds
        if due < self._due:
            self._due = due
            self._moved.set()

    async def _glance(self) -> None:
        """Ends are seen in the records; that costs the cluster nothing."""
        pause = GLANCE
        while True:
            arrays = {job.array for job in self._wanted() if not job.settled}
            if not arrays:
                self._wanted_again = trio.Event()
                await self._wanted_again.wait()
                pause = GLANCE
                continue
            try:
                found = await self.collect(arrays)
            except OSError as error:
                self._fail(error)
                return
            pause = FLOW if found else min(LONGEST_GLANCE, pause * 1.2)
            await trio.sleep(pause)

    async def collect(self, arrays: Iterable[Array]) -> bool:
        """Read the new records; whether there were any."""
        async with self._collecting:
            found = [(array, await trio.to_thread.run_sync(array.collect)) for array in arrays]
        for array, places in found:
            # Of a pack, the next one has begun.
            for place in {*places, *(it + 1 for it in places)}:
                if job := self._jobs.get((array, place)):
                    job.tell()
        return any(places for _, places in found)

    async def _poll(self) -> None:
        patience = Patience(self._controller)
        while True:
            while trio.current_time() < self._due:
                self._moved = trio.Event()
                with trio.move_on_at(self._due):
                    await self._moved.wait()
            self._due = math.inf
            wanted = [job for job in self._wanted() if job.record is None or not job.settled]
            if not wanted:
                continue
            try:
                await self._look(wanted)
            except Unreachable as fault:
                self._controller.away = True
                self._tell_all()
                try:
                    await patience.wait(fault)
                except Exception as error:
                    self._fail(error)
                    return
                self._look_in(0)
                continue
            except Exception as error:
                self._fail(error)
                return
            patience.over()
            doubtful = any(job.in_question and not job.settled for job in wanted)
            self._interval = min(self.longest, self._interval * GROWTH, 2.0 if doubtful else math.inf)
            self._look_in(self._interval)

    async def _look(self, wanted: list[Job]) -> None:
        now = trio.current_time()
        arrays = {job.array.name: job.array for job in wanted}
        names = list(arrays)
        rows: dict[str, dict[squeue.Task, Row]] = {}
        for start in range(0, len(names), _NAMES):
            rows.update(await squeue.queued(self._environ, names[start : start + _NAMES]))
        await self.collect(arrays.values())
        for job in wanted:
            of_array, array = rows.get(job.array.name, {}), job.array.job or ""
            row = of_array.get((array, job.task)) or of_array.get((array, REST))
            before = job.row
            job.seen(row, now, 3 * self.longest)
            if job.settled or job.row != before:
                job.tell()
        missing = [job for job in wanted if job.misses >= MISSES and not job.absent and not job.settled]
        if missing:
            await self._account(missing)

    async def _account(self, missing: list[Job]) -> None:
        """What has left the queue, accounting may remember."""
        arrays = {job.array for job in missing}
        try:
            rows = await squeue.accounted(self._environ, [array.job for array in arrays if array.job])
        except Refused:
            rows = {}
        except Unreachable:
            for array in arrays:
                self._unanswered[array] = self._unanswered.get(array, 0) + 1
            if max(self._unanswered[array] for array in arrays) < TRIES:
                return
            rows = {}
        for job in missing:
            of = job.array.job or ""
            row = rows.get((of, job.task)) or rows.get((of, REST))
            if row is not None and not row.final:
                continue  # the queue was not asked rightly, or accounting is behind
            job.forgotten(row, trio.current_time())
            job.tell()

    def _tell_all(self) -> None:
        for job in self._wanted():
            job.tell()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._tell_all()
