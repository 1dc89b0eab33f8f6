"""The process trees of jobs: their leaders, and the orphans that have become children of the supervisor."""

from __future__ import annotations

import os
import signal

from runner.backends.local import procfs
from runner.backends.local.procfs import Process
from runner.backends.local.supervisor.job import LocalJob
from runner.backends.local.supervisor.memory_limits import MemoryLimits
from runner.backends.local.supervisor.termination import send


class ProcessTrees:
    """Which job each process belongs to.

    An orphan belongs to the job whose session, process group, mark or cgroup it is in. If none of these shows, every job
    that ran when it became an orphan could own it: it is killed when the last of them has ended.
    """

    def __init__(self, limits: MemoryLimits) -> None:
        self.fork_servers: set[int] = set()
        """Children of the supervisor that belong to no job."""
        self._limits = limits
        self._jobs: dict[int, LocalJob] = {}  # by key
        self._leaders: dict[int, LocalJob] = {}  # by pid
        self._orphans: dict[int, set[int]] = {}  # pid to the keys of the jobs that could own it
        self.doubtful: set[int] = set()
        """Orphans of which more than one job could be the owner when they appeared."""
        self._children = procfs.Children()

    def add(self, job: LocalJob) -> None:
        """The job's leader runs."""
        self._jobs[job.key] = self._leaders[job.pid] = job
        self._forget(job.pid)  # its fork server may have died before its pid was reported

    def reaped(self, pid: int) -> LocalJob | None:
        """A child was reaped: the job whose leader it was, None if it was an orphan."""
        job = self._leaders.get(pid)
        if job and job.code is None:
            return job
        self._forget(pid)
        return None

    def owner(self, orphan: int) -> LocalJob | None:
        """The job that the orphan of this pid certainly belongs to."""
        keys = self._orphans.get(orphan, set())
        return self._jobs[next(iter(keys))] if len(keys) == 1 and orphan not in self.doubtful else None

    def _forget(self, pid: int) -> None:
        self._orphans.pop(pid, None)
        self.doubtful.discard(pid)

    def remove(self, job: LocalJob) -> None:
        """The job has ended: no orphan belongs to it any more."""
        del self._jobs[job.key]
        if self._leaders.get(job.pid) is job:
            del self._leaders[job.pid]
        for keys in self._orphans.values():
            keys.discard(job.key)

    def attribute_orphans(self) -> None:
        """Find the owners of orphans that have become children since the last call."""
        if not procfs.LINUX:  # there they become children of the system
            return
        for pid in self._children():
            if (
                pid in self._orphans
                or pid in self.fork_servers
                or (pid in self._leaders and self._leaders[pid].code is None)
            ):
                continue
            orphan = procfs.process(pid)
            if orphan is None or not orphan.alive:
                continue
            owner = self._owner(orphan)
            self._orphans[pid] = {owner.key} if owner else set(self._jobs)
            if len(self._orphans[pid]) > 1:
                self.doubtful.add(pid)
            if not self._jobs:
                send(orphan, signal.SIGKILL)

    def has_orphans(self, job: LocalJob) -> bool:
        """True if a process of the job outlives its leader."""
        if procfs.LINUX:
            return any(keys == {job.key} for keys in self._orphans.values())
        try:
            os.killpg(job.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def drained(self, job: LocalJob) -> bool:
        """True if no unattributed orphan process could belong to `job`, which has no members."""
        return procfs.LINUX and not any(job.key in keys for keys in self._orphans.values())

    def members(self, *, certain: bool = False) -> dict[str, list[Process]]:
        """The living processes of each job, by the job's name. `certain`: without doubtful orphans and what is below them."""
        table = procfs.snapshot()
        if procfs.LINUX:  # elsewhere the processes that a leader left behind are not descendants of the supervisor
            table = procfs.descendants(table, os.getpid())
        names = {job.name for job in self._jobs.values()}
        known = {pid: job.name for pid, job in self._leaders.items()}
        for pid, keys in self._orphans.items():
            if len(keys) == 1 and not (certain and pid in self.doubtful):
                known[pid] = self._jobs[next(iter(keys))].name
        for job in self._jobs.values():
            known.update(dict.fromkeys(self._limits.pids(job), job.name))

        def marked(pid: int) -> str | None:
            name = procfs.mark(pid)
            return name if name in names else None

        found: dict[str, list[Process]] = {}
        for pid, name in procfs.owners(table, known, marked).items():
            if table[pid].alive:
                found.setdefault(name, []).append(table[pid])
        return found

    def _owner(self, orphan: Process) -> LocalJob | None:
        job = self._leaders.get(orphan.sid) or self._leaders.get(orphan.pgid)
        if job:
            return job
        name = procfs.settled_mark(orphan.pid)
        for job in self._jobs.values():
            if job.name == name or orphan.pid in self._limits.pids(job):
                return job
        return None
