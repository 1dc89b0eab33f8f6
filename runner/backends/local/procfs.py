"""The process table of this machine, and the job that each process belongs to.

The processes of a job are those in the session and process group of its leader, their descendants, and every process with the
mark `RUNNER_JOB=<name>` in the environment that it was started with. Linux has all of that in /proc (see proc(5)); elsewhere
`ps` gives the table, without environments and so without marks.
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
"""The environment variable that has the name of the attempt."""

LINUX = sys.platform == "linux"

_MARK = MARK.encode() + b"="
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2)."""


class Process:
    """A row of the process table."""

    __slots__ = ("pgid", "pid", "ppid", "rss", "sid", "start", "state")

    def __init__(self, *, pid: int, ppid: int, pgid: int, sid: int, state: str, start: int, rss: int) -> None:
        self.pid = pid
        self.ppid = ppid
        self.pgid = pgid
        self.sid = sid
        self.state = state
        """One letter, as in ps(1): of the first thread, or of another one if that has ended."""
        self.start = start
        """Clock ticks after the boot; with the pid it identifies a process. 0 if unknown."""
        self.rss = rss
        """Bytes."""

    @property
    def alive(self) -> bool:
        """False for a zombie. A process whose first thread alone has ended is alive: `state` is that of another thread."""
        return self.state not in "ZX"


if TYPE_CHECKING:
    Table: TypeAlias = dict[int, Process]
    """Processes by pid."""


def read(path: str) -> bytes | None:
    """The content of a file of the kernel's; None if it does not exist, its process has ended, or belongs to another user."""
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
    """The row of one process; None if it does not exist."""
    if not LINUX:
        return snapshot().get(pid)
    words = _stat(f"/proc/{pid}")
    if not words:
        return None
    state, rss = words[0], words[21]
    if state == b"Z" and int(words[17]) > 1:  # the files of an ended first thread say nothing of the others
        for folder in _other_threads(pid):
            thread = _stat(folder)
            if thread and thread[0] not in (b"Z", b"X"):
                state, rss = thread[0], thread[21]
                break
    return Process(
        pid=pid,
        ppid=int(words[1]),
        pgid=int(words[2]),
        sid=int(words[3]),
        state=chr(state[0]),
        start=int(words[19]),
        rss=int(rss) * _PAGE,
    )


def _stat(folder: str) -> list[bytes]:
    """The fields of a `stat` file from the state on; none if the process or thread has ended."""
    stat = read(f"{folder}/stat") or b")"
    # The name of the program is in parentheses, and may contain blanks and parentheses.
    return stat[stat.rindex(b")") + 1 :].split()


def _other_threads(pid: int) -> list[str]:
    """The folders of the threads of a process, without the first one."""
    try:
        return [f"/proc/{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task") if thread != str(pid)]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def read_of_process(pid: int, name: str) -> bytes | None:
    """The content of the file `name` in the process's folder; of another thread where its first one has ended."""
    content = read(f"/proc/{pid}/{name}")
    if not content:
        for folder in _other_threads(pid):
            if content := read(f"{folder}/{name}"):
                break
    return content


def lives(pid: int) -> bool:
    """True if the process exists and is not a zombie."""
    row = process(pid)
    return row is not None and row.alive


def snapshot() -> Table:
    """Every process of this machine. Not atomic: processes start and end while the table is read."""
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
            table[int(pid)] = Process(
                pid=int(pid),
                ppid=int(ppid),
                pgid=int(pgid),
                sid=int(pgid),
                state=state[0],
                start=0,
                rss=int(rss) * 1024,
            )
    return table


def mark(pid: int) -> str | None:
    """The name in the process's mark; None if it has none, or belongs to another user."""
    environ = read_of_process(pid, "environ") if LINUX else None
    if not environ or _MARK not in environ:
        return None
    for entry in environ.split(b"\0"):
        if entry.startswith(_MARK):
            return os.fsdecode(entry[len(_MARK) :])
    return None


def settled_mark(pid: int) -> str | None:
    """As `mark`, for a process that may be in the middle of execve(2), where its environment reads as empty for a moment."""
    for _ in range(5):
        if not LINUX or read_of_process(pid, "environ") != b"":
            break
        time.sleep(0.001)
    return mark(pid)


def is_hidden(pid: int) -> bool:
    """True if the process exists and its environment may not be read: it runs as another user, or protects itself."""
    try:
        os.close(os.open(f"/proc/{pid}/environ", os.O_RDONLY))
    except PermissionError:
        return True
    except (FileNotFoundError, ProcessLookupError):
        pass
    return False


def program(pid: int) -> str:
    """The name of its program for a message: ` (sudo)`; empty if that is unknown."""
    name = (read(f"/proc/{pid}/comm") or b"").strip().decode(errors="backslashreplace") if LINUX else ""
    return f" ({''.join(char if char.isprintable() else '?' for char in name)})" if name else ""


def descendants(table: Table, root: int) -> Table:
    """The processes below `root`, without `root` itself."""
    below = {root: True}
    for pid in table:
        path = []
        while pid not in below and pid in table:
            path.append(pid)
            below[pid] = False
            pid = table[pid].ppid
        for seen in path:
            below[seen] = below.get(pid, False)
    return {pid: row for pid, row in table.items() if below[pid] and pid != root}


def owners(table: Table, known: Mapping[int, str], names: Callable[[int], str | None]) -> dict[int, str]:
    """The name of the job that each process belongs to, without those that belong to none.

    `known` maps pids of leaders, whose sessions and groups count too, and of orphans to names. Every other process belongs to
    the job of its parent, else to the job that `names` returns for its pid: its mark, which is read only then.
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


def become_subreaper(adopt: bool = True) -> bool:
    """Make orphans among this process's descendants its own children (prctl(2), Linux only), or stop that. True if it worked."""
    import ctypes  # costs 2 ms

    return LINUX and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0) == 0


def own_children() -> frozenset[int]:
    """The pids of the children of this process, of all its threads. Linux only."""
    threads = os.listdir("/proc/self/task")
    lists = [read(f"/proc/self/task/{thread}/children") for thread in threads]
    if None in lists:  # a kernel without CONFIG_PROC_CHILDREN
        return frozenset(row.pid for row in snapshot().values() if row.ppid == os.getpid())
    return frozenset(int(pid) for pids in lists for pid in (pids or b"").split())


class Children:
    """Lists the children of this (single-threaded) process in microseconds."""

    def __init__(self) -> None:
        self._file: int | None = None
        if LINUX:
            try:
                self._file = os.open(f"/proc/{os.getpid()}/task/{os.getpid()}/children", os.O_RDONLY)
            except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
                pass

    def __call__(self) -> list[int]:
        """Their pids, zombies included."""
        if self._file is None:
            return [row.pid for row in snapshot().values() if row.ppid == os.getpid()]
        parts, at = [], 0
        while part := os.pread(self._file, 65536, at):
            parts.append(part)
            at += len(part)
        return [int(pid) for pid in b"".join(parts).split()]
