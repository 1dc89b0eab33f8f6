"""The snapshots of a state: read-only copies of `files`, by the digest of their content.

    inputs/DIGEST/       the files; a link for everything else in the sweep's folder
    inputs/DIGEST.new    one that is being made

A copy shares its blocks with the original where the file system can (`FICLONE`: btrfs, XFS). It is never a hard link: an edit in
place would change it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from runner import regular
from runner.state.fs import disk_usage, guarded, remove

FICLONE = 0x40049409
"""The ioctl of linux/fs.h that makes a file share the blocks of another."""

BLOCK = 1 << 20
"""Bytes copied at a time."""

DIGEST = re.compile("[0-9a-f]{16}")
"""The name of a snapshot."""

UNLINKED = frozenset(("__pycache__", ".runner"))
"""What a snapshot has no link to: byte code of other content may fit by size and time, and the state holds the snapshot."""


class ContentDiffers(Exception):
    """A file has not the content of the snapshot. `path` is relative to its folder."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Interrupted(Exception):
    """`stop` returned true."""


def digest_of(files: Mapping[str, str]) -> str:
    """Return 16 hex digits for paths and digests of files: the name of their snapshot."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()[:16]


class Snapshots:
    """`folder`: the `inputs` folder of a state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, files: Mapping[str, str]) -> Path:
        """The folder of the snapshot of these files, which may not exist."""
        return self.folder / digest_of(files)

    def size(self, digest: str) -> int:
        """Bytes on the disk, as if it shared no blocks."""
        return disk_usage(str(self.folder / digest))

    def all(self) -> frozenset[str]:
        """The digests of all snapshots, also of those that are incomplete."""
        if not self.folder.is_dir():
            return frozenset()
        with guarded(self.folder):
            names = (name.partition(".")[0] for name in os.listdir(self.folder))
            return frozenset(name for name in names if DIGEST.fullmatch(name))

    def make(self, origin: Path, files: Mapping[str, str], stop: Callable[[], bool] = lambda: False) -> Path:
        """Return the snapshot of these files of the folder `origin`, copied and verified unless it is there.

        Raises ContentDiffers if `origin` has not this content, Interrupted, and EnvironmentFailed.
        """
        final = self.path_of(files)
        new = final.with_name(f"{final.name}.new")
        with guarded(final):
            if not self._intact(final, files, stop):
                self.remove(final.name)
                new.mkdir(parents=True)
                for path, digest in files.items():
                    target = new / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _copy(origin / path, target, path, digest, stop)
                os.rename(new, final)
            _link_rest(origin, final, files)
        return final

    def remove(self, digest: str) -> None:
        """Remove a snapshot, with what is left of making it. Raises OSError."""
        for path in (self.folder / digest, self.folder / f"{digest}.new"):
            if path.is_dir() and not path.is_symlink():
                for root, _, _ in os.walk(path):
                    os.chmod(root, 0o700)
            remove(path)

    def _intact(self, folder: Path, files: Mapping[str, str], stop: Callable[[], bool]) -> bool:
        if not folder.is_dir():
            return False
        for path, digest in files.items():
            try:
                with regular.read(folder / path) as file:
                    if _digest(file.fileno(), stop) != digest:
                        return False
            except OSError:
                return False
        return True


def _digest(file: int, stop: Callable[[], bool]) -> str:
    content = hashlib.sha256()
    while block := os.read(file, BLOCK):
        content.update(block)
        if stop():
            raise Interrupted
    return content.hexdigest()


def _copy(source: Path, target: Path, path: str, digest: str, stop: Callable[[], bool]) -> None:
    """Copy a file with its times, read-only. What is verified is the copy: the original may change at any time."""
    try:
        reading = regular.read(source)
    except (FileNotFoundError, NotADirectoryError, regular.NotRegularError):
        raise ContentDiffers(path) from None
    with reading, target.open("x+b") as writing:
        try:
            fcntl.ioctl(writing.fileno(), FICLONE, reading.fileno())
        except OSError:
            while block := reading.read(BLOCK):
                writing.write(block)
                if stop():
                    raise Interrupted from None
        writing.flush()
        os.lseek(writing.fileno(), 0, os.SEEK_SET)
        if _digest(writing.fileno(), stop) != digest:
            raise ContentDiffers(path)
        about = os.fstat(reading.fileno())
        os.utime(writing.fileno(), ns=(about.st_atime_ns, about.st_mtime_ns))
        os.fchmod(writing.fileno(), stat.S_IMODE(about.st_mode) & 0o555 | 0o400)


def _link_rest(origin: Path, snapshot: Path, files: Mapping[str, str]) -> None:
    """Make links to everything else in the folders of the files, so that a session finds what is not in `files`.

    Also in a snapshot that is there: since it was made, the user may have added files.
    """
    folders = {""}
    for path in files:
        folders.update(_above(path))
    for folder in sorted(folders):
        here, there = snapshot / folder, origin / folder
        os.chmod(here, 0o700)
        with suppress(FileNotFoundError), os.scandir(there) as entries:
            for entry in entries:
                if entry.name not in UNLINKED:
                    with suppress(FileExistsError):
                        os.symlink(entry.path, here / entry.name)
        os.chmod(here, 0o555)


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
