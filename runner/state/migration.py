"""Bring a journal of an older version to the present one.

The writer of a state migrates it in place: first it copies the journal to `journal.db.vN`, then it changes everything in one
transaction. If it is killed before the commit, the journal is as it was, and the next writer does the same again. Readers leave
the journal as it is and migrate a private copy.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import runner
from runner.state import checksums
from runner.state.fs import guarded
from runner.state.schema import VERSION, beside

OLDEST = 2
"""The oldest version that can be migrated. Version 1 existed for two hours of development."""


def _to_3(connection: sqlite3.Connection) -> None:
    _add(connection, "applies", "usage TEXT")
    connection.execute("CREATE TABLE IF NOT EXISTS merges (token TEXT NOT NULL)")  # a merge by version 2 made it
    connection.execute("CREATE TABLE IF NOT EXISTS joined (apply INTEGER PRIMARY KEY)")


def _to_4(connection: sqlite3.Connection) -> None:
    _add(connection, "attempts", "retry_at REAL")  # the first journals of version 3 do not have it
    _add(connection, "meta", "version TEXT")
    _add(connection, "meta", "lock TEXT")
    for table in checksums.COLUMNS:
        _add(connection, table, "crc INTEGER")
    _add(connection, "applies", "file TEXT")
    for table in ("attempts", "applies"):
        _add(connection, table, "definitions TEXT")
    _add(connection, "applies", "waiting TEXT")


STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {2: _to_3, 3: _to_4}
"""By the version that a step starts from. A step adds what is not there, so that doing it twice changes nothing."""


def in_place(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Migrate the journal at `path`, which this process holds. Raises EnvironmentFailed, OSError or sqlite3.Error."""
    _copy(connection, path, version)
    connection.execute("BEGIN IMMEDIATE")
    try:
        _run(connection, version)
        checksums.seal(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrated_copy(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """A private copy of the present content in the present version. SQLite keeps it in memory, or in a file while it is large."""
    copy = sqlite3.connect("", isolation_level=None)
    try:
        checksums.install(copy)
        connection.backup(copy)
        _run(copy, version)
    except BaseException:
        copy.close()
        raise
    return copy


def _run(connection: sqlite3.Connection, version: int) -> None:
    for step in range(version, VERSION):
        STEPS[step](connection)
    connection.execute("UPDATE meta SET version = ?", (runner.__version__,))
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _copy(connection: sqlite3.Connection, path: Path, version: int) -> None:
    final = beside(path, f".v{version}")
    temporary = beside(path, f".v{version}.new")
    with guarded(temporary):
        temporary.unlink(missing_ok=True)
        with closing(sqlite3.connect(temporary)) as copy:
            connection.backup(copy)
        _flush(temporary)
        os.rename(temporary, final)
        _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _add(connection: sqlite3.Connection, table: str, column: str) -> None:
    """Add a column unless the table has it."""
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    if column.split()[0] not in names:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
