"""Open a state that somebody else made, to merge it: only what runner itself could have written gets in.

SQLite takes a database for a program: views, triggers, generated columns and virtual tables run when a table is read or
changed, and a rollback journal can name a file that is removed. So the journal's files are copied first, its tables are read
from the copy by a connection that runs none of that, and each value is checked and written into a new journal, which is merged.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from runner.errors import Damaged, EnvironmentFailed
from runner.state import checksums, journal, schema
from runner.state.folders import Folder
from runner.state.fs import guarded
from runner.state.merge import values
from runner.state.open import require_own_files
from runner.state.state import State

OLDEST = 2
"""The oldest version of a journal that can be merged: later ones only add columns and tables, which may be missing."""

LEAST_SECONDS, SECONDS_PER_MIB = 60.0, 1.0
"""The time in which a journal must be readable."""

_LONGEST = 64 * 1024 * 1024
"""Bytes of a value; the text of a sweep file is the longest."""

_SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""The end of a rollback journal that names another file (SQLite's file format, section 3)."""

_BLOCK = 1 << 20


@contextmanager
def open_foreign(place: Path) -> Iterator[State]:
    """The state in the folder `place`, which is not changed. Raises EnvironmentFailed; Damaged if runner did not write it."""
    require_own_files(place)
    with tempfile.TemporaryDirectory(prefix="runner-merge-") as private:
        theirs, ours = Path(private) / "theirs.db", Path(private) / "journal.db"
        with guarded(place), Folder(place) as folder:
            _copy(folder, "journal.db", theirs)
            for suffix in ("-wal", "-journal"):
                _copy(folder, f"journal.db{suffix}", theirs.with_name(theirs.name + suffix))
            if _ends_with(theirs.with_name("theirs.db-journal"), _SUPER_JOURNAL):
                raise Damaged(f"`{place}/journal.db-journal` names another file", _hint(place))
        try:
            _transcribe(theirs, ours, place / "journal.db")
        finally:
            for path in Path(private).glob("theirs.db*"):
                path.unlink()
        opened = journal.open_for_reading(ours)
        assert opened is not None
        with opened:
            yield State(place, opened)


def _copy(folder: Folder, name: str, target: Path) -> None:
    """Copy a regular file, if it exists."""
    try:
        source = folder.open(name)
    except FileNotFoundError:
        return
    with open(source, "rb") as reading, target.open("xb") as writing:
        while block := reading.read(_BLOCK):
            writing.write(block)


def _ends_with(path: Path, end: bytes) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-len(end), os.SEEK_END)
            return file.read() == end
    except OSError:  # missing, or shorter
        return False


def _transcribe(theirs: Path, ours: Path, shown: Path) -> None:
    """Write the rows of one journal into a new one. `shown` is its name in messages. Raises EnvironmentFailed and Damaged."""
    schema.create(ours)
    try:
        with closing(_connect(theirs)) as source, closing(sqlite3.connect(ours, isolation_level=None)) as target:
            columns = _columns(source, shown)
            target.execute("PRAGMA synchronous = OFF")
            target.execute("BEGIN")
            target.execute("DELETE FROM meta")
            for table, present in columns.items():
                names = [name for name in _own_columns(target, table) if name in present]
                rows = _rows(source, table, names, shown)
                marks = ", ".join("?" * len(names))
                target.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)
            for fault, query in values.RELATIONS.items():
                if target.execute(query).fetchone() is not None:
                    raise Damaged(f"`{shown}` is damaged: {fault}", _hint(shown.parent))
            target.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise Damaged(f"`{shown}` takes too long to read", _hint(shown.parent)) from error
        raise Damaged(f"`{shown}` is damaged: {error}", _hint(shown.parent)) from error
    except (sqlite3.Error, UnicodeError) as error:
        raise Damaged(f"`{shown}` is damaged: {error}", _hint(shown.parent)) from error


def _connect(path: Path) -> sqlite3.Connection:
    """Open a journal that cannot be trusted: no function of its schema runs, and every statement has a limit of time and size."""
    connection = sqlite3.connect(path, isolation_level=None)
    deadline = time.monotonic() + LEAST_SECONDS + SECONDS_PER_MIB * path.stat().st_size / (1 << 20)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    for limit, most in (
        (sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST),
        (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0),
        (sqlite3.SQLITE_LIMIT_COLUMN, 100),
        (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
    ):
        connection.setlimit(limit, most)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def _columns(connection: sqlite3.Connection, shown: Path) -> dict[str, list[str]]:
    """The columns of each table. Raises EnvironmentFailed and Damaged for anything but tables of runner's names and columns."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.APPLICATION_ID or version < OLDEST:
        raise Damaged(f"`{shown}` is not a journal of runner", _hint(shown.parent))
    if version > schema.VERSION:
        fault = f"`{shown}` was written by a newer runner (journal version {version}, known up to {schema.VERSION})"
        raise EnvironmentFailed(fault, "upgrade runner to merge it")
    found: dict[str, list[str]] = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
        if kind == "index" and sql is None:  # of a PRIMARY KEY or UNIQUE
            continue
        if kind != "table" or name not in values.TABLES or not str(sql).upper().startswith("CREATE TABLE"):
            raise Damaged(f"`{shown}` has a {kind} that runner has not made", _hint(shown.parent))
        columns = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
        if any(column[6] for column in columns):  # generated, or of a virtual table
            raise Damaged(f"`{shown}` has a column that runner has not made", _hint(shown.parent))
        found[name] = [column[1] for column in columns]
    return found


def _own_columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a table of this version, the checksum last."""
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    return sorted(names, key=lambda name: name == "crc")


def _rows(
    connection: sqlite3.Connection, table: str, names: list[str], shown: Path
) -> Iterator[tuple[values.SqlValue, ...]]:
    """The rows of a table, each value checked. Raises Damaged."""
    checks = [(name, values.TABLES[table].get(name, values.plain)) for name in names]
    for row in connection.execute(f"SELECT {', '.join(names)} FROM {table}"):
        for (name, check), value in zip(checks, row, strict=True):
            if not check(value):
                fault = f"`{shown}` is damaged: a value in `{table}.{name}` is not one that runner writes"
                raise Damaged(fault, _hint(shown.parent))
        if "crc" in names and row[-1] is not None and row[-1] != checksums.checksum(*row[:-1]):
            raise Damaged(f"`{shown}` is damaged: a row of `{table}` is not as it was written", _hint(shown.parent))
        yield row


def _hint(place: Path) -> str:
    return f"copy `{place}` again, or merge the others without it"
