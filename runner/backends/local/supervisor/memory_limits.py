"""The memory limits of jobs, as the spawner enforces them: by groups where there are any, else by adding up."""

from __future__ import annotations

import os

from runner.backends.local.cgroups import Groups, UnusableError
from runner.backends.local.procfs import Process
from runner.backends.local.supervisor import memory
from runner.backends.local.supervisor.job import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Limits:
    """`rung` insists on one way to enforce them. Nothing is looked for before the first job that has a limit."""

    def __init__(self, rung: str | None = None) -> None:
        self._rung = rung
        self._groups: Groups | None = None
        self._chosen = False
        self.rubbish: list[str] = []
        """Groups whose processes have ended, but which the kernel has not let go yet."""

    def launch(self, job: Job, start: Callable[[], int]) -> None:
        """Have `start` spawn the leader, inside a group of the job's own where there can be one.

        Raises UnusableError, and whatever `start` does; then there is neither process nor group.
        """
        groups = self._choose()
        if not groups or job.mem is None:
            job.pid = start()
            return
        try:
            group = groups.create(job.name)
        except OSError as error:
            base = groups.base
            raise UnusableError(f"no memory group can be made in `{base}`: {error.strerror}") from None
        try:
            groups.enter(group)
            try:
                job.pid = start()
            finally:
                groups.leave()
        except BaseException:
            self._discard(group)
            raise
        job.group = group
        # Only now: while the spawner was inside, a limit could have made the kernel choose it as the victim.
        try:
            groups.limit(group, job.mem)
        except OSError:
            job.out_of_memory = True  # in these milliseconds it has taken more already

    def prepare(self, job: Job) -> str | None:
        """For a leader that is not spawned from here: the file through which it joins a group of the job's own, if there
        can be one. Raises UnusableError; then there is no group.
        """
        groups = self._choose()
        if not groups or job.mem is None:
            return None
        try:
            job.group = groups.create(job.name)
            groups.limit(job.group, job.mem)
        except OSError as error:
            self.abandon(job)
            raise UnusableError(f"no memory group can be made in `{groups.base}`: {error.strerror}") from None
        return f"{job.group}/cgroup.procs"

    def abandon(self, job: Job) -> None:
        """It has not come to be."""
        if job.group:
            self._discard(job.group)
            job.group = None

    def _choose(self) -> Groups | None:
        if not self._chosen:
            self._groups, _ = memory.choose(self._rung, (os.getpid(), os.getppid()))
            self._chosen = True
        return self._groups

    @property
    def grouped(self) -> bool:
        """Whether the kernel watches, so that nobody has to add up."""
        return self._groups is not None

    def pids(self, job: Job) -> list[int]:
        """What is in the job's group; empty where it has none."""
        return self._groups.pids(job.group) if self._groups and job.group else []

    def broken(self, job: Job, members: list[Process]) -> bool:
        """Whether the job has gone over its limit. Notes its peak."""
        if job.mem is None:
            return False
        if self._groups and job.group:
            return self._groups.kills(job.group) > 0
        use = memory.used(members, job.mem)
        job.peak = max(job.peak, use)
        return use > job.mem

    def settle(self, job: Job) -> None:
        """The tree is gone: what did its group see? The group goes too."""
        if self._groups and job.group:
            job.out_of_memory = job.out_of_memory or self._groups.kills(job.group) > 0
            if job.out_of_memory:
                job.peak = self._groups.peak(job.group) or 0
            self._discard(job.group)

    def clean(self) -> None:
        """Try again to remove what could not be removed."""
        rubbish, self.rubbish = self.rubbish, []
        for group in rubbish:
            self._discard(group)

    def _discard(self, group: str) -> None:
        if self._groups and not self._groups.remove(group):
            self.rubbish.append(group)


def over(limits: Limits, jobs: Mapping[int, Job], members: Mapping[str, list[Process]]) -> list[Job]:
    """Those jobs that are found to be over their limits for the first time."""
    return [job for job in jobs.values() if not job.out_of_memory and limits.broken(job, members.get(job.name, []))]
