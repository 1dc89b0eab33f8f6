"""Merge another journal into this one, in one transaction: recipes, applies, builds, sessions and attempts.

Nothing is lost or duplicated. Two attempts are the same if their name and the time of their submission are equal. So journals
that are copies of one (a cache that several jobs restored) can be merged, and merging twice changes nothing.

The attempts of a session keep their numbers here, and new ones follow them. The last attempt decides the session's outcome: if
neither journal knows the last attempt of the other, a success comes last, else the later submission.

An attempt without an end in the other journal is recorded as lost: its job is named after the other state's id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from runner import clock
from runner.model import Outcome
from runner.state.merge.applies import columns_but, qualified, take_in_applies, update_last_applies

_OPEN = "it had not ended when its state was merged into this one"


class Moved(NamedTuple):
    """An attempt that has another number after the merge; `name` is the name of its job."""

    session: str
    before: int
    after: int
    name: str


@dataclass
class Union:
    """The result of a merge, for moving the files."""

    sessions: set[int] = field(default_factory=set)
    """Ids of the sessions that are new here, as integers; all their attempts are copied."""
    attempts: dict[tuple[str, int], Moved] = field(default_factory=dict)
    """The copied attempts of known sessions, by session id and number in the other journal."""
    outputs: set[int] = field(default_factory=set)
    """Ids of the known sessions whose last attempt is now that of the other journal."""
    moved: list[Moved] = field(default_factory=list)
    """Attempts of this journal whose number changed."""
    copied: int = 0
    """The number of copied attempts."""
    left_out: list[str] = field(default_factory=list)
    """Paths in the other state of what is not a plain file or folder, and was not copied."""

    def number(self, session: str, there: int) -> int | None:
        """The number here of attempt `there` of the other journal; None if it was here before."""
        if int(session, 16) in self.sessions:
            return there
        found = self.attempts.get((session, there))
        return found.after if found else None

    def takes_output(self, session: str) -> bool:
        return int(session, 16) in self.sessions or int(session, 16) in self.outputs


class _Known(NamedTuple):
    number: int
    name: str
    submitted: float
    outcome: str | None

    @property
    def key(self) -> tuple[str, float]:
        return self.name, self.submitted


@contextmanager
def attached(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Attach the journal at `path`, which no other process uses, as `theirs`."""
    connection.execute("ATTACH ? AS theirs", (str(path),))
    try:
        yield
    finally:
        connection.execute("DETACH theirs")


