"""The space, compared with a model that iterates over the whole product and filters it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from runner.model import Value
from runner.scalars import equal
from runner.space.axis import Axis, Condition, Point
from runner.space.ranges import from_values, parse_expression
from runner.space.space import Space


def value(text: str) -> Value:
    return Value(text, int(text)) if text.isdigit() else Value(text, text)


VALUES = st.sampled_from([value(text) for text in ("0", "1", "2", "a", "b")])
NAMES = ("p", "q", "r")


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    axes: list[Axis] = []
    for name in NAMES[: draw(st.integers(1, 3))]:
        listed = draw(st.lists(VALUES, min_size=1, max_size=4))
        if draw(st.booleans()):
            other = draw(st.lists(VALUES, min_size=len(listed), max_size=len(listed)))
            axes.append(Axis.zipped((name, name * 2), [listed, other]))
        else:
            axes.append(Axis((name,), from_values(listed)))
    names = [name for axis in axes for name in axis.names]
    conditions = st.dictionaries(st.sampled_from(names), VALUES, min_size=1)
    exclude = draw(st.lists(conditions, max_size=3))
    include = draw(st.lists(conditions, max_size=2))
    return Space(tuple(axes), tuple(exclude), tuple(include))


def holds(names: Sequence[str], point: Point, condition: Condition) -> bool:
    return all(equal(point[names.index(name)], wanted) for name, wanted in condition.items())


def model(space: Space) -> list[Point]:
    """Return the product, then the inclusions, each combination once."""
    axes: list[list[Point]] = [list(axis.points()) for axis in space.axes]
    product = [tuple(itertools.chain(*points)) for points in itertools.product(*axes)]
    points = [
        point for point in product if not any(holds(space.names, point, condition) for condition in space.exclude)
    ]
    for condition in space.include:
        columns: list[list[Point]] = []
        for axis in space.axes:
            if any(name in condition for name in axis.names):
                for at, name in enumerate(axis.names):
                    own: list[Point] = [(row[at],) for row in axis.points()]
                    columns.append([(condition[name],)] if name in condition else list(dict.fromkeys(own)))
            else:
                columns.append([*axis.points()])
        points += [tuple(itertools.chain(*parts)) for parts in itertools.product(*columns)]
    return list(dict.fromkeys(points))


@given(spaces())
def test_iterates_over_the_combinations_of_the_model(space: Space) -> None:
    assert list(space) == model(space)


@given(spaces())
def test_count_equals_the_number_of_combinations(space: Space) -> None:
    assert space.count == len(model(space))
    assert space.product_count == len(model(Space(space.axes, space.exclude)))


@given(spaces(), st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1))
def test_has_finds_a_combination_with_given_values(space: Space, wanted: Condition) -> None:
    condition = {name: wanted[name] for name in wanted if name in space.names}
    exact = any(holds(space.names, point, condition) for point in model(space))
    assert space.has(condition) == exact


@given(spaces())
def test_exclusion_that_removes_nothing_is_found(space: Space) -> None:
    product = model(Space(space.axes))
    for at, condition in enumerate(space.exclude):
        assert space.removes_nothing(at) == (not any(holds(space.names, point, condition) for point in product))


def test_huge_space_is_counted_without_iteration() -> None:
    """10^14 combinations: no step may take time in proportion to their number."""
    axes = tuple(Axis((name,), parse_expression("range:10000000")) for name in "xy")
    space = Space(axes, ({"x": value("5")}, {"x": value("7"), "y": value("0")}))
    assert space.count == 10**14 - 10**7 - 1
    assert next(iter(space)) == (value("0"), value("0"))


def test_last_axis_varies_fastest() -> None:
    space = Space((Axis(("x",), parse_expression("range:2")), Axis(("y",), parse_expression("case:a,b"))))
    assert [tuple(one.text for one in point) for point in space] == [
        ("0", "a"),
        ("0", "b"),
        ("1", "a"),
        ("1", "b"),
    ]
