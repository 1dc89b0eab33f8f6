"""Which plot fits a sweep: decided by how many variables vary, and of what kind they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from runner.reporters.html.dataset import Field, Sheet
from runner.results.columns import number

Kind: TypeAlias = Literal["line", "lines", "heatmap", "scatter", "bars", "grouped-bars", "parallel", "strip", "none"]

SEEDS = ("seed", "random_seed", "random_state", "repeat")
"""Variables that repeat an experiment instead of changing it: the plots take their sessions together."""

MOST_COLOURS = 7
"""Lines that can be told apart by colour and dash."""

MOST_TICKS = 40
"""Distinct values that an axis of a heat map, or of bars, has room for."""

LEAST_OF_A_GRID = 0.3
"""Share of the combinations of two variables below which they are points, not cells."""


@dataclass(frozen=True)
class Variable:
    """What varies. Variables that vary together are one, known by the first of them."""

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
        """Whether its values lie evenly on a logarithmic scale rather than on a linear one."""
        numbers = self.numbers
        return self.numeric and len(numbers) > 2 and numbers[0] > 0 and numbers[-1] / numbers[0] >= 50


@dataclass(frozen=True)
class Chart:
    """A kind of plot and the variables that it is over, in the order of their roles (x, then y or colour)."""

    kind: Kind
    over: Sequence[Variable]
    together: Sequence[Variable]
    """Those whose sessions it takes together."""
    combinations: int
    """Of the variables it is over; each has one session or several."""
    spread: frozenset[str]
    """The keys of the metrics that have several numbers for some combination, so that there is a spread to show."""


def choose(sheet: Sheet, axes: Sequence[Sequence[str]]) -> Chart:
    """The plot that fits, whatever the metric."""
    varying = [one for one in _variables(sheet, axes) if one.size > 1]
    seeds = [one for one in varying if one.field.label in SEEDS]
    free = [one for one in varying if one.field.label not in SEEDS]
    if not free:
        over = seeds[:1]
        return Chart("strip" if over else "none", over, seeds[1:], len(_combinations(sheet, over)), frozenset())
    kind, over = _fitting(sheet, free)
    combinations = _combinations(sheet, over)
    return Chart(kind, over, seeds, len(combinations), _spread(sheet, combinations.values()))


def _fitting(sheet: Sheet, free: list[Variable]) -> tuple[Kind, list[Variable]]:
    numeric = [one for one in free if one.numeric]
    named = [one for one in free if not one.numeric]
    largest_first = sorted(named, key=lambda one: -one.size)
    match len(numeric), len(named):
        case 1, 0:
            return "line", numeric
        case 1, 1 if named[0].size <= MOST_COLOURS:
            return "lines", [*numeric, *named]
        case 2, 0:
            return ("heatmap" if _is_grid(sheet, numeric) else "scatter"), sorted(numeric, key=lambda one: -one.size)
        case 0, 1 if named[0].size <= MOST_TICKS:
            return "bars", named
        case 0, 2 if largest_first[1].size <= MOST_COLOURS and largest_first[0].size <= MOST_TICKS:
            return "grouped-bars", largest_first
        case _:
            return "parallel", free


def _is_grid(sheet: Sheet, over: Sequence[Variable]) -> bool:
    """Whether an axis has room for every value, and a good part of the combinations is there."""
    possible = over[0].size * over[1].size
    return all(one.size <= MOST_TICKS for one in over) and len(_combinations(sheet, over)) >= LEAST_OF_A_GRID * possible


def _combinations(sheet: Sheet, over: Sequence[Variable]) -> dict[tuple[int, ...], list[Sequence[Any]]]:
    """The rows that have the same values."""
    places = [sheet.fields.index(one.field) for one in over]
    found: dict[tuple[int, ...], list[Sequence[Any]]] = {}
    for row in sheet.cells:
        found.setdefault(tuple(row[at] for at in places), []).append(row)
    return found


def _spread(sheet: Sheet, combinations: Iterable[Sequence[Sequence[Any]]]) -> frozenset[str]:
    several = [rows for rows in combinations if len(rows) > 1]
    return frozenset(
        field.key
        for at, field in enumerate(sheet.fields)
        if field.kind in ("metric", "measured")
        and any(sum(isinstance(row[at], int | float) for row in rows) > 1 for rows in several)
    )


def _variables(sheet: Sheet, axes: Sequence[Sequence[str]]) -> list[Variable]:
    found = []
    for names in [*axes, ("repeat",)]:
        fields = [field for field in sheet.of_kind("variable") if field.label in names]
        if fields:
            first = max(fields, key=lambda field: len(field.values))
            found.append(Variable(first, ", ".join(names)))
    return found
