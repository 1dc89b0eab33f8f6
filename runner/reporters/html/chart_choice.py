"""The choice of a plot, by how many variables vary and of what kind they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runner.reporters.html.dataset import Dataset, Field
from runner.results.columns import number

Kind: TypeAlias = Literal["line", "lines", "heatmap", "scatter", "bars", "grouped-bars", "parallel", "strip", "none"]

SEEDS = ("seed", "random_seed", "random_state", "repeat")
"""Variables that repeat an experiment instead of changing it: the plots aggregate over them."""

MOST_COLOURS = 7
"""Lines that colour and dash can distinguish."""

MOST_TICKS = 40
"""Distinct values that an axis of a heat map, or of bars, can show."""

LEAST_FILLED = 0.3
"""The share of the combinations of two variables from which a heat map is drawn; below it, points."""


@dataclass(frozen=True)
class Variable:
    """A variable that varies, or several that vary together, of which the field is one."""

    field: Field
    label: str

    @property
    def numeric(self) -> bool:
        return self.field.numeric

    @property
    def size(self) -> int:
        return len(self.field.values)

    @property
    def numbers(self) -> list[float]:
        return sorted(found for value in self.field.values if (found := number(value)) is not None)

    @property
    def logarithmic(self) -> bool:
        """Whether its axis is logarithmic: all values positive, over a factor of 50 or more."""
        numbers = self.numbers
        return self.numeric and len(numbers) > 2 and numbers[0] > 0 and numbers[-1] / numbers[0] >= 50


@dataclass(frozen=True)
class Chart:
    """A kind of plot and its variables."""

    kind: Kind
    over: Sequence[Variable]
    """Its variables, in the order of their roles: x, then y or colour."""
    aggregated: Sequence[Variable]
    """The variables that it aggregates over."""
    groups: Mapping[tuple[int, ...], Sequence[int]]
    """The rows of each combination of `over`."""
    spread: frozenset[str]
    """The keys of the metrics that have several numbers in some group, so that a deviation can be shown."""

    @property
    def combinations(self) -> int:
        return len(self.groups)


def choose(dataset: Dataset, axes: Sequence[Sequence[str]]) -> Chart:
    """The plot for each metric of the data set."""
    varying = [one for one in _variables(dataset, axes) if one.size > 1]
    seeds = [one for one in varying if one.field.label in SEEDS]
    free = [one for one in varying if one.field.label not in SEEDS]
    if not free:
        over = seeds[:1]
        return Chart("strip" if over else "none", over, seeds[1:], _groups(dataset, over), frozenset())
    kind, over = _choose_kind(dataset, free)
    groups = _groups(dataset, over)
    return Chart(kind, over, seeds, groups, _spread(dataset, groups))


def _choose_kind(dataset: Dataset, free: list[Variable]) -> tuple[Kind, list[Variable]]:
    numeric = [one for one in free if one.numeric]
    named = [one for one in free if not one.numeric]
    largest_first = sorted(named, key=lambda one: -one.size)
    match len(numeric), len(named):
        case 1, 0:
            return "line", numeric
        case 1, 1 if named[0].size <= MOST_COLOURS:
            return "lines", [*numeric, *named]
        case 2, 0:
            return ("heatmap" if _is_grid(dataset, numeric) else "scatter"), sorted(numeric, key=lambda one: -one.size)
        case 0, 1 if named[0].size <= MOST_TICKS:
            return "bars", named
        case 0, 2 if largest_first[1].size <= MOST_COLOURS and largest_first[0].size <= MOST_TICKS:
            return "grouped-bars", largest_first
        case _:
            return "parallel", free


def _is_grid(dataset: Dataset, over: Sequence[Variable]) -> bool:
    """Whether the axes can show every value, and enough of the combinations exist."""
    possible = over[0].size * over[1].size
    return all(one.size <= MOST_TICKS for one in over) and len(_groups(dataset, over)) >= LEAST_FILLED * possible


def _groups(dataset: Dataset, over: Sequence[Variable]) -> dict[tuple[int, ...], list[int]]:
    return dataset.group([one.field for one in over])


def _spread(dataset: Dataset, groups: Mapping[tuple[int, ...], Sequence[int]]) -> frozenset[str]:
    several = [rows for rows in groups.values() if len(rows) > 1]
    return frozenset(
        field.key
        for field in dataset.of_kind("metric", "measured")
        if any(len(dataset.summary(field, rows).numbers) > 1 for rows in several)
    )


def _variables(dataset: Dataset, axes: Sequence[Sequence[str]]) -> list[Variable]:
    found = []
    for names in [*axes, ("repeat",)]:
        fields = [field for field in dataset.of_kind("variable") if field.label in names]
        if fields:
            largest = max(fields, key=lambda field: len(field.values))
            found.append(Variable(largest, ", ".join(names)))
    return found
