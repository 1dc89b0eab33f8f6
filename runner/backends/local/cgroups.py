"""Memory cgroups: one for each job with a memory limit, below the cgroup of the caller.

Version 1 is described in the kernel's admin-guide/cgroup-v1/memory.rst, version 2 in admin-guide/cgroup-v2.rst. They differ in
the names of files, which `CgroupVersion` holds. A cgroup has the name of its attempt, so that a later runner finds it.
"""

from __future__ import annotations

import errno
import os

from runner.backends.local.procfs import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PREFIX = "runner-"
"""Begins the names of all cgroups that are created here."""

_LEAF = "runner.main"
"""Version 2 allows no processes in a cgroup that has limited ones below it: runner itself moves into this one."""

_TRIAL_LIMIT = 64 << 20


class UnusableError(Exception):
    """Why no memory cgroup can be created here."""


class CgroupVersion:
    """The names of the files of one version."""

    def __init__(
        self, *, name: str, join: str, limits: tuple[tuple[str, str | None, bool], ...], events: str, peak: str
    ) -> None:
        self.name = name
        self.join = join
        """The file that moves a process into the cgroup."""
        self.limits = limits
        """The files to write: name, value (None for the limit), and True if an error matters."""
        self.events = events
        """The file that counts the processes which the kernel has killed."""
        self.peak = peak
        """The file with the highest memory use."""


V1: Final = CgroupVersion(
    name="cgroup-v1",
    join="tasks",  # moves one thread; the processes that it spawns start inside, so that all their memory counts
    limits=(("memory.limit_in_bytes", None, True), ("memory.memsw.limit_in_bytes", None, False)),
    events="memory.oom_control",
    peak="memory.max_usage_in_bytes",
)
V2: Final = CgroupVersion(
    name="cgroup-v2",
    join="cgroup.procs",
    limits=(("memory.max", None, True), ("memory.swap.max", "0", False), ("memory.oom.group", "1", False)),
    events="memory.events",
    peak="memory.peak",
)


class MemoryCgroups:
    """The cgroups below the folder `base`. The caller itself is in `home`."""

    def __init__(self, version: CgroupVersion, base: str, home: str) -> None:
        self.version = version
        self.base = base
        self.home = home

    def path(self, name: str) -> str:
        """The folder of the cgroup of this attempt."""
        return f"{self.base}/{PREFIX}{name.replace('/', '%')}"

    def create(self, name: str) -> str:
        """Create a cgroup without a limit, unless it exists. Returns its folder. Raises OSError."""
        group = self.path(name)
        try:
            os.mkdir(group)
        except FileExistsError:
            pass
        return group

    def limit(self, group: str, mem: int) -> None:
        """Limit it to `mem` bytes, swap included. Raises OSError, also if it holds more than the kernel can take back."""
        for file, value, required in self.version.limits:
            try:
                _write(f"{group}/{file}", value or str(mem))
            except OSError:
                if required:
                    raise

    def enter(self, group: str) -> None:
        """Move the calling, single-threaded process: the processes that it spawns start in `group`."""
        _write(f"{group}/{self.version.join}", "0")

    def leave(self) -> None:
        """Move the calling process back."""
        self.enter(self.home)

    def kills(self, group: str) -> int:
        """How many processes in it the kernel has killed for its limit."""
        for line in (read(f"{group}/{self.version.events}") or b"").splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
        return 0

    def peak(self, group: str) -> int | None:
        """Its highest memory use in bytes, page cache included; None if unknown."""
        text = read(f"{group}/{self.version.peak}")
        return int(text) if text else None

    def pids(self, group: str) -> list[int]:
        """The processes in it and in cgroups below it."""
        return [int(pid) for folder, _, _ in os.walk(group) for pid in (read(f"{folder}/cgroup.procs") or b"").split()]

    def left(self, prefix: str) -> list[str]:
        """The cgroups without processes of the attempts whose names begin with `prefix`."""
        start = os.path.basename(self.path(prefix))
        try:
            names = [name for name in os.listdir(self.base) if name.startswith(start)]
        except FileNotFoundError:
            return []
        return [group for name in names if not self.pids(group := f"{self.base}/{name}")]

    def remove(self, group: str) -> bool:
        """Remove it and the cgroups below it. False if the kernel still holds it, as it does for a moment after the last end."""
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


