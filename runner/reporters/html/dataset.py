"""The sessions as compact columns, for the table, the plots and the numbers of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from runner.config.reserved import MEASURED
from runner.events import iso
from runner.model import Value
from runner.results.aggregate import Summary
from runner.results.columns import QUANTITIES, Quantity, known, number
from runner.results.rows import Result
from runner.scalars import is_number

Kind: TypeAlias = Literal["id", "variable", "status", "metric", "measured", "count", "hidden"]

ABOUT = {"duration": "wall time", "cpu_time": "CPU time", "max_rss": "peak memory"}
"""What is measured of every session, in words."""

EXACT = 2**53
"""JavaScript rounds integers beyond this."""


@dataclass(frozen=True)
class Field:
    """A column of the data set."""

    key: str
    """`c0`, `c1`, …: its name in a plot."""
    label: str
    kind: Kind
    quantity: Quantity
    coded: bool
    """Whether the cells are indices of `values`."""
    numeric: bool
    """Whether every value is a number; of a metric, whether any is."""
    values: Sequence[Value]
    exact: Mapping[int, str]
    """The text of a number that JavaScript would show differently, by row: integers beyond EXACT, and `1.10`."""

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "name": self.label,
            "kind": self.kind,
            "about": ABOUT.get(self.label) if self.kind == "measured" else None,
            "quantity": self.quantity,
            "numeric": self.numeric,
            "values": [[value.text, number(value)] for value in self.values] if self.coded else None,
            "exact": self.exact,
        }


@dataclass(frozen=True)
class Dataset:
    """Fields and their cells: `columns[f][row]` is the cell of `fields[f]`."""

    fields: Sequence[Field]
    columns: Sequence[Sequence[Any]]

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.columns[0])

    def of_kind(self, *kinds: Kind) -> list[Field]:
        return [field for field in self.fields if field.kind in kinds]

    def cells(self, field: Field) -> Sequence[Any]:
        return self.columns[self.fields.index(field)]

    def group(self, by: Sequence[Field]) -> dict[tuple[Any, ...], list[int]]:
        """The rows by their cells in `by`."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        columns = [self.cells(field) for field in by]
        for row in range(self.size):
            groups.setdefault(tuple(column[row] for column in columns), []).append(row)
        return groups

    def summary(self, field: Field, rows: Iterable[int] | None = None) -> Summary:
        """The numbers of a metric in `rows`, or in all of them."""
        column = self.cells(field)
        cells = column if rows is None else [column[row] for row in rows]
        numbers = [cell for cell in cells if _is_amount(cell)]
        texts = [str(cell) for cell in cells if cell is not None and not _is_amount(cell)]
        return Summary(numbers, texts, len(cells) - len(numbers) - len(texts))

    def to_json(self) -> dict[str, Any]:
        """For the page: the fields, and the cells by row."""
        fields = [field.to_json() for field in self.fields]
        return {"columns": fields, "rows": list(zip(*self.columns, strict=True))}


@dataclass
class _Column:
    kind: Kind
    label: str
    read: Callable[[Result], Any]
    """The value of a session: a Value of a variable, else plain data."""
    coded: bool = False
    read_values: list[Any] = field(default_factory=list)


class DatasetBuilder:
    """Collects sessions, one row each: variables, status, metrics, measurements, and what only an opened row shows."""

    def __init__(self, variables: Sequence[str], metrics: Sequence[str], *, repeated: bool) -> None:
        self._columns = [_Column("id", "id", lambda result: result.session.id)]
        self._columns += [_Column("variable", name, _param(name), coded=True) for name in variables]
        if repeated:
            self._columns.append(_Column("variable", "repeat", lambda result: known(result.session.repeat), coded=True))
        self._columns.append(_Column("status", "status", lambda result: result.status, coded=True))
        self._columns += [_Column("metric", name, _metric(name)) for name in metrics]
        self._columns += [_Column("measured", name, _last(name)) for name in MEASURED]
        self._columns.append(_Column("count", "attempts", lambda result: result.last.number if result.last else 0))
        self._columns.append(_Column("count", "exit_code", _last("exit_code")))
        self._columns.append(_Column("hidden", "reason", _last("reason"), coded=True))
        self._columns.append(_Column("hidden", "started", _started))
        self._columns += [
            _Column("hidden", name, _last(name), coded=name != "job") for name in ("host", "backend", "job")
        ]

    def add(self, result: Result) -> None:
        for column in self._columns:
            column.read_values.append(column.read(result))

    def build(self) -> Dataset:
        fields, columns = [], []
        for at, column in enumerate(self._columns):
            build = _coded if column.coded else _plain
            found, cells = build(f"c{at}", column)
            fields.append(found)
            columns.append(cells)
        return Dataset(fields, columns)


def _param(name: str) -> Callable[[Result], Value]:
    return lambda result: result.session.params[name]


def _metric(name: str) -> Callable[[Result], Any]:
    def read(result: Result) -> Any:
        found = result.last.metrics.get(name) if result.last else None
        if not isinstance(found, Value):
            return None
        return found.data if found.text == str(found.data) else found

    return read


def _last(name: str) -> Callable[[Result], Any]:
    return lambda result: getattr(result.last, name) if result.last else None


def _started(result: Result) -> str | None:
    return iso(result.last.started) if result.last and result.last.started is not None else None


def _coded(key: str, column: _Column) -> tuple[Field, list[int]]:
    codes: dict[Any, int] = {}
    cells = [codes.setdefault(value, len(codes)) for value in column.read_values]
    values = [value if isinstance(value, Value) else known(value) for value in codes]
    numeric = bool(values) and all(number(value) is not None for value in values)
    return Field(key, column.label, column.kind, None, True, numeric, values, {}), cells


def _plain(key: str, column: _Column) -> tuple[Field, list[Any]]:
    exact: dict[int, str] = {}
    cells = column.read_values
    for row, data in enumerate(cells):
        if isinstance(data, Value):
            exact[row], data = data
            cells[row] = data
        if type(data) is float and data - data == 0.0:
            continue
        if is_number(data) and not (isinstance(data, int) and abs(data) <= EXACT):
            amount = number(known(data))
            cells[row] = str(data) if amount is None else amount
            if amount is not None and isinstance(data, int):
                exact.setdefault(row, str(data))
    numeric = any(map(_is_amount, cells)) if column.kind in ("metric", "measured") else all(map(_is_amount, cells))
    quantity = QUANTITIES.get(column.label) if column.kind == "measured" else None
    return Field(key, column.label, column.kind, quantity, False, bool(cells) and numeric, (), exact), cells


def _is_amount(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
