"""The combinations of a sweep: axes multiplied in file order, minus `exclude`, plus `include`. Lazy, and exactly counted.

Nothing here holds the product: an axis is a lazy range (or several zipped), an exclusion is for each axis the set of its
points that match, and counting walks groups of points instead of points.
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
    """All combinations, as flat tuples of values in the order of `names`."""

    axes: tuple[Axis, ...]
    exclude: tuple[Condition, ...] = ()
    include: tuple[Condition, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(name for axis in self.axes for name in axis.names)

    @cached_property
    def _matches(self) -> tuple[tuple[frozenset[int] | None, ...], ...]:
        """For each exclusion, for each axis, the positions that it matches (None: all of them)."""
        return tuple(tuple(axis.matching(condition) for axis in self.axes) for condition in self.exclude)

    def removes_nothing(self, exclusion: int) -> bool:
        return any(match is not None and not match for match in self._matches[exclusion])

    def __iter__(self) -> Iterator[Point]:
        yield from self._product(0, frozenset(range(len(self.exclude))))
        for entry, condition in enumerate(self.include):
            alone = self._stands_alone(entry)
            for point in self._included(condition):
                if alone or not self._already(point, entry):
                    yield point

    @cached_property
    def count(self) -> int:
        return self.product_count + sum(self._include_counts)

    @cached_property
    def duplicates(self) -> tuple[int, ...]:
        """For each entry of `include`, how many of its combinations are there already."""
        return tuple(
            self._included_size(condition) - counted
            for condition, counted in zip(self.include, self._include_counts, strict=True)
        )

    @cached_property
    def _include_counts(self) -> tuple[int, ...]:
        return tuple(
            self._included_size(condition)
            if self._stands_alone(entry)
            else sum(not self._already(point, entry) for point in self._included(condition))
            for entry, condition in enumerate(self.include)
        )

    @cached_property
    def product_count(self) -> int:
        """The number of combinations that no exclusion removes, found without walking them."""

        @cache
        def left(depth: int, alive: frozenset[int]) -> int:
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
            total = (self.axes[depth].count - len(special)) * left(depth + 1, free)
            for entries in special.values():
                total += left(depth + 1, frozenset(free | entries))
            return total

        return left(0, frozenset(range(len(self.exclude))))

    def values_of(self, name: str) -> Iterator[Value]:
        """Every value that the variable takes somewhere, before exclusions; values of `include` last."""
        for axis in self.axes:
            if name in axis.names:
                yield from axis.column(name)
        for condition in self.include:
            if name in condition:
                yield condition[name]

    def longest_text(self, name: str) -> int:
        """No value of the variable takes more bytes of UTF-8 than this."""
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
        """Combinations of the axes that hold these variables, without exclusions: ask `has` whether one is real."""
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
        """Whether some combination has all of these values."""
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
        """For each axis, what an entry of `include` lets it be; a variable that it does not name takes every value."""
        sources: list[Iterable[Point]] = []
        for axis in self.axes:
            if not any(name in condition for name in axis.names):
                sources.append(axis.kept or tuple(axis.points()))  # what `itertools.product` would hold anyway
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

    def _stands_alone(self, entry: int) -> bool:
        """Whether it is plain, without looking at combinations, that none of this entry is there already."""
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

    def _already(self, point: Point, entry: int) -> bool:
        """Whether the product or an earlier entry of `include` has this very combination."""
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
    """The product of whole axes. `itertools.product` holds what it multiplies, so it gets only axes that are kept anyway."""
    lazy = next((at for at, axis in enumerate(axes) if axis.kept is None), None)
    if lazy is None:
        yield from _multiply_kept([axis.kept or () for axis in axes])
        return
    for head in _multiply_kept([axis.kept or () for axis in axes[:lazy]]):
        for point in axes[lazy].points():
            for tail in _multiply(axes[lazy + 1 :]):
                yield head + point + tail


def _multiply_kept(axes: list[tuple[Point, ...]]) -> Iterator[Point]:
    if all(len(points[0]) == 1 for points in axes if points):
        return itertools.product(*([point[0] for point in points] for points in axes))
    return (tuple(itertools.chain(*points)) for points in itertools.product(*axes))
