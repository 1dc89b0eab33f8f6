"""Jobs whose spawner is dead: what an earlier runner, or a spawner that was killed, has left running.

It is found by the mark in its environment or, where that does not show, by a leader that still is who it was; each
look is at every process of the machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from time import monotonic

import trio

from runner.backends.local import cgroups, procfs
from runner.backends.local.procfs import Process
from runner.backends.local.supervisor.termination import Termination

_EVERY = 0.1
"""Seconds between two looks for the end of a job that nobody has asked to end."""

_TRIES = 50

_SLACK = 2.0
"""Seconds by which a process's start may differ from when its job was said to begin: clocks are slewed meanwhile."""


def leads(pid: int, started: float) -> bool:
    """Whether `pid` still is the leader of the job that began then: ours, alive, in a session of its own.

    Its start in the process table counts from the boot, and Linux alone tells it.
    """
    row = procfs.process(pid)
    if not procfs.LINUX or row is None or not row.alive or row.sid != pid:
        return False
    begun = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + row.start / os.sysconf("SC_CLK_TCK")
    try:
        return abs(begun - started) <= _SLACK and os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except FileNotFoundError:
        return False


def find(name: str, leader: int | None) -> int | None:
    """The pid of the job's leader, or else of its oldest process; None if nothing of it lives."""
    rows = _members({name: leader})
    if not rows:
        return None
    return min(rows, key=lambda row: (row.pid != row.sid, row.start, row.pid)).pid


async def gone(name: str, leader: int | None) -> None:
    """Return when nothing of the job lives any more."""
    while _members({name: leader}):  # noqa: ASYNC110 (no one tells of the end of somebody else's child)
        await trio.sleep(_EVERY)


async def end(jobs: Mapping[str, int | None], grace: float) -> None:
    """End the trees of these jobs: name to the pid of a leader that lives or has only just died, if known."""
    if not jobs:
        return
    termination = Termination(monotonic(), grace)
    while (pause := termination.step(monotonic(), _members(jobs))) is not None:  # noqa: ASYNC110
        await trio.sleep(pause)
    for groups in cgroups.places():
        for name in jobs:
            tries = 0
            while not groups.remove(groups.path(name)) and tries < _TRIES:
                tries += 1
                await trio.sleep(0.01)


def _members(jobs: Mapping[str, int | None]) -> list[Process]:
    """Their living processes: by mark, by session or group of what is marked, by descent, by memory group."""
    table = procfs.snapshot()
    table.pop(os.getpid(), None)
    marks = {pid: name for pid in table if (name := procfs.mark(pid)) in jobs and name is not None}
    # A job begins with a session of its own, so nothing foreign is in the session of what is marked.
    known = {number: name for pid, name in marks.items() for number in (pid, table[pid].sid, table[pid].pgid)}
    known.update({leader: name for name, leader in jobs.items() if leader is not None})
    for groups in cgroups.places():
        known.update({pid: name for name in jobs for pid in groups.pids(groups.path(name))})
    return [table[pid] for pid in procfs.owners(table, known, marks.get) if table[pid].alive]
