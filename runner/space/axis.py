"""An axis of a sweep: one range, or several ranges that vary together. The product multiplies axes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

from runner.model import Value
from runner.scalars import equal

Point: TypeAlias = tuple[Value, ...]
Condition: TypeAlias = Mapping[str, Value]
"""One entry of `exclude` or `include`: variables and the values they must have."""

MAX_CACHED_POINTS = 65_536
"""Longest axis whose points are cached as tuples while the product iterates over them repeatedly."""


class Values(Protocol):
    """A lazy sequence of distinct values: see `Range`."""

    @property
    def count(self) -> int: ...
    def __iter__(self) -> Iterator[Value]: ...
    def __getitem__(self, position: int, /) -> Value: ...
    def index(self, value: Value, /) -> int | None: ...
    def indices_equal(self, value: Value, /) -> Sequence[int]: ...
    def longest_text(self) -> int: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Axis:
    """One variable and its values (`single`), or several variables that vary together (`rows`)."""

    names: tuple[str, ...]
    single: Values | None
    rows: tuple[Point, ...] = ()

    @classmethod
    def zipped(cls, names: Sequence[str], columns: Sequence[Iterable[Value]]) -> Axis:
        """Return columns of equal length as one axis; equal rows become one."""
        return cls(tuple(names), None, tuple(dict.fromkeys(zip(*columns, strict=True))))

    @cached_property
    def count(self) -> int:
        return len(self.rows) if self.single is None else self.single.count

    @cached_property
    def cached(self) -> tuple[Point, ...] | None:
        if self.single is None:
            return self.rows
        return tuple(zip(self.single)) if self.count <= MAX_CACHED_POINTS else None

    def points(self) -> Iterator[Point]:
        if self.cached is not None:
            return iter(self.cached)
        assert self.single is not None
        return zip(self.single)

    def column(self, name: str) -> Values | Mapping[Value, None]:
        """Return the distinct values of one of its variables."""
        return self.single if self.single is not None else self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, dict[Value, None]]:
        return {name: dict.fromkeys(row[at] for row in self.rows) for at, name in enumerate(self.names)}

    def takes(self, name: str, value: Value) -> bool:
        """Return whether one of its variables has exactly this value at some point."""
        return self.single.index(value) is not None if self.single is not None else value in self._columns[name]

    def matching(self, condition: Condition) -> frozenset[int] | None:
        """Return the positions of the points that satisfy the condition; None if it names no variable of this axis."""
        wanted = [(at, condition[name]) for at, name in enumerate(self.names) if name in condition]
        if not wanted:
            return None
        if self.single is not None:
            return frozenset(self.single.indices_equal(wanted[0][1]))
        return frozenset(
            at for at, row in enumerate(self.rows) if all(equal(row[column], value) for column, value in wanted)
        )

    def restricted(self, condition: Condition) -> Axis:
        """Return the axis with only the points that satisfy the condition."""
        matching = self.matching(condition)
        if matching is None:
            return self
        if self.single is None:
            return Axis(self.names, None, tuple(self.rows[at] for at in sorted(matching)))
        return Axis(self.names, None, tuple((self.single[at],) for at in sorted(matching)))

    def position(self, point: Point) -> int | None:
        """Return the position of the point with exactly these values (text and type), or None."""
        if self.single is not None:
            return self.single.index(point[0])
        return self._positions.get(point)

    @cached_property
    def _positions(self) -> dict[Point, int]:
        return {row: at for at, row in enumerate(self.rows)}
