"""A checksum in each row, so that a bit that a disk or a copy has flipped is found.

It covers all other columns. A row without one (NULL) still changes, such as an attempt that runs, and is not checked.

All that version 4 writes more than version 3, checksums among it, took 22 to 36 µs of CPU time a session.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from runner.state.schema import TABLES


def _columns(table: str) -> dict[str, str]:
    body = TABLES.partition(f"CREATE TABLE {table} (")[2].partition(";")[0].rpartition(")")[0]
    columns = [part.split() for part in body.partition("PRIMARY KEY (")[0].split(",") if part.strip()]
    return {name: kind for name, kind, *_ in columns if name != "crc"}


COLUMNS = {table: _columns(table) for table in ("recipes", "applies", "builds", "sessions", "texts", "attempts")}
"""The columns that a row's checksum covers, in their order, and their types; by table."""

FINAL = {"builds": "outcome IS NOT NULL", "sessions": "outcome IS NOT NULL", "attempts": "outcome IS NOT NULL"}
"""The rows that no longer change, by table; those of other tables never do without a new checksum."""


def checksum(*values: Any) -> int:
    """The CRC-32 of a row's values as SQLite has them: None, int, float, str or bytes.

    NULLs at the end do not count, so that a later version can add columns. Version 2 of marshal has one form for each value,
    the same in every Python, and takes a quarter of the time of `ascii`.
    """
    end = len(values)
    while end and values[end - 1] is None:
        end -= 1
    return crc32(marshal.dumps(values[:end], 2))


def first_wrong(rows: Iterable[tuple[Any, ...]]) -> int | None:
    """The key of the first row that does not match its checksum. Rows: the key, other values without NULL, the checksum."""
    for row in rows:
        if row[-1] is not None and row[-1] != crc32(marshal.dumps(row[:-1], 2)):
            return int(row[0])
    return None


def install(connection: sqlite3.Connection) -> None:
    """Make `checksum` known to SQL on this connection."""
    connection.create_function("checksum", -1, checksum, deterministic=True)


def matches(table: str, alias: str) -> str:
    """The SQL expression for: the row has no checksum, or the right one. It takes some 3 µs of CPU time a row."""
    columns = ", ".join(f"{alias}.{column}" for column in COLUMNS[table])
    return f"({alias}.crc IS NULL OR {alias}.crc = checksum({columns}))"


def of_row(table: str, changed: Mapping[str, str] | None = None) -> str:
    """The SQL expression of a row's checksum. `changed` has the expressions of the columns that the statement sets."""
    changed = changed or {}
    # A column of numbers converts what is stored in it: 1 becomes 1.0 in a column of type REAL.
    values = [
        column if column not in changed else changed[column] if kind == "TEXT" else f"CAST({changed[column]} AS {kind})"
        for column, kind in COLUMNS[table].items()
    ]
    return f"checksum({', '.join(values)})"


def assignments(table: str, *columns: str) -> str:
    """The part of an UPDATE that sets these columns to parameters of their names, and the checksum to that of the new row."""
    changed = {column: f":{column}" for column in columns}
    return ", ".join([*(f"{column} = {value}" for column, value in changed.items()), f"crc = {of_row(table, changed)}"])


def seal(connection: sqlite3.Connection) -> None:
    """Give a checksum to each final row that has none."""
    for table in COLUMNS:
        connection.execute(f"UPDATE {table} SET crc = {of_row(table)} WHERE crc IS NULL AND {FINAL.get(table, 'true')}")
