"""The journal: records the event stream in SQLite.

Invariant: an event is committed before it is shown or acted upon outside, so that intent is recorded before a job is
submitted. Events that come close together share a transaction. After `commit`, everything noted before survives a crash.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, assert_never

from runner.events import (
    ApplyEnded,
    ApplyInterrupted,
    ApplyStarted,
    ApplyWaiting,
    AttemptAccepted,
    AttemptAdopted,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
    StopReached,
)
from runner.model import Outcome
from runner.state import schema
from runner.state.host import here
from runner.state.merge.journal import Union, attached, take_in
from runner.state.queries import Queries

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Journal(Queries):
    """An open journal. Only the holder of the state's lock opens it for writing."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._apply = 0
        self._recipe_row = 0
        self._rows: dict[str, int] = {}
        """Row numbers of the sessions with an open attempt."""

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
            self._note(event)
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.Error):
                schema.explain(error, self._path)
            raise

    def commit(self) -> None:
        """Commit all events noted since the last call. Raises EnvironmentFailed; then none of them is recorded."""
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            schema.explain(error, self._path)

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
        except sqlite3.Error as error:
            schema.explain(error, self._path)

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
            schema.explain(error, self._path)
        self.__dict__.pop("state_id", None)

    @contextmanager
    def merging(self, theirs: Path, token: str) -> Iterator[Union]:
        """Merge the journal at `theirs`, which no other process uses, in one transaction around the body.

        After the body `has_merged(token)` is true. If anything raises, nothing is merged.
        """
        try:
            with attached(self._connection, theirs), self._transaction():
                self._connection.execute("DELETE FROM merges")
                self._connection.execute("INSERT INTO merges VALUES (?)", (token,))
                yield take_in(self._connection)
        except sqlite3.Error as error:
            schema.explain(error, self._path)
        self._rows.clear()

    def _separate_copy(self) -> None:
        lost = (time.time(), Outcome.LOST.value, "this state is a copy, made before it ended")
        self._connection.execute("UPDATE meta SET state = ?", (schema.new_state_id(),))
        for table in ("attempts", "builds"):
            self._connection.execute(
                f"UPDATE {table} SET ended = ?, outcome = ?, reason = ? WHERE outcome IS NULL", lost
            )
        self._connection.execute("UPDATE sessions SET outcome = ? WHERE outcome IS NULL", (Outcome.LOST.value,))

    def _note(self, event: Event) -> None:
        match event:
            case AttemptSubmitted():
                self._submitted(event)
            case AttemptAccepted():
                self._update("job = ?", event.session, event.attempt, event.job)
            case AttemptAdopted():
                self._update("job = ?", event.session.id, event.attempt, event.job)
            case AttemptWaiting():
                self._update("reason = ?", event.session, event.attempt, _text(event.reason))
            case AttemptStarted():
                devices = _encode(event.devices) if event.devices else None
                values = (event.at, event.job, _text(event.host), devices)
                columns = "started = ?, job = ?, host = ?, devices = ?, reason = NULL"
                self._update(columns, event.session, event.attempt, *values)
            case AttemptEnded():
                self._ended(event)
            case BuildStarted():
                self._connection.execute(
                    "INSERT OR REPLACE INTO builds (build, apply, command, name, backend, started)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (event.build, self._apply, _text(event.command), event.name, event.backend, event.at),
                )
            case BuildEnded():
                self._connection.execute(
                    "UPDATE builds SET ended = ?, outcome = ?, exit_code = ?, reason = ?, duration = ?"
                    " WHERE build = ? AND outcome IS NULL",  # perhaps one that an earlier apply has begun
                    (
                        *(event.at, event.outcome.value, event.exit_code, _text(event.reason), event.duration),
                        event.build,
                    ),
                )
            case ApplyStarted():
                self._apply_started(event)
            case StopReached():
                self._update_apply("stopped = ?", _text(event.reason))
            case ApplyWaiting():
                pass  # true of this moment only
            case ApplyInterrupted():
                self._update_apply("interrupted = ?", _text(event.reason))
            case ApplyEnded():
                outcomes = _encode({outcome.value: count for outcome, count in event.outcomes.items()})
                usage = _encode(asdict(event.usage))
                columns = "ended = ?, outcomes = ?, not_run = ?, usage = ?"
                self._update_apply(columns, event.at, outcomes, event.not_run, usage)
            case _:
                assert_never(event)

    def _apply_started(self, event: ApplyStarted) -> None:
        recipe = event.recipe
        capacity = _encode({name: str(amount) for name, amount in event.capacity.items()})
        machine = here()
        self._connection.execute(
            "INSERT OR IGNORE INTO recipes (digest, sans_files, parts) VALUES (?, ?, ?)",
            (recipe.digest, recipe.sans_files, _encode(recipe.parts)),
        )
        (self._recipe_row,) = self._one("SELECT n FROM recipes WHERE digest = ?", recipe.digest) or (0,)
        cursor = self._connection.execute(
            "INSERT INTO applies (started, sweep, total, to_run, backend, capacity, max_parallel,"
            " host, boot, pids, user, pid, version, revision, dirty, text, recipe)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(event.at, _text(event.sweep), event.total, event.to_run, event.backend, capacity),
                *(event.max_parallel, _text(event.host), machine.boot, machine.pids),
                *(_text(event.user), event.pid, event.version),
                *(event.commit, event.dirty, _text(event.text), self._recipe_row),
            ),
        )
        self._apply = cursor.lastrowid or 0
        if event.to_run:
            self._connection.execute("DELETE FROM joined")

    def _submitted(self, event: AttemptSubmitted) -> None:
        session = event.session
        if event.attempt == 1:
            row = self._insert(session.id, session.point)
            params = [(name, value.text, value.data) for name, value in session.params.items()]
            self._connection.execute(
                "INSERT INTO texts VALUES (?, ?, ?, ?)",
                (row, session.repeat, _encode(params), _encode(session.exec)),
            )
        else:
            row = self._row_of(session.id)
            self._connection.execute(
                "UPDATE sessions SET attempts = ?, outcome = NULL WHERE n = ?", (event.attempt, row)
            )
        self._connection.execute(
            "INSERT INTO attempts (session, number, apply, name, backend, submitted) VALUES (?, ?, ?, ?, ?, ?)",
            (row, event.attempt, self._apply, event.name, event.backend, event.at),
        )
        self._rows[session.id] = row

    def _insert(self, session: str, point: str) -> int:
        cursor = self._connection.execute(
            "INSERT INTO sessions (id, point, recipe, attempts) VALUES (?, ?, ?, 1)",
            (bytes.fromhex(session), bytes.fromhex(point), self._recipe_row),
        )
        return cursor.lastrowid or 0

    def _ended(self, event: AttemptEnded) -> None:
        outcome = event.outcome.value
        metrics = _encode(event.metrics) if event.metrics else None
        self._update(
            "ended = ?, outcome = ?, exit_code = ?, reason = ?, duration = ?, cpu_time = ?, max_rss = ?, metrics = ?,"
            " retry_at = ?",
            *(event.session, event.attempt),
            *(event.at, outcome, event.exit_code, _text(event.reason), event.duration, event.cpu_time),
            *(event.max_rss, metrics, None if event.retry_in is None else event.at + event.retry_in),
        )
        self._connection.execute(
            "UPDATE sessions SET outcome = ? WHERE n = ? AND attempts = ?",
            (outcome, self._row_of(event.session), event.attempt),
        )
        self._rows.pop(event.session, None)

    def _update(self, columns: str, session: str, attempt: int, *values: Any) -> None:
        cursor = self._connection.execute(
            f"UPDATE attempts SET {columns} WHERE session = ? AND number = ?",
            (*values, self._row_of(session), attempt),
        )
        if cursor.rowcount != 1:
            raise LookupError(f"attempt {attempt} of {session} was never submitted")

    def _update_apply(self, columns: str, *values: Any) -> None:
        self._connection.execute(f"UPDATE applies SET {columns} WHERE n = ?", (*values, self._apply))

    def _row_of(self, session: str) -> int:
        row = self._rows.get(session)
        if row is None:
            found = self._one("SELECT n FROM sessions WHERE id = ?", bytes.fromhex(session))
            if found is None:
                raise LookupError(f"session {session} was never submitted")
            row = self._rows[session] = found[0]
        return row

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # After a disk error SQLite has already rolled back.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._rows.clear()  # some of these rows may have been rolled back


def open_for_writing(path: Path, *, network: bool = False) -> Journal:
    """Open or create the journal. The caller holds the state's lock. Raises EnvironmentFailed."""
    return Journal(schema.for_writing(path, network=network), path)


def open_for_reading(path: Path) -> Journal | None:
    """Open the journal for reading, None if there is none. Raises EnvironmentFailed."""
    connection = schema.for_reading(path)
    return None if connection is None else Journal(connection, path)


def _text(text: str | None) -> str | None:
    # Text from a file name may hold bytes that are not UTF-8.
    return text if text is None or text.isascii() else text.encode("utf-8", "backslashreplace").decode()
