"""The inputs of a sweep: their content as it went into the ids, and whether the files still have it.

A file is read once, for its digest; its signature (device, inode, size, mtime, ctime) is taken before and after, so that it
belongs to what was read. A check compares signatures, one `stat` a file, and reads the content only where one has moved. As
git does, it does not trust the signature of a file that was written just before it was taken: the next write might not
change it.

A file with another inode or mtime may have had another content in between, even if it has the old one again: `git checkout`
forth and back. So `check` counts these moves, and `verdict` says of one attempt whether one may have happened while it ran.
Where only the ctime has moved, it was `chmod` or `ln`, as in `chmod +x run.sh && ./run.sh`, if mode, owner or links show that or
if the folder has not changed; else the file may have been moved away and back.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from runner import regular
from runner.config import files
from runner.config.sweep import Sweep
from runner.errors import InvalidInput

READS = 3
"""How often a file is read that changes while it is read."""

CLOCK_MARGIN = 2.0
"""Seconds by which the clocks of a node and of a file server may differ."""

TICK, COARSE_TICK = 0.02, 2.0
"""Seconds between two writes that may give a file the same times: by the kernel's clock, and where times are whole seconds."""

Signature: TypeAlias = tuple[int, int, int, int, int]

Attributes: TypeAlias = tuple[int, int, int, int]


class Change(NamedTuple):
    """An input that is not what the ids were made from.

    path: relative to the sweep's folder, or absolute.
    what: in words: `changed`, `was removed`, `is new in `files``.
    """

    path: str
    what: str

    def __str__(self) -> str:
        return f"`{self.path}` {self.what}"


class _Move(NamedTuple):
    """A file that was written to or replaced.

    at: Unix time of the last change that it shows; if the content differed, of the check.
    """

    number: int
    path: str
    at: float


class _Seen(NamedTuple):
    """A file as a check saw it.

    signature: None if it did not exist.
    settled: whether a later write certainly changes the signature.
    same: whether its content was that of the digest.
    attributes: mode, links, owner, group.
    """

    signature: Signature | None
    settled: bool
    same: bool = True
    attributes: Attributes = (0, 0, 0, 0)


