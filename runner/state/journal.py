"""The journal: records the event stream in SQLite.

Invariant: an event is committed before it is shown or acted upon outside, so that intent is recorded before a job is
submitted. Events that come close together share a transaction. After `commit`, everything noted before survives a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner import clock
from runner.events import Event
from runner.model import Outcome
from runner.state import checksums, database
from runner.state.event_rows import EventRows
from runner.state.merge.journal import Union, attached, take_in
from runner.state.presence import Presence
from runner.state.queries import Queries
from runner.state.schema import beside, new_state_id
from runner.state.sqlite_errors import explain


class Journal(Queries):
    """An open journal. Only the holder of the state's lock opens it for writing."""

    def __init__(self, connection: sqlite3.Connection, path: Path, presence: Presence | None = None) -> None:
        super().__init__(connection, path)
        self.presence = presence or Presence(())
        self._rows = EventRows(connection)

    def record(self, event: Event) -> None:
        """Note and commit an event. Raises EnvironmentFailed; events committed before are not affected."""
        self.note(event)
        self.commit()

    def note(self, event: Event) -> None:
        """Write an event into the open transaction, for the next `commit`.

        Raises EnvironmentFailed; then no event since the last `commit` is recorded.
        """
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            self._rows.write(event)
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.Error):
                explain(error, self._path)
            raise

    def commit(self) -> None:
        """Commit all events noted since the last call. Raises EnvironmentFailed; then none of them counts as recorded."""
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            explain(error, self._path)
        self.presence.require()

    def forget(self, sessions: Iterable[str]) -> None:
        """Delete sessions and their attempts, all or none, and release the disk space. Applies and recipes stay.

        It needs some free space: on a full disk remove logs first.
        """
        ids = [(bytes.fromhex(session),) for session in sessions]
        try:
            with self._transaction():
                for table, key in (("attempts", "session"), ("texts", "session"), ("sessions", "n")):
                    self._connection.executemany(
                        f"DELETE FROM {table} WHERE {key} = (SELECT n FROM sessions WHERE id = ?)", ids
                    )
            # As a script: `execute` would stop after the first page.
            self._connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
            self.presence.shrunk()
        except sqlite3.Error as error:
            explain(error, self._path)
        self._rows.forget_rows()

    def set_home(self, home: str) -> None:
        """Store the identity of the journal's folder. If another one is stored, this journal is a copy.

        A copy gets a new state id, because jobs named after the old id belong to the original. Its open attempts are recorded
        as lost.
        """
        (before,) = self._one("SELECT home FROM meta") or (None,)
        if before == home:
            return
        try:
            with self._transaction():
                self._connection.execute("UPDATE meta SET home = ?", (home,))
                if before is not None:
                    self._separate_copy()
        except sqlite3.Error as error:
            explain(error, self._path)
        self.__dict__.pop("state_id", None)

    def all_collected(self, definitions: str) -> None:
        """Note, for the next `commit`, that all metrics are of these definitions: `outdated` has nothing to look for."""
        if self._one("SELECT 1 FROM applies WHERE definitions IS NOT ? LIMIT 1", definitions) is None:
            return
        change = checksums.assignments("applies", "definitions")
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(f"UPDATE applies SET {change}", {"definitions": definitions})
        except sqlite3.Error as error:
            self._roll_back()
            explain(error, self._path)

    @contextmanager
    def merging(self, theirs: Path, token: str) -> Iterator[Union]:
        """Merge the journal at `theirs`, which no other process uses, in one transaction around the body.

        After the body `has_merged(token)` is true. If anything raises, nothing is merged.
        """
        try:
            with attached(self._connection, theirs), self._transaction():
                self._connection.execute("DELETE FROM merges")
                self._connection.execute("INSERT INTO merges VALUES (?)", (token,))
                union = take_in(self._connection)
                checksums.seal(self._connection)
                yield union
        except sqlite3.Error as error:
            explain(error, self._path)
        self._rows.forget_rows()

    def _separate_copy(self) -> None:
        lost = (clock.now(), Outcome.LOST.value, "this state is a copy, made before it ended")
        self._connection.execute("UPDATE meta SET state = ?", (new_state_id(),))
        for table in ("attempts", "builds"):
            self._connection.execute(
                f"UPDATE {table} SET ended = ?, outcome = ?, reason = ? WHERE outcome IS NULL", lost
            )
        self._connection.execute("UPDATE sessions SET outcome = ? WHERE outcome IS NULL", (Outcome.LOST.value,))
        checksums.seal(self._connection)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self.presence.require()

    def _roll_back(self) -> None:
        # After a disk error SQLite has already rolled back.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._rows.forget_rows()


def open_for_writing(path: Path, *, network: bool = False) -> Journal:
    """Open or create the journal. The caller holds the state's lock. Raises EnvironmentFailed.

    From then on each commit raises EnvironmentFailed if a file of the journal, or the lock, is no longer there.
    """
    lock = path.with_name("lock")
    connection = database.for_writing(path, network=network, lock=lock)
    return Journal(connection, path, Presence([path, *(beside(path, suffix) for suffix in ("-wal", "-shm")), lock]))


def open_for_reading(path: Path) -> Journal | None:
    """Open the journal for reading, None if there is none. Raises EnvironmentFailed."""
    connection = database.for_reading(path)
    return None if connection is None else Journal(connection, path)
