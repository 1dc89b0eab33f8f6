"""What ended attempts have left untouched, kept for the next ones.

To make and remove a file or a folder costs a disk ten to fifty times what renaming one does. Only what is as it was made
is kept, and only of a job of which nothing lives any more: else it could write into what has become another's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress


class Spares:
    """Files and folders that are nobody's just now; they keep the name of whoever had them last.

    Each `move_…` says whether `path` now is one of them. It is not where there is none, or where something else is.
    """

    def __init__(self) -> None:
        mask = os.umask(0o077)
        os.umask(mask)
        self._file = stat.S_IFREG | 0o666 & ~mask
        self._folder = stat.S_IFDIR | 0o777 & ~mask
        self._owner = os.geteuid()
        self._logs: dict[str, None] = {}
        self._params: dict[str, None] = {}
        self._outputs: dict[str, None] = {}

    def keep_log(self, path: str) -> bool:
        """Keep an empty file that is as it was made; whether it is."""
        about = self._as_made(path, self._file)
        return about is not None and about.st_size == 0 and _keep(self._logs, path)

    def keep_params(self, path: str) -> bool:
        """Keep a file that is as it was made, whatever stands in it; whether it is."""
        return self._as_made(path, self._file) is not None and _keep(self._params, path)

    def keep_output(self, path: str) -> bool:
        """Keep an empty folder that is as it was made; whether it is."""
        if self._as_made(path, self._folder) is None:
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
        """One that is there already, and not empty, is left alone: False."""
        return _move(self._outputs, path)

    def clear(self) -> None:
        """Remove all of them."""
        removals: tuple[tuple[dict[str, None], Callable[[str], None]], ...] = (
            (self._logs, os.unlink),
            (self._params, os.unlink),
            (self._outputs, os.rmdir),
        )
        for spares, remove in removals:
            for path in spares:
                with suppress(OSError):
                    remove(path)
            spares.clear()

    def _as_made(self, path: str, mode: int) -> os.stat_result | None:
        """What the kernel says of it; None if it is not as it was made."""
        try:
            about = os.lstat(path)
        except OSError:
            return None
        # A folder may have its set-group-id bit from the one above it; a second link would share what is written.
        same = about.st_mode & ~stat.S_ISGID == mode and about.st_uid == self._owner
        return about if same and (about.st_nlink == 1 or mode == self._folder) else None


def _keep(spares: dict[str, None], path: str) -> bool:
    spares[path] = None
    return True


def _move(spares: dict[str, None], path: str) -> bool:
    if path in spares:  # it was this very session's, and would be another's next
        del spares[path]
        return True
    while spares:
        spare, _ = spares.popitem()
        try:
            os.rename(spare, path)
        except FileNotFoundError:  # somebody has tidied up
            continue
        except OSError:
            spares[spare] = None
            return False
        return True
    return False
