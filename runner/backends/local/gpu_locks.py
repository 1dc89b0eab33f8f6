"""A lock for each GPU and user, so that two runners on one machine do not use the same GPU."""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from urllib.parse import quote

from runner.backends.base import LEASED
from runner.backends.local import procfs
from runner.backends.local.gpu_names import GpuNames, Unit
from runner.errors import EnvironmentFailed

_INSIDE = " in "
"""Between the name of a GPU and that of the session that has it."""

LONGEST_HOLDER = 4096
"""Bytes that are read of the text in a lock."""


def user_folder() -> str:
    """The folder for the locks of this user. Never from the environment: a runner of cron and one of a desktop share it."""
    return f"/tmp/runner-{os.getuid()}"


class GpuLocks:
    """Kernel locks (flock) on a file for each GPU in `folder`. A lock ends with the process that holds it.

    A GPU has one lock for all of its names. A MIG device has one of its own, and shares that of its card.
    Inside a session of another runner (`environ` says so), the GPUs of that session are locked by the runner around it: their
    locks are files of the session's own.

    holder: says who holds the locks of this process, to others; it is written into each locked file after the pid.
    """

    def __init__(self, folder: str, names: GpuNames, environ: Mapping[str, str], holder: str = "") -> None:
        self._folder = folder
        self._names = names
        self._leased = [names.unit(name) for name in environ.get(LEASED, "").split(",") if name]
        self._session = environ.get(procfs.MARK, "")
        self._text = f"{os.getpid()} {holder}".encode()[:LONGEST_HOLDER]
        self._held: dict[str, ExitStack] = {}  # by device; closing it ends the locks
        self._holders: dict[str, str] = {}

    def try_lock(self, device: str) -> bool:
        """True if this process holds the device now; False if another one does.

        Raises EnvironmentFailed if the folder cannot be used, or if another user could change it.
        """
        if device in self._held:
            return True
        with ExitStack() as locks:
            for name, mode in self._locks(self._names.unit(device)):
                file = self._open(name)
                locks.callback(os.close, file)
                try:
                    fcntl.flock(file, mode | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._holders[device] = _holder(file)
                    return False
                if not os.fstat(file).st_nlink:  # the one that held it until now has removed it
                    return False
                os.pwrite(file, self._text, 0)
                os.ftruncate(file, len(self._text))
            self._held[device] = locks.pop_all()
            return True

    def unlock(self, device: str) -> None:
        """Release the device, if this process holds it."""
        if locks := self._held.pop(device, None):
            for name, mode in self._locks(self._names.unit(device)):
                if _INSIDE in name and mode == fcntl.LOCK_EX:
                    with suppress(FileNotFoundError):
                        os.unlink(self._path(name))  # of no use once the session has ended
            locks.close()

    def holder(self, device: str) -> str:
        """Who held the device when it was last asked for: `pid 7: /home/me/sweep.yaml`."""
        return self._holders.get(device, "")

    def _locks(self, unit: Unit) -> Iterator[tuple[str, int]]:
        """The names of the locks of a unit, and whether they are exclusive or shared. A card has one for each of its names."""
        whole = fcntl.LOCK_EX if unit.part is None else fcntl.LOCK_SH
        inside = f"{_INSIDE}{self._session}" if self._is_leased(unit) else ""
        for name in dict.fromkeys([unit.gpu, *([] if unit.index is None else [str(unit.index)])]):
            yield f"{name}{inside}", whole
        if unit.part is not None:
            yield f"{unit.part}{inside}", fcntl.LOCK_EX

    def _is_leased(self, unit: Unit) -> bool:
        """Whether the session around this process has it, from a runner that still holds it."""
        for leased in self._leased:
            if unit.gpu == leased.gpu and leased.part in (None, unit.part):
                file = self._open(leased.part or leased.gpu)
                try:
                    return _is_ancestor(_pid(file))
                finally:
                    os.close(file)
        return False

    def _open(self, name: str) -> int:
        try:
            self._prepare()
            return os.open(self._path(name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentFailed(f"no GPU lock can be created in `{self._folder}`: {error.strerror}") from None

    def _path(self, name: str) -> str:
        return f"{self._folder}/{quote(name, safe=' ')}.lock"

    def _prepare(self) -> None:
        try:
            os.mkdir(self._folder, 0o700)
        except FileExistsError:
            pass
        status = os.lstat(self._folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise EnvironmentFailed(
                f"`{self._folder}` is not a folder that only you can write to", _mended(self._folder, status.st_uid)
            )


def _mended(folder: str, owner: int) -> str:
    """What makes the folder usable. In a sticky folder, as /tmp is, only its owner and root can remove it."""
    if owner == os.getuid() or os.getuid() == 0:
        return "remove or rename it; runner creates it again, for you alone"
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    return f"it belongs to user `{name}`: ask that user or root to delete the folder; until then run without `gpu` in `resources`"


def _holder(file: int) -> str:
    pid, _, who = os.pread(file, LONGEST_HOLDER, 0).decode(errors="replace").partition(" ")
    who = "".join(char if char.isprintable() else "�" for char in who)
    return ": ".join([f"pid {pid}", *filter(None, [who])]) if pid.isdecimal() else "another runner"


def _pid(file: int) -> int:
    """The pid in the text of a lock; 0 if there is none."""
    pid = os.pread(file, LONGEST_HOLDER, 0).partition(b" ")[0]
    return int(pid) if pid.isdigit() else 0


def _is_ancestor(pid: int) -> bool:
    """Whether this process descends from the process `pid`."""
    row = procfs.process(os.getppid())
    while row is not None and row.pid > 1:
        if row.pid == pid:
            return True
        row = procfs.process(row.ppid)
    return False
