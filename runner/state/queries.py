"""The read queries of the journal. Another process may write to it at the same time."""

from __future__ import annotations

import itertools
import re
import sqlite3
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from runner.model import Outcome, Status
from runner.state.apply_queries import ApplyQueries
from runner.state.checksums import first_wrong, matches
from runner.state.rows import (
    ATTEMPT_COLUMNS,
    MACHINE_COLUMNS,
    STORED_COLUMNS,
    AttemptRow,
    Earlier,
    OpenAttempt,
    StoredSession,
    Succeeded,
    attempt_row,
    machine,
    status_after,
    stored_session,
)
from runner.state.sqlite_errors import damaged

_BATCH = 500
"""Sessions looked up by one statement: below every build's limit on variables."""

_LAST = "sessions s JOIN attempts a ON a.session = s.n AND a.number = s.attempts"


class Identified(Protocol):
    """Anything with the id of a session, 16 hex digits."""

    @property
    def id(self) -> str: ...


S = TypeVar("S", bound=Identified)


class Queries(ApplyQueries):
    """Read queries on one open journal. Ids are 16 hex digits, or int where a million may be held at once.

    `live`: the state is held; only then is an attempt without an end running. Every method raises EnvironmentFailed if the
    file cannot be read.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._has_points = False

    @property
    def empty(self) -> bool:
        return self._one("SELECT 1 FROM sessions LIMIT 1") is None

    def statuses(self, live: bool) -> dict[int, Status]:
        """The status of every session that has an attempt. Takes some 90 bytes and two microseconds each."""
        after: dict[str | None, Status] = {outcome.value: status_after(outcome, live) for outcome in Outcome}
        after[None] = status_after(None, live)
        found: dict[int, Status] = {}
        for rows in self._sound_sessions():
            ids = struct.unpack(f">{len(rows)}Q", b"".join([row[1] for row in rows]))
            found.update(zip(ids, [after[row[5]] for row in rows], strict=True))
        found.update((int(attempt.session, 16), Status.RUNNING) for attempt in self.open_attempts() if attempt.remote)
        if live and (apply := self.retrying()) is not None:
            again = f"SELECT s.id FROM {_LAST} WHERE a.apply = ? AND a.retry_at IS NOT NULL"
            found.update((int.from_bytes(row[0], "big"), Status.RUNNING) for row in self._each(again, apply))
        return found

    def _sound_sessions(self) -> Iterator[list[tuple[Any, ...]]]:
        """All rows of sessions in batches, compared with their checksums: what counts as done is decided by them."""
        columns = "n, id, point, recipe, attempts, outcome, crc"
        for rows in _batched(self._each(f"SELECT {columns} FROM sessions"), 10_000):
            if (wrong := first_wrong(rows)) is not None:
                raise damaged(self._path, f"row {wrong} of sessions does not match its checksum")
            yield rows

    def next_attempt(self, session: str) -> int:
        found = self._one("SELECT attempts FROM sessions WHERE id = ?", bytes.fromhex(session))
        return 1 + (found[0] if found else 0)

    def open_attempts(self) -> list[OpenAttempt]:
        columns = f"s.id, a.number, a.name, a.backend, a.job, a.submitted, a.started, {MACHINE_COLUMNS}"
        rows = self._each(f"SELECT {columns} FROM {_LAST} LEFT JOIN applies p ON p.n = a.apply WHERE s.outcome IS NULL")
        return [OpenAttempt(row[0].hex(), *(*row[1:7], machine(row[7:]))) for row in rows]

    def nearest(self, point: str) -> Earlier | None:
        """The most recently attempted session with the variables of this point, under any recipe.

        The first call sorts all points (a million take a second), so that writing needs no index. Later calls use the points
        of that moment.
        """
        if not self._has_points:
            self._has_points = True
            self._one("CREATE TEMP TABLE points (point, n, PRIMARY KEY (point, n)) WITHOUT ROWID")
            self._one("INSERT INTO points SELECT point, n FROM sessions ORDER BY point, n")
        found = self._one(
            f"SELECT s.id, s.outcome, s.recipe FROM points p JOIN {_LAST} WHERE p.point = ? AND s.n = p.n"
            " ORDER BY a.apply DESC LIMIT 1",
            bytes.fromhex(point),
        )
        if found is None:
            return None
        return Earlier(found[0].hex(), Outcome(found[1]) if found[1] else None, self._recipe(found[2]))

    def done_points(self, sans_files: str) -> set[int]:
        """The points that succeeded with this recipe or with one that only differs in the content of `files`."""
        rows = self._each(
            "SELECT point FROM sessions WHERE outcome = ? AND recipe IN (SELECT n FROM recipes WHERE sans_files = ?)",
            Outcome.SUCCEEDED.value,
            sans_files,
        )
        return {int.from_bytes(row[0], "big") for row in rows}

    def row(self, session: str) -> AttemptRow | None:
        """The last attempt of a session."""
        found = self._one(f"SELECT {ATTEMPT_COLUMNS} FROM {_LAST} WHERE s.id = ?", bytes.fromhex(session))
        return attempt_row(found) if found else None

    def attempts(self, session: str) -> list[AttemptRow]:
        """All attempts of a session, by number."""
        rows = self._each(
            f"SELECT {ATTEMPT_COLUMNS} FROM sessions s JOIN attempts a ON a.session = s.n"
            " WHERE s.id = ? ORDER BY a.number",
            bytes.fromhex(session),
        )
        return [attempt_row(row) for row in rows]

    def attempts_of(self, applies: Collection[int], limit: int) -> list[AttemptRow]:
        """At most `limit` attempts of these applies that have started, by start time."""
        rows = self._each(
            f"SELECT {ATTEMPT_COLUMNS} FROM attempts a JOIN sessions s ON s.n = a.session"
            f" WHERE a.apply IN ({','.join('?' * len(applies))}) AND a.started IS NOT NULL ORDER BY a.started LIMIT ?",
            *applies,
            limit,
        )
        return [attempt_row(row) for row in rows]

    def outdated(self, definitions: str) -> list[AttemptRow]:
        """The last attempts that succeeded and may have metrics of other definitions than these (see `definitions_text`)."""
        if self._one("SELECT 1 FROM applies WHERE definitions IS NOT ? LIMIT 1", definitions) is None:
            return []
        rows = self._each(
            f"SELECT {ATTEMPT_COLUMNS} FROM {_LAST} WHERE s.outcome = ? AND a.definitions IS NOT ? ORDER BY s.n",
            Outcome.SUCCEEDED.value,
            definitions,
        )
        return [attempt_row(row) for row in rows]

    def without_metrics(self, recipe: str, definitions: str) -> Iterator[tuple[Any, ...]]:
        """The columns `metrics` and `definitions` of the succeeded sessions of a recipe that may lack a metric."""
        return self._each(
            f"SELECT a.metrics, a.definitions FROM {_LAST} WHERE s.recipe = (SELECT n FROM recipes WHERE digest = ?)"
            " AND s.outcome = ? AND (a.definitions IS NOT ? OR instr(a.metrics, ':{') OR instr(a.metrics, ':null'))",
            recipe,
            Outcome.SUCCEEDED.value,
            definitions,
        )

    def latest(self, sessions: Iterable[S]) -> Iterator[tuple[S, AttemptRow | None]]:
        """Each session with its last attempt, None if it has none, in the given order. Holds 500 of them at a time."""
        for session, row in self.latest_columns(sessions, ATTEMPT_COLUMNS):
            yield session, None if row is None else attempt_row(row)

    def latest_columns(self, sessions: Iterable[S], columns: str) -> Iterator[tuple[S, tuple[Any, ...] | None]]:
        """The same, with these columns of the last attempt `a` and the session `s` as SQLite gives them.

        Sessions are mostly asked for in the order in which they were first submitted. So the rows that follow the last one
        found are read first: that costs half of looking up as many ids. Only the ids that are not among them are looked up.
        """
        query = f"SELECT {columns}, {matches('attempts', 'a')}, s.id, s.n FROM {_LAST}"
        last = 0
        for batch in _batched(iter(sessions), _BATCH):
            ids = [bytes.fromhex(session.id) for session in batch]
            rows = self._sound(f"{query} WHERE s.n > ? ORDER BY s.n LIMIT {_BATCH}", last)
            if [row[-2] for row in rows] == ids:
                last = rows[-1][-1]
                yield from zip(batch, rows, strict=True)
                continue
            found = {row[-2]: row for row in rows}
            last = max([found[one][-1] for one in ids if one in found], default=last)
            if missing := [one for one in ids if one not in found]:
                rows = self._sound(f"{query} WHERE s.id IN ({','.join('?' * len(missing))})", *missing)
                if len(missing) == len(ids):
                    last = max([row[-1] for row in rows], default=last)
                found.update([(row[-2], row) for row in rows])
            yield from zip(batch, map(found.get, ids), strict=True)

    def _sound(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query that ends with whether the checksum is right, the session's id and its number."""
        rows = list(self._each(query, *values))
        for row in rows:
            if not row[-3]:
                raise damaged(self._path, f"an attempt of session {row[-1]} does not match its checksum")
        return rows

    def count(self) -> int:
        """How many sessions have an attempt."""
        found = self._one("SELECT count(*) FROM sessions")
        return found[0] if found else 0

    def succeeded(self, recipe: str) -> list[Succeeded]:
        """The sessions of the recipe with this digest that have succeeded, by the apply in which they did."""
        for _ in self._sound_sessions():
            pass
        rows = self._each(
            f"SELECT a.apply, count(*), total(a.duration), min(a.started) FROM {_LAST}"
            " WHERE s.recipe = (SELECT n FROM recipes WHERE digest = ?) AND s.outcome = ? GROUP BY a.apply",
            recipe,
            Outcome.SUCCEEDED.value,
        )
        return [Succeeded(*row) for row in rows]

    def unfinished(self, recipe: str) -> list[StoredSession]:
        """The sessions of the recipe with this digest that were attempted and have not succeeded."""
        rows = self._each(
            f"SELECT {STORED_COLUMNS} FROM sessions s JOIN texts t ON t.session = s.n"
            " WHERE s.recipe = (SELECT n FROM recipes WHERE digest = ?) AND s.outcome IS NOT ?",
            recipe,
            Outcome.SUCCEEDED.value,
        )
        return [stored_session(row, live=True) for row in rows]

    def sessions_matching(self, prefix: str, live: bool, limit: int = 10) -> list[StoredSession]:
        """At most `limit` sessions whose id starts with these hex digits, by id."""
        if not re.fullmatch("[0-9a-f]{1,16}", prefix.lower()):
            return []
        first, last = (bytes.fromhex(prefix.ljust(16, digit)) for digit in "0f")
        rows = self._each(
            f"SELECT {STORED_COLUMNS} FROM sessions s JOIN texts t ON t.session = s.n"
            " WHERE s.id BETWEEN ? AND ? ORDER BY s.id LIMIT ?",
            first,
            last,
            limit,
        )
        return [stored_session(row, live) for row in rows]

    def orphans(self, known: Callable[[int], bool], live: bool) -> Iterator[StoredSession]:
        """The sessions for whose id `known` returns False, in the order of their first submission."""
        for n, session in self._each("SELECT n, id FROM sessions ORDER BY n"):
            if not known(int.from_bytes(session, "big")):
                row = self._one(
                    f"SELECT {STORED_COLUMNS} FROM sessions s JOIN texts t ON t.session = s.n WHERE s.n = ?",
                    n,
                )
                if row is not None:
                    yield stored_session(row, live)

    def last_run_by(self, files: Collection[str]) -> set[str]:
        """The sessions whose last attempt belongs to an apply of these sweep files."""
        rows = self._each(
            f"SELECT s.id FROM {_LAST} JOIN applies p ON p.n = a.apply WHERE p.file IN ({','.join('?' * len(files))})",
            *files,
        )
        return {row[0].hex() for row in rows}

    def known(self, ids: Iterable[str]) -> int:
        """How many of these sessions have an attempt."""
        total = 0
        for batch in _batched(iter(ids), _BATCH):
            marks = ",".join("?" * len(batch))
            query = f"SELECT count(*) FROM sessions WHERE id IN ({marks})"
            total += (self._one(query, *map(bytes.fromhex, batch)) or (0,))[0]
        return total


def _batched(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(items, size)):
        yield batch
