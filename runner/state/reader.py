"""One open journal, for reading: its connection, and the errors of reading it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.model import Recipe
from runner.state import damage
from runner.state.sqlite_errors import explain


class Reader:
    """An open journal. Every method raises EnvironmentFailed if the file cannot be read."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._recipes: dict[int, Recipe] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the journal. If the body failed because the journal is damaged, raise that instead of its error."""
        with closing(self._connection):
            if (found := damage.of(error, self._connection, self._path)) is not None:
                raise found from error

    @cached_property
    def state_id(self) -> str:
        """12 random hex digits, unique to this state; a copy gets new ones."""
        (state,) = self._one("SELECT state FROM meta") or ("",)
        return str(state)

    def copy_to(self, path: Path) -> None:
        """Write the journal's present content to another file."""
        try:
            with closing(sqlite3.connect(path)) as copy:
                self._connection.backup(copy)
        except sqlite3.Error as error:
            explain(error, self._path)

    def has_merged(self, token: str) -> bool:
        """True if the last merge had this token."""
        return self._one("SELECT 1 FROM merges WHERE token = ?", token) is not None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries of the body see the journal as it is at the first of them, without later commits."""
        if self._connection.in_transaction:
            yield
            return
        self._one("BEGIN")
        try:
            yield
        finally:
            self._one("COMMIT")

    def _recipe(self, n: int) -> Recipe:
        if n not in self._recipes:
            found = self._one("SELECT parts, digest, sans_files FROM recipes WHERE n = ?", n)
            parts, digest, sans_files = found or ("{}", "", "")
            self._recipes[n] = Recipe(json.loads(parts), digest, sans_files)
        return self._recipes[n]

    def _one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            explain(error, self._path)
        return row

    def _each(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            explain(error, self._path)