def own_folder(version: CgroupVersion, controller: str = "memory") -> str:
    """The folder of the caller's own cgroup. Raises UnusableError."""
    return find_folder(read("/proc/self/cgroup") or b"", read("/proc/self/mountinfo") or b"", version, controller)


def find_folder(cgroup: bytes, mountinfo: bytes, version: CgroupVersion, controller: str = "memory") -> str:
    """The folder of a process's cgroup, from its two files of these names (see proc(5)). Raises UnusableError."""
    fstype, option = (b"cgroup", controller.encode()) if version is V1 else (b"cgroup2", b"")
    path = None
    for line in cgroup.splitlines():
        _, controllers, where = line.split(b":", 2)
        if option in controllers.split(b","):
            path = where
    for line in mountinfo.splitlines():
        before, _, after = line.partition(b" - ")
        root, mount_point = before.split()[3:5]
        mounted, _, options = after.split()[:3]
        if path is None or mounted != fstype or (option and option not in options.split(b",")):
            continue
        root = root.rstrip(b"/")
        if not path.startswith(root):
            continue
        folder = os.fsdecode(mount_point + path[len(root) :]).rstrip("/")
        if os.path.isdir(folder):
            return folder
    if version is V1:
        raise UnusableError(f"the {controller} controller is not mounted here")
    raise UnusableError("cgroup version 2 is not mounted here")


def lineage(folder: str) -> list[str]:
    """The folder of a cgroup and of those above it, as far as they are mounted."""
    folders = []
    while os.path.exists(f"{folder}/cgroup.procs"):
        folders.append(folder)
        folder = os.path.dirname(folder)
    return folders


def possible() -> list[MemoryCgroups]:
    """Where a runner in the caller's cgroup would create cgroups: those of a dead one are there."""
    found = []
    for version in (V1, V2):
        try:
            own = own_folder(version)
        except UnusableError:
            continue
        found.append(MemoryCgroups(version, own.removesuffix(f"/{_LEAF}"), own))
    return found


def open_v1() -> MemoryCgroups:
    """Version 1 cgroups below the caller's, after a trial. Raises UnusableError."""
    own = own_folder(V1)
    groups = MemoryCgroups(V1, own, own)
    _try(groups)
    return groups


def open_v2(own: str, movable: tuple[int, ...]) -> MemoryCgroups:
    """Version 2 cgroups below the caller's, after a trial. Raises UnusableError.

    `own` is the folder of the caller's cgroup. The processes `movable`, and only they, are moved into a leaf of it if necessary.
    """
    base = own.removesuffix(f"/{_LEAF}")
    if b"memory" not in (read(f"{base}/cgroup.controllers") or b"").split():
        raise UnusableError("the memory controller is not delegated to this cgroup")
    home = f"{base}/{_LEAF}"
    try:
        if b"memory" not in (read(f"{base}/cgroup.subtree_control") or b"").split():
            inside = [int(pid) for pid in (read(f"{base}/cgroup.procs") or b"").split()]
            if not set(inside) <= set(movable):
                raise UnusableError("other processes are in this cgroup")
            os.makedirs(home, exist_ok=True)
            for pid in inside:
                _write(f"{home}/cgroup.procs", str(pid))
            _write(f"{base}/cgroup.subtree_control", "+memory")
    except OSError as error:
        raise UnusableError(f"`{base}`: {error.strerror}") from None
    groups = MemoryCgroups(V2, base, home if own != base or os.path.isdir(home) else own)
    _try(groups)
    return groups


def _try(groups: MemoryCgroups) -> None:
    try:
        group = groups.create(f"probe-{os.getpid()}")
        try:
            groups.limit(group, _TRIAL_LIMIT)
            if b"oom_kill " not in (read(f"{group}/{groups.version.events}") or b""):
                raise UnusableError("this kernel does not count the processes that it kills in a cgroup")
        finally:
            groups.remove(group)
    except OSError as error:
        raise UnusableError(f"no cgroup can be created in `{groups.base}`: {error.strerror}") from None


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
