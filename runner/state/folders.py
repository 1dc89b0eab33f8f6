"""Files and folders of a state by descriptors: nothing below the state is followed through a symbolic link.

Others may write to the folder of a state, or have made it (`runner merge`). A path that was checked and is then opened can have
been replaced by a link in between, so each name is opened relative to the descriptor of its folder, with O_NOFOLLOW.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.errors import EnvironmentFailed

NO_LINK = "nothing in a state is followed through a link; put the folder itself there, or choose one with `--state DIR`"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a FIFO would block


class Folder:
    """An open folder. Every method raises OSError."""

    def __init__(self, path: str | Path, *, within: Folder | None = None) -> None:
        """Open the folder `path`, which is not a link; what comes before its last component may be, unless it is `within`."""
        self.descriptor: int = os.open(path, _FOLDER, dir_fd=None if within is None else within.descriptor)
        self.path: Path = Path(path) if within is None else within.path / path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def names(self) -> list[str]:
        """What is in it, in no order."""
        return os.listdir(self.descriptor)

    def stat(self, name: str) -> os.stat_result:
        """The status of an entry, of a link itself."""
        return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def open(self, name: str) -> int:
        """Open a regular file for reading. Raises OSError for anything else."""
        descriptor = os.open(name, _FILE, dir_fd=self.descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(f"not a regular file: {self.path / name}")
        return descriptor

    def folder(self, name: str) -> Folder:
        """Open a folder in it."""
        return Folder(name, within=self)

    def remove(self, name: str) -> None:
        """Remove a file, a link or a whole tree, if it exists, including folders without write permission."""
        try:
            is_folder = stat.S_ISDIR(self.stat(name).st_mode)
        except FileNotFoundError:
            return
        if not is_folder:
            os.unlink(name, dir_fd=self.descriptor)
            return
        try:
            shutil.rmtree(name, dir_fd=self.descriptor)
        except PermissionError:
            self._make_writable(name)
            shutil.rmtree(name, dir_fd=self.descriptor)

    def _make_writable(self, name: str) -> None:
        os.chmod(name, stat.S_IRWXU, dir_fd=self.descriptor)
        for _, folders, _, descriptor in os.fwalk(name, dir_fd=self.descriptor):
            for inner in folders:
                if stat.S_ISDIR(os.stat(inner, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    os.chmod(inner, stat.S_IRWXU, dir_fd=descriptor)


def open_file(path: str | Path) -> int:
    """Open a regular file for reading, not through a link as its folder or as the file. Raises OSError for anything else."""
    folder, name = os.path.split(path)
    with Folder(folder) as opened:
        return opened.open(name)


def require_real(folder: Path, *, folders: tuple[str, ...], files: tuple[str, ...]) -> None:
    """Raise EnvironmentFailed if one of these names in a state exists, but is not a folder, or not a regular file."""
    for names, is_right, what in ((folders, stat.S_ISDIR, "folder"), (files, stat.S_ISREG, "regular file")):
        for name in names:
            try:
                mode = os.lstat(folder / name).st_mode
            except OSError:
                continue
            if stat.S_ISLNK(mode):
                raise EnvironmentFailed(f"`{folder / name}` is a symbolic link", NO_LINK)
            if not is_right(mode):
                raise EnvironmentFailed(f"`{folder / name}` is not a {what}", "move it away")
