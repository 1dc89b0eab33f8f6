"""Conditions and order of rows: `--where` and `--sort`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from runner.diagnostics import nearest
from runner.errors import InvalidInput
from runner.model import Value
from runner.plan.selection import unquoted
from runner.results.columns import QUANTITIES, Column, T, number
from runner.scalars import equal, is_number, resolve
from runner.units import UnitError, parse_duration, parse_memory

_CONDITION = re.compile(r"\s*(?P<name>[^<>=!]+?)\s*(?P<operator><=|>=|!=|==?|<|>)\s*(?P<value>.*?)\s*\Z", re.S)

OPERATORS = "write `--where 'loss<0.3'`, with one of `=`, `!=`, `<`, `<=`, `>`, `>=`"

_NEXT = re.compile(r"(?:\s(?:and|or)\s|&&?|\|\|?|,)\s*(?P<name>[^<>=!]+?)\s*(?:[<>=]|!=)", re.I)
"""The beginning of a second condition inside the value of the first."""

Find = Callable[[str], Column[T]]


@dataclass(frozen=True)
class Condition(Generic[T]):
    """One `--where`. Numbers compare as numbers, everything else as text. An empty value matches missing cells."""

    column: Column[T]
    operator: str
    value: Value

    def __call__(self, row: T) -> bool:
        cell = self.column.of(row)
        match self.operator:
            case "=" | "==":
                return self._is(cell)
            case "!=":
                return not self._is(cell)
            case operator:
                return _ordered(cell, operator, self.value)

    def _is(self, cell: Value) -> bool:
        return not cell.text if not self.value.text else equal(cell, self.value)


def parse_condition(text: str, find: Find[T]) -> Condition[T]:
    """`loss<0.3`, `status!=succeeded`, `duration>1m`, `loss=` (missing), `x="a,b"`. Raises InvalidInput."""
    found = _CONDITION.match(text)
    if found is None:
        raise InvalidInput(f"`{text}` is not a condition", OPERATORS)
    column = find(found["name"])
    value, ordered = found["value"], found["operator"][0] in "<>"
    inner = _unquoted(value)
    if value[:1] in ("<", ">", "=") and (ordered or column.numeric or is_number(resolve(value.lstrip("<>= ")))):
        raise InvalidInput(f"`{text}` is not a condition", OPERATORS)
    if inner is None:
        _require_one(text, value, find)
    else:
        value = inner
    if ordered and not value:
        raise InvalidInput(
            f"`{text}` has no value to compare with", f"`--where {found['name']}=` selects missing values"
        )
    if column.among:
        _require_known(column, text, value, ordered)
    bound = _value(column.name, value)
    if ordered and column.numeric and number(bound) is None:
        raise InvalidInput(f"`{text}`: `{value}` is not a number", "write a number, such as `--where 'loss<0.3'`")
    return Condition(column, found["operator"], bound)


def _unquoted(value: str) -> str | None:
    """The value of a text in single or double quotes, as in `--select`; None for any other."""
    return value[1:-1] if re.fullmatch("'.*'", value, re.S) else unquoted(value)


def _require_one(text: str, value: str, find: Find[T]) -> None:
    """Raises InvalidInput if the value holds another condition, as in `lr=0.1 and seed=0`."""
    for following in _NEXT.finditer(value):
        try:
            find(following["name"])
        except InvalidInput:
            continue  # not a column: part of a text
        raise InvalidInput(f"`{text}` has more than one condition", "give `--where` once for each; all must hold")


def _require_known(column: Column[T], text: str, value: str, ordered: bool) -> None:
    """Raises InvalidInput if no row can have this value."""
    if ordered:
        raise InvalidInput(f"`{text}`: `{column.name}` cannot be ordered", "compare it with `=` or `!=`")
    if value not in column.among:
        near = nearest(value, column.among)
        every = ", ".join(f"`{one}`" for one in column.among)
        raise InvalidInput(
            f"`{text}`: `{value}` is not a value of `{column.name}`",
            f"did you mean `{near}`?" if near else f"choose from {every}",
        )


def _value(name: str, text: str) -> Value:
    data = resolve(text)
    quantity = QUANTITIES.get(name)
    if quantity is not None and text and not is_number(data):
        try:
            data = parse_duration(text) if quantity == "duration" else parse_memory(text, bare="error")
        except UnitError as error:
            raise InvalidInput(f"`{name}` in `--where`: {error.message}", error.hint) from error
    return Value(text, data)


def _ordered(cell: Value, operator: str, bound: Value) -> bool:
    one: float | str | None = number(cell)
    other: float | str | None = number(bound)
    if other is None:
        one, other = (cell.text if one is None else None), bound.text
    if one is None or one == "" or cell.text.lower() == "nan":
        return False
    assert isinstance(one, str) == isinstance(other, str)
    below, same = one < other, one == other  # type: ignore[operator]  # both are numbers, or both text
    return {"<": below, "<=": below or same, ">": not (below or same), ">=": not below}[operator]


Order = Sequence[tuple[Column[T], bool]]
"""Columns to sort by, the most significant first, and whether each is descending."""


def parse_order(texts: Sequence[str], find: Find[T]) -> Order[T]:
    """`loss`, `-duration`, several joined by commas. Raises InvalidInput."""
    names = [name.strip() for text in texts for name in text.split(",")]
    return [(find(name.removeprefix("-")), name.startswith("-")) for name in names]


def in_order(rows: list[T], order: Order[T]) -> list[T]:
    """The rows sorted: numbers before text, missing values last in either direction. The sort is stable."""
    for column, down in reversed(order):
        rows = sorted(rows, key=lambda row, column=column, down=down: _key(column.of(row), down), reverse=down)  # type: ignore[misc]
    return rows


def _key(cell: Value, down: bool) -> tuple[int, float, str]:
    amount = number(cell)
    rank = 2 if not cell.text else (0 if amount is not None else 1)
    return (-rank if down else rank, amount or 0.0, "" if amount is not None else cell.text)
