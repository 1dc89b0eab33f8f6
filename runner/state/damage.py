"""Find out whether a journal is damaged: its pages, its tables, the checksum of each row, and what the rows say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from runner.errors import Damaged
from runner.state.checksums import COLUMNS, checksum
from runner.state.rows import (
    APPLY_COLUMNS,
    ATTEMPT_COLUMNS,
    STORED_COLUMNS,
    apply_row,
    attempt_row,
    stored_session,
)
from runner.state.schema import TABLES
from runner.state.sqlite_errors import damaged

MOST = 10
"""Faults that are looked for: one is enough to know."""

READ_ERRORS = (sqlite3.Error, LookupError, ValueError, TypeError, ArithmeticError, AttributeError, RecursionError)
"""What reading a damaged journal raises where a sound one cannot."""

_CONVERSIONS: tuple[tuple[str, str, Callable[[tuple[Any, ...]], object]], ...] = (
    (
        "sessions",
        f"SELECT {STORED_COLUMNS} FROM sessions s JOIN texts t ON t.session = s.n",
        lambda row: stored_session(row, live=False),
    ),
    ("attempts", f"SELECT {ATTEMPT_COLUMNS} FROM attempts a JOIN sessions s ON s.n = a.session", attempt_row),
    ("applies", f"SELECT {APPLY_COLUMNS} FROM applies a JOIN recipes r ON r.n = a.recipe", apply_row),
)

_DANGLING = (
    (
        "session {} has no attempt of the number that it says",
        "SELECT n FROM sessions s WHERE NOT EXISTS"
        " (SELECT 1 FROM attempts a WHERE a.session = s.n AND a.number = s.attempts)",
    ),
    ("session {} has no variables", "SELECT n FROM sessions WHERE n NOT IN (SELECT session FROM texts)"),
    ("session {} has no recipe", "SELECT n FROM sessions WHERE recipe NOT IN (SELECT n FROM recipes)"),
    ("apply {} has no recipe", "SELECT n FROM applies WHERE recipe NOT IN (SELECT n FROM recipes)"),
    (
        "attempts of the unknown session {}",
        "SELECT session FROM attempts WHERE session NOT IN (SELECT n FROM sessions)",
    ),
)


def faults(connection: sqlite3.Connection) -> list[str]:
    """Up to MOST faults of an open journal of the present version, the gravest first; empty if it is sound."""
    return list(islice(_faults(connection), MOST))


def of(error: BaseException | None, connection: sqlite3.Connection, path: Path) -> Damaged | None:
    """The damage of the open journal at `path` that explains an unexpected error; None if the journal is sound."""
    if not isinstance(error, READ_ERRORS):
        return None
    try:
        found = faults(connection)
    except sqlite3.Error as fault:
        found = [str(fault)]
    return damaged(path, found[0]) if found else None


def _faults(connection: sqlite3.Connection) -> Iterator[str]:
    yield from _caught("pages", _pages, connection)
    yield from _caught("tables", _tables, connection)
    for table in COLUMNS:
        yield from _caught(table, wrong_checksums, connection, table)
    for table, query, convert in _CONVERSIONS:
        yield from _caught(table, _unreadable, connection, table, query, convert)
    yield from _caught("rows", _dangling, connection)


def _caught(place: str, look: Callable[..., Iterator[str]], *arguments: Any) -> Iterator[str]:
    try:
        yield from look(*arguments)
    except READ_ERRORS as error:
        yield f"{place}: {error}"


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    for (fault,) in connection.execute(f"PRAGMA integrity_check({MOST})"):
        if fault != "ok":
            yield str(fault).strip().replace("\n", "; ")


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    with closing(sqlite3.connect(":memory:")) as sound:
        sound.executescript(TABLES)
        for (name,) in sound.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            info = f"PRAGMA table_info({name})"
            if connection.execute(info).fetchall() != sound.execute(info).fetchall():
                yield f"table {name} is not as runner made it"


def wrong_checksums(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    """A fault for each row whose content does not match its checksum."""
    with closing(connection.cursor()) as cursor:
        text, connection.text_factory = connection.text_factory, lossless
        try:
            cursor.execute(f"SELECT {', '.join(COLUMNS[table])}, crc FROM {table}")
            for row in cursor:
                if row[-1] is not None and row[-1] != checksum(*row[:-1]):
                    yield f"row {row[0]} of {table} does not match its checksum"
        finally:
            connection.text_factory = text


def lossless(text: bytes) -> str:
    """A text of a journal, which may not be UTF-8 if it is damaged."""
    return text.decode("utf-8", "surrogateescape")


def _unreadable(
    connection: sqlite3.Connection, table: str, query: str, convert: Callable[[tuple[Any, ...]], object]
) -> Iterator[str]:
    for row in connection.execute(query):
        try:
            convert(row)
        except READ_ERRORS as error:
            yield f"a row of {table} cannot be read: {type(error).__name__}: {error}"


def _dangling(connection: sqlite3.Connection) -> Iterator[str]:
    for fault, query in _DANGLING:
        for (number,) in connection.execute(f"{query} LIMIT {MOST}"):
            yield fault.format(number)
