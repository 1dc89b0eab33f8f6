"""The meaning of SQLite's errors: what of them is about the environment, and what says that the journal is damaged."""

from __future__ import annotations

import os
import shlex
import sqlite3
from pathlib import Path
from typing import NoReturn

from runner.errors import Damaged, EnvironmentFailed
from runner.state.fs import FREE_SPACE, OTHER_FOLDER

LONGEST_PATH = 512 - len("-journal") - 1
"""Bytes: SQLite's MAX_PATHNAME, without what it appends."""

_SIDE_FILE = 32 * 1024
"""Bytes of one block of `-shm`."""


def explain(error: sqlite3.Error, path: Path) -> NoReturn:
    """Raise SQLite's errors about the environment as `EnvironmentFailed`, all others as they are."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # If the disk is too full for the shared memory file, SQLite only reports an I/O error.
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        raise EnvironmentFailed(f"the disk is full: cannot write `{path}`", FREE_SPACE) from error
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR) and path.is_dir():
        hint = "move it away, or choose another folder with `--state DIR`"
        raise EnvironmentFailed(f"`{path}` is a folder, not a journal", hint) from error
    if code == sqlite3.SQLITE_CANTOPEN and (length := len(os.fsencode(path.absolute()))) > LONGEST_PATH:
        raise EnvironmentFailed(
            f"the path of the journal has {length} bytes, and SQLite takes {LONGEST_PATH}: `{path}`",
            "keep the state in a folder with a shorter path, with `--state DIR`",
        ) from error
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        raise EnvironmentFailed(f"cannot open or write `{path}`: {error}", OTHER_FOLDER) from error
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        raise damaged(path, str(error)) from error
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise EnvironmentFailed(
            f"`{path}` is locked by another program", "close it and run the command again"
        ) from error
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS):
        hint = (
            "check the disk, then run the same command again: outcomes of the last half minute may not have reached"
            " a disk that fails, and their sessions run again"
        )
        raise EnvironmentFailed(f"cannot read or write `{path}`: {error}", hint) from error
    raise error


def damaged(path: Path, fault: str) -> Damaged:
    """The exception for a damaged journal, with what can be done."""
    return Damaged(
        f"`{path}` is damaged: {fault}",
        f"`runner doctor --state {shlex.quote(str(path.parent))}` makes a new journal of what can be read, and keeps this one",
    )


def _is_full(path: Path) -> bool:
    try:
        about = os.statvfs(path.parent)
    except OSError:
        return False
    return about.f_bavail * about.f_frsize < _SIDE_FILE
