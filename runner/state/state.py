"""The state of a sweep: a folder. Only this module knows its layout.

    .runner/NAME/           beside the sweep file; `--state DIR` replaces `.runner` by DIR
        journal.db  lock
        logs/ID.N.out .err  the output of attempt N; removed if empty. With `.masked`: its end, without secrets (tails.py)
        output/ID/          the session's output folder, kept over its attempts; removed if empty
        params/ID.json      the session's variables, while it runs
        builds/DIGEST/      one for each distinct build; its logs are DIGEST.out and DIGEST.err
        inputs/DIGEST/      a read-only copy of `files`, in which sessions run
        cancel/             requests of `runner cancel` to a live apply
        jobs/BACKEND/       files of a backend about its jobs, until all of them have ended
        merge/              files that `runner merge` has staged

An ended session takes at most 3 inodes: two logs and the output folder, each only if it is not empty. Files that the session
writes into the folder come on top.

Every function that touches the disk raises EnvironmentFailed where the disk refuses.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.state import lock
from runner.state.attempt_files import AttemptPaths, Kept, WrittenFiles, listed_names, size_of
from runner.state.file_pool import FilePool
from runner.state.folders import Folder
from runner.state.fs import disk_usage as _usage
from runner.state.fs import guarded, replacing
from runner.state.fs import remove as _remove
from runner.state.journal import Journal
from runner.state.snapshots import Snapshots
from runner.state.tails import SUFFIX

MOST_NAMES = 50_000
"""File names that are held at once, some 6 MB."""

_ID = re.compile("[0-9a-f]{16}")
"""Sessions and builds are named by digests."""

_LARGEST_REQUEST = 64 * 1024 * 1024
"""Bytes of a request of `runner cancel`: more than three million ids."""

PARTS = ("logs", "output", "params", "builds", "cancel")
"""The folders that every state has."""


@dataclass(frozen=True, slots=True)
class Log:
    """One log file: its session's id, its size in bytes, and when it was last written to (Unix time)."""

    path: Path
    session: str
    size: int
    modified: float


