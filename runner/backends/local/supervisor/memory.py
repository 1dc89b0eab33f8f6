"""How the memory limit of a session is enforced: by the best rung of a short ladder that holds here.

A cgroup of version 1, else one of version 2, else (`sampling`) the tree is added up about once a second.
"""

from __future__ import annotations

import os

from runner.backends.local import procfs
from runner.backends.local.cgroups import Groups, UnusableError, open_v1, open_v2
from runner.backends.local.procfs import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

CGROUP_V1, CGROUP_V2, SAMPLING = "cgroup-v1", "cgroup-v2", "sampling"
_DONTNEED = 4  # of madvise(2)
EVERY = 1.0
"""Seconds between two looks at what sessions with a limit use."""

_NOISE = 1 << 20
"""Bytes by which the kernel's own count of a process's memory may be off (it counts per cpu)."""


def choose(rung: str | None, mine: tuple[int, ...]) -> tuple[Groups | None, list[str]]:
    """The groups to use, None for sampling, and why each better rung does not hold. `rung` insists on one.

    `mine` are the processes that may be moved within the caller's own group. Raises UnusableError if `rung` does
    not hold.
    """
    why: list[str] = []
    for name in (CGROUP_V1, CGROUP_V2):
        if not procfs.LINUX or rung not in (None, name):
            continue
        try:
            return open_v1() if name == CGROUP_V1 else open_v2(mine=mine), why
        except UnusableError as reason:
            if rung:
                raise
            why.append(f"{name}: {reason}")
    return None, why


def used(members: Collection[Process], limit: int) -> int:
    """Bytes that a tree holds; where that decides, pages shared between its processes count once."""
    rss = sum(member.rss for member in members)
    if rss <= limit:
        return rss
    return sum(_share(member) for member in members)


def _share(member: Process) -> int:
    for line in (procfs.read(f"/proc/{member.pid}/smaps_rollup") or b"").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0 if procfs.process(member.pid) is None else member.rss


def own_peak() -> int:
    """The most that this process has ever held, in bytes; 0 where unknown."""
    for line in (procfs.read("/proc/self/status") or b"").splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Floor:
    """What this process has held: the kernel's count of a child's peak begins there."""

    def __init__(self) -> None:
        self._bytes = own_peak()

    def below(self, peak: int) -> bool:
        """Whether the peak that is counted for a child is the child's own."""
        if peak > self._bytes + _NOISE:
            self._bytes = max(self._bytes, own_peak())
        return peak > self._bytes + _NOISE


def drop_clean_pages() -> None:
    """Give back the pages of programs and libraries that start-up needed; those still needed come back by themselves.

    Only private mappings of files of which this process has changed nothing: what was relocated or written stays.
    """
    import ctypes

    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    mapping = (0, 0, False)
    for line in (procfs.read("/proc/self/smaps") or b"").splitlines():
        words = line.split()
        if words[0] == b"Anonymous:" and words[1] == b"0" and mapping[2]:
            advise(mapping[0], mapping[1] - mapping[0], _DONTNEED)
        elif not words[0].endswith(b":"):
            begin, _, end = words[0].partition(b"-")
            private_file = words[1].endswith(b"p") and words[-1].startswith(b"/")
            mapping = (int(begin, 16), int(end, 16), private_file)


def forget_own_peak() -> None:
    """Set this process's peak to what it holds now (clear_refs in proc(5)): no child is measured below it."""
    try:
        file = os.open("/proc/self/clear_refs", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(file, b"5")
    finally:
        os.close(file)
