"""The combinations of a sweep: the product of the axes in file order, minus `exclude`, plus `include`; lazy, counted exactly.

The product is never stored. An exclusion is, for each axis, the set of its points that match; the count goes over groups of
points that match the same exclusions, not over points.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from runner.model import Value
from runner.space.axis import Axis, Condition, Point


@dataclass(frozen=True)
class Space:
    """All combinations; iterating gives flat tuples of values in the order of `names`."""

    axes: tuple[Axis, ...]
    exclude: tuple[Condition, ...] = ()
    include: tuple[Condition, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(name for axis in self.axes for name in axis.names)

    @cached_property
    def _matches(self) -> tuple[tuple[frozenset[int] | None, ...], ...]:
        """For each exclusion and axis, the positions that match (None: all of them)."""
        return tuple(tuple(axis.matching(condition) for axis in self.axes) for condition in self.exclude)

    def removes_nothing(self, exclusion: int) -> bool:
        return any(match is not None and not match for match in self._matches[exclusion])

    def __iter__(self) -> Iterator[Point]:
        yield from self._product(0, frozenset(range(len(self.exclude))))
        for entry, condition in enumerate(self.include):
            is_new = self._is_surely_new(entry)
            for point in self._included(condition):
                if is_new or not self._is_earlier(point, entry):
                    yield point

    @cached_property
    def count(self) -> int:
        return self.product_count + sum(self._include_counts)

    @cached_property
    def duplicates(self) -> tuple[int, ...]:
        """For each entry of `include`, the number of its combinations that exist already."""
        return tuple(
            self._included_size(condition) - counted
            for condition, counted in zip(self.include, self._include_counts, strict=True)
        )

    @cached_property
    def _include_counts(self) -> tuple[int, ...]:
        return tuple(
            self._included_size(condition)
            if self._is_surely_new(entry)
            else sum(not self._is_earlier(point, entry) for point in self._included(condition))
            for entry, condition in enumerate(self.include)
        )

    @cached_property
    def product_count(self) -> int:
        """The number of combinations that no exclusion removes, without iterating over them."""

        @cache
        def remaining(depth: int, alive: frozenset[int]) -> int:
            if not alive:
                return math.prod(axis.count for axis in self.axes[depth:])
            if depth == len(self.axes) or self._drops_all(depth, alive):
                return 0
            here = {entry: match for entry in alive if (match := self._matches[entry][depth]) is not None}
            free = frozenset(alive - here.keys())
            special: dict[int, set[int]] = {}
            for entry, match in here.items():
                for position in match:
                    special.setdefault(position, set()).add(entry)
            total = (self.axes[depth].count - len(special)) * remaining(depth + 1, free)
            for entries in special.values():
                total += remaining(depth + 1, frozenset(free | entries))
            return total

        return remaining(0, frozenset(range(len(self.exclude))))

    def values_of(self, name: str) -> Iterator[Value]:
        """Yield every value of the variable, before exclusions; values of `include` last."""
        for axis in self.axes:
            if name in axis.names:
                yield from axis.column(name)
        for condition in self.include:
            if name in condition:
                yield condition[name]

    def longest_text(self, name: str) -> int:
        """Return an upper bound of the bytes of UTF-8 of a value of the variable."""
        longest = [len(condition[name].text.encode()) for condition in self.include if name in condition]
        for axis in self.axes:
            if name in axis.names:
                longest.append(
                    axis.single.longest_text()
                    if axis.single is not None
                    else max(len(value.text.encode()) for value in axis.column(name))
                )
        return max(longest, default=0)

    def projected(self, names: Iterable[str]) -> Iterator[dict[str, Value]]:
        """Yield the combinations of the axes of these variables, without exclusions: `has` tells whether one exists."""
        wanted = set(names)
        axes = tuple(axis for axis in self.axes if wanted.intersection(axis.names))
        inside = {name for axis in axes for name in axis.names}
        include = tuple(
            kept for entry in self.include if (kept := {name: entry[name] for name in entry if name in inside})
        )
        part = Space(axes, include=include)
        for point in part:
            yield dict(zip(part.names, point, strict=True))

    def has(self, condition: Condition) -> bool:
        """Return whether some combination has all of these values."""
        axes = tuple(axis.restricted(condition) for axis in self.axes)
        if next(iter(Space(axes, self.exclude)), None) is not None:
            return True
        return any(
            all(values[name] == value for name, value in condition.items())
            for entry in self.include
            for values in (dict(zip(self.names, point, strict=True)) for point in self._included(entry))
        )

    def _drops_all(self, depth: int, alive: frozenset[int]) -> bool:
        return any(all(match is None for match in self._matches[entry][depth:]) for entry in alive)

    def _product(self, depth: int, alive: frozenset[int]) -> Iterator[Point]:
        axes = self.axes[depth:]
        if not alive:
            yield from _multiply(axes)
        elif not self._drops_all(depth, alive):
            matches = {entry: self._matches[entry][depth] for entry in alive}
            for position, point in enumerate(axes[0].points()):
                still = frozenset(entry for entry, match in matches.items() if match is None or position in match)
                for rest in self._product(depth + 1, still):
                    yield point + rest

    def _sources(self, condition: Condition) -> list[Iterable[Point]]:
        """Return, for each axis, the points of an entry of `include`; a variable that it does not name takes every value."""
        sources: list[Iterable[Point]] = []
        for axis in self.axes:
            if not any(name in condition for name in axis.names):
                sources.append(axis.cached or tuple(axis.points()))  # itertools.product would store them, too
            else:
                columns = [(condition[name],) if name in condition else tuple(axis.column(name)) for name in axis.names]
                sources.append(tuple(itertools.product(*columns)))
        return sources

    def _included(self, condition: Condition) -> Iterator[Point]:
        return (tuple(itertools.chain(*points)) for points in itertools.product(*self._sources(condition)))

    def _included_size(self, condition: Condition) -> int:
        return math.prod(
            math.prod(1 if name in condition else len(axis.column(name)) for name in axis.names)
            if any(name in condition for name in axis.names)
            else axis.count
            for axis in self.axes
        )

    def _is_surely_new(self, entry: int) -> bool:
        """Return True if, judging by single values, no combination of this entry can exist already."""
        condition = self.include[entry]

        def new(name: str, axis: Axis) -> bool:
            return name in condition and not axis.takes(name, condition[name])

        if not any(new(name, axis) for axis in self.axes for name in axis.names):
            return False
        return all(
            any(name in condition and condition[name] != value for name, value in earlier.items())
            or any(new(name, axis) and name not in earlier for axis in self.axes for name in axis.names)
            for earlier in self.include[:entry]
        )

    def _is_earlier(self, point: Point, entry: int) -> bool:
        """Return whether the product or an earlier entry of `include` has this combination."""
        if any(self._in_entry(point, earlier) for earlier in self.include[:entry]):
            return True
        positions: list[int] = []
        start = 0
        for axis in self.axes:
            position = axis.position(point[start : start + len(axis.names)])
            if position is None:
                return False
            positions.append(position)
            start += len(axis.names)
        return not any(
            all(match is None or position in match for match, position in zip(row, positions, strict=True))
            for row in self._matches
        )

    def _in_entry(self, point: Point, condition: Condition) -> bool:
        values = dict(zip(self.names, point, strict=True))
        if any(values[name] != value for name, value in condition.items()):
            return False
        start = 0
        for axis in self.axes:
            part = point[start : start + len(axis.names)]
            start += len(axis.names)
            if not any(name in condition for name in axis.names):
                if axis.position(part) is None:
                    return False
            elif any(
                not axis.takes(name, value)
                for name, value in zip(axis.names, part, strict=True)
                if name not in condition
            ):
                return False
        return True


def _multiply(axes: tuple[Axis, ...]) -> Iterator[Point]:
    """Return the product of whole axes. itertools.product stores its arguments, so it gets only axes that are cached."""
    lazy = next((at for at, axis in enumerate(axes) if axis.cached is None), None)
    if lazy is None:
        yield from _multiply_cached([axis.cached or () for axis in axes])
        return
    for head in _multiply_cached([axis.cached or () for axis in axes[:lazy]]):
        for point in axes[lazy].points():
            for tail in _multiply(axes[lazy + 1 :]):
                yield head + point + tail


def _multiply_cached(axes: list[tuple[Point, ...]]) -> Iterator[Point]:
    if all(len(points[0]) == 1 for points in axes if points):
        return itertools.product(*([point[0] for point in points] for points in axes))
    return (tuple(itertools.chain(*points)) for points in itertools.product(*axes))
