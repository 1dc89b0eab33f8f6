"""Where the state of a sweep is, and opening it: for the one who writes, beside whom any number may read.

Every function that touches the disk raises EnvironmentFailed where the disk refuses.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import EnvironmentFailed
from runner.state import journal, lock
from runner.state.fs import guarded
from runner.state.merge.staging import put_into_place
from runner.state.mounts import file_system
from runner.state.state import PARTS, State

FOLDER = ".runner"

_LONGEST_NAME = 200
"""Bytes; file systems allow 255."""


def locate(beside: Path, name: str, directory: Path | None) -> Path:
    """The folder of the state of sweep `name`, whose file is in the folder `beside`."""
    parent = beside / FOLDER if directory is None else directory
    return parent.absolute() / component(name)


@contextmanager
def open_for_writing(beside: Path, name: str, directory: Path | None = None) -> Iterator[State]:
    """Make the state if need be and be its one writer. Raises EnvironmentFailed, as if it is held already.

    The first to write to a copy of a state makes it one of its own, see `Journal.settle_at`.
    """
    folder = locate(beside, name, directory)
    with guarded(folder):
        _make(folder)
    kind = file_system(folder)
    if kind.unlocked:
        raise EnvironmentFailed(f"cannot keep another runner out of `{folder}`: {kind.unlocked}", lock.ELSEWHERE)
    with lock.hold(folder, prove=kind.network):
        with guarded(folder):
            for part in PARTS:
                (folder / part).mkdir(exist_ok=True)
        with journal.open_for_writing(folder / "journal.db", network=kind.network) as opened:
            opened.settle_at(_home(folder))
            put_into_place(folder, opened)  # of a merge that was killed
            state = State(folder, opened)
            state.take_cancel_requests()  # those were meant for an apply that has ended
            try:
                yield state
            finally:
                state.clear_spares()


@contextmanager
def open_for_reading(beside: Path, name: str, directory: Path | None = None) -> Iterator[State | None]:
    """The state as it is, None if there is none; works beside its writer, and makes nothing of its own."""
    with open_at(locate(beside, name, directory)) as state:
        yield state


@contextmanager
def open_at(folder: Path) -> Iterator[State | None]:
    """The state in this very folder, wherever it has come from, to be read."""
    opened = journal.open_for_reading(folder / "journal.db")
    if opened is None:
        yield None
    else:
        with opened:
            yield State(folder, opened)


def component(name: str) -> str:
    """A sweep's name as one safe part of a path: %XX for what has a meaning there, cut if too long."""
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
    """What a folder keeps when it is moved or its machine restarted, and no copy of it has.

    The file system's id and the number in it: unlike the device they are the same for all hosts that share it.
    """
    with guarded(folder):
        return f"{os.statvfs(folder).f_fsid:x}:{folder.stat().st_ino}"
