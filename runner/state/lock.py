"""One writer for each state, by a kernel lock that dies with its holder.

The lock is `flock` on the file `lock`. The content of the file describes the holder for people. While the lock is
free only its `wal` means something. On NFS, Linux maps flock to byte-range locks of the server, so that it works between hosts.
A mount without such locks (`nolock`), or on which another process does not see the lock, is refused.

The descriptor is not inheritable. A child forked without exec still shares it, and keeps the lock when its parent is killed:
start such a child before taking the lock, or close the descriptor in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.errors import EnvironmentFailed
from runner.state.fs import guarded

ELSEWHERE = "put the state on a file system with locks, with `--state DIR`"

_LATEST = 253_402_300_800
"""The year 10000 as Unix time: later ones are not valid."""

_RETRY_SECONDS = 0.25
"""Seconds to retry: a process that asks for the holder has the lock, shared, for some microseconds."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lock by its own description, None if it has not written it yet; `since` is Unix time in seconds."""

    pid: int | None = None
    host: str | None = None
    user: str | None = None
    since: float | None = None
    wal: bool = False
    """Whether records may be in the journal's WAL alone."""

    def __str__(self) -> str:
        if self.pid is None:
            return "another runner"
        at = "" if self.since is None else time.strftime(", since %Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"another runner (pid {self.pid} of {self.user} on {self.host}{at})"


class Held:
    """A lock that this process holds."""

    def __init__(self, path: Path, descriptor: int, wal: bool) -> None:
        self._path = path
        self._descriptor = descriptor
        self._wal = wal
        self._since = time.time()

    @property
    def wal(self) -> bool:
        """Whether records may be in the journal's WAL alone. Kept over the death of the holder, so that a lost WAL is noticed."""
        return self._wal

    @wal.setter
    def wal(self, wal: bool) -> None:
        self._wal = wal
        self.describe()

    def describe(self) -> None:
        """Write the description of this process into the file."""
        text = json.dumps(asdict(Holder(os.getpid(), os.uname().nodename, _user(), self._since, self._wal))).encode()
        os.pwrite(self._descriptor, text.ljust(os.fstat(self._descriptor).st_size), 0)

    def renew(self) -> bool:
        """Lock the file that is at the path now, or a new one: somebody has removed the one that is held.

        Returns False if another process holds that, or if it cannot be made.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError:
            return False
        if not _locked(descriptor, self._path, fcntl.LOCK_EX):
            os.close(descriptor)
            return False
        _hide_from_readers(descriptor)
        os.close(self._descriptor)
        self._descriptor = descriptor
        self.describe()
        return True

    def release(self) -> None:
        # Closing is not enough while a child that is being started shares the descriptor.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)

    def clear(self) -> None:
        """Remove the description, unless a WAL is missed."""
        if not self._wal:
            os.ftruncate(self._descriptor, 0)


@contextmanager
def hold(folder: Path, *, prove: bool = False) -> Iterator[Held]:
    """Hold the lock of the state in `folder`, which exists, during the body. `prove`: check that another process sees the lock.

    Raises EnvironmentFailed if another process holds it, if it does not work, or if the lock file cannot be created.
    """
    path = folder / "lock"
    with guarded(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        _hide_from_readers(descriptor)
    held = Held(path, descriptor, wal=False)
    try:
        deadline = time.monotonic() + _RETRY_SECONDS
        while not _locked(descriptor, path, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise EnvironmentFailed(
                    f"{_read(descriptor)} holds the state `{folder}`",
                    "wait until it ends, or end it with `runner cancel`",
                )
            time.sleep(0.01)
        if prove and not _seen_by_others(path):
            raise EnvironmentFailed(f"locks on `{path}` do not work", ELSEWHERE)
        with guarded(path):
            held.wal = _read(descriptor).wal
        try:
            yield held
        finally:
            with guarded(path):
                held.clear()
    finally:
        held.release()


def holder(folder: Path) -> Holder | None:
    """The holder of the state in `folder`, None if it is free or there is no such state.

    It takes the lock, shared, for an instant; `hold` retries for longer than that. Another user who may not do that learns
    from the kernel whether it is held, but not by which process.
    """
    free, found = _look(folder / "lock")
    return None if free else found


def misses_wal(folder: Path) -> bool:
    """True if the last holder has died with records in the WAL alone; False if that cannot be known."""
    free, found = _look(folder / "lock")
    return free and found.wal


def _look(path: Path) -> tuple[bool, Holder]:
    """Whether the lock is free, and its description."""
    with guarded(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return True, Holder()
        except PermissionError:
            return not _listed(path), Holder()
        try:
            return _locked(descriptor, path, fcntl.LOCK_SH), _read(descriptor)
        finally:
            os.close(descriptor)


def _hide_from_readers(descriptor: int) -> None:
    """Let only those read the lock file who may write it: who may read it can lock it, and keep its owner out."""
    about = os.fstat(descriptor)
    writers = about.st_mode & 0o222
    if about.st_uid == os.geteuid() and about.st_mode & 0o777 != writers | writers << 1:
        os.fchmod(descriptor, writers | writers << 1)


def _listed(path: Path) -> bool:
    """Whether the kernel lists a lock on this file: proc_locks(5)."""
    try:
        inode = path.lstat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    return any(" FLOCK " in line and f":{inode} " in line for line in lines)


def _locked(descriptor: int, path: Path, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise EnvironmentFailed(f"cannot lock `{path}`: {error.strerror}", ELSEWHERE) from error
    return True


def _seen_by_others(path: Path) -> bool:
    """True if another process sees the lock. Another descriptor does not prove it: NFS locks belong to processes."""
    child = os.fork()
    if child == 0:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            os._exit(1 if _locked(descriptor, path, fcntl.LOCK_EX) else 0)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _read(descriptor: int) -> Holder:
    """The description in the lock file. Other users may be able to write there: what `hold` would not write is left out."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
    except (ValueError, RecursionError, OSError):
        return Holder()
    pid, host, user, since = map(found.get, ("pid", "host", "user", "since")) if isinstance(found, dict) else [None] * 4
    wal = isinstance(found, dict) and found.get("wal") is True
    if type(pid) is not int or not isinstance(host, str) or not isinstance(user, str):
        return Holder(wal=wal)
    known = isinstance(since, int | float) and 0 <= since < _LATEST
    return Holder(pid, host, user, since if known else None, wal)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