class State:
    """One opened state. `id` is random, names its jobs, and changes only if the state is copied."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.folder = folder
        self.journal = journal
        self.id = journal.state_id
        self._logs = f"{folder}/logs/"
        self._output = f"{folder}/output/"
        self._params = f"{folder}/params/"
        self._pool = FilePool()
        self.snapshots = Snapshots(folder / "inputs")

    @property
    def holder(self) -> lock.Holder | None:
        """The process that holds the state; None if it is free."""
        return lock.holder(self.folder)

    def paths(self, session: str, attempt: int) -> AttemptPaths:
        log = f"{self._logs}{session}.{attempt}"
        return AttemptPaths(log + ".out", log + ".err", self._output + session, f"{self._params}{session}.json")

    def build_folder(self, build: str) -> Path:
        return self.folder / "builds" / build

    def jobs(self, backend: str) -> Path:
        """The folder of a backend for files about its jobs. It may not exist."""
        return self.folder / "jobs" / backend

    def remove_jobs(self) -> None:
        """Remove the folders of all backends. Call it when the end of every job is recorded."""
        with guarded(self.folder):
            _remove(self.folder / "jobs")

    def prepare(self, session: str, attempt: int, params: str, *, empty: bool = False) -> AttemptPaths:
        """Create the output folder of an attempt, emptied if `empty`, and its params file.

        Other files that an earlier attempt has left under these names are removed.
        """
        places = self.paths(session, attempt)
        stdout, stderr, output, path = places
        with guarded(self.folder):
            if empty:
                _remove(Path(output))
            if not self._pool.move_output(output):
                _make_folder(Path(output))
            if not self._pool.move_params(path):
                _remove(Path(path))
            _write(path, params.encode("utf-8", "surrogatepass"))
            for log in (stdout, stderr):
                if not self._pool.move_log(log):
                    _remove_leftover(log)
        return places

    def tidy(self, session: str, attempt: int, *, drained: bool = False) -> None:
        """Remove the empty files of an ended attempt and its params file. A file that cannot be removed stays.

        If no process of its job is left (`drained`), unchanged files go to the pool for the next attempt of any session.
        """
        stdout, stderr, output, params = self.paths(session, attempt)
        pool = self._pool if drained else None
        for log in (stdout, stderr):
            if not (pool and pool.keep_log(log)) and size_of(log) == 0:
                with suppress(OSError):
                    os.unlink(log)
        if not (pool and pool.keep_params(params)):
            with suppress(OSError):
                _remove_leftover(params)
        if not (pool and pool.keep_output(output)):
            with suppress(OSError):
                os.rmdir(output)

    def clear_pool(self) -> None:
        """Remove the files that `tidy` has kept."""
        self._pool.clear()

    def kept(self, session: str, attempt: int) -> Kept:
        """Which files an attempt has left; changes nothing. A log or an output folder that is empty does not count."""
        output, stdout, stderr = self.written(session, attempt)
        return Kept(stdout is not None, stderr is not None, output is not None)

    def written(self, session: str, attempt: int) -> tuple[str | None, str | None, str | None]:
        """The paths of the output folder, of stdout and of stderr, None for what is empty or not there."""
        return self.written_files(listed=False).of(session, attempt)

    def written_files(self, *, listed: bool = True) -> WrittenFiles:
        """Answers `written` for many attempts.

        `listed` reads the names of all logs and outputs first unless there are too many: to look for 100,000 files that are
        not there takes longer than to read their attempts. The answers are then those of this moment.
        """
        names = None
        if listed:
            names = listed_names([self._logs, self._output], most=MOST_NAMES)
        return WrittenFiles(logs=self._logs, output=self._output, names=names)

    def request_cancel(self, sessions: Iterable[str] | None) -> None:
        """Ask the live apply to cancel these sessions, or all of them and itself if None."""
        text = json.dumps(None if sessions is None else sorted(sessions))
        folder = self.folder / "cancel"
        name = f"{time.time_ns():020}-{os.urandom(4).hex()}"
        with guarded(folder):
            folder.mkdir(exist_ok=True)
            with replacing(folder / f"{name}.json") as file:
                file.write(text.encode())

    def take_cancel_requests(self) -> list[frozenset[str] | None]:
        """The requests since the last call, the oldest first. Cheap if there are none."""
        with guarded(self.folder), Folder(self.folder / "cancel") as folder:
            names = sorted(name for name in folder.names() if name.endswith(".json") and not name.startswith("."))
            return [request for name in names for request in _take(folder, name)]

    def logs(self) -> Iterator[Log]:
        """Every log on the disk, in no order. A live apply may remove some of them."""
        with guarded(self.folder), suppress(FileNotFoundError), Folder(self._logs.rstrip("/")) as folder:
            for name in folder.names():
                session, _, rest = name.partition(".")
                if _ID.fullmatch(session) and rest:
                    with suppress(FileNotFoundError):
                        about = folder.stat(name)
                        yield Log(folder.path / name, session, about.st_size, about.st_mtime)

    def remove_logs(self, logs: Iterable[Log]) -> None:
        with guarded(self.folder), Folder(self._logs.rstrip("/")) as folder:
            for log in logs:
                folder.remove(log.path.name)

    def remove_sessions(self, sessions: Iterable[str]) -> None:
        """Remove the output folders and the logs of these sessions, not their rows in the journal."""
        gone = frozenset(sessions)
        with guarded(self.folder), Folder(self._output.rstrip("/")) as outputs:
            for session in gone:
                outputs.remove(session)
        self.remove_logs(log for log in self.logs() if log.session in gone)

    def builds(self) -> frozenset[str]:
        """The builds that have files on the disk. Other files in their folder, such as `.DS_Store`, belong to no build."""
        with guarded(self.folder):
            try:
                with Folder(self.folder / "builds") as folder:
                    builds = [name.partition(".")[0] for name in folder.names()]
            except FileNotFoundError:  # archives leave out empty folders
                return frozenset()
            return frozenset(build for build in builds if _ID.fullmatch(build))

    def remove_build(self, build: str) -> None:
        """Remove the folder and the logs of a build."""
        with guarded(self.folder), Folder(self.folder / "builds") as folder:
            for path in self._of_build(build):
                folder.remove(path.name)

    def remove_snapshots(self, digests: Iterable[str]) -> None:
        """Remove copies of `files`, by their digests."""
        with guarded(self.folder):
            for digest in digests:
                self.snapshots.remove(digest)

    def has_build(self, build: str) -> bool:
        """Whether the folder of a build exists."""
        try:
            return stat.S_ISDIR(os.lstat(self.build_folder(build)).st_mode)
        except OSError:
            return False

    def build_size(self, build: str) -> int:
        """Bytes on the disk, with its logs."""
        with guarded(self.folder):
            return sum(_usage(str(path)) for path in self._of_build(build))

    def _of_build(self, build: str) -> list[Path]:
        folder = self.build_folder(build)
        logs = [folder.with_suffix(suffix) for suffix in (".out", ".err")]
        return [folder, folder.with_suffix(".new"), *logs, *(Path(f"{log}{SUFFIX}") for log in logs)]

    def output_size(self, session: str) -> int:
        """Bytes on the disk."""
        with guarded(self.folder):
            return _usage(self._output + session)

    def disk_usage(self) -> dict[str, int]:
        """Bytes on the disk of each part of the state: `journal`, `logs`, `output`, `builds`, `inputs`."""
        with guarded(self.folder):
            databases = sum(_usage(str(path)) for path in self.folder.glob("journal.db*"))
            return {
                "journal": databases,
                **{part: _usage(str(self.folder / part)) for part in ("logs", "output", "builds", "inputs")},
            }


def _make_folder(path: Path) -> None:
    try:
        path.mkdir()
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            _remove(path)
            path.mkdir()


def _remove_leftover(path: str) -> None:
    """Remove what is in the way of a file, if anything is."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError:  # a folder
        _remove(Path(path))


def _write(path: str, content: bytes) -> None:
    """Replace the content of a file that no other process has open. It is not truncated first: ext4 would flush it."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        written = 0
        while written < len(content):  # a full disk takes a part, then raises
            written += os.write(file, content[written:])
        if os.fstat(file).st_size > written:  # truncating to the same size costs as much as writing
            os.truncate(file, written)
    finally:
        os.close(file)


def _take(folder: Folder, name: str) -> list[frozenset[str] | None]:
    """Remove a request, and return it if it is one: others may be able to write there."""
    try:
        with open(folder.open(name), "rb") as file:
            asked = json.loads(file.read(_LARGEST_REQUEST))
    except (OSError, ValueError, RecursionError):
        asked = ()
    folder.remove(name)
    if asked is None:
        return [None]
    return [frozenset(asked)] if isinstance(asked, list) and all(isinstance(one, str) for one in asked) else []
