"""One writer for each state, by a kernel lock that dies with its holder.

The lock is `flock` on the file `lock`; what stands in the file is only for people: it says who holds the
lock, and means nothing while nobody does. On NFS, Linux maps flock to byte-range locks of the server, so that
it holds between machines too; where a mount says that it has locks switched off (`nolock`), or another process does not see
the lock, it is refused.

The descriptor is not inheritable. A child forked without exec still shares it, and would keep the lock when its
parent is killed: such helpers have to be started before the lock is taken, or close it.
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

_PATIENCE = 0.25
"""Seconds to go on trying: whoever only asks who holds the lock has it, shared, for some microseconds."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, as it says itself, None where it has not yet; `since` is Unix time in seconds."""

    pid: int | None = None
    host: str | None = None
    user: str | None = None
    since: float | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return "another runner"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"another runner (pid {self.pid} of {self.user} on {self.host}, since {since})"


@contextmanager
def hold(folder: Path, *, prove: bool = False) -> Iterator[None]:
    """Be the one writer of the state in `folder` (which exists) for the length of the body; `prove` that it keeps others out.

    Raises `EnvironmentFailed` if somebody else is, or if the lock file cannot be made.
    """
    path = folder / "lock"
    with guarded(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _locked(descriptor, path, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise EnvironmentFailed(
                    f"{_read(descriptor)} holds the state `{folder}`",
                    "`runner status` shows what it does; wait for it, or end it with `runner cancel`",
                )
            time.sleep(0.01)
        if prove and not _keeps_out(path):
            raise EnvironmentFailed(f"locks on `{path}` do not hold", ELSEWHERE)
        with guarded(path):
            text = json.dumps(asdict(Holder(os.getpid(), os.uname().nodename, _user(), time.time())))
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        # Closing alone leaves it locked while a child that is just being started still shares the descriptor.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def holder(folder: Path) -> Holder | None:
    """Who holds the state in `folder` just now, None if nobody does (or there is no such state).

    Needs only to read. Asking takes the lock, shared, for an instant: it never disturbs a holder, nor another
    asker, and `hold` is patient with it.
    """
    path = folder / "lock"
    with guarded(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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


def _keeps_out(path: Path) -> bool:
    """Whether another process sees that it is locked. Not only another descriptor: NFS tells processes apart."""
    child = os.fork()
    if child == 0:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            os._exit(1 if _locked(descriptor, path, fcntl.LOCK_EX) else 0)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _read(descriptor: int) -> Holder:
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError, OSError):
        return Holder()


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
