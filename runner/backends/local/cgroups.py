"""Memory cgroups: one group for each session that names `mem`, below the group that the spawner is in.

Version 1 is described in the kernel's admin-guide/cgroup-v1/memory.rst, version 2 in
admin-guide/cgroup-v2.rst. They differ in the names of files, which is what `Version` holds. Groups are named
after the attempt, so that a later runner knows what a dead one has left.
"""

from __future__ import annotations

import errno
import os

from runner.backends.local.procfs import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PREFIX = "runner-"
_LEAF = "runner.main"
"""Version 2 lets no group hold both processes and limited groups: the runner itself moves into this one."""


class UnusableError(Exception):
    """Why no memory group can be made here."""


class Version:
    """The names of files. `limits` are (file, value or None for the limit, whether it has to be accepted)."""

    def __init__(
        self, name: str, join: str, limits: tuple[tuple[str, str | None, bool], ...], events: str, peak: str
    ) -> None:
        self.name = name
        self.join = join
        self.limits = limits
        self.events = events
        self.peak = peak


# Joining through `tasks` moves one thread, and what it spawns is born inside: all that it holds is counted.
V1: Final = Version(
    "cgroup-v1",
    "tasks",
    (("memory.limit_in_bytes", None, True), ("memory.memsw.limit_in_bytes", None, False)),
    "memory.oom_control",
    "memory.max_usage_in_bytes",
)
V2: Final = Version(
    "cgroup-v2",
    "cgroup.procs",
    (("memory.max", None, True), ("memory.swap.max", "0", False), ("memory.oom.group", "1", False)),
    "memory.events",
    "memory.peak",
)


class Groups:
    """The groups below `base`, where the caller itself lives in `home`."""

    def __init__(self, version: Version, base: str, home: str) -> None:
        self.version = version
        self.base = base
        self.home = home

    def path(self, name: str) -> str:
        return f"{self.base}/{PREFIX}{name.replace('/', '%')}"

    def create(self, name: str) -> str:
        """Make a group, without a limit yet, and return its path. Raises OSError."""
        group = self.path(name)
        try:
            os.mkdir(group)
        except FileExistsError:
            pass
        return group

    def limit(self, group: str, mem: int) -> None:
        """Hold it to `mem` bytes, swap included. Raises OSError, also where it holds more that cannot be taken back."""
        for file, value, needed in self.version.limits:
            try:
                _write(f"{group}/{file}", value or str(mem))
            except OSError:
                if needed:
                    raise

    def enter(self, group: str) -> None:
        """Move the calling, single-threaded process: what it spawns is born in `group`."""
        _write(f"{group}/{self.version.join}", "0")

    def leave(self) -> None:
        self.enter(self.home)

    def kills(self, group: str) -> int:
        """How many processes the kernel has killed in it for want of memory."""
        for line in (read(f"{group}/{self.version.events}") or b"").splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
        return 0

    def peak(self, group: str) -> int | None:
        """The most that the group has ever held, in bytes, page cache included."""
        text = read(f"{group}/{self.version.peak}")
        return int(text) if text else None

    def pids(self, group: str) -> list[int]:
        """Everything in it, and in the groups that it may have made for itself."""
        return [int(pid) for folder, _, _ in os.walk(group) for pid in (read(f"{folder}/cgroup.procs") or b"").split()]

    def remove(self, group: str) -> bool:
        """Whether it is gone; the kernel may want another moment after the last process's end."""
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
        return True


def places(proc: str = "/proc/self") -> list[Groups]:
    """Where a runner like the caller makes its groups, if it can: what a dead one has left is there."""
    found = []
    for version, kind, controller in ((V1, b"cgroup", b"memory"), (V2, b"cgroup2", b"")):
        try:
            own = _own(proc, kind, controller)
        except UnusableError:
            continue
        found.append(Groups(version, own.removesuffix(f"/{_LEAF}"), own))
    return found


def open_v1(proc: str = "/proc/self") -> Groups:
    """The version 1 memory groups that the caller can make, tried out. Raises UnusableError."""
    own = _own(proc, b"cgroup", b"memory")
    groups = Groups(V1, own, own)
    _try(groups)
    return groups


def open_v2(proc: str = "/proc/self", mine: tuple[int, ...] = ()) -> Groups:
    """The version 2 memory groups that the caller can make, tried out. Raises UnusableError.

    The processes `mine`, and only they, may be moved into a leaf of the caller's group.
    """
    own = _own(proc, b"cgroup2", b"")
    base = own.removesuffix(f"/{_LEAF}")
    if b"memory" not in (read(f"{base}/cgroup.controllers") or b"").split():
        raise UnusableError("the memory controller is not delegated to this group")
    home = f"{base}/{_LEAF}"
    try:
        if b"memory" not in (read(f"{base}/cgroup.subtree_control") or b"").split():
            inside = [int(pid) for pid in (read(f"{base}/cgroup.procs") or b"").split()]
            if not set(inside) <= set(mine):
                raise UnusableError("other processes share this group")
            os.makedirs(home, exist_ok=True)
            for pid in inside:
                _write(f"{home}/cgroup.procs", str(pid))
            _write(f"{base}/cgroup.subtree_control", "+memory")
    except OSError as error:
        raise UnusableError(f"`{base}`: {error.strerror}") from None
    groups = Groups(V2, base, home if own != base or os.path.isdir(home) else own)
    _try(groups)
    return groups


def _try(groups: Groups) -> None:
    try:
        group = groups.create(f"probe-{os.getpid()}")
        try:
            groups.limit(group, 64 << 20)
            if b"oom_kill " not in (read(f"{group}/{groups.version.events}") or b""):
                raise UnusableError("this kernel does not count what it kills in a group")
        finally:
            groups.remove(group)
    except OSError as error:
        raise UnusableError(f"no group can be made in `{groups.base}`: {error.strerror}") from None


def lineage(proc: str, kind: bytes, controller: bytes) -> list[str]:
    """The folders of the caller's own group and of those above it, as far as they are mounted."""
    try:
        folder = _own(proc, kind, controller)
    except UnusableError:
        return []
    folders = []
    while os.path.exists(f"{folder}/cgroup.procs"):
        folders.append(folder)
        folder = os.path.dirname(folder)
    return folders


def _own(proc: str, kind: bytes, controller: bytes) -> str:
    """The folder of the caller's own group: its `cgroup` file within what `mountinfo` shows (proc(5))."""
    path = None
    for line in (read(f"{proc}/cgroup") or b"").splitlines():
        _, controllers, where = line.split(b":", 2)
        if controller in controllers.split(b","):
            path = where
    for line in (read(f"{proc}/mountinfo") or b"").splitlines():
        before, _, after = line.partition(b" - ")
        root, point = before.split()[3:5]
        fstype, _, options = after.split()[:3]
        if path is None or fstype != kind or (controller and controller not in options.split(b",")):
            continue
        root = root.rstrip(b"/")
        if not path.startswith(root):
            continue
        folder = os.fsdecode(point + path[len(root) :]).rstrip("/")
        if os.path.isdir(folder):
            return folder
    raise UnusableError(
        "no memory controller is mounted here" if controller else "cgroup version 2 is not mounted here"
    )


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
