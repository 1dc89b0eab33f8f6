"""Jobs without a supervisor: an earlier runner and its supervisor were killed, or the supervisor of this one.

They are found by the mark in their environment or, if that does not show, by a leader that is still the same process.
Each look reads the whole process table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic

import trio

from runner.backends.local import cgroups, procfs
from runner.backends.local.procfs import Process
from runner.backends.local.supervisor.termination import Obstacle, Termination

POLL_INTERVAL = 0.1
"""Seconds between two looks for the end of a job."""

CLOCK_TOLERANCE = 2.0
"""Seconds by which a process's start may differ from the recorded start of its job: the clock may have been adjusted since."""

_TICKS = os.sysconf("SC_CLK_TCK")

REMOVAL_TRIES, REMOVAL_INTERVAL = 50, 0.01
"""How often, and after how many seconds, to try again to remove a cgroup that the kernel holds."""


def leads(pid: int, started: float, name: str) -> bool:
    """True if the session of the process `pid` is the one of the job that started then (Unix time).

    Without that process: if all that is left there runs as another user, such as what `sudo` has started. It could not be ended
    with the job, and has to be known. Linux only: the start in the process table counts from the boot.
    """
    if not procfs.LINUX:
        return False
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    earliest = started - CLOCK_TOLERANCE
    leader = procfs.process(pid)
    if leader is not None and leader.alive:
        on_time = earliest <= boot + leader.start / _TICKS <= started + CLOCK_TOLERANCE
        return on_time and leader.sid == pid and (procfs.is_hidden(pid) or procfs.mark(pid) in (name, None))
    rows = [row for row in procfs.snapshot().values() if row.sid == pid and row.alive]
    return bool(rows) and all(earliest <= boot + row.start / _TICKS and _is_foreign(row.pid) for row in rows)


def _is_foreign(pid: int) -> bool:
    try:
        return procfs.is_hidden(pid) and os.stat(f"/proc/{pid}").st_uid != os.geteuid()
    except FileNotFoundError:
        return False


def find(name: str, leader: int | None) -> int | None:
    """The pid of the job's leader, else of its oldest process; None if none is alive."""
    rows = _members({name: leader})
    if not rows:
        return None
    return min(rows, key=lambda row: (row.pid != row.sid, row.start, row.pid)).pid


async def gone(name: str, leader: int | None) -> None:
    """Return once no process of the job is alive."""
    while _members({name: leader}):  # noqa: ASYNC110 (the kernel reports the end of a process to its parent only)
        await trio.sleep(POLL_INTERVAL)


async def end(jobs: Mapping[str, int | None], grace: float, on_stuck: Callable[[Obstacle], None]) -> None:
    """End the process trees of these jobs and remove their cgroups. Raises what `on_stuck` raises.

    on_stuck: called again and again while a process that should have been killed lives on, with the reason.
    `jobs` maps a name to the pid of the leader, if that is known and cannot belong to another process by now.
    """
    if not jobs:
        return
    termination = Termination(monotonic(), grace)
    while (pause := termination.step(monotonic(), _members(jobs))) is not None:
        if termination.stuck is not None:
            on_stuck(termination.stuck)
        await trio.sleep(pause)
    for groups in cgroups.possible():
        await _remove(groups, [groups.path(name) for name in jobs])


async def remove_empty_groups(prefix: str) -> None:
    """Remove the cgroups without processes of the attempts whose names begin with `prefix`, none of which runs here.

    A supervisor that was killed has left those of jobs that ended by themselves.
    """
    if procfs.LINUX:
        for groups in cgroups.possible():
            await _remove(groups, groups.left(prefix))


async def _remove(groups: cgroups.MemoryCgroups, paths: Iterable[str]) -> None:
    for path in paths:
        for _ in range(REMOVAL_TRIES):
            try:
                removed = groups.remove(path)
            except PermissionError:  # created by another user, such as by `sudo runner`
                break
            if removed:
                break
            await trio.sleep(REMOVAL_INTERVAL)


async def end_adopted(before: frozenset[int], on_stuck: Callable[[Obstacle], None]) -> None:
    """End what has become a child of this process since it had the children `before`: orphans of a supervisor that died.

    What has a mark is left alone: it belongs to a job that is known, or is a process of runner's own.
    """
    termination = Termination(monotonic(), 0.0)
    adopted: set[int] = set()
    while True:
        table = procfs.snapshot()
        for child in procfs.own_children() - before - adopted:
            if child in table and table[child].alive and procfs.settled_mark(child) is None:
                adopted.add(child)
        below = [row for pid in adopted for row in (table.get(pid), *procfs.descendants(table, pid).values()) if row]
        pause = termination.step(monotonic(), [row for row in below if row.alive])
        for pid in procfs.own_children() - before:  # subprocess.Popen does not mind if it is its process
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 (does not block)
        if pause is None:
            return
        if termination.stuck is not None:
            on_stuck(termination.stuck)
        await trio.sleep(pause)


def _members(jobs: Mapping[str, int | None]) -> list[Process]:
    """Their living processes: by mark, by session or group of a marked process, by descent, by cgroup."""
    table = procfs.snapshot()
    table.pop(os.getpid(), None)
    marks = {pid: name for pid in table if (name := procfs.mark(pid)) in jobs and name is not None}
    # A leader starts a session of its own, so every process in the session of a marked one belongs to the job.
    known = {number: name for pid, name in marks.items() for number in (pid, table[pid].sid, table[pid].pgid)}
    known.update({leader: name for name, leader in jobs.items() if leader is not None})
    for groups in cgroups.possible():
        known.update({pid: name for name in jobs for pid in groups.pids(groups.path(name))})
    return [table[pid] for pid in procfs.owners(table, known, marks.get) if table[pid].alive]
