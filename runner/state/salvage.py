"""Make a new journal of what can be read of a damaged one. The damaged journal is kept aside and never changed.

Rows that do not match their checksum are left out, and so is what belongs to them: a session without an attempt runs again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.state import checksums, migration
from runner.state.checksums import COLUMNS, checksum
from runner.state.damage import lossless
from runner.state.fs import guarded
from runner.state.schema import TABLES, VERSION, beside, create
from runner.state.sqlite_errors import explain

_HEADER = b"SQLite format 3\0" + bytes((8, 0, 2, 2, 0, 64, 32, 32))
"""The first 24 bytes of every journal: pages of 2,048 bytes, WAL; see "The Database Header" of SQLite's file format."""

_KEYS = {"builds": "build", "attempts": "session", "texts": "session"}
"""The columns by which the rows of a table lie in the file, where that is not `n`."""

_LONGEST_GAP = 1 << 20
"""Numbers that are skipped behind an unreadable page before the rest is given up."""

_RELATIONS = (
    "DELETE FROM attempts WHERE session NOT IN (SELECT n FROM sessions)",
    "DELETE FROM sessions WHERE n NOT IN (SELECT session FROM attempts)",
    "DELETE FROM texts WHERE session NOT IN (SELECT n FROM sessions)",
    "DELETE FROM joined WHERE apply NOT IN (SELECT n FROM applies)",
    "UPDATE sessions SET crc = NULL, (attempts, outcome) ="
    " (SELECT number, outcome FROM attempts WHERE session = n ORDER BY number DESC LIMIT 1)"
    " WHERE (attempts, outcome) IS NOT"
    " (SELECT number, outcome FROM attempts WHERE session = n ORDER BY number DESC LIMIT 1)",
)


@dataclass
class Salvaged:
    """kept: rows of the new journal, by table. lost: how many rows were found damaged. aside: the damaged journal."""

    aside: Path
    kept: dict[str, int] = field(default_factory=dict)
    lost: int = 0


def salvage(path: Path) -> Salvaged:
    """Replace the damaged journal at `path`, whose state is held. Raises EnvironmentFailed; then nothing has changed."""
    work, result = beside(path, ".salvage"), Salvaged(_free(path))
    fresh = work / "new.db"
    with guarded(work):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            create(fresh)
            _transfer(_repairable(path, work / "old.db"), fresh, result)
        except sqlite3.Error as error:
            explain(error, path)
        _replace(path, fresh, result.aside)
        shutil.rmtree(work)
    return result


def _repairable(path: Path, copy: Path) -> Path:
    """A copy, with the header and the tables' definitions as every journal has them."""
    shutil.copyfile(path, copy)
    if (log := beside(path, "-wal")).exists():
        shutil.copyfile(log, beside(copy, "-wal"))
    with copy.open("r+b") as file:
        file.write(_HEADER)
    return copy


def _transfer(damaged: Path, fresh: Path, result: Salvaged) -> None:
    with (
        closing(sqlite3.connect(damaged, isolation_level=None)) as source,
        closing(sqlite3.connect(fresh, isolation_level=None)) as target,
    ):
        source.text_factory = lossless
        checksums.install(target)
        _prepare(source)
        target.execute("BEGIN")
        with suppress(sqlite3.Error, TypeError, ValueError):
            about = source.execute("SELECT state, created, home FROM meta").fetchone()
            target.execute("UPDATE meta SET state = ?, created = ?, home = ?", about)
        for table in COLUMNS:
            columns = [*COLUMNS[table], "crc"]
            insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
            for row in _rows(source, table, columns):
                if row[-1] is not None and row[-1] != checksum(*row[:-1]):
                    result.lost += 1
                    continue
                try:
                    target.execute(insert, row)
                except (sqlite3.Error, UnicodeEncodeError):
                    result.lost += 1
        with suppress(sqlite3.Error):
            target.executemany("INSERT INTO joined VALUES (?)", source.execute("SELECT apply FROM joined").fetchall())
        for statement in _RELATIONS:
            target.execute(statement)
        checksums.seal(target)
        target.execute("COMMIT")
        for table in COLUMNS:
            (result.kept[table],) = target.execute(f"SELECT count(*) FROM {table}").fetchone()


def _prepare(source: sqlite3.Connection) -> None:
    """Bring the copy to the present version, as far as that works."""
    with suppress(sqlite3.Error):
        (version,) = source.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            for step in migration.STEPS.values():  # each leaves what is there
                step(source)
    with suppress(sqlite3.Error):
        source.execute("PRAGMA writable_schema = ON")
        for statement in TABLES.split(";\n"):
            if name := statement.partition("CREATE TABLE ")[2].partition(" ")[0]:
                source.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (statement.strip(), name))
        source.execute("PRAGMA writable_schema = RESET")


def _rows(source: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a table in the order of their key. Behind a page that cannot be read it goes on with the next key that can."""
    key, last, gap = _KEYS.get(table, "n"), None, 1
    while gap <= _LONGEST_GAP:
        where = "" if last is None else f" WHERE {key} >= ?"
        try:
            for row in source.execute(
                f"SELECT {', '.join(columns)} FROM {table}{where} ORDER BY {key}", () if last is None else (last,)
            ):
                yield row
                last, gap = row[columns.index(key)], 1
            return
        except sqlite3.Error:
            if table == "builds":
                return
            last, gap = (last if isinstance(last, int) else 0) + gap, gap * 2


def _replace(path: Path, fresh: Path, aside: Path) -> None:
    if (log := beside(path, "-wal")).exists():
        shutil.copy2(log, beside(aside, "-wal"))
    shutil.copy2(path, aside)
    # First the log: SQLite would apply it to any journal that lies beside it.
    for suffix in ("-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)
    os.replace(fresh, path)


def _free(path: Path) -> Path:
    aside, number = beside(path, ".damaged"), 1
    while aside.exists():
        number += 1
        aside = beside(path, f".damaged{number}")
    return aside
