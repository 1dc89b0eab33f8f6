"""Opening regular files, and nothing else: to open a FIFO without a writer would block, and a device never ends."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader


class NotRegularError(OSError):
    """The file is a folder, a FIFO, a socket or a device."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(errno.EINVAL, "not a regular file", os.fspath(path))


def opener(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> int:
    """An `opener` of `open`. Raises NotRegularError, and OSError as `os.open` does."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(path)
    return descriptor


def read(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file for reading. Raises as `opener` does."""
    return open(path, "rb", opener=opener)
