"""File system helpers. An `OSError` becomes an `EnvironmentFailed` with a hint."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import EnvironmentFailed

FREE_SPACE = "free some space and run the same command again; nothing recorded is lost"
OTHER_FOLDER = "choose a folder you can write to with `--state DIR`"

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
    """Remove a file, a link or a whole tree, if it exists, including folders without write permission."""
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
    except FileNotFoundError:
        return
    import shutil  # slow to import and rarely needed

    try:
        shutil.rmtree(path)
    except PermissionError:
        path.chmod(stat.S_IRWXU)
        for root, folders, _ in os.walk(path):
            for name in folders:
                if not os.path.islink(os.path.join(root, name)):
                    os.chmod(os.path.join(root, name), stat.S_IRWXU)
        shutil.rmtree(path)
