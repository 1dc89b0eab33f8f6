"""File system helpers. An `OSError` becomes an `EnvironmentFailed` with a hint."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from runner.errors import EnvironmentFailed
from runner.state.folders import Folder

FREE_SPACE = "free some space and run the same command again; nothing recorded is lost"
OTHER_FOLDER = "choose a folder you can write to with `--state DIR`"

TEMPORARY = re.compile(r"\..*\.[0-9a-f]{8}\.new", re.DOTALL)
"""The name of a file that `replacing` writes."""

_HINTS = {
    errno.ENOSPC: FREE_SPACE,
    errno.EDQUOT: FREE_SPACE,
    errno.EROFS: OTHER_FOLDER,
    errno.EACCES: OTHER_FOLDER,
    errno.EPERM: OTHER_FOLDER,
    errno.ENAMETOOLONG: "choose a folder with a shorter path with `--state DIR`",
    errno.ENOTDIR: "move that file away, or choose another folder with `--state DIR`",
    errno.EEXIST: "move that file away, or choose another folder with `--state DIR`",
}


def refused(error: OSError, path: Path | str) -> EnvironmentFailed:
    """The exception for an error about `path`, or about the path that the error names."""
    fault = error.strerror or str(error)
    message = f"cannot use `{error.filename or path}`: {fault[:1].lower()}{fault[1:]}"
    return EnvironmentFailed(message, _HINTS.get(error.errno or 0))


@contextmanager
def guarded(path: Path | str) -> Iterator[None]:
    """Turn any `OSError` of the body into an `EnvironmentFailed` about `path`."""
    try:
        yield
    except OSError as error:
        raise refused(error, path) from error


def remove(path: Path) -> None:
    """Remove a file, a link or a whole tree, if it exists. Raises OSError, also if its folder is a link."""
    if os.path.lexists(path):
        with Folder(path.parent) as folder:
            folder.remove(path.name)


@contextmanager
def replacing(path: Path, *, flush: bool = False) -> Iterator[BinaryIO]:
    """Write a file that takes the place of `path` after the body, with the mode of a new file; a reader sees one or the other.

    `flush` brings it to the disk first. Raises OSError with `path`; then the file is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.new")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb") as file:
            yield file
            if flush:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextmanager
def replacing_text(path: Path, *, errors: str = "strict", flush: bool = False) -> Iterator[TextIO]:
    """The same for text in UTF-8."""
    with replacing(path, flush=flush) as file:
        text = io.TextIOWrapper(file, "utf-8", errors, newline="\n")
        yield text
        text.detach()


def disk_usage(path: str) -> int:
    """Bytes that a file or a tree takes. Files that disappear or cannot be read count 0."""
    try:
        total = os.lstat(path).st_blocks * 512
        if os.path.isdir(path) and not os.path.islink(path):
            with os.scandir(path) as entries:
                total += sum(disk_usage(entry.path) for entry in entries)
    except OSError:
        return 0
    return total
