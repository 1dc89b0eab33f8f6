"""The processes of this machine, and which of them belong to which job.

A job is known by the session and process group that its leader leads, by what descends from it, and by the
mark `RUNNER_JOB=<name>` that everything which has not replaced its environment carries. Linux answers from
/proc (see proc(5)); elsewhere `ps` does, which shows no environment and so no marks.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

MARK = "RUNNER_JOB"
LINUX = sys.platform == "linux"
_MARK = MARK.encode() + b"="
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SET_CHILD_SUBREAPER = 36


class Process:
    """One row of the process table. `start` tells a reused pid apart (0 where unknown), `rss` is in bytes."""

    __slots__ = ("pgid", "pid", "ppid", "rss", "sid", "start", "state")

    def __init__(self, pid: int, ppid: int, pgid: int, sid: int, state: str, start: int, rss: int) -> None:
        self.pid, self.ppid, self.pgid, self.sid = pid, ppid, pgid, sid
        self.state, self.start, self.rss = state, start, rss

    @property
    def alive(self) -> bool:
        return self.state not in "ZX"


if TYPE_CHECKING:
    Table: TypeAlias = dict[int, Process]


def read(path: str) -> bytes | None:
    """The content of a file of /proc; None if its process is gone or is somebody else's."""
    try:
        file = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    try:
        parts = []
        while part := os.read(file, 65536):
            parts.append(part)
        return b"".join(parts)
    except (ProcessLookupError, PermissionError):
        return None
    finally:
        os.close(file)


def process(pid: int) -> Process | None:
    """The row of one process, None if there is none."""
    if not LINUX:
        return snapshot().get(pid)
    stat = read(f"/proc/{pid}/stat")
    if not stat:
        return None
    # The name before the last parenthesis may hold blanks and parentheses itself.
    words = stat[stat.rindex(b")") + 2 :].split()
    return Process(
        pid,
        int(words[1]),
        int(words[2]),
        int(words[3]),
        chr(words[0][0]),
        int(words[19]),
        int(words[21]) * _PAGE,
    )


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is more than a zombie."""
    row = process(pid)
    return row is not None and row.alive


def snapshot() -> Table:
    """Every process of this machine, as far as one can look while they go on."""
    if not LINUX:
        return _ps()
    rows = (process(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return {row.pid: row for row in rows if row}


def _ps() -> Table:
    import subprocess

    with subprocess.Popen(["ps", "-axo", "pid=,ppid=,pgid=,stat=,rss="], stdout=subprocess.PIPE) as ps:
        lines = ps.stdout.read().decode().splitlines() if ps.stdout else []
    table = {}
    for line in lines:
        pid, ppid, pgid, state, rss = line.split()
        if int(pid) != ps.pid:
            table[int(pid)] = Process(int(pid), int(ppid), int(pgid), int(pgid), state[0], 0, int(rss) * 1024)
    return table


def mark(pid: int) -> str | None:
    """The name of the job in whose environment the process was started; None if none, or not ours to see."""
    environ = read(f"/proc/{pid}/environ") if LINUX else None
    if not environ or _MARK not in environ:
        return None
    for entry in environ.split(b"\0"):
        if entry.startswith(_MARK):
            return os.fsdecode(entry[len(_MARK) :])
    return None


def settled_mark(pid: int) -> str | None:
    """As `mark`, but of one that may just be becoming another program: it shows no environment for a moment."""
    for _ in range(5):
        if not LINUX or read(f"/proc/{pid}/environ") != b"":
            break
        time.sleep(0.001)
    return mark(pid)


def descendants(table: Table, root: int) -> Table:
    """What `root` has started, and what that has started, without `root` itself."""
    inside = {root: True}
    for pid in table:
        path = []
        while pid not in inside and pid in table:
            path.append(pid)
            inside[pid] = False
            pid = table[pid].ppid
        for seen in path:
            inside[seen] = inside.get(pid, False)
    return {pid: row for pid, row in table.items() if inside[pid] and pid != root}


def owners(table: Table, known: Mapping[int, str], names: Callable[[int], str | None]) -> dict[int, str]:
    """Which job each process of the table belongs to; one that belongs to none is left out.

    `known` maps the pids of leaders (whose sessions and groups count too) and of strays to jobs. The others
    belong to their parent's job, else to that whose mark they carry: `names` gives it, and is asked only
    then.
    """
    found: dict[int, str | None] = {}
    for pid in table:
        path: list[int] = []
        job: str | None = None
        while pid not in found:
            row = table[pid]
            job = known.get(pid) or known.get(row.sid) or known.get(row.pgid)
            path.append(pid)
            if job or row.ppid not in table:
                break
            found[pid] = None
            pid = row.ppid
        else:
            job = found[pid]
        for seen in reversed(path):
            job = found[seen] = job or names(seen)
    return {pid: job for pid, job in found.items() if job}


def become_subreaper() -> bool:
    """Have every orphan among this process's descendants become its own child (prctl(2), Linux only)."""
    import ctypes  # for the spawner alone: it costs 2 ms

    return LINUX and ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


class Children:
    """The pids of this (single-threaded) process's own children, zombies included, in microseconds."""

    def __init__(self) -> None:
        self._file: int | None = None
        if LINUX:
            try:
                self._file = os.open(f"/proc/{os.getpid()}/task/{os.getpid()}/children", os.O_RDONLY)
            except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
                pass

    def __call__(self) -> list[int]:
        if self._file is None:
            return [row.pid for row in snapshot().values() if row.ppid == os.getpid()]
        parts, at = [], 0
        while part := os.pread(self._file, 65536, at):
            parts.append(part)
            at += len(part)
        return [int(pid) for pid in b"".join(parts).split()]
