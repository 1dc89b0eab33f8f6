"""Whose each process is: the leaders that the spawner has started, and the orphans that have become its children."""

from __future__ import annotations

import os
import signal

from runner.backends.local import procfs
from runner.backends.local.procfs import Process
from runner.backends.local.supervisor.job import Job
from runner.backends.local.supervisor.memory_limits import Limits
from runner.backends.local.supervisor.termination import send


class Trees:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs: dict[int, Job] = {}
        self._leaders: dict[int, Job] = {}
        self._orphans: dict[int, set[int]] = {}  # and the jobs (keys) that each may belong to
        self._children = procfs.Children()
        self.parents: set[int] = set()
        """Children that are no job's: what warm sessions are forked from."""

    def add(self, job: Job) -> None:
        self._jobs[job.key] = self._leaders[job.pid] = job
        self._orphans.pop(job.pid, None)  # its own parent may have died before we knew of it

    def reaped(self, pid: int) -> Job | None:
        """The job whose leader it was, None if it was an orphan."""
        job = self._leaders.get(pid)
        if job and job.code is None:
            return job
        self._orphans.pop(pid, None)
        return None

    def remove(self, job: Job) -> None:
        """It has ended, and no orphan is its any more."""
        del self._jobs[job.key]
        if self._leaders.get(job.pid) is job:
            del self._leaders[job.pid]
        for keys in self._orphans.values():
            keys.discard(job.key)

    def adopt(self) -> None:
        """Find the orphans that have become our children since the last look, and whose they are."""
        if not procfs.LINUX:  # they become the system's there
            return
        for pid in self._children():
            if (
                pid in self._orphans
                or pid in self.parents
                or (pid in self._leaders and self._leaders[pid].code is None)
            ):
                continue
            orphan = procfs.process(pid)
            if orphan is None or not orphan.alive:
                continue
            owner = self._owner(orphan)
            self._orphans[pid] = {owner.key} if owner else set(self._jobs)
            if not self._jobs:
                send(orphan, signal.SIGKILL)

    def leftovers(self, job: Job) -> bool:
        """Whether anything of a job outlives its leader: its orphans would be our children."""
        if procfs.LINUX:
            return any(keys == {job.key} for keys in self._orphans.values())
        try:
            os.killpg(job.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def over(self, job: Job) -> bool:
        """Whether it is certain that nothing of a job without members lives on: there are orphans that may be anybody's."""
        return procfs.LINUX and not any(job.key in keys for keys in self._orphans.values())

    def members(self) -> dict[str, list[Process]]:
        """The living processes of each job, by its name."""
        table = procfs.snapshot()
        if procfs.LINUX:  # elsewhere, what a dead leader has left is only known by its group
            table = procfs.descendants(table, os.getpid())
        names = {job.name for job in self._jobs.values()}
        known = {pid: job.name for pid, job in self._leaders.items()}
        for pid, keys in self._orphans.items():
            if len(keys) == 1:
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

    def _owner(self, orphan: Process) -> Job | None:
        job = self._leaders.get(orphan.sid) or self._leaders.get(orphan.pgid)
        if job:
            return job
        name = procfs.settled_mark(orphan.pid)
        for job in self._jobs.values():
            if job.name == name or orphan.pid in self._limits.pids(job):
                return job
        return None
