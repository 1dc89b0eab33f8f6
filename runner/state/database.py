"""Open the journal's SQLite file, for its one writer or for a reader beside it.

WAL lets others read while one process writes. With `synchronous=NORMAL` a commit survives the death of all processes. A power
cut or a kernel crash can lose the last commits; the journal is then older but consistent.

WAL needs shared memory, which hosts do not have: on a network file system the journal uses a rollback journal.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import runner
from runner.errors import EnvironmentFailed
from runner.state import checksums, migration
from runner.state.fs import guarded
from runner.state.schema import APPLICATION_ID, VERSION, beside, create
from runner.state.sqlite_errors import damaged, explain


def for_writing(path: Path, *, network: bool = False, lock: Path | None = None) -> sqlite3.Connection:
    """Open the journal, or create it; an older version is migrated. The caller is its one writer. Raises EnvironmentFailed.

    On a `network` file system it uses a rollback journal, so that readers on other hosts see it consistent. If `lock` is not
    the file that the last writer held, no other process may have the journal open: it may be a writer whose lock was removed.
    """
    with guarded(path):
        held = str(lock.stat().st_ino) if lock is not None and lock.exists() and not network else None
        if not path.exists():
            create(path)
        elif held is not None:
            _require_alone(path, held)
    connection = _connect(path, "mode=rw")
    try:
        # With exclusive locking SQLite recovers a WAL that is still there without shared memory.
        if network:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = _version(connection, path)
        connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if network else 'WAL'}").fetchone()
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # releases the exclusive lock
        # A checkpoint every 8,000 pages (16 MB): each of them flushes the disk.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        # Without a WAL, NORMAL could corrupt the journal in a power cut.
        connection.execute(f"PRAGMA synchronous = {'FULL' if network else 'NORMAL'}")
        if version < VERSION:
            migration.in_place(connection, path, version)
        if held is not None:
            connection.execute("UPDATE meta SET lock = ? WHERE lock IS NOT ?", (held, held))
    except sqlite3.Error as error:
        connection.close()
        explain(error, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_alone(path: Path, held: str) -> None:
    """Raise EnvironmentFailed if the lock file is another one than at the last time, and another process uses the journal."""
    try:
        with closing(_connect(path, "mode=ro")) as connection:
            if connection.execute("SELECT lock FROM meta").fetchone() == (held,):
                return
        with closing(_connect(path, "mode=rw")) as probe:
            probe.execute("PRAGMA busy_timeout = 250")  # a reader is gone by then
            # With exclusive locking, set before anything is read, SQLite admits no other connection.
            probe.execute("PRAGMA locking_mode = EXCLUSIVE")
            probe.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return  # an older version, or damage: what opens the journal says so
        raise EnvironmentFailed(
            f"another process uses `{path}`, and the lock that it holds was removed or replaced",
            f"wait until it ends; `fuser {path}` shows its process id",
        ) from error


def for_reading(path: Path) -> sqlite3.Connection | None:
    """Open the journal for reading, beside a writer if there is one; None if there is no journal. Raises EnvironmentFailed.

    A read-only folder is enough, unless a killed writer has left a WAL that must be recovered. A journal of an older version
    is read from a migrated copy, as it is at this moment.
    """
    with guarded(path):
        if not path.exists():
            return None
        try:
            return _for_reading(path, "mode=ro")
        except EnvironmentFailed:
            log = beside(path, "-wal")
            if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
                raise
            # SQLite cannot create its side files here; an immutable database needs none.
            return _for_reading(path, "mode=ro&immutable=1")


def _for_reading(path: Path, mode: str) -> sqlite3.Connection:
    connection = _connect(path, mode)
    try:
        version = _version(connection, path)
        if version == VERSION:
            return connection
        with closing(connection):
            return migration.migrated_copy(connection, version)
    except sqlite3.Error as error:
        connection.close()
        explain(error, path)
    except BaseException:
        connection.close()
        raise


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=30)
        # Others may be able to write there: no function of the schema runs, and a corrupt page is an error.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    except sqlite3.Error as error:
        explain(error, path)
    checksums.install(connection)
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of an open journal that this runner can read or migrate. Raises EnvironmentFailed for any other file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise damaged(path, "it is not a journal of runner")
    if version > VERSION:
        writer = _writer(connection)
        raise EnvironmentFailed(
            f"`{path}` was written by {f'runner {writer}' if writer else 'a newer runner'} (journal version {version};"
            f" this is runner {runner.__version__}, which knows versions up to {VERSION})",
            f"use runner {writer} or newer, or choose another folder with `--state DIR`"
            if writer
            else "upgrade runner, or choose another folder with `--state DIR`",
        )
    if version < migration.OLDEST:
        raise EnvironmentFailed(
            f"`{path}` has journal version {version}, which no released runner has written",
            "choose another folder with `--state DIR`",
        )
    return int(version)


def _writer(connection: sqlite3.Connection) -> str | None:
    """The version of the runner that wrote a journal of a newer version, None if that cannot be read."""
    try:
        (version,) = connection.execute("SELECT version FROM meta").fetchone()
    except (sqlite3.Error, TypeError, ValueError):
        return None
    return version if isinstance(version, str) and version.isascii() and version.isprintable() else None