class Inputs:
    """The files of one sweep, or of a copy of them, below `root`.

    digests: SHA-256 in hex digits, by path.
    change: the first change that the last check has found, None if there was none.
    moves: how often a check has found that a file was written to or replaced.
    """

    def __init__(self, root: Path, digests: Mapping[str, str], seen: Mapping[str, _Seen], sweep: Sweep | None) -> None:
        self.root = root
        self.digests = digests
        self.change: Change | None = None
        self.moves = 0
        self._sweep = sweep
        self._seen = dict(seen)
        self._full = {path: os.path.join(root, path) for path in digests}
        self._links = {link: _seen(link, os.lstat) for link in _links(root, digests)}
        self._folders: dict[str, _Seen] = {} if sweep is None else _folders(sweep)
        self._parents = {os.path.dirname(full): 0 for full in self._full.values()}
        self._moved: list[_Move] = []
        self._look_at_parents()

    @classmethod
    def read(cls, sweep: Sweep) -> Inputs:
        """Read the `files` of a sweep. Raises InvalidInput if one cannot be read, or does not stop changing."""
        digests: dict[str, str] = {}
        seen: dict[str, _Seen] = {}
        for path in files.paths(sweep):
            digests[path], seen[path] = _read(os.path.join(sweep.folder, path), path)
        return cls(sweep.folder, digests, seen, sweep)

    @classmethod
    def of_copy(cls, root: Path, digests: Mapping[str, str], *, verified: bool) -> Inputs:
        """Inputs that are in a copy below `root`. verified: that their content is that of the digests was just found."""
        seen = {path: _seen(os.path.join(root, path), os.stat) for path in digests}
        if not verified:
            seen = {path: now._replace(settled=False) for path, now in seen.items()}
        return cls(root, digests, seen, None)

    @property
    def size(self) -> int:
        """How many files and folders a check looks at."""
        return len(self._full) + len(self._links) + len(self._folders)

    @property
    def bytes(self) -> int:
        """The size of the files when they were last looked at: what a check reads at most."""
        return sum(seen.signature[2] for seen in self._seen.values() if seen.signature is not None)

    def check(self) -> Change | None:
        """Compare the files with what was read. Returns `change`, and counts what has moved."""
        changes = [*self._check_files(), *self._check_folders()]
        self._check_links()
        self._look_at_parents()
        self.change = changes[0] if changes else None
        return self.change

    def verdict(self, since: int | None, began: float | None) -> Change | None:
        """Return why an attempt may have read other inputs than those of its id. To be called after `check`.

        since: `moves` before it began; None if another process submitted it.
        began: Unix time at which it began, as far as known.
        """
        if self.change is not None:
            return self.change
        before = None if began is None else began - CLOCK_MARGIN
        moved: Iterable[_Move] = self._moved if since is not None else self._last_changes()
        for move in moved:
            if (since is None or move.number > since) and (before is None or move.at >= before):
                return Change(move.path, "may have had other content")
        return None

    def _check_files(self) -> Iterable[Change]:
        look = os.stat
        for path, full in self._full.items():
            known = self._seen[path]
            try:
                about = look(full)
                if known.same and known.settled and _signature(about) == known.signature:
                    continue
                if known.same or not known.settled or _signature(about) != known.signature:
                    digest, now = _read(full, path)
                    known = self._note(path, now._replace(same=digest == self.digests[path]))
            except (OSError, InvalidInput):
                known = self._note(path, _Seen(None, settled=True, same=False))
            if not known.same:
                yield Change(path, "changed" if os.path.exists(full) else "was removed")

    def _note(self, path: str, now: _Seen) -> _Seen:
        known, self._seen[path] = self._seen[path], now
        if known.same != now.same or self._may_have_been_written(path, known, now):
            self.moves += 1
            at = now.signature[4] / 1e9 if now.same and now.signature is not None else time.time()
            self._moved.append(_Move(self.moves, path, at))
        return now

    def _may_have_been_written(self, path: str, known: _Seen, now: _Seen) -> bool:
        if known.signature is None or now.signature is None or known.signature[:4] != now.signature[:4]:
            return known.signature != now.signature
        if known.signature == now.signature or known.attributes != now.attributes:
            return False
        parent = os.path.dirname(self._full[path])
        return self._parents[parent] != _mtime(parent)

    def _look_at_parents(self) -> None:
        for parent in self._parents:
            self._parents[parent] = _mtime(parent)

    def _check_links(self) -> None:
        for link, known in self._links.items():
            now = _seen(link, os.lstat)
            if now.signature != known.signature:
                self._links[link] = now
                self.moves += 1
                at = time.time() if now.signature is None else now.signature[4] / 1e9
                self._moved.append(_Move(self.moves, os.path.relpath(link, self.root), at))

    def _check_folders(self) -> Iterable[Change]:
        """Look for new and removed files, where a folder has changed. Other changes of a folder do not matter."""
        known = self._folders.items()
        if self._sweep is None or all(seen.settled and _seen(path, os.stat)[0] == seen[0] for path, seen in known):
            return
        self._folders = _folders(self._sweep)
        try:
            present = set(files.paths(self._sweep))
        except InvalidInput as error:
            yield Change(str(self.root), f"cannot be searched: {error.message}")
            return
        for path in sorted(present ^ self.digests.keys()):
            yield Change(path, "is new in `files`" if path in present else "was removed")
            self._folders = dict.fromkeys(self._folders, _Seen(None, settled=False))  # look again next time

    def _last_changes(self) -> Iterable[_Move]:
        for path, known in {**self._links, **self._seen}.items():
            yield _Move(0, path, 0.0 if known.signature is None else known.signature[4] / 1e9)


def _read(full: str, path: str) -> tuple[str, _Seen]:
    """Return the digest of a file and its signature while it was read. Raises InvalidInput."""
    try:
        for _ in range(READS):
            with regular.read(full) as file:
                before = os.fstat(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                now = time.time()
                if _signature(os.fstat(file.fileno())) == _signature(before):
                    return digest, _Seen(_signature(before), _settled(before, now), attributes=_attributes(before))
    except OSError as error:
        raise InvalidInput(f"cannot read `{path}`: {error.strerror}") from error
    raise InvalidInput(f"`{path}` changes while it is read", "wait until it is written, or leave it out of `files`")


def _signature(about: os.stat_result) -> Signature:
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _attributes(about: os.stat_result) -> Attributes:
    return about.st_mode, about.st_nlink, about.st_uid, about.st_gid


def _mtime(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _settled(about: os.stat_result, now: float) -> bool:
    tick = TICK if about.st_ctime_ns % 1_000_000_000 else COARSE_TICK
    return abs(now - about.st_ctime) > tick


def _seen(path: str, look: Callable[[str], os.stat_result]) -> _Seen:
    now = time.time()
    try:
        about = look(path)
    except OSError:
        return _Seen(None, settled=True)
    return _Seen(_signature(about), _settled(about, now), attributes=_attributes(about))


def _folders(sweep: Sweep) -> dict[str, _Seen]:
    try:
        return {path: _seen(path, os.stat) for path in files.folders(sweep)}
    except InvalidInput:  # `files.paths` says so
        return {str(sweep.folder): _Seen(None, settled=False)}


def _links(root: Path, paths: Iterable[str]) -> set[str]:
    """Return the links on the way from `root` to the files, absolute."""
    known: dict[str, bool] = {}
    for path in paths:
        full = os.path.join(root, path)
        while full not in known and len(full) > len(str(root)):
            try:
                known[full] = stat.S_ISLNK(os.lstat(full).st_mode)
            except OSError:
                known[full] = False
            full = os.path.dirname(full)
    return {path for path, is_link in known.items() if is_link}
