"""Locate and open the state of a sweep, for its one writer or for readers beside it.

Every function that touches the disk raises EnvironmentFailed where the disk refuses.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import EnvironmentFailed
from runner.state import journal, lock
from runner.state.folders import require_real
from runner.state.fs import guarded
from runner.state.leftovers import remove_leftovers
from runner.state.merge.staging import put_into_place
from runner.state.mounts import file_system
from runner.state.state import PARTS, State

FOLDER = ".runner"

_LONGEST_NAME = 200
"""Bytes; file systems allow 255."""

_CLOSED_WITHIN = 0.25
"""Seconds between the last write to a journal that SQLite closes and the removal of its WAL, on a disk that is not busy."""


def locate(beside: Path, name: str, directory: Path | None) -> Path:
    """The folder of the state of sweep `name`, whose file is in the folder `beside`."""
    parent = beside / FOLDER if directory is None else directory
    return parent.absolute() / component(name)


@contextmanager
def open_for_writing(beside: Path, name: str, directory: Path | None = None) -> Iterator[State]:
    """Create the state if it does not exist, and hold it as its one writer. Raises EnvironmentFailed, also if it is held.

    A copy of a state gets an id of its own when it is first opened for writing, see `Journal.set_home`.
    """
    folder = locate(beside, name, directory)
    with guarded(folder):
        _make(folder)
    kind = file_system(folder)
    if kind.unlocked:
        raise EnvironmentFailed(f"cannot keep another runner out of `{folder}`: {kind.unlocked}", lock.ELSEWHERE)
    require_own_files(folder)
    checkpointed = _is_checkpointed(folder)  # by the time of the lock file, which changes now
    with lock.hold(folder, prove=kind.network) as held:
        require_journal(folder, misses_wal=held.wal and not checkpointed)
        with guarded(folder):
            for part in PARTS:
                (folder / part).mkdir(exist_ok=True)
        require_own_files(folder)
        with journal.open_for_writing(folder / "journal.db", network=kind.network) as opened:
            try:
                held.wal = not kind.network
                opened.presence.restore_with(folder / "lock", held.renew)
                opened.set_home(_home(folder))
                put_into_place(folder, opened)  # left by a merge that was killed
                last = opened.last_apply()
                if last is not None and last.ended is None:  # it was killed: nothing else holds the state
                    remove_leftovers(folder, opened.open_attempts())
                state = State(folder, opened)
                state.take_cancel_requests()  # they were for an apply that has ended
                try:
                    yield state
                finally:
                    state.clear_pool()
            finally:
                held.wal = False  # closing the journal empties the WAL


@contextmanager
def open_for_reading(beside: Path, name: str, directory: Path | None = None) -> Iterator[State | None]:
    """The state for reading, None if there is none. Works beside a writer and creates nothing."""
    with open_at(locate(beside, name, directory)) as state:
        yield state


@contextmanager
def open_at(folder: Path) -> Iterator[State | None]:
    """The state in this folder, for reading."""
    require_own_files(folder)
    misses_wal = not (folder / "journal.db-wal").exists() and lock.misses_wal(folder) and not _is_checkpointed(folder)
    require_journal(folder, misses_wal=misses_wal)
    opened = journal.open_for_reading(folder / "journal.db")
    if opened is None:
        yield None
    else:
        with opened:
            yield State(folder, opened)


def require_journal(folder: Path, *, misses_wal: bool) -> None:
    """Raise EnvironmentFailed if the journal or its WAL was removed from the state: what it has recorded would be forgotten."""
    path = folder / "journal.db"
    if not path.exists():
        left = next((part for part in ("logs", "output", "builds") if _holds_something(folder / part)), None)
        if left is not None or misses_wal:
            raise EnvironmentFailed(
                f"`{path}` is missing" + (f", but there are files in `{left}`" if left else ""),
                f"put it back; to start again, move `{folder}` away",
            )
    elif misses_wal and not (folder / "journal.db-wal").exists():
        raise EnvironmentFailed(
            f"`{path}-wal` is missing: a runner that died has recorded outcomes in it",
            f"put it back; `runner doctor --state {shlex.quote(str(folder))}` lets you go on without them",
        )


def _is_checkpointed(folder: Path) -> bool:
    """True if another program, such as `sqlite3`, has closed the journal after its writer died: nothing is lost.

    SQLite then writes the WAL into the journal, and removes it and the `-shm` file at once. Removing the WAL by hand leaves the
    journal as it was, and mostly the `-shm` file.
    """
    if (folder / "journal.db-shm").exists():
        return False
    try:
        opened, written, removed = ((folder / name).stat().st_mtime for name in ("lock", "journal.db", ""))
    except OSError:
        return False
    return opened < written <= removed < written + _CLOSED_WITHIN


def _holds_something(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def component(name: str) -> str:
    """A sweep's name as one safe path component: special characters as %XX, shortened with a digest if too long."""
    safe = "".join(
        character if character.isprintable() and character not in "/%\\" else _escaped(character) for character in name
    )
    if safe.startswith(".") or not safe:
        safe = "%2E" + safe[1:]
    encoded = os.fsencode(safe)
    if len(encoded) <= _LONGEST_NAME:
        return safe
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return f"{os.fsdecode(encoded[: _LONGEST_NAME - 17]).encode('utf-8', 'ignore').decode()}-{digest}"


def require_own_files(folder: Path) -> None:
    """Raise EnvironmentFailed if a part of the state is not runner's own kind of file."""
    journals = tuple(f"journal.db{suffix}" for suffix in ("", "-wal", "-shm", "-journal"))
    require_real(folder, folders=(*PARTS, "inputs", "jobs", "merge"), files=("lock", *journals))


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _make(folder: Path) -> None:
    parent = folder.parent
    if not parent.is_dir():
        parent.parent.mkdir(parents=True, exist_ok=True)
        parent.mkdir(exist_ok=True)
        (parent / ".gitignore").write_text("*\n")
    folder.mkdir(exist_ok=True)


def _home(folder: Path) -> str:
    """Identifies the folder: file system id and inode number.

    It survives a rename and a reboot, differs for a copy, and unlike the device number is the same on all hosts.
    """
    with guarded(folder):
        return f"{os.statvfs(folder).f_fsid:x}:{folder.stat().st_ino}"
