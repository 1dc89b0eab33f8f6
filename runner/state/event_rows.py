"""What each event changes in the tables of the journal, within a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
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
    MetricsCollected,
    StopReached,
)
from runner.model import Metrics, Missing
from runner.scalars import metric_data
from runner.state.checksums import assignments, checksum, of_row
from runner.state.host import here
from runner.state.rows import attempt_definitions, definitions_text

_encode = json.JSONEncoder(separators=(",", ":")).encode

_END_ATTEMPT = assignments(
    "attempts",
    *("ended", "outcome", "exit_code", "reason", "duration", "cpu_time", "max_rss"),
    *("metrics", "retry_at", "definitions"),
)
_COLLECTED = assignments("attempts", "metrics", "definitions")
_END_BUILD = assignments("builds", "ended", "outcome", "exit_code", "reason", "duration")
_END_SESSION = assignments("sessions", "outcome")


class EventRows:
    """Writes events as rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._apply = 0
        self._recipe = 0
        self._definitions: Mapping[str, str] = {}
        self._rows: dict[str, int] = {}
        """Row numbers of the sessions with an open attempt."""

    def forget_rows(self) -> None:
        """Call it when rows may have been rolled back, deleted or moved."""
        self._rows.clear()

    def write(self, event: Event) -> None:
        """Raises sqlite3.Error, and LookupError for an attempt that was never submitted."""
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
            case MetricsCollected():
                self._collected(event)
            case BuildStarted():
                self._connection.execute(
                    "INSERT OR REPLACE INTO builds (build, apply, command, name, backend, started)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (event.build, self._apply, _text(event.command), event.name, event.backend, event.at),
                )
            case BuildEnded():
                self._connection.execute(
                    f"UPDATE builds SET {_END_BUILD}"
                    " WHERE build = :build AND outcome IS NULL",  # perhaps one that an earlier apply has begun
                    {
                        "ended": event.at,
                        "outcome": event.outcome.value,
                        "exit_code": event.exit_code,
                        "reason": _text(event.reason),
                        "duration": event.duration,
                        "build": event.build,
                    },
                )
            case ApplyStarted():
                self._apply_started(event)
            case StopReached():
                self._update_apply("stopped = ?", _text(event.reason))
            case ApplyWaiting():
                self._update_apply("waiting = ?", _text(event.reason))
            case ApplyInterrupted():
                self._update_apply("interrupted = ?", _text(event.reason))
            case ApplyEnded():
                outcomes = _encode({outcome.value: count for outcome, count in event.outcomes.items()})
                usage = _encode(asdict(event.usage))
                columns = "ended = ?, outcomes = ?, not_run = ?, usage = ?, waiting = NULL"
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
        find = "SELECT n FROM recipes WHERE digest = ?"
        (self._recipe,) = self._connection.execute(find, (recipe.digest,)).fetchone()
        self._connection.execute(
            f"UPDATE recipes SET crc = {of_row('recipes')} WHERE n = ? AND crc IS NULL", (self._recipe,)
        )
        cursor = self._connection.execute(
            "INSERT INTO applies (started, sweep, total, to_run, backend, capacity, max_parallel,"
            " host, boot, pids, user, pid, version, revision, dirty, text, recipe, file, definitions)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(event.at, _text(event.sweep), event.total, event.to_run, event.backend, capacity),
                *(event.max_parallel, _text(event.host), machine.boot, machine.pids),
                *(_text(event.user), event.pid, event.version),
                *(event.commit, event.dirty, _text(event.text), self._recipe, _text(event.file)),
                definitions_text(event.definitions),
            ),
        )
        self._apply = cursor.lastrowid or 0
        self._definitions = event.definitions
        self._seal_apply()
        if event.to_run:
            self._connection.execute("DELETE FROM joined")

    def _submitted(self, event: AttemptSubmitted) -> None:
        session = event.session
        if event.attempt == 1:
            row = self._insert(session.id, session.point)
            params = _encode([(name, value.text, value.data) for name, value in session.params.items()])
            text = (row, session.repeat, params, _encode(session.exec))
            self._connection.execute(
                "INSERT INTO texts (session, repeat, params, exec, crc) VALUES (?, ?, ?, ?, ?)",
                (*text, checksum(*text)),
            )
        else:
            row = self._row_of(session.id)
            self._connection.execute(
                "UPDATE sessions SET attempts = ?, outcome = NULL, crc = NULL WHERE n = ?", (event.attempt, row)
            )
        self._connection.execute(
            "INSERT INTO attempts (session, number, apply, name, backend, submitted) VALUES (?, ?, ?, ?, ?, ?)",
            (row, event.attempt, self._apply, event.name, event.backend, event.at),
        )
        self._rows[session.id] = row

    def _insert(self, session: str, point: str) -> int:
        cursor = self._connection.execute(
            "INSERT INTO sessions (id, point, recipe, attempts) VALUES (?, ?, ?, 1)",
            (bytes.fromhex(session), bytes.fromhex(point), self._recipe),
        )
        return cursor.lastrowid or 0

    def _ended(self, event: AttemptEnded) -> None:
        row = self._row_of(event.session)
        metrics, definitions = self._stored(event.metrics)
        values = {
            "ended": event.at,
            "outcome": event.outcome.value,
            "exit_code": event.exit_code,
            "reason": _text(event.reason),
            "duration": event.duration,
            "cpu_time": event.cpu_time,
            "max_rss": event.max_rss,
            "metrics": metrics,
            "retry_at": None if event.retry_in is None else event.at + event.retry_in,
            "definitions": definitions,
            "session": row,
            "number": event.attempt,
        }
        cursor = self._connection.execute(
            f"UPDATE attempts SET {_END_ATTEMPT} WHERE session = :session AND number = :number", values
        )
        self._require_one(cursor, event.session, event.attempt)
        self._connection.execute(
            f"UPDATE sessions SET {_END_SESSION} WHERE n = :session AND attempts = :number", values
        )
        self._rows.pop(event.session, None)

    def _collected(self, event: MetricsCollected) -> None:
        metrics, definitions = self._stored(event.metrics)
        row = self._row_of(event.session)
        values = {"metrics": metrics, "definitions": definitions, "session": row, "number": event.attempt}
        cursor = self._connection.execute(
            f"UPDATE attempts SET {_COLLECTED} WHERE session = :session AND number = :number", values
        )
        self._require_one(cursor, event.session, event.attempt)
        self._rows.pop(event.session, None)

    def _stored(self, metrics: Metrics) -> tuple[str | None, str]:
        """The columns `metrics` and `definitions`. If one could not be read, the apply has no
        definitions, see `Queries.outdated`."""
        if any(isinstance(metric, Missing) and metric.unread for metric in metrics.values()):
            self._update_apply("definitions = ?", None)
        data = {name: metric_data(metric) for name, metric in metrics.items()}
        return _encode(data) if data else None, attempt_definitions(metrics, self._definitions)

    def _update(self, columns: str, session: str, attempt: int, *values: Any) -> None:
        cursor = self._connection.execute(
            f"UPDATE attempts SET {columns}, crc = NULL WHERE session = ? AND number = ?",
            (*values, self._row_of(session), attempt),
        )
        self._require_one(cursor, session, attempt)

    def _require_one(self, cursor: sqlite3.Cursor, session: str, attempt: int) -> None:
        if cursor.rowcount != 1:
            raise LookupError(f"attempt {attempt} of {session} was never submitted")

    def _update_apply(self, columns: str, *values: Any) -> None:
        self._connection.execute(f"UPDATE applies SET {columns} WHERE n = ?", (*values, self._apply))
        self._seal_apply()

    def _seal_apply(self) -> None:
        self._connection.execute(f"UPDATE applies SET crc = {of_row('applies')} WHERE n = ?", (self._apply,))

    def _row_of(self, session: str) -> int:
        row = self._rows.get(session)
        if row is None:
            find = "SELECT n FROM sessions WHERE id = ?"
            found = self._connection.execute(find, (bytes.fromhex(session),)).fetchone()
            if found is None:
                raise LookupError(f"session {session} was never submitted")
            row = self._rows[session] = found[0]
        return row


def _text(text: str | None) -> str | None:
    # Text from a file name may hold bytes that are not UTF-8.
    return text if text is None or text.isascii() else text.encode("utf-8", "backslashreplace").decode()
