"""The arrays of a state: laid out, submitted once, and found again by whoever comes after us."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import trio

from runner.backends.base import Rejected
from runner.backends.slurm import options, sbatch
from runner.backends.slurm.batching import Gathering
from runner.backends.slurm.cli import Full, Refused
from runner.backends.slurm.job import Job
from runner.backends.slurm.options import Config
from runner.backends.slurm.poller import LONG, Watch
from runner.backends.slurm.retry import Controller
from runner.backends.slurm.spool import Array, Spool
from runner.model import Attempt
from runner.state.fs import guarded

MOST_IN_ARRAY = 1000

ENOUGH = 3000
"""Sessions at Slurm that a sweep with `max_parallel` keeps there: fewer than `Slurm.max_jobs`, by as many as make up an array."""

HELD_BACK = 10.0
"""Seconds until a submission that was one too many is tried again."""


class Arrays:
    """`python` is what carries out packs, where the nodes can run it. Nothing is made in `folder` before it is needed."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        folder: Path,
        controller: Controller,
        watch: Watch,
        python: str,
    ) -> None:
        self._config = config
        self._environ = environ
        self._folder = folder
        self._controller = controller
        self._watch = watch
        self._python = python if config.pack > 1 else ""
        self._gathering = Gathering(self._submit, MOST_IN_ARRAY * config.pack, self._room)
        self._by_id: dict[str, Job] = {}
        self._submitted: set[str] = set()
        """The arrays that are of this runner's making."""
        self._throttled: set[str] = set()
        """Those of others that have this runner's `max_parallel`."""
        self._on_waiting: dict[str, Callable[[str], None]] = {}
        self._reconciling = trio.Lock()
        self._ready = trio.Lock()
        self._prepared = False

    async def open(self) -> None:
        """Read what earlier runners have left."""
        self._spool = await trio.to_thread.run_sync(Spool, self._folder)
        for array in self._spool.arrays:
            if array.job is not None:
                self._know(array)

    async def run(self) -> None:
        """Never returns."""
        await self._gathering.run()

    def job(self, job: str) -> Job | None:
        """By its id."""
        return self._by_id.get(job)

    async def add(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        """Its job's id, once the array that it goes into is accepted. Raises Rejected.

        `on_waiting` is told what keeps it from that: one of an array's is, for all.
        """
        arguments = options.arguments(self._config, attempt)
        secrets = tuple(sorted(attempt.secrets.items()))
        if on_waiting is not None:
            self._on_waiting[attempt.name] = on_waiting
        try:
            await self._gathering.add(attempt, (arguments, secrets))
        except Rejected:
            # Of what went there together, a part may have been accepted before the rest was refused.
            if (found := self._spool.place(attempt.name)) is None or found[0].job is None:
                raise
        finally:
            self._on_waiting.pop(attempt.name, None)
        found = self._spool.place(attempt.name)
        assert found is not None
        array, place = found
        return array.id(place)

    async def settle(self, name: str) -> None:
        """Withdraw an attempt that was added, or, where that is too late, wait until it is accepted or refused."""
        await self._gathering.settle(name)

    async def find(self, name: str) -> str | None:
        """The id of the job of this name, if there is one."""
        await trio.lowlevel.checkpoint()
        found = self._spool.place(name)
        if found is None:
            return None
        array, place = found
        async with self._reconciling:
            if array.job is None and self._spool.place(name) is not None:
                await self._reconcile(array)
        return None if array.job is None else array.id(place)

    async def adopt(self, name: str) -> str | None:
        """`find` it to go on with it: of its array, and of those before it, as many as may today run at the same time."""
        job, found = await self.find(name), self._spool.place(name)
        if job is not None and found is not None and (at_once := self._config.max_parallel) is not None:
            array, _ = found
            assert array.job is not None
            if array.job not in self._submitted | self._throttled:
                self._throttled.add(array.job)
                try:
                    earlier = None if self._config.says_when else await self._in_the_way(array.tasks, int(array.job))
                    await sbatch.throttle(self._environ, self._controller, array.job, at_once, earlier)
                except BaseException:  # as of one of its sessions that is cancelled meanwhile
                    self._throttled.discard(array.job)
                    raise
        return job

    async def begun_with(self, prefix: str) -> list[tuple[str, Job]]:
        """All jobs whose names begin so, with these."""
        for array in list(self._spool.arrays):
            if any(name.startswith(prefix) for name in array.names):
                await self.find(array.names[0])
        places = self._spool.places(prefix)
        return [(name, self._by_id[array.id(place)]) for name, array, place in places if array.job is not None]

    async def prepare(self, on_waiting: Callable[[str], None] | None = None) -> None:
        """Learn the cluster's limits, once."""
        async with self._ready:
            if not self._prepared:
                limits = await sbatch.limits(self._environ, self._controller, on_waiting)
                largest = int(limits.get("MaxArraySize") or 1001)
                self._gathering.most = max(1, min(MOST_IN_ARRAY, largest)) * self._config.pack
                age = int((limits.get("MinJobAge") or "300").split()[0])
                self._watch.longest = max(1.0, min(LONG, age / 4))
                self._prepared = True

    async def _submit(self, attempts: Sequence[Attempt]) -> None:
        """One array of these; where Slurm's limits do not allow for so many, several."""
        on_waiting = self._on_waiting.get(attempts[0].name)
        await self.prepare(on_waiting)
        arguments, secrets = options.arguments(self._config, attempts[0]), attempts[0].secrets
        at_once = self._config.max_parallel
        while True:
            earlier = await self._in_the_way(-(-len(attempts) // self._config.pack)) if at_once else []
            after = (f"--dependency={sbatch.afterany(earlier)}",) if earlier else ()
            array = await self._laid_out(attempts)
            try:
                job = await sbatch.submit(
                    self._environ, self._controller, array, (*after, *arguments), secrets, at_once, on_waiting
                )
            except Full as refusal:
                self._spool.drop(array)
                if len(attempts) > 1:
                    half = len(attempts) // 2
                    await self._submit(attempts[:half])
                    await self._submit(attempts[half:])
                    return
                if not self._submitted:  # else there was room, and there will be again
                    raise Rejected(refusal.words) from refusal
                await trio.sleep(HELD_BACK)
            except Refused as refusal:
                self._spool.drop(array)
                raise Rejected(refusal.words) from refusal
            else:
                self._accepted(array, job)
                self._submitted.add(job)
                self._watch.look_soon()
                return

    async def _room(self) -> None:
        """Return when the queue is worth going on with. What would wait there anyway waits here, for the next large array."""
        await trio.lowlevel.checkpoint()
        if self._config.max_parallel is None:
            return
        while True:
            followed = sum(job.waiters > 0 and not job.settled for job in self._by_id.values())
            if followed <= max(ENOUGH, self._config.max_parallel):
                return
            await trio.sleep(1)

    async def _in_the_way(self, tasks: int, before: float = math.inf) -> list[str]:
        """The arrays that have to end before so many more tasks may run: all that have not, or none where there is room.

        Only those with ids below `before` count: two that have to wait for each other would wait for ever.
        """
        assert self._config.max_parallel is not None
        alive: dict[str, int] = {}
        for array in self._spool.arrays:
            if array.job is not None and int(array.job) < before and len(array.records) < len(array.names):
                await self._watch.collect([array])
                jobs = (self._watch.job(array, place) for place in range(len(array.names)))
                if count := len({job.task for job in jobs if self._may_run(array, job)}):
                    alive[array.job] = min(count, self._config.max_parallel)
        return list(alive) if sum(alive.values()) + tasks > self._config.max_parallel else []

    def _may_run(self, array: Array, job: Job) -> bool:
        """Of a dead runner's arrays there is much that has no end on record, and that Slurm has long forgotten."""
        known = array.job in self._submitted or job.waiters > 0 or (job.row is not None and not job.row.final)
        return known and not job.settled

    async def _laid_out(self, attempts: Sequence[Attempt]) -> Array:
        pack, setup = self._config.pack, self._config.setup
        try:
            with guarded(self._folder):
                return await trio.to_thread.run_sync(self._spool.make, attempts, pack, setup, self._python)
        except UnicodeEncodeError as error:
            raise Rejected(f"its variables cannot be written: {error}") from error

    async def _reconcile(self, array: Array) -> None:
        """We, or a dead runner, may have submitted it."""
        await self.prepare()
        await self._watch.collect([array])
        job = await sbatch.look_for(self._environ, self._controller, array)
        if job is None:
            self._spool.drop(array)
        else:
            self._accepted(array, job)

    def _accepted(self, array: Array, job: str) -> None:
        array.submitted(job)
        self._know(array)

    def _know(self, array: Array) -> None:
        for place in range(len(array.names)):
            self._by_id[array.id(place)] = self._watch.job(array, place)