def take_in(connection: sqlite3.Connection) -> Union:
    """Merge the attached journal within a transaction of the caller."""
    union, now = Union(), clock.now()
    for table in ("applies_there", "their_last", "twins"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
    (before,) = connection.execute("SELECT coalesce(max(n), 0) FROM main.applies").fetchone()
    take_in_applies(connection)
    update_last_applies(connection, before)
    _builds(connection, now)
    _new_sessions(connection, union, now)
    _copy_ends(connection, union)
    for here, there in list(connection.execute(_OVERLAPPING)):
        _join(connection, union, here, there, now)
    return union


def _builds(connection: sqlite3.Connection, now: float) -> None:
    columns = columns_but(connection, "builds", ("apply", "ended", "outcome", "reason", "crc"))
    news = ", ".join(
        f"{column} = excluded.{column}" for column in ("ended", "outcome", "exit_code", "reason", "duration")
    )
    connection.execute(
        f"INSERT INTO builds ({', '.join(columns)}, apply, ended, outcome, reason)"
        f" SELECT {qualified('b', columns)}, coalesce(p.here, 0), {_ENDED} FROM theirs.builds b"
        " LEFT JOIN applies_there p ON p.there = b.apply"
        f" WHERE true ON CONFLICT (build, apply) DO UPDATE SET {news}, crc = NULL"
        " WHERE (builds.outcome IS NULL OR builds.outcome = :lost) AND excluded.outcome != :lost",
        _ending(now),
    )


def _new_sessions(connection: sqlite3.Connection, union: Union, now: float) -> None:
    (last,) = connection.execute("SELECT coalesce(max(n), 0) FROM main.sessions").fetchone()
    connection.execute(
        "INSERT INTO sessions (id, point, recipe, attempts, outcome)"
        " SELECT s.id, s.point, r.n, s.attempts, coalesce(s.outcome, ?) FROM theirs.sessions s"
        " JOIN theirs.recipes t ON t.n = s.recipe JOIN main.recipes r ON r.digest = t.digest"
        " WHERE NOT EXISTS (SELECT 1 FROM main.sessions m WHERE m.id = s.id) ORDER BY s.n",
        (Outcome.LOST.value,),
    )
    connection.execute("CREATE TEMP TABLE twins (there INTEGER PRIMARY KEY, here INTEGER NOT NULL)")
    connection.execute(
        "INSERT INTO twins SELECT s.n, m.n FROM theirs.sessions s JOIN main.sessions m ON m.id = s.id ORDER BY s.n"
    )
    connection.execute(
        "INSERT INTO texts (session, repeat, params, exec) SELECT w.here, t.repeat, t.params, t.exec"
        " FROM twins w JOIN theirs.texts t ON t.session = w.there WHERE w.here > ?",
        (last,),
    )
    union.copied = _insert_attempts(connection, "w.here > :last", now, number="a.number", last=last)
    new = connection.execute("SELECT id FROM main.sessions WHERE n > ?", (last,))
    union.sessions = {int.from_bytes(row[0], "big") for row in new}


def _copy_ends(connection: sqlite3.Connection, union: Union) -> None:
    """Copy the end of attempts that both journals have and that only the other journal knows to have ended."""
    ends = columns_but(connection, "attempts", ("session", "number", "apply", "name", "backend", "submitted", "crc"))
    both = (
        "FROM twins w JOIN theirs.attempts a ON a.session = w.there JOIN main.attempts m"
        " ON m.session = w.here AND m.name = a.name AND m.submitted = a.submitted"
        f" WHERE (m.outcome IS NULL OR m.outcome = '{Outcome.LOST}') AND a.outcome != '{Outcome.LOST}'"
    )
    rows = list(connection.execute(f"SELECT w.here, m.number, a.number, a.name, {qualified('a', ends)} {both}"))
    for here, number, there, name, *values in rows:
        session = _session(connection, here)
        connection.execute(
            f"UPDATE attempts SET {', '.join(f'{end} = ?' for end in ends)}, crc = NULL WHERE session = ? AND number = ?",
            (*values, here, number),
        )
        outcome = values[ends.index("outcome")]
        known = connection.execute(
            "UPDATE sessions SET outcome = ?, crc = NULL WHERE n = ? AND attempts = ?", (outcome, here, number)
        )
        union.attempts[session, there] = Moved(session, there, number, name)
        if known.rowcount:
            union.outputs.add(int(session, 16))


_OVERLAPPING = """
    SELECT DISTINCT w.here, w.there FROM twins w JOIN theirs.attempts a ON a.session = w.there WHERE NOT EXISTS (
        SELECT 1 FROM main.attempts m WHERE m.session = w.here AND m.name = a.name AND m.submitted = a.submitted
    )"""


def _join(connection: sqlite3.Connection, union: Union, here: int, there: int, now: float) -> None:
    """Copy the attempts of one session that are not known here."""
    session = _session(connection, here)
    ours, theirs = _attempts_of(connection, "main", here), _attempts_of(connection, "theirs", there)
    known = {one.key for one in ours}
    new = [one for one in theirs if one.key not in known]
    head, number = ours[-1], ours[-1].number
    if _their_last_decides(ours, theirs):
        number += 1
        union.outputs.add(int(session, 16))
    else:
        moved = Moved(session, number, number + len(new), head.name)
        connection.execute(
            "UPDATE attempts SET number = ?, crc = NULL WHERE session = ? AND number = ?", (moved.after, here, number)
        )
        union.moved.append(moved)
        ended_there = next(((session, one.number) for one in theirs if one.key == head.key), None)
        if ended_there in union.attempts:
            union.attempts[ended_there] = union.attempts[ended_there]._replace(after=moved.after)
    for at, one in enumerate(new, number):
        union.copied += _insert_attempts(
            connection, "w.there = :there AND a.number = :one", now, number=str(at), there=there, one=one.number
        )
        union.attempts[session, one.number] = Moved(session, one.number, at, one.name)
    connection.execute(
        "UPDATE sessions SET (attempts, outcome, crc) ="
        " (SELECT number, outcome, NULL FROM attempts WHERE session = n ORDER BY number DESC LIMIT 1) WHERE n = ?",
        (here,),
    )


def _their_last_decides(ours: list[_Known], theirs: list[_Known]) -> bool:
    """True if their last attempt decides the session's outcome."""
    mine, other = ours[-1], theirs[-1]
    if any(one.key == other.key for one in ours):
        return False
    if any(one.key == mine.key for one in theirs):
        return True

    def rank(one: _Known) -> tuple[bool, float]:
        return one.outcome == Outcome.SUCCEEDED, one.submitted

    return rank(other) > rank(mine)


def _attempts_of(connection: sqlite3.Connection, schema: str, session: int) -> list[_Known]:
    return [
        _Known(*row)
        for row in connection.execute(
            f"SELECT number, name, submitted, outcome FROM {schema}.attempts WHERE session = ? ORDER BY number",
            (session,),
        )
    ]


def _insert_attempts(connection: sqlite3.Connection, where: str, now: float, *, number: str, **values: int) -> int:
    """Copy these attempts of the other journal, open ones as lost. Returns their number."""
    columns = columns_but(connection, "attempts", ("session", "number", "apply", "ended", "outcome", "reason", "crc"))
    cursor = connection.execute(
        f"INSERT INTO attempts (session, number, apply, {', '.join(columns)}, ended, outcome, reason)"
        f" SELECT w.here, {number}, coalesce(p.here, 0), {qualified('a', columns)}, {_ENDED.replace('b.', 'a.')}"
        " FROM twins w JOIN theirs.attempts a ON a.session = w.there LEFT JOIN applies_there p ON p.there = a.apply"
        f" WHERE {where}",
        {**_ending(now), **values},
    )
    return cursor.rowcount


_ENDED = (
    "CASE WHEN b.outcome IS NULL THEN :now ELSE b.ended END, coalesce(b.outcome, :lost),"
    " CASE WHEN b.outcome IS NULL THEN :open ELSE b.reason END"
)


def _ending(now: float) -> dict[str, float | str]:
    return {"now": now, "lost": Outcome.LOST.value, "open": _OPEN}


def _session(connection: sqlite3.Connection, n: int) -> str:
    (session,) = connection.execute("SELECT id FROM main.sessions WHERE n = ?", (n,)).fetchone()
    return str(session.hex())
