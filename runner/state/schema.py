"""The tables of the journal, their version, and the making of an empty journal.

A journal is created as a temporary file and renamed, so that an incomplete one never exists.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import runner
from runner.errors import EnvironmentFailed
from runner.state.fs import FREE_SPACE
from runner.state.sqlite_errors import explain

VERSION = 4
"""The version of the tables below. It changes with them and with the events that they store.

A change of it adds a step to `migration.STEPS`, and a journal of the version before to `tests/state/journals`.
New columns go to the end of a table, where ALTER TABLE puts them.
"""

APPLICATION_ID = 0x72756E72
"""`runr`, in the header of every journal."""

# `user_version`, `application_id` and `meta.version` stay where they are in every version: an older runner reads them.
# Session ids and points are stored as 8 bytes. `sessions` is narrow and `texts` wide, so that the statuses of a million
# sessions are read from some 40 MB. `n` counts up, so that rows are appended everywhere but in the unique index on `id`.
# `definitions` has the digests of the definitions of the metrics (rows.py), NULL in rows of before version 4.
# `crc` is the checksum of the other columns (checksums.py), NULL in a row that still changes.
TABLES = """
CREATE TABLE meta (state TEXT NOT NULL, created REAL NOT NULL, home TEXT, version TEXT, lock TEXT);
CREATE TABLE recipes (
    n INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, sans_files TEXT NOT NULL, parts TEXT NOT NULL, crc INTEGER
);
CREATE TABLE applies (
    n INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, sweep TEXT NOT NULL, total INTEGER NOT NULL,
    to_run INTEGER NOT NULL, backend TEXT NOT NULL, capacity TEXT NOT NULL, max_parallel INTEGER,
    host TEXT NOT NULL, boot TEXT, pids TEXT, user TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
    revision TEXT, dirty INTEGER, text TEXT NOT NULL, recipe INTEGER NOT NULL, stopped TEXT, interrupted TEXT, outcomes TEXT,
    not_run INTEGER, usage TEXT, crc INTEGER, file TEXT, definitions TEXT, waiting TEXT
);
CREATE TABLE builds (
    build TEXT, apply INTEGER, command TEXT NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, outcome TEXT, exit_code INTEGER, reason TEXT, duration REAL, crc INTEGER,
    PRIMARY KEY (build, apply)
) WITHOUT ROWID;
CREATE TABLE sessions (
    n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, point BLOB NOT NULL, recipe INTEGER NOT NULL,
    attempts INTEGER NOT NULL, outcome TEXT, crc INTEGER
);
CREATE TABLE texts (
    session INTEGER PRIMARY KEY, repeat INTEGER NOT NULL, params TEXT NOT NULL, exec TEXT NOT NULL, crc INTEGER
);
CREATE TABLE attempts (
    session INTEGER, number INTEGER, apply INTEGER NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    job TEXT, host TEXT, devices TEXT, submitted REAL NOT NULL, started REAL, ended REAL, outcome TEXT,
    exit_code INTEGER, reason TEXT, duration REAL, cpu_time REAL, max_rss INTEGER, metrics TEXT,
    retry_at REAL, crc INTEGER, definitions TEXT, PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE merges (token TEXT NOT NULL);
CREATE TABLE joined (apply INTEGER PRIMARY KEY);
"""


def new_state_id() -> str:
    """12 random hex digits."""
    return os.urandom(6).hex()


def beside(path: Path, suffix: str) -> Path:
    """The file of SQLite or of runner that belongs to the journal at `path`."""
    return path.with_name(path.name + suffix)


def create(path: Path) -> None:
    """Create an empty journal. Raises EnvironmentFailed; then there is none."""
    # The WAL of a deleted journal would be applied to the new one.
    for suffix in (".new", ".new-journal", "-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)
    temporary = beside(path, ".new")
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            # Small pages, because each event writes whole pages; incremental, so that `forget` can release some.
            connection.execute("PRAGMA page_size = 2048")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.executescript(TABLES)
            connection.execute(
                "INSERT INTO meta (state, created, version) VALUES (?, ?, ?)",
                (new_state_id(), time.time(), runner.__version__),
            )
        finally:
            connection.close()
    except sqlite3.Error as error:
        explain(error, path)
    # Closing writes everything into the one file. A WAL that is still there (full disk) means that it is incomplete.
    if beside(path, ".new-wal").exists():
        raise EnvironmentFailed(f"the disk is full: cannot make `{path}`", FREE_SPACE)
    os.rename(temporary, path)
