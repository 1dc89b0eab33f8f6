"""What one journal takes in of another, in one transaction: recipes, applies, builds, sessions and attempts.

Nothing is lost or doubled. An attempt is the same in both when its name and the time of its submission are, so that journals
that grew from one (a cache that several jobs restored) meet again, and a union that is made once more changes nothing. The
attempts of a session keep their numbers here; those that are new come behind them, except that the last one decides where the
session stands: of two that do not know of each other, a success wins, else the later one.

What has no end over there is recorded as lost: its job is known by the other state's id, and belongs to that one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from runner.model import Outcome

_OPEN = "it had not ended when its state was merged into this one"


class Moved(NamedTuple):
    """An attempt that has another number after the union; `name` is the attempt's own."""

    session: str
    before: int
    after: int
    name: str


@dataclass
class Union:
    """What the union has brought, for those who move the files: `sessions` (as integers) are new here, with all they have;
    `attempts` are those of known ones, by session and the number over there; `outputs` are known sessions that now stand as
    over there; `moved` are attempts of this journal whose number changed.
    """

    sessions: set[int] = field(default_factory=set)
    attempts: dict[tuple[str, int], Moved] = field(default_factory=dict)
    outputs: set[int] = field(default_factory=set)
    moved: list[Moved] = field(default_factory=list)
    tries: int = 0
    """How many attempts came along."""

    def number(self, session: str, there: int) -> int | None:
        """The number that an attempt over there has here; None where it was here already."""
        if int(session, 16) in self.sessions:
            return there
        found = self.attempts.get((session, there))
        return found.after if found else None

    def takes_output(self, session: str) -> bool:
        return int(session, 16) in self.sessions or int(session, 16) in self.outputs


class _Tried(NamedTuple):
    number: int
    name: str
    submitted: float
    outcome: str | None

    @property
    def key(self) -> tuple[str, float]:
        return self.name, self.submitted


