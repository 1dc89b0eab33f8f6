"""The memory limits of jobs: by cgroup version 1, else by version 2, else by sampling the process tree once a second."""

from __future__ import annotations

import os

from runner.backends.local import procfs
from runner.backends.local.cgroups import V2, MemoryCgroups, UnusableError, open_v1, open_v2, own_folder
from runner.backends.local.procfs import Process
from runner.backends.local.supervisor.job import LocalJob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

CGROUP_V1, CGROUP_V2, SAMPLING = "cgroup-v1", "cgroup-v2", "sampling"

SAMPLE_INTERVAL = 1.0
"""Seconds between two checks of jobs with a limit."""


class MemoryLimits:
    """Creates and removes a cgroup for each job with a limit, where the method uses cgroups.

    The method is chosen when the first job with a limit starts.
    """

    def __init__(self) -> None:
        self.method: str | None = None
        """`cgroup-v1`, `cgroup-v2` or `sampling`; None for the best method that this machine has."""
        self.undeleted: list[str] = []
        """Cgroups without processes that the kernel did not let go yet."""
        self._groups: MemoryCgroups | None = None
        self._chosen = False

    @property
    def uses_cgroups(self) -> bool:
        """True if the kernel enforces the limits, so that no sampling is needed."""
        return self._groups is not None

    def launch(self, job: LocalJob, start: Callable[[], int]) -> None:
        """Have `start` spawn the leader and return its pid, inside a cgroup of the job if the method uses them.

        Raises UnusableError if the cgroup cannot be created, and what `start` raises; then neither process nor cgroup is left.
        """
        groups = self._choose()
        if not groups or job.mem is None:
            job.pid = start()
            return
        group = self._create(groups, job)
        try:
            groups.enter(group)
            try:
                job.pid = start()
            finally:
                groups.leave()
        except BaseException:
            self._delete(group)
            raise
        job.cgroup = group
        # The limit is set only now: while the supervisor was inside, the kernel could have killed it for the limit.
        try:
            groups.limit(group, job.mem)
        except OSError:  # the job already holds more than its limit
            job.out_of_memory = True

    def prepare(self, job: LocalJob) -> str | None:
        """For a leader that another process forks: the file through which it joins a cgroup of the job; None without cgroups.

        Raises UnusableError if the cgroup cannot be created; then no cgroup is left.
        """
        groups = self._choose()
        if not groups or job.mem is None:
            return None
        job.cgroup = self._create(groups, job)
        try:
            groups.limit(job.cgroup, job.mem)
        except OSError as error:
            self.abandon(job)
            raise _unusable(groups, error) from None
        return f"{job.cgroup}/cgroup.procs"

    def abandon(self, job: LocalJob) -> None:
        """Undo `prepare`: the leader was not started."""
        if job.cgroup:
            self._delete(job.cgroup)
            job.cgroup = None

    def pids(self, job: LocalJob) -> list[int]:
        """The processes in the job's cgroup; empty if it has none."""
        return self._groups.pids(job.cgroup) if self._groups and job.cgroup else []

    def exceeded(self, jobs: Collection[LocalJob], members: Mapping[str, list[Process]]) -> list[LocalJob]:
        """The jobs that are over their limits and were not before. `members` are the living processes by job name."""
        return [job for job in jobs if not job.out_of_memory and self._exceeds(job, members.get(job.name, []))]

    def finish(self, job: LocalJob) -> None:
        """The job's tree is gone: read what its cgroup has counted, and delete it."""
        if self._groups and job.cgroup:
            job.out_of_memory = job.out_of_memory or self._groups.kills(job.cgroup) > 0
            if job.out_of_memory:
                job.peak = self._groups.peak(job.cgroup) or 0
            self._delete(job.cgroup)

    def delete_undeleted(self) -> None:
        """Try again to delete the cgroups that could not be deleted."""
        groups, self.undeleted = self.undeleted, []
        for group in groups:
            self._delete(group)

    def _choose(self) -> MemoryCgroups | None:
        if not self._chosen:
            self._groups, _ = choose(self.method, (os.getpid(), os.getppid()))
            self._chosen = True
        return self._groups

    def _create(self, groups: MemoryCgroups, job: LocalJob) -> str:
        try:
            return groups.create(job.name)
        except OSError as error:
            raise _unusable(groups, error) from None

    def _exceeds(self, job: LocalJob, members: list[Process]) -> bool:
        if job.mem is None:
            return False
        if self._groups and job.cgroup:
            return self._groups.kills(job.cgroup) > 0
        use = memory_use(members, job.mem)
        job.peak = max(job.peak, use)
        return use > job.mem

    def _delete(self, group: str) -> None:
        if self._groups and not self._groups.remove(group):
            self.undeleted.append(group)


def choose(method: str | None, movable: tuple[int, ...]) -> tuple[MemoryCgroups | None, list[str]]:
    """The cgroups to use, None for sampling, and why each better method is not usable here.

    `movable` are the processes that may be moved out of the caller's own cgroup. With a `method`, raises UnusableError if that
    one is not usable.
    """
    why: list[str] = []
    for name in (CGROUP_V1, CGROUP_V2):
        if not procfs.LINUX or method not in (None, name):
            continue
        try:
            return open_v1() if name == CGROUP_V1 else open_v2(own_folder(V2), movable), why
        except UnusableError as reason:
            if method:
                raise
            why.append(f"{name}: {reason}")
    return None, why


def memory_use(members: Collection[Process], limit: int) -> int:
    """Bytes that a process tree holds. Pages that its processes share count once if that decides about the limit."""
    rss = sum(member.rss for member in members)
    return rss if rss <= limit else sum(map(_proportional_set_size, members))


def _proportional_set_size(member: Process) -> int:
    """See `smaps_rollup` in proc(5)."""
    for line in (procfs.read_of_process(member.pid, "smaps_rollup") or b"").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0 if procfs.process(member.pid) is None else member.rss


def _unusable(groups: MemoryCgroups, error: OSError) -> UnusableError:
    return UnusableError(f"no memory cgroup can be created in `{groups.base}`: {error.strerror}")
