"""A pool of unused attempt files: the empty logs, params files and output folders of ended attempts.

Renaming one for the next attempt replaces creating and removing it. Measured on ext4 for sessions that write nothing: 170 µs of
CPU time a session with the pool, 890 without (0.8 and 5.7 ms of wall time on a busy disk). Keeping the empty logs instead would
cost two inodes for each silent session.

A file enters the pool only if it is as runner created it, and only if no process of its job is left (`drained`): a process that
still has it open would write into the file of another session.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress


class FilePool:
    """Unused files and folders under the names of their last attempts.

    Each `keep_…` returns True if the path is in the pool now, each `move_…` returns True if one was moved to `path`. Nothing is
    moved if the pool is empty or if something is in the way at `path`.
    """

    def __init__(self) -> None:
        mask = os.umask(0o077)
        os.umask(mask)
        self._file_mode = stat.S_IFREG | 0o666 & ~mask
        self._folder_mode = stat.S_IFDIR | 0o777 & ~mask
        self._owner = os.geteuid()
        self._logs: dict[str, None] = {}
        self._params: dict[str, None] = {}
        self._outputs: dict[str, None] = {}

    def keep_log(self, path: str) -> bool:
        """Keep an empty file."""
        found = self._unchanged(path, self._file_mode)
        return found is not None and found.st_size == 0 and _keep(self._logs, path)

    def keep_params(self, path: str) -> bool:
        """Keep a file with any content."""
        return self._unchanged(path, self._file_mode) is not None and _keep(self._params, path)

    def keep_output(self, path: str) -> bool:
        """Keep an empty folder."""
        if self._unchanged(path, self._folder_mode) is None:
            return False
        try:
            with os.scandir(path) as entries:
                return next(entries, None) is None and _keep(self._outputs, path)
        except OSError:
            return False

    def move_log(self, path: str) -> bool:
        return _move(self._logs, path)

    def move_params(self, path: str) -> bool:
        return _move(self._params, path)

    def move_output(self, path: str) -> bool:
        return _move(self._outputs, path)

    def clear(self) -> None:
        """Remove all files and folders of the pool."""
        removals: tuple[tuple[dict[str, None], Callable[[str], None]], ...] = (
            (self._logs, os.unlink),
            (self._params, os.unlink),
            (self._outputs, os.rmdir),
        )
        for pool, remove in removals:
            for path in pool:
                with suppress(OSError):
                    remove(path)
            pool.clear()

    def _unchanged(self, path: str, mode: int) -> os.stat_result | None:
        """The stat result if type, permissions and owner are those that runner created it with, else None."""
        try:
            found = os.lstat(path)
        except OSError:
            return None
        # A folder inherits the set-group-ID bit. A file with a second link would share what is written.
        same = found.st_mode & ~stat.S_ISGID == mode and found.st_uid == self._owner
        return found if same and (found.st_nlink == 1 or mode == self._folder_mode) else None


def _keep(pool: dict[str, None], path: str) -> bool:
    pool[path] = None
    return True


def _move(pool: dict[str, None], path: str) -> bool:
    if path in pool:  # a retry of the same session
        del pool[path]
        return True
    while pool:
        unused, _ = pool.popitem()
        try:
            os.rename(unused, path)
        except FileNotFoundError:  # removed by another program
            continue
        except OSError:
            pool[unused] = None
            return False
        return True
    return False