@contextmanager
def attached(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """With the journal at `path`, which nobody else uses, as `theirs`."""
    connection.execute("ATTACH ? AS theirs", (str(path),))
    try:
        yield
    finally:
        connection.execute("DETACH theirs")


def take_in(connection: sqlite3.Connection) -> Union:
    """Make the union with the attached journal, in a transaction of the caller."""
    union, now = Union(), time.time()
    for table in ("applies_there", "twins"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
    (before,) = connection.execute("SELECT coalesce(max(n), 0) FROM main.applies").fetchone()
    _recipes_and_applies(connection)
    _last_applies(connection, before)
    _builds(connection, now)
    _new_sessions(connection, union, now)
    _learn(connection, union)
    for here, there in list(connection.execute(_OVERLAPPING)):
        _join(connection, union, here, there, now)
    return union


def _recipes_and_applies(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO recipes (digest, sans_files, parts) SELECT digest, sans_files, parts FROM theirs.recipes"
    )
    same = "m.started = a.started AND m.host = a.host AND m.pid = a.pid"
    columns = _columns(connection, "applies", ("n", "recipe"))
    connection.execute(
        f"INSERT INTO applies ({', '.join(columns)}, recipe) SELECT {_of('a', columns)}, r.n FROM theirs.applies a"
        " JOIN theirs.recipes t ON t.n = a.recipe JOIN main.recipes r ON r.digest = t.digest"
        f" WHERE NOT EXISTS (SELECT 1 FROM main.applies m WHERE {same}) ORDER BY a.n"
    )
    connection.execute(
        "CREATE TEMP TABLE applies_there AS SELECT a.n AS there, m.n AS here FROM theirs.applies a"
        f" JOIN main.applies m ON {same}"
    )
    ends = ("ended", "stopped", "interrupted", "outcomes", "not_run", "usage")
    connection.execute(
        f"UPDATE applies AS m SET {', '.join(f'{end} = a.{end}' for end in ends)} FROM theirs.applies a"
        f" WHERE {same} AND m.ended IS NULL AND a.ended IS NOT NULL"
    )


def _last_applies(connection: sqlite3.Connection, before: int) -> None:
    """`joined` are the applies that together are the last one: of each state its own last that had something to do, unless
    another grew from that. What was here `before`, by its number, has had its chance.
    """
    last = (
        "SELECT n FROM {}.applies WHERE n <= ? ORDER BY to_run > 0 OR ended IS NULL DESC, started DESC, n DESC LIMIT 1"
    )
    if connection.execute("SELECT 1 FROM main.joined").fetchone() is None:
        connection.execute(f"INSERT INTO joined {last.format('main')}", (before,))
    theirs = [apply for (apply,) in connection.execute("SELECT apply FROM theirs.joined")]
    theirs = theirs or [apply for (apply,) in connection.execute(last.format("theirs"), (2**63 - 1,))]
    among = f"there IN ({','.join('?' * len(theirs))})"
    connection.execute(
        f"DELETE FROM main.joined WHERE apply IN (SELECT here FROM applies_there WHERE NOT {among})", theirs
    )
    connection.execute(
        f"INSERT OR IGNORE INTO joined SELECT here FROM applies_there WHERE {among} AND here > ?", (*theirs, before)
    )


def _builds(connection: sqlite3.Connection, now: float) -> None:
    columns = _columns(connection, "builds", ("apply", "ended", "outcome", "reason"))
    news = ", ".join(
        f"{column} = excluded.{column}" for column in ("ended", "outcome", "exit_code", "reason", "duration")
    )
    connection.execute(
        f"INSERT INTO builds ({', '.join(columns)}, apply, ended, outcome, reason)"
        f" SELECT {_of('b', columns)}, coalesce(p.here, 0), {_ENDED} FROM theirs.builds b"
        " LEFT JOIN applies_there p ON p.there = b.apply"
        f" WHERE true ON CONFLICT (build, apply) DO UPDATE SET {news}"
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
    union.tries = _insert_attempts(connection, "w.here > :last", now, number="a.number", last=last)
    new = connection.execute("SELECT id FROM main.sessions WHERE n > ?", (last,))
    union.sessions = {int.from_bytes(row[0], "big") for row in new}


def _learn(connection: sqlite3.Connection, union: Union) -> None:
    """The end of an attempt that is in both, where only the other journal has heard of it."""
    ends = _columns(connection, "attempts", ("session", "number", "apply", "name", "backend", "submitted"))
    heard = (
        "FROM twins w JOIN theirs.attempts a ON a.session = w.there JOIN main.attempts m"
        " ON m.session = w.here AND m.name = a.name AND m.submitted = a.submitted"
        f" WHERE (m.outcome IS NULL OR m.outcome = '{Outcome.LOST}') AND a.outcome != '{Outcome.LOST}'"
    )
    rows = list(connection.execute(f"SELECT w.here, m.number, a.number, a.name, {_of('a', ends)} {heard}"))
    for here, number, there, name, *values in rows:
        session = _session(connection, here)
        connection.execute(
            f"UPDATE attempts SET {', '.join(f'{end} = ?' for end in ends)} WHERE session = ? AND number = ?",
            (*values, here, number),
        )
        outcome = values[ends.index("outcome")]
        known = connection.execute(
            "UPDATE sessions SET outcome = ? WHERE n = ? AND attempts = ?", (outcome, here, number)
        )
        union.attempts[session, there] = Moved(session, there, number, name)
        if known.rowcount:
            union.outputs.add(int(session, 16))


_OVERLAPPING = """
    SELECT DISTINCT w.here, w.there FROM twins w JOIN theirs.attempts a ON a.session = w.there WHERE NOT EXISTS (
        SELECT 1 FROM main.attempts m WHERE m.session = w.here AND m.name = a.name AND m.submitted = a.submitted
    )"""


def _join(connection: sqlite3.Connection, union: Union, here: int, there: int, now: float) -> None:
    """Take in the attempts of one session that are not known here."""
    session = _session(connection, here)
    ours, theirs = _tried(connection, "main", here), _tried(connection, "theirs", there)
    known = {one.key for one in ours}
    new = [one for one in theirs if one.key not in known]
    head, number = ours[-1], ours[-1].number
    if _stands_as_theirs(ours, theirs):
        number += 1
        union.outputs.add(int(session, 16))
    else:
        moved = Moved(session, number, number + len(new), head.name)
        connection.execute(
            "UPDATE attempts SET number = ? WHERE session = ? AND number = ?", (moved.after, here, number)
        )
        union.moved.append(moved)
        learnt = next(((session, one.number) for one in theirs if one.key == head.key), None)
        if learnt in union.attempts:
            union.attempts[learnt] = union.attempts[learnt]._replace(after=moved.after)
    for at, one in enumerate(new, number):
        union.tries += _insert_attempts(
            connection, "w.there = :there AND a.number = :one", now, number=str(at), there=there, one=one.number
        )
        union.attempts[session, one.number] = Moved(session, one.number, at, one.name)
    connection.execute(
        "UPDATE sessions SET (attempts, outcome) ="
        " (SELECT number, outcome FROM attempts WHERE session = n ORDER BY number DESC LIMIT 1) WHERE n = ?",
        (here,),
    )


def _stands_as_theirs(ours: list[_Tried], theirs: list[_Tried]) -> bool:
    """Whether their last attempt is the one that decides where the session stands."""
    mine, other = ours[-1], theirs[-1]
    if any(one.key == other.key for one in ours):
        return False
    if any(one.key == mine.key for one in theirs):
        return True

    def rank(one: _Tried) -> tuple[bool, float]:
        return one.outcome == Outcome.SUCCEEDED, one.submitted

    return rank(other) > rank(mine)


def _tried(connection: sqlite3.Connection, schema: str, session: int) -> list[_Tried]:
    return [
        _Tried(*row)
        for row in connection.execute(
            f"SELECT number, name, submitted, outcome FROM {schema}.attempts WHERE session = ? ORDER BY number",
            (session,),
        )
    ]


def _insert_attempts(connection: sqlite3.Connection, where: str, now: float, *, number: str, **values: int) -> int:
    """Copy these attempts of theirs, an open one as lost; how many there were."""
    columns = _columns(connection, "attempts", ("session", "number", "apply", "ended", "outcome", "reason"))
    cursor = connection.execute(
        f"INSERT INTO attempts (session, number, apply, {', '.join(columns)}, ended, outcome, reason)"
        f" SELECT w.here, {number}, coalesce(p.here, 0), {_of('a', columns)}, {_ENDED.replace('b.', 'a.')}"
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


def _columns(connection: sqlite3.Connection, table: str, besides: tuple[str, ...]) -> list[str]:
    """The columns of a table of the journal: whatever it has, it goes along."""
    names = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
    return [name for name in names if name not in besides]


def _of(alias: str, columns: list[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)
