"""Notice that a file of the state was removed, replaced or cut short while this process writes to it.

Otherwise it would go on in files without a name: every session would count as recorded, and nothing would be kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from runner.errors import EnvironmentFailed


class Presence:
    """The files of an open state by their paths, as they were when it was opened."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files: dict[str, tuple[int, int]] = {}
        self._sizes: dict[str, int] = {}
        for path in paths:
            if path.exists():
                self._remember(str(path))
        self._restore: dict[str, Callable[[], bool]] = {}

    def restore_with(self, path: Path, restore: Callable[[], bool]) -> None:
        """Call `restore` if this file is gone. If it returns True, the file is there again."""
        self._restore[str(path)] = restore

    def _remember(self, path: str) -> None:
        about = os.stat(path)
        self._files[path] = (about.st_dev, about.st_ino)

    def require(self) -> None:
        """Raise EnvironmentFailed if a file is not there, is another one, or is shorter than at the last call.

        It takes a call of stat for each file: some 5 µs of CPU time for each commit, of which there are at most 200 a second.
        """
        for path, known in self._files.items():
            try:
                about = os.stat(path)
            except OSError:
                about = None
            if about is None or (about.st_dev, about.st_ino) != known:
                if path not in self._restore or not self._restore[path]():
                    raise _gone(path, "was removed" if about is None else "was replaced")
                self._remember(path)
            elif path not in self._restore:
                if about.st_size < self._sizes.get(path, 0):
                    raise _gone(path, "was cut short")
                self._sizes[path] = about.st_size

    def shrunk(self) -> None:
        """The files were made smaller on purpose."""
        self._sizes.clear()


def _gone(path: str, how: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"`{path}` {how} while runner used it: what was recorded last may be lost",
        "put it back if you can, and run the same command again; sessions that are not recorded run again",
    )
