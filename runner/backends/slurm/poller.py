"""Follows all jobs together: their records in the shared folder, Slurm's queue at growing intervals, accounting at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from runner.backends.poller import Poller
from runner.backends.slurm import squeue
from runner.backends.slurm.cli import CommandRefused, Controller, Outage, Unreachable
from runner.backends.slurm.job import CONFIRMATIONS, SETTLED, JobState, SlurmJob
from runner.backends.slurm.spool import JobArray
from runner.backends.slurm.squeue import OTHERS, TaskRow

SHORTEST_POLL, GROWTH, LONGEST_POLL = 0.5, 2.0, 30.0
"""Seconds between two polls of the queue."""

LONGEST_DOUBTFUL_POLL = 2.0
"""The longest interval while a job may be about to end."""

SHORTEST_READ, READ_AFTER_NEWS, LONGEST_READ = 0.1, 0.2, 1.0
"""Seconds between two reads of the records: at first, while new ones appear, and when none have for a while."""

ACCOUNTING_TRIES = 3
"""Questions to accounting about an array that may stay without an answer."""

_NAMES_IN_A_POLL = 200


class SlurmPoller:
    """Keeps the facts of the jobs that tasks wait for up to date."""

    def __init__(self, controller: Controller) -> None:
        self.longest = LONGEST_POLL
        """The longest interval in seconds; shorter than the time for which the queue lists a job that has ended."""
        self._controller = controller
        self._jobs: dict[tuple[JobArray, int], SlurmJob] = {}
        self._poller: Poller[SlurmJob] = Poller(self._ask, shortest=SHORTEST_POLL, growth=GROWTH)
        self._wanted = trio.Event()
        self._unanswered: dict[JobArray, int] = {}
        self._reading = trio.Lock()

    def job(self, array: JobArray, index: int) -> SlurmJob:
        """The job of a session; the same object each time."""
        if (array, index) not in self._jobs:
            self._jobs[array, index] = SlurmJob(array, index)
        return self._jobs[array, index]

    def state(self, job: SlurmJob) -> JobState:
        """The state of a job now, as far as known."""
        return job.state(trio.current_time(), 3 * self.longest)

    def settled(self, job: SlurmJob) -> bool:
        """Whether it is known how the job ended."""
        return self.state(job) in SETTLED

    def waits_for(self, job: SlurmJob) -> bool:
        """Whether a task waits for this job."""
        return self._poller.waits_for(job)

    async def until(self, job: SlurmJob, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds; it is checked when something about the job changes. Raises what ended the polling."""
        self._wanted.set()
        await self._poller.until(job, condition)

    def poll_soon(self) -> None:
        """Poll the queue at short intervals again: a job was submitted, or is being ended."""
        self._poller.ask_soon(SHORTEST_POLL / 2)

    async def poll_now(self, jobs: Iterable[SlurmJob]) -> None:
        """Ask the queue about these jobs. Raises EnvironmentFailed if the controller does not answer for too long."""
        await self._poll_until_answered(list(jobs))

    async def run(self) -> None:
        """Poll until cancelled. Errors are raised in the tasks that wait."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_loop)
            nursery.start_soon(self._poller.run)

    async def read_records(self, arrays: Iterable[JobArray]) -> bool:
        """Read the new records of these arrays. Returns whether there were any."""
        async with self._reading:
            found = [(array, await trio.to_thread.run_sync(array.read_records)) for array in arrays]
        for array, indices in found:
            for index in {*indices, *(index + 1 for index in indices)}:  # the next session of a pack has begun
                if job := self._jobs.get((array, index)):
                    job.notify()
        return any(indices for _, indices in found)

    async def _read_loop(self) -> None:
        """Ends show in the records first, and reading those costs the cluster nothing."""
        pause = SHORTEST_READ
        while True:
            arrays = {job.array for job in self._poller.waited_for if not self.settled(job)}
            if not arrays:
                self._wanted = trio.Event()
                await self._wanted.wait()
                pause = SHORTEST_READ
                continue
            try:
                found = await self.read_records(arrays)
            except OSError as error:
                self._poller.fail(error)
                return
            pause = READ_AFTER_NEWS if found else min(LONGEST_READ, pause * 1.2)
            await trio.sleep(pause)

    async def _ask(self, jobs: list[SlurmJob]) -> float:
        open_jobs = []
        for job in jobs:
            if self.settled(job):
                job.notify()  # the time for its record is over
            else:
                open_jobs.append(job)
        if open_jobs:
            await self._poll_until_answered(open_jobs, notify=True)
        doubtful = any(self._may_end_soon(job) for job in open_jobs)
        return min(self.longest, LONGEST_DOUBTFUL_POLL) if doubtful else self.longest

    def _may_end_soon(self, job: SlurmJob) -> bool:
        state = self.state(job)
        if state in (JobState.MISSING, JobState.RECORD_DUE):
            return True
        return job.marked_at is not None and state not in SETTLED

    async def _poll_until_answered(self, jobs: list[SlurmJob], notify: bool = False) -> None:
        outage = Outage(self._controller)
        while True:
            try:
                await self._poll(jobs)
            except Unreachable as fault:
                self._controller.away = True
                if notify:
                    for job in self._poller.waited_for:
                        job.notify()  # `started` reports the outage
                await outage.wait(fault)
            else:
                outage.end()
                return

    async def _poll(self, jobs: list[SlurmJob]) -> None:
        """Ask the queue, then read the records, then ask accounting about what is in neither."""
        now = trio.current_time()
        arrays = {job.array.name: job.array for job in jobs}
        names = list(arrays)
        rows: dict[str, dict[squeue.TaskId, TaskRow]] = {}
        for start in range(0, len(names), _NAMES_IN_A_POLL):
            rows.update(await squeue.queued(self._controller, names[start : start + _NAMES_IN_A_POLL]))
        await self.read_records(arrays.values())
        for job in jobs:
            before = job.facts.row
            job.facts = job.facts.after_poll(_row_of(job, rows.get(job.array.name, {})), now)
            if self.settled(job) or job.facts.row != before:
                job.notify()
        gone = [job for job in jobs if job.facts.misses >= CONFIRMATIONS and not (job.facts.over or self.settled(job))]
        if gone:
            await self._ask_accounting(gone)

    async def _ask_accounting(self, jobs: list[SlurmJob]) -> None:
        arrays = {job.array for job in jobs}
        try:
            rows = await squeue.accounted(self._controller, [array.job for array in arrays if array.job])
        except CommandRefused:
            rows = {}
        except Unreachable:
            for array in arrays:
                self._unanswered[array] = self._unanswered.get(array, 0) + 1
            if max(self._unanswered[array] for array in arrays) < ACCOUNTING_TRIES:
                return
            rows = {}
        for job in jobs:
            row = _row_of(job, rows)
            if row is not None and not row.final:
                continue  # accounting lags behind
            job.facts = job.facts.after_accounting(row)
            job.notify()


def _row_of(job: SlurmJob, rows: dict[squeue.TaskId, TaskRow]) -> TaskRow | None:
    array = job.array.job or ""
    return rows.get((array, job.task)) or rows.get((array, OTHERS))
