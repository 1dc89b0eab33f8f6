"""The job arrays of a state: created, submitted once, and found again by a later runner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from runner.backends.base import FOR_MAX_PARALLEL, Rejected
from runner.backends.slurm import options as slurm_options
from runner.backends.slurm import sbatch
from runner.backends.slurm.batching import Batcher, BatchTooLarge
from runner.backends.slurm.cli import CommandRefused, Controller, SubmitLimitReached
from runner.backends.slurm.job import SlurmJob
from runner.backends.slurm.options import SlurmOptions
from runner.backends.slurm.poller import LONGEST_POLL, SlurmPoller
from runner.backends.slurm.spool import JobArray, Spool
from runner.model import Attempt
from runner.state.fs import guarded

MAX_TASKS = 1000
"""Tasks in one array, if the cluster allows that many."""

SUBMIT_LIMIT_PAUSE = 10.0
"""Seconds until an attempt for which a submit limit left no place is submitted again."""


class JobArrays:
    """Submits attempts in arrays and knows the job of each."""

    def __init__(
        self, options: SlurmOptions, *, folder: Path, controller: Controller, poller: SlurmPoller, python: str
    ) -> None:
        """`folder` is created when it is first needed; `python` runs the packs on nodes where that works."""
        self._options = options
        self._folder = folder
        self._controller = controller
        self._poller = poller
        self._python = python if options.pack > 1 else ""
        self._batcher = Batcher(self._submit, max_batch=MAX_TASKS * options.pack, has_room=self._has_room)
        self._by_id: dict[str, SlurmJob] = {}
        self._limited: set[str] = set()
        """The arrays that have this runner's `max_parallel`: those that it has submitted or adopted."""
        self._submitted: set[str] = set()
        """The arrays that this runner has submitted."""
        self._on_waiting: dict[str, Callable[[str], None]] = {}
        self._held: set[str] = set()
        """The attempts whose `on_waiting` has heard that they wait for `max_parallel`."""
        self._looking_up = trio.Lock()
        self._preparing = trio.Lock()
        self._prepared = False

    async def open(self) -> None:
        """Read the arrays that earlier runners have left."""
        self._spool = await trio.to_thread.run_sync(Spool, self._folder)
        for array in self._spool.arrays:
            if array.job is not None:
                self._register(array)

    async def run(self) -> None:
        """Submit until cancelled."""
        await self._batcher.run()

    def job(self, job: str) -> SlurmJob | None:
        """The job with this id, None if it is unknown."""
        return self._by_id.get(job)

    async def add(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        """Submit an attempt with others in an array, and return its job's id once Slurm has accepted the array.

        `on_waiting` hears what the submission waits for. Raises Rejected.
        """
        arguments = slurm_options.arguments(self._options, attempt)
        secrets = tuple(sorted(attempt.secrets.items()))
        if on_waiting is not None:
            self._on_waiting[attempt.name] = on_waiting
        try:
            await self._batcher.add(attempt, (arguments, secrets))
        finally:
            self._on_waiting.pop(attempt.name, None)
            self._held.discard(attempt.name)
        found = self._spool.find(attempt.name)
        assert found is not None
        array, index = found
        return array.id(index)

    async def withdraw(self, name: str) -> None:
        """Remove an attempt that was added; if it is being submitted already, wait until it is accepted or refused."""
        await self._batcher.withdraw(name)

    async def find(self, name: str) -> str | None:
        """The id of the job with this name, None if there is none."""
        await trio.lowlevel.checkpoint()
        found = self._spool.find(name)
        if found is None:
            return None
        array, index = found
        async with self._looking_up:
            if array.job is None and self._spool.find(name) is not None:
                await self._look_up(array)
        return None if array.job is None else array.id(index)

    async def adopt(self, name: str) -> str | None:
        """`find` a job to follow it, and give its array this runner's `max_parallel`.

        Arrays that an earlier runner has submitted under another `max_parallel` may together exceed this one until they end.
        """
        job = await self.find(name)
        found = self._spool.find(name)
        if job is None or found is None or self._options.max_parallel is None:
            return job
        array_id = found[0].job
        if array_id is not None and array_id not in self._limited:
            self._limited.add(array_id)
            try:
                await sbatch.set_max_parallel(self._controller, array_id, self._options.max_parallel)
            except BaseException:  # also if this one attempt is cancelled: the next one of the array tries again
                self._limited.discard(array_id)
                raise
        return job

    async def find_all(self, prefix: str) -> list[tuple[str, SlurmJob]]:
        """Name and job of all attempts whose names begin with `prefix`."""
        for array in list(self._spool.arrays):
            if any(name.startswith(prefix) for name in array.names):
                await self.find(array.names[0])
        found = self._spool.find_all(prefix)
        return [(name, self._by_id[array.id(index)]) for name, array, index in found if array.job is not None]

    async def prepare(self, on_waiting: Callable[[str], None] | None = None) -> None:
        """Read the cluster's limits, once."""
        async with self._preparing:
            if not self._prepared:
                limits = await sbatch.limits(self._controller, on_waiting)
                self._batcher.max_batch = max(1, min(MAX_TASKS, limits.max_array_size)) * self._options.pack
                self._poller.longest = max(1.0, min(LONGEST_POLL, limits.min_job_age / 4))
                self._prepared = True

    # How `max_parallel` is kept:
    # 1. Slurm runs at most `max_parallel` tasks of an array at once (`--array=…%N`).
    # 2. While an array is alive, another one is submitted only if all live tasks of both fit into `max_parallel`. So an array
    #    may take all of it, or several share it, but no task ever waits for the limit of another array.
    # 3. After a crash the same holds for the arrays found in the spool, as far as Slurm still knows them.

    async def _has_room(self, attempts: Sequence[Attempt]) -> bool:
        limit = self._options.max_parallel
        await trio.lowlevel.checkpoint()
        if limit is None:
            return True
        live = 0
        for array in self._spool.arrays:
            live += min(limit, await self._live_tasks(array))
        if not live or live + -(-len(attempts) // self._options.pack) <= limit:
            return True
        for attempt in attempts:
            on_waiting = self._on_waiting.get(attempt.name)
            if on_waiting is not None and attempt.name not in self._held:
                self._held.add(attempt.name)
                on_waiting(FOR_MAX_PARALLEL)
        return False

    async def _live_tasks(self, array: JobArray) -> int:
        """Tasks that may run now or later."""
        if array.job is None or len(array.records) == len(array.names):
            return 0
        await self._poller.read_records([array])
        jobs = (self._poller.job(array, index) for index in range(len(array.names)))
        return len({job.task for job in jobs if self._may_run(array, job)})

    def _may_run(self, array: JobArray, job: SlurmJob) -> bool:
        """An earlier runner may have left arrays without records that Slurm has long forgotten: these do not count."""
        row = job.facts.row
        known = array.job in self._submitted or self._poller.waits_for(job) or (row is not None and not row.final)
        return known and not self._poller.settled(job)

    async def _submit(self, attempts: Sequence[Attempt]) -> None:
        """Submit one array. Raises Rejected, and BatchTooLarge where a submit limit has room for fewer at most."""
        on_waiting = self._on_waiting.get(attempts[0].name)
        await self.prepare(on_waiting)
        arguments = slurm_options.arguments(self._options, attempts[0])
        while True:
            array = await self._create(attempts)
            try:
                job = await sbatch.submit(
                    self._controller, array, arguments, attempts[0].secrets, self._options.max_parallel, on_waiting
                )
            except SubmitLimitReached as refusal:
                self._spool.withdraw(array)
                if len(attempts) > 1:
                    raise BatchTooLarge from refusal
                if not self._submitted:
                    raise Rejected(refusal.words) from refusal
                await trio.sleep(SUBMIT_LIMIT_PAUSE)  # there was room before, and there will be again
            except CommandRefused as refusal:
                self._spool.withdraw(array)
                raise Rejected(refusal.words) from refusal
            else:
                self._accept(array, job)
                self._submitted.add(job)
                self._limited.add(job)
                self._poller.poll_soon()
                return

    async def _create(self, attempts: Sequence[Attempt]) -> JobArray:
        options = self._options
        try:
            with guarded(self._folder):
                return await trio.to_thread.run_sync(
                    self._spool.create, attempts, options.pack, options.setup, self._python
                )
        except UnicodeEncodeError as error:
            raise Rejected(f"its variables cannot be written to a file: {error}") from error

    async def _look_up(self, array: JobArray) -> None:
        """Find out whether an array without an id was submitted, by this runner or by one that died."""
        await self.prepare()
        await self._poller.read_records([array])
        job = await sbatch.look_up(self._controller, array)
        if job is None:
            self._spool.withdraw(array)
        else:
            self._accept(array, job)

    def _accept(self, array: JobArray, job: str) -> None:
        array.set_job(job)
        self._register(array)

    def _register(self, array: JobArray) -> None:
        for index in range(len(array.names)):
            self._by_id[array.id(index)] = self._poller.job(array, index)
