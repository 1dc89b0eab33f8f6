"""One writer for each state, by a kernel lock that dies with its holder.

The lock is `flock` on the file `lock`. The content of the file describes the holder for people; it means nothing while the
lock is free. On NFS, Linux maps flock to byte-range locks of the server, so that it works between hosts. A mount without such
locks (`nolock`), or on which another process does not see the lock, is refused.

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

    def __str__(self) -> str:
        if self.pid is None:
            return "another runner"
        at = "" if self.since is None else time.strftime(", since %Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"another runner (pid {self.pid} of {self.user} on {self.host}{at})"


@contextmanager
def hold(folder: Path, *, prove: bool = False) -> Iterator[None]:
    """Hold the lock of the state in `folder`, which exists, during the body. `prove`: check that another process sees the lock.

    Raises EnvironmentFailed if another process holds it, if it does not work, or if the lock file cannot be created.
    """
    path = folder / "lock"
    with guarded(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
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
            text = json.dumps(asdict(Holder(os.getpid(), os.uname().nodename, _user(), time.time())))
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        # Closing is not enough while a child that is being started shares the descriptor.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def holder(folder: Path) -> Holder | None:
    """The holder of the state in `folder`, None if it is free or there is no such state.

    Needs only read permission. It takes the lock, shared, for an instant; `hold` retries for longer than that.
    """
    path = folder / "lock"
    with guarded(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return None if _locked(descriptor, path, fcntl.LOCK_SH) else _read(descriptor)
        finally:
            os.close(descriptor)


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
    if type(pid) is not int or not isinstance(host, str) or not isinstance(user, str):
        return Holder()
    known = isinstance(since, int | float) and 0 <= since < _LATEST
    return Holder(pid, host, user, since if known else None)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
