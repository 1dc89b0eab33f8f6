"""Columns: named values of a row, which is a session, a group of sessions or a line of a pivot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from runner.config.reserved import FULL, MEASURED, TAKEN
from runner.diagnostics import nearest
from runner.errors import InvalidInput
from runner.model import Outcome, Status, Value
from runner.results.rows import ResultRow
from runner.scalars import is_number
from runner.text.escape import printable
from runner.units import format_duration, format_memory

T = TypeVar("T")

Row: TypeAlias = ResultRow

Quantity: TypeAlias = Literal["duration", "memory", "rounded", None]
"""How the text formats show a number: seconds as `4m 05s`, bytes as `37 MiB`, six significant digits, or as it is."""

SHORT = ("status", "exit_code", "attempts", *MEASURED)
"""The columns between variables and metrics in the text formats; CSV has all columns."""

NUMERIC = ("index", "repeat", "exit_code", "attempts", *MEASURED)

STATUSES = (*(outcome.value for outcome in Outcome), Status.RUNNING.value, Status.NEW.value)
"""The statuses of a row of results, in the order in which their counts are shown."""

QUANTITIES: dict[str, Quantity] = {"duration": "duration", "cpu_time": "duration", "max_rss": "memory"}

MISSING = "-"

NO_VALUE = Value("", None)


@dataclass(frozen=True)
class Column(Generic[T]):
    """A named value of every row."""

    name: str
    of: Callable[[T], Value]
    quantity: Quantity = None
    show: Callable[[T], str] | None = None
    """The cell of the text formats, if it is not the value alone."""
    numeric: bool = False
    """True if its values are meant to be numbers."""
    among: Sequence[str] = ()
    """All possible values, empty if they are not known."""

    def shown(self, row: T) -> str:
        """The cell of the text formats, not shortened; MISSING if there is no value."""
        if self.show is not None:
            return printable(self.show(row))
        value = self.of(row)
        if value.text == "" and value.data is None:
            return MISSING
        if isinstance(value.data, int | float) and self.quantity is not None and is_number(value.data):
            return (
                rounded(value.text, value.data)
                if self.quantity == "rounded"
                else in_quantity(value.data, self.quantity)
            )
        return printable(apart(value.text))


def known(data: Any) -> Value:
    """A value that was not written in the file. The text of None is empty."""
    return Value("" if data is None else str(data), data)


def metric_value(row: Row, name: str) -> Value:
    """The value of a metric; empty if it has none."""
    found = row.metrics.get(name)
    return found if isinstance(found, Value) else NO_VALUE


def apart(text: str) -> str:
    """The text, in quotes if it would read like a missing value."""
    return f"'{text}'" if text in ("", MISSING) else text


def rounded(text: str, amount: int | float) -> str:
    """Six significant digits of a float. What a session wrote is kept if it has no more: `1.10`, `7e10`."""
    if isinstance(amount, int):
        return text
    shown = f"{amount:.6g}"
    return text if text != str(amount) and float(shown) == amount else shown


def in_quantity(amount: float, quantity: Quantity) -> str:
    if quantity == "duration":
        return format_duration(amount)
    if quantity == "memory":
        return format_memory(round(amount))
    return f"{amount:.6g}"


def number(value: Value) -> float | None:
    """The value as a finite float, None if it is not a number or exceeds a float."""
    if not is_number(value.data):
        return None
    try:
        amount = float(value.data or 0)
    except OverflowError:
        return None
    return amount if math.isfinite(amount) else None


def find(name: str, columns: Sequence[Column[T]]) -> Column[T]:
    """The column of that name. Raises InvalidInput if there is none."""
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        names = [column.name for column in columns]
        near = nearest(name, names)
        raise InvalidInput(
            f"no column `{name}`",
            f"did you mean `{near}`?" if near else f"choose from {', '.join(map(_quoted, names))}",
        )
    return found


@dataclass(frozen=True)
class Columns:
    """The columns of a sweep's sessions.

    A variable or metric with the name of another column is called `params.NAME` or `metrics.NAME`.
    """

    variables: Sequence[str]
    repeated: bool
    metrics: Sequence[str]

    @cached_property
    def every(self) -> list[Column[Row]]:
        """All columns, in the order of CSV."""
        return [
            *(_fixed("index"), _fixed("id")),
            *map(self._variable, self.variables),
            *map(_fixed, ("repeat", *FULL)),
            *map(self._metric, self.metrics),
        ]

    @property
    def short(self) -> list[Column[Row]]:
        """The columns of the text formats. Metrics have six significant digits."""
        return [
            _fixed("id"),
            *map(self._variable, self.variables),
            *map(_fixed, (["repeat"] if self.repeated else []) + [*SHORT]),
            *(replace(self._metric(name), quantity="rounded") for name in self.metrics),
        ]

    @property
    def numbers(self) -> list[Column[Row]]:
        """The columns that can be aggregated: the sweep's metrics, then duration, CPU time and memory."""
        return [*map(self._metric, self.metrics), *map(_fixed, MEASURED)]

    def find(self, name: str) -> Column[Row]:
        """The column of this name, `params.NAME` or `metrics.NAME`. Raises InvalidInput."""
        for prefix, names, make in (
            ("params.", self.variables, self._variable),
            ("metrics.", self.metrics, self._metric),
        ):
            if name.startswith(prefix) and name.removeprefix(prefix) in names:
                return make(name.removeprefix(prefix))
        return find(name, self.every)

    def _variable(self, name: str) -> Column[Row]:
        taken = name in TAKEN
        return Column(f"params.{name}" if taken else name, lambda row: row.params[name])

    def _metric(self, name: str) -> Column[Row]:
        taken = name in TAKEN or name in self.variables
        return Column(f"metrics.{name}" if taken else name, lambda row: metric_value(row, name), numeric=True)


def _fixed(name: str) -> Column[Row]:
    among = STATUSES if name == "status" else ()
    field = attrgetter(name)
    return Column(name, lambda row: known(field(row)), QUANTITIES.get(name), numeric=name in NUMERIC, among=among)


def _quoted(name: str) -> str:
    return f"`{name}`"
