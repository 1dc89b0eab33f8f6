"""How the memory limit of a session is enforced: by the best rung of a short ladder that holds here.

A cgroup of version 1, else one of version 2, else (`sampling`) the tree is added up about once a second.
"""

from __future__ import annotations

import os

from runner.backends.local import processes
from runner.backends.local.cgroups import Groups, UnusableError, open_v1, open_v2
from runner.backends.local.processes import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

CGROUP_V1, CGROUP_V2, SAMPLING = "cgroup-v1", "cgroup-v2", "sampling"
EVERY = 1.0
"""Seconds between two looks at what sessions with a limit use."""


def choose(rung: str | None, mine: tuple[int, ...]) -> tuple[Groups | None, list[str]]:
    """The groups to use, None for sampling, and why each better rung does not hold. `rung` insists on one.

    `mine` are the processes that may be moved within the caller's own group. Raises UnusableError if `rung` does
    not hold.
    """
    why: list[str] = []
    for name in (CGROUP_V1, CGROUP_V2):
        if not processes.LINUX or rung not in (None, name):
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
    for line in (processes.read(f"/proc/{member.pid}/smaps_rollup") or b"").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0 if processes.process(member.pid) is None else member.rss


def own_peak() -> int:
    """The most that this process has ever held, in bytes; 0 where unknown."""
    for line in (processes.read("/proc/self/status") or b"").splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


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
