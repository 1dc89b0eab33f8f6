"""Copy files of a state that somebody else made: plain files and folders, as new files of this user.

Left out are links, pipes, sockets and devices, and a file with several names (hard links) that does not
belong to the owner of the state: it may be a name for a file that only this user can read.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from runner.state.folders import Folder

DEEPEST = 100
"""Folders below an output folder; deeper ones are left out."""

_BLOCK = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_REPLACED = frozenset((errno.ELOOP, errno.ENOENT, errno.ENXIO))
"""It was a regular file a moment ago."""


class Copier:
    """Copies entries of one state. `left_out` has the paths, relative to the state, of what was not copied."""

    def __init__(self, state: Folder) -> None:
        self._state = state
        self._owner = os.fstat(state.descriptor).st_uid
        self.left_out: list[str] = []

    def copy(self, folder: Folder, name: str, target: Path, *, depth: int = 0) -> None:
        """Copy a file or a tree, if it exists, to a path of the stage. A copy has the mode of a new file; executables stay so."""
        try:
            mode = folder.stat(name).st_mode
            if stat.S_ISREG(mode):
                copied = self._copy_file(folder, name, target)
            elif stat.S_ISDIR(mode) and depth <= DEEPEST:
                self._copy_tree(folder, name, target, depth)
                copied = True
            else:
                copied = False
        except FileNotFoundError:
            return
        if not copied:
            self.left_out.append(os.fsdecode(os.path.relpath(folder.path / name, self._state.path)))

    def _copy_tree(self, folder: Folder, name: str, target: Path, depth: int) -> None:
        with folder.folder(name) as inner:
            target.mkdir()
            for entry in inner.names():
                self.copy(inner, entry, target / entry, depth=depth + 1)

    def _copy_file(self, folder: Folder, name: str, target: Path) -> bool:
        try:
            source = folder.open(name)
        except OSError as error:
            if error.errno in _REPLACED:
                return False
            raise
        try:
            about = os.fstat(source)
            if about.st_nlink > 1 and about.st_uid != self._owner:
                return False
            executable = about.st_mode & stat.S_IXUSR
            copy = os.open(target, _NEW, 0o777 if executable else 0o666)
            try:
                _copy_data(source, copy, about.st_size)
                os.utime(copy, ns=(about.st_atime_ns, about.st_mtime_ns))
            finally:
                os.close(copy)
        finally:
            os.close(source)
        return True


def _copy_data(source: int, copy: int, size: int) -> None:
    """Copy the first `size` bytes. Holes stay holes: a sparse file of a petabyte takes no time and no disk."""
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
            end = os.lseek(source, at, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # nothing but a hole follows, or the file was cut
        os.lseek(source, at, os.SEEK_SET)
        os.lseek(copy, at, os.SEEK_SET)
        while at < end and (block := os.read(source, min(_BLOCK, end - at))):
            _write(copy, block)
            at += len(block)
        if at < end:
            break  # the file was cut
    os.ftruncate(copy, size)


def _write(descriptor: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
