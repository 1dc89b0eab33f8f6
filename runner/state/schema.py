"""The journal's SQLite file: its tables, creating and opening it, and the meaning of its errors.

A journal is created as a temporary file and renamed, so that an incomplete one never exists. WAL lets others read while one
process writes. With `synchronous=NORMAL` a commit survives the death of all processes. A power cut or a kernel crash can lose the
last commits; the journal is then older but consistent.

WAL needs shared memory, which hosts do not have: on a network file system the journal uses a rollback journal.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import NoReturn

from runner.errors import Damaged, EnvironmentFailed
from runner.state.fs import FREE_SPACE, OTHER_FOLDER, guarded

VERSION = 3
"""The version of the tables below. It changes with them and with the events that they store."""

_SIDE_FILE = 32 * 1024
"""Bytes of one block of `-shm`."""

APPLICATION_ID = 0x72756E72
"""`runr`, in the header of every journal."""

# Session ids and points are stored as 8 bytes. `sessions` is narrow and `texts` wide, so that the statuses of a million
# sessions are read from some 40 MB. `n` counts up, so that rows are appended everywhere but in the unique index on `id`.
_TABLES = """
CREATE TABLE meta (state TEXT NOT NULL, created REAL NOT NULL, home TEXT);
CREATE TABLE recipes (
    n INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, sans_files TEXT NOT NULL, parts TEXT NOT NULL
);
CREATE TABLE applies (
    n INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, sweep TEXT NOT NULL, total INTEGER NOT NULL,
    to_run INTEGER NOT NULL, backend TEXT NOT NULL, capacity TEXT NOT NULL, max_parallel INTEGER,
    host TEXT NOT NULL, boot TEXT, pids TEXT, user TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
    revision TEXT, dirty INTEGER, text TEXT NOT NULL, recipe INTEGER NOT NULL, stopped TEXT, interrupted TEXT, outcomes TEXT,
    not_run INTEGER, usage TEXT
);
CREATE TABLE builds (
    build TEXT, apply INTEGER, command TEXT NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, outcome TEXT, exit_code INTEGER, reason TEXT, duration REAL, PRIMARY KEY (build, apply)
) WITHOUT ROWID;
CREATE TABLE sessions (
    n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, point BLOB NOT NULL, recipe INTEGER NOT NULL,
    attempts INTEGER NOT NULL, outcome TEXT
);
CREATE TABLE texts (
    session INTEGER PRIMARY KEY, repeat INTEGER NOT NULL, params TEXT NOT NULL, exec TEXT NOT NULL
);
CREATE TABLE attempts (
    session INTEGER, number INTEGER, apply INTEGER NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    job TEXT, host TEXT, devices TEXT, submitted REAL NOT NULL, started REAL, ended REAL, outcome TEXT,
    exit_code INTEGER, reason TEXT, duration REAL, cpu_time REAL, max_rss INTEGER, metrics TEXT,
    retry_at REAL, PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE merges (token TEXT NOT NULL);
CREATE TABLE joined (apply INTEGER PRIMARY KEY);
"""


def for_writing(path: Path, *, network: bool = False) -> sqlite3.Connection:
    """Open the journal, or create it. The caller is its one writer. Raises EnvironmentFailed.

    On a `network` file system it uses a rollback journal, so that readers on other hosts see it consistent.
    """
    with guarded(path):
        if not path.exists():
            _create(path)
    return _connect(path, "mode=rw", "TRUNCATE" if network else "WAL")


def for_reading(path: Path) -> sqlite3.Connection | None:
    """Open the journal for reading, beside a writer if there is one; None if there is no journal. Raises EnvironmentFailed.

    A read-only folder is enough, unless a killed writer has left a WAL that must be recovered.
    """
    with guarded(path):
        if not path.exists():
            return None
        try:
            return _connect(path, "mode=ro")
        except EnvironmentFailed:
            log = _beside(path, "-wal")
            if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
                raise
            # SQLite cannot create its side files here; an immutable database needs none.
            return _connect(path, "mode=ro&immutable=1")


def _connect(path: Path, mode: str, changes: str | None = None) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=30)
    try:
        if changes == "TRUNCATE":
            # With exclusive locking SQLite recovers a WAL that is still there without shared memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if version > VERSION:
            raise EnvironmentFailed(
                f"`{path}` was written by a newer runner (journal version {version}, known up to {VERSION})",
                "upgrade runner, or choose another folder with `--state DIR`",
            )
        if application != APPLICATION_ID:
            raise Damaged(f"`{path}` is not a journal of runner", _damaged(path))
        if version < VERSION:
            raise EnvironmentFailed(
                f"`{path}` was written by an older runner (journal version {version}, this one knows {VERSION})",
                "use the version of runner that wrote it, or choose another folder with `--state DIR`",
            )
        if changes is not None:
            connection.execute(f"PRAGMA journal_mode = {changes}").fetchone()
            connection.execute("PRAGMA locking_mode = NORMAL")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # releases the exclusive lock
        # A checkpoint every 8,000 pages (16 MB): each of them flushes the disk.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        # Without a WAL, NORMAL could corrupt the journal in a power cut.
        connection.execute(f"PRAGMA synchronous = {'FULL' if changes == 'TRUNCATE' else 'NORMAL'}")
    except sqlite3.Error as error:
        connection.close()
        explain(error, path)
    except BaseException:
        connection.close()
        raise
    return connection


def new_state_id() -> str:
    """12 random hex digits."""
    return os.urandom(6).hex()


def _create(path: Path) -> None:
    # The WAL of a deleted journal would be applied to the new one.
    for leftover in (
        _beside(path, ".new"),
        _beside(path, ".new-journal"),
        _beside(path, "-wal"),
        _beside(path, "-shm"),
    ):
        leftover.unlink(missing_ok=True)
    temporary = _beside(path, ".new")
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            # Small pages, because each event writes whole pages; incremental, so that `forget` can release some.
            connection.execute("PRAGMA page_size = 2048")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.executescript(_TABLES)
            connection.execute("INSERT INTO meta VALUES (?, ?, NULL)", (new_state_id(), time.time()))
        finally:
            connection.close()
    except sqlite3.Error as error:
        explain(error, path)
    # Closing writes everything into the one file. A WAL that is still there (full disk) means that it is incomplete.
    if _beside(path, ".new-wal").exists():
        raise EnvironmentFailed(f"the disk is full: cannot make `{path}`", FREE_SPACE)
    os.rename(temporary, path)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def explain(error: sqlite3.Error, path: Path) -> NoReturn:
    """Raise SQLite's errors about the environment as `EnvironmentFailed`, all others as they are."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # If the disk is too full for the shared memory file, SQLite only reports an I/O error.
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        raise EnvironmentFailed(f"the disk is full: cannot write `{path}`", FREE_SPACE) from error
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        raise EnvironmentFailed(f"cannot open or write `{path}`: {error}", OTHER_FOLDER) from error
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        raise Damaged(f"`{path}` is damaged: {error}", _damaged(path)) from error
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise EnvironmentFailed(
            f"`{path}` is locked by another program", "close it and run the command again"
        ) from error
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS):
        hint = "check the disk, or choose another one with `--state DIR`; nothing recorded is lost"
        raise EnvironmentFailed(f"cannot read or write `{path}`: {error}", hint) from error
    raise error


def _is_full(path: Path) -> bool:
    try:
        about = os.statvfs(path.parent)
    except OSError:
        return False
    return about.f_bavail * about.f_frsize < _SIDE_FILE


def _damaged(path: Path) -> str:
    return f"move it away to start again; `sqlite3 {path.name} .recover` may save what it holds"
