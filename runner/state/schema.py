"""The journal's SQLite file: its tables, how it comes to be, how it is opened, and what its errors mean.

A journal is made in a temporary file and renamed, so that a half-made one never exists. WAL lets others read
while one process writes. With `synchronous=NORMAL` a commit survives the death of every process at once; only
a power cut or a crash of the kernel can cost the last commits, and leaves an older but whole journal.

WAL needs memory that all share who have it open, which hosts of a network do not: there, changes go by a rollback journal.
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
"""Of the tables below; it goes up with every change of them or of the events that they hold."""

_SIDE_FILE = 32 * 1024
"""Bytes of one block of `-shm`."""

APPLICATION_ID = 0x72756E72
"""`runr`, in the header of every journal."""

# Session ids and points are their 8 bytes. `sessions` is narrow and `texts` wide so that where a million
# sessions stand is read from some 40 MB; `n` counts up, so that everything but the unique index on `id` is
# written at its end.
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
    """Open the journal, or make it. The caller is its one writer. Raises EnvironmentFailed.

    On a `network`'s file system it is opened so that readers on other hosts see it whole.
    """
    with guarded(path):
        if not path.exists():
            _create(path)
    return _connect(path, "mode=rw", "TRUNCATE" if network else "WAL")


def for_reading(path: Path) -> sqlite3.Connection | None:
    """Open the journal beside its writer, if any; None if there is none. Raises EnvironmentFailed.

    A folder that may not be written serves too, except while changes of a killed writer wait to be taken in.
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
            # Where SQLite cannot make its side files, only a reader that expects no writer gets in.
            return _connect(path, "mode=ro&immutable=1")


def _connect(path: Path, mode: str, changes: str | None = None) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=30)
    try:
        if changes == "TRUNCATE":
            # Whoever has it alone reads a WAL that it may still have without the shared memory.
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
                "go on with the runner that wrote it, move it away to begin anew, or choose another folder with `--state DIR`",
            )
        if changes is not None:
            connection.execute(f"PRAGMA journal_mode = {changes}").fetchone()
            connection.execute("PRAGMA locking_mode = NORMAL")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # lets go of a lock for good
        # 8,000 pages are 16 MB of log between two checkpoints: each costs the disk a flush.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        # Without a WAL, less than FULL could leave a journal that is not whole.
        connection.execute(f"PRAGMA synchronous = {'FULL' if changes == 'TRUNCATE' else 'NORMAL'}")
    except sqlite3.Error as error:
        connection.close()
        explain(error, path)
    except BaseException:
        connection.close()
        raise
    return connection


def new_state_id() -> str:
    """12 random hex digits: no two states ever share them."""
    return os.urandom(6).hex()


def _create(path: Path) -> None:
    # The log of a journal that somebody deleted would be taken for the new one's.
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
            # Small pages, as each event writes whole ones; incremental, so that `forget` can give some back.
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
    # Closed, all of it is in the one file; were its log still there (a full disk), it would not be whole.
    if _beside(path, ".new-wal").exists():
        raise EnvironmentFailed(f"the disk is full: cannot make `{path}`", FREE_SPACE)
    os.rename(temporary, path)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def explain(error: sqlite3.Error, path: Path) -> NoReturn:
    """Raise what SQLite says of the world as `EnvironmentFailed`, and a mistake of ours as it is."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # Of a disk that is too full for the side file that writer and readers share, it only says "I/O error".
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
    return f"move it away to begin anew; `sqlite3 {path.name} .recover` may save what it holds"
