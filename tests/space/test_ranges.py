"""Ranges and the text of their values, which is part of the identity of sessions."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runner.model import Scalar, Value
from runner.scalars import equal, resolve_number
from runner.space.ranges import MAX_STORED, MAX_VALUES, Range, RangeError, from_mapping, from_values, parse_expression


def texts(expression: str) -> list[str]:
    return [value.text for value in parse_expression(expression)]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        # the manual of Backend.AI
        ("case:1,2,3,4", "1 2 3 4"),
        ("linspace:1,2,3", "1 1.5 2"),
        ("range:1,6,2", "1 3 5"),
        # the design
        ("linspace:0,1,4", "0 0.3333333333333333 0.6666666666666666 1"),
        ("linspace:5,5,1", "5"),
        ("geomspace:1e-4,1e-1,4", "0.0001 0.001 0.01 0.1"),
        # as numpy and Python
        ("linspace:1,2,1", "1"),
        ("linspace:1,0,3", "1 0.5 0"),
        ("linspace:-1, 1, 3", "-1 0 1"),
        ("linspace:0,1,1e1", "0 " + " ".join(repr(i / 9) for i in range(1, 9)) + " 1"),
        ("range:3", "0 1 2"),
        ("range:0,1,0.1", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9"),
        ("range:1,0,-.25", "1 0.75 0.5 0.25"),
        ("range:0x10,0o22", "16 17"),
        ("geomspace:-1,-1000,4", "-1 -10 -100 -1000"),
        ("geomspace:8,1,4", "8 4 2 1"),
        ("geomspace:1,2,3", "1 1.4142135623730951 2"),
        ("geomspace:2,32,5", "2 4 8 16 32"),
        ("geomspace:0.3,0.3,1", "0.3"),
        ("geomspace:0.008,1,4", "0.008 0.04 0.2 1"),
        ("logspace:0,2,5", "1 3.1622776601683795 10 31.622776601683793 100"),
        ("logspace:-0.5,0.5,3", "0.31622776601683794 1 3.1622776601683795"),
        ("logspace:-8,-4,5", "1e-8 1e-7 0.000001 0.00001 0.0001"),
        ("geomspace:1,1e40,3", f"1 1{'0' * 20} 1{'0' * 40}"),
        ("logspace:0,40,3", f"1 1{'0' * 20} 1{'0' * 40}"),
        # integers are integers, everything else is the shortest float64
        ("linspace:1e15,1e20,2", "1000000000000000 100000000000000000000"),
        ("range:1.5e-7,4e-7,1e-7", "1.5e-7 2.5e-7 3.5e-7"),
        ("linspace:0,5e-324,3", "0 5e-324"),
        ("linspace:1e16,10000000000000001,3", "10000000000000000 1e16 10000000000000001"),
        ("linspace:0.00000123456789,1,2", "0.00000123456789 1"),
    ],
)
def test_text_of_values(expression: str, wanted: str) -> None:
    assert texts(expression) == wanted.split()


def test_case_items_keep_their_spaces() -> None:
    assert list(parse_expression("case:1,, a,true,~,010,1e-3,1.50,")) == [
        *(Value("1", 1), Value("", ""), Value(" a", " a"), Value("true", "true"), Value("~", "~")),
        *(Value("010", 10), Value("1e-3", 0.001), Value("1.50", 1.5)),
    ]
    assert list(parse_expression("case:")) == [Value("", "")]
    assert list(parse_expression("case:a:b")) == [Value("a:b", "a:b")]


def test_list_keeps_its_values() -> None:
    values = [
        Value("linspace:1,2,3", "linspace:1,2,3"),
        Value("~", None),
        Value("1", 1),
        Value("1.0", 1.0),
        Value("1", "1"),
    ]
    assert list(from_values([*values, Value("true", True)])) == [*values, Value("true", True)]


def test_mapping_form_equals_expression() -> None:
    def numbers(*given: str) -> list[Value]:
        return [Value(text, resolve_number(text)) for text in given]

    assert list(from_mapping("range", numbers("1", "9"))) == list(parse_expression("range:1,9"))
    assert list(from_mapping("linspace", numbers("0", "0.1", "3"))) == list(parse_expression("linspace:0,0.1,3"))
    assert list(from_mapping("case", [Value("no", "no"), Value("~", None)])) == [
        Value("no", "no"),
        Value("~", None),
    ]


def test_duplicates_are_removed_and_counted() -> None:
    one, two = Value("1", 1), Value("2", 2)
    found = from_values([one, two, one, Value("1", "1"), one])
    assert list(found) == [one, two, Value("1", "1")]
    assert (found.count, len(found), found.duplicates, found.given_count) == (3, 3, 2, 5)
    assert list(found.given()) == [one, two, one, Value("1", "1"), one]
    assert from_values([one, Value("1", 1.0), Value("1", True), Value("1", "1")]).duplicates == 0
    for expression in ("linspace:5,5,4", "geomspace:2,2,4", "logspace:0,0,4"):
        same = parse_expression(expression)
        assert (same.count, same.duplicates, len(list(same.given()))) == (1, 3, 4)
    close = parse_expression(f"linspace:1,1.0000000000001,{MAX_STORED * 10}")
    assert close.count == len(set(close)) < MAX_STORED
    assert close.given_count == MAX_STORED * 10


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        ("1", "`1` is not a range expression", "write `case:1` or a list"),
        ("linspce:1,2,3", "unknown kind of range `linspce`", "did you mean `linspace`?"),
        (
            "foo:1",
            "unknown kind of range `foo`",
            "choose from `case`, `linspace`, `range`, `logspace`, `geomspace`",
        ),
        ("linspace:1,2", "`linspace` takes 3 numbers, not 2", "write it as `linspace:START,STOP,POINTS`"),
        ("linspace:", "`linspace` takes 3 numbers, not 0", "write it as `linspace:START,STOP,POINTS`"),
        ("range:", "`range` takes 1 to 3 numbers, not 0", "write it as `range:[START,]STOP[,STEP]`"),
        ("range:1,2,3,4", "`range` takes 1 to 3 numbers, not 4", "write it as `range:[START,]STOP[,STEP]`"),
        ("range:a", "`a` in `range` is not a number", "write it as `range:[START,]STOP[,STEP]`"),
        ("range:1,,2", "an empty text in `range` is not a number", "write it as `range:[START,]STOP[,STEP]`"),
        ("linspace:1,2,0", "`linspace` of `0` points", "the third number is the number of points, a whole number"),
        (
            "geomspace:1,2,1.5",
            "`geomspace` of `1.5` points",
            "the third number is the number of points, a whole number",
        ),
        ("range:1,2,0", "`range` with a step of 0", None),
        ("range:3,1", "an empty range", "write `range:3,1,-1`"),
        ("range:3,3", "an empty range", "STOP is not part of the range, as in Python"),
        ("range:0", "an empty range", "STOP is not part of the range, as in Python"),
        ("linspace:.nan,1,3", "`.nan` in `linspace` is not a finite number", None),
        ("linspace:1,-.INF,3", "`-.INF` in `linspace` is not a finite number", None),
        (
            "linspace:inf,1,3",
            "`inf` in `linspace` is not a number",
            "write it as `linspace:START,STOP,POINTS`",
        ),
        ("range:1e999999999", "`1e999999999` in `range` is outside the range of a float64", None),
        ("range:1e-999999999", "`1e-999999999` in `range` is outside the range of a float64", None),
        ("range:20000000", "a range of 20,000,000 values", "the limit is 10,000,000"),
        ("range:1e300", "a range of far too many values", "the limit is 10,000,000"),
        ("linspace:0,1,1e300", "a range of far too many values", "the limit is 10,000,000"),
        (
            "geomspace:0,1,3",
            "`geomspace` from or to zero",
            "START and STOP must both be positive or both negative",
        ),
        (
            "geomspace:-1,1,3",
            "`geomspace` from one sign to the other",
            "START and STOP must both be positive or both negative",
        ),
        (
            "logspace:0,308.5,3",
            "`logspace` is outside the range of a float64",
            "START and STOP are exponents of ten",
        ),
        (
            "logspace:-400,0,3",
            "`logspace` is outside the range of a float64",
            "START and STOP are exponents of ten",
        ),
        (
            "case:.inf",
            "`.inf` is not a finite number, which JSON cannot carry",
            "if text is meant, write it in quotes in a list",
        ),
    ],
)
def test_invalid_range(expression: str, message: str, hint: str | None) -> None:
    with pytest.raises(RangeError) as caught:
        parse_expression(expression)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_invalid_list() -> None:
    for values, message in (
        ([], "a range without values"),
        ([Value("1", 1), Value(".nan", math.nan)], "`.nan` is not a finite number, which JSON cannot carry"),
    ):
        with pytest.raises(RangeError) as caught:
            from_values(values)
        assert caught.value.message == message
    with pytest.raises(RangeError) as caught:
        from_mapping("range", [Value("3", "3")])
    assert (caught.value.message, caught.value.hint) == (
        "`3` in `range` is not a number",
        "remove the quotes",
    )


NUMBER = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-1000, 1000, allow_nan=False, places=3).map(str),
    st.floats(-1e300, 1e300).map(repr),
)


def assert_is(value: Value, exactly: Fraction) -> None:
    """Check the text of a number against the rule of rendering, in reverse."""
    if exactly.denominator == 1:
        assert (value.text, value.data, type(value.data)) == (str(exactly), int(exactly), int)
        return
    nearest = exactly.numerator / exactly.denominator
    assert float(value.text) == nearest
    assert value.data == nearest
    assert type(value.data) is type(resolve_number(value.text))
    digits = value.text.lstrip("-").split("e")[0].replace(".", "").strip("0")
    assert len(digits) <= len(repr(nearest).lstrip("-").split("e")[0].replace(".", "").strip("0"))
    assert ("e" in value.text) == (nearest != 0 and not 1e-6 <= abs(nearest) < 1e16)


@settings(deadline=None)
@given(NUMBER, NUMBER, st.integers(2, 3 * MAX_STORED), st.data())
def test_linspace_equals_the_exact_numbers(start: str, stop: str, points: int, data: st.DataObject) -> None:
    first, last = Fraction(start), Fraction(stop)
    found = parse_expression(f"linspace:{start},{stop},{points}")
    assert found.given_count == points
    assume(found.duplicates == 0)
    for at in {0, points - 1, data.draw(st.integers(0, points - 1))}:
        assert_is(found[at], first + (last - first) * Fraction(at, points - 1))


@settings(deadline=None)
@given(NUMBER, st.integers(-(10**6), 10**6).filter(bool), st.integers(1, 3 * MAX_STORED), st.data())
def test_range_equals_python_also_with_fractions(start: str, milli: int, count: int, data: st.DataObject) -> None:
    step = Fraction(milli, 1000)
    stop = Decimal(start) + (Decimal(milli) * count - int(milli / 2)) / 1000
    assume(Fraction(str(stop)) == Fraction(start) + step * count - Fraction(int(milli / 2), 1000))
    found = parse_expression(f"range:{start},{stop},{Decimal(milli) / 1000}")
    assert found.given_count == count
    assume(found.duplicates == 0)
    at = data.draw(st.integers(0, count - 1))
    assert_is(found[at], Fraction(start) + at * step)


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([2, 3, 5, 9, MAX_STORED + 2]), st.data())
def test_geomspace_has_a_constant_ratio(start: int, stop: int, points: int, data: st.DataObject) -> None:
    assume(start != stop)
    found = parse_expression(f"geomspace:{start},{stop},{points}")
    at = data.draw(st.integers(0, points - 1))
    number = found[at].data
    assert isinstance(number, int | float)
    if points < 10:  # the root lies between the midpoints to the next float64s, so its power between theirs
        below, above = ((Fraction(float(number)) + Fraction(math.nextafter(number, end))) / 2 for end in (0, math.inf))
        wanted = Fraction(start) ** (points - 1 - at) * Fraction(stop) ** at
        assert below ** (points - 1) <= wanted <= above ** (points - 1)
    with localcontext(prec=80):
        ratio = (Decimal(stop) / Decimal(start)).ln() * at / (points - 1)
        assert found[at].data == float(Decimal(start) * ratio.exp())


@settings(deadline=None)
@given(
    st.sampled_from(["linspace:0,1,30001", "range:30001", "range:9,-30000,-1.5", "geomspace:-1e-3,-1e9,30001"]),
    st.data(),
)
def test_long_range_finds_its_values(expression: str, data: st.DataObject) -> None:
    found = parse_expression(expression)
    at = data.draw(st.integers(0, found.count - 1))
    value = found[at]
    assert value == found[at - found.count] == next(itertools.islice(found, at, None))
    assert found.index(value) == at
    assert list(found.indices_equal(value)) == [at]
    as_float = Value(repr(float(value.text)), float(value.text))
    assert list(found.indices_equal(as_float)) == [at]
    assert found.index(as_float) == (at if as_float == value and type(value.data) is float else None)
    as_string = Value(value.text, value.text)
    assert list(found.indices_equal(as_string)) == [at]
    assert found.index(as_string) is None
    between = Value("0.12345", 0.12345)
    assert [found[other] for other in found.indices_equal(between)] == []
    assert len(value.text) <= found.longest_text()


@pytest.mark.parametrize(
    "wanted",
    [
        Value("-1e400", -math.inf),
        Value(".nan", math.nan),
        Value("true", True),
        Value("~", None),
        Value("x", "x"),
        Value("40000", 40000),
    ],
)
def test_long_range_does_not_find_other_values(wanted: Value) -> None:
    found = parse_expression("range:30001")
    assert found.index(wanted) is None
    assert list(found.indices_equal(wanted)) == []


def test_position_outside_is_an_error() -> None:
    for found in (parse_expression("range:3"), parse_expression("range:30001")):
        for at in (found.count, -found.count - 1):
            with pytest.raises(IndexError):
                found[at]


SCALARS = st.one_of(
    st.integers(-2, 2),
    st.sampled_from([0.0, 1.0, 0.5]),
    st.booleans(),
    st.none(),
    st.sampled_from(["1", "a"]),
)


@settings(deadline=None)
@given(st.lists(SCALARS, min_size=1, max_size=12), SCALARS)
def test_list_finds_its_values(listed: list[Scalar], scalar: Scalar) -> None:
    values = [Value(str(data), data) for data in listed]
    found, wanted = from_values(values), Value(str(scalar), scalar)
    kept = list(found)
    assert list(found.given()) == values
    assert list(found.indices_equal(wanted)) == [at for at, value in enumerate(kept) if equal(value, wanted)]
    same = [at for at, value in enumerate(kept) if value == wanted and type(value.data) is type(scalar)]
    assert found.index(wanted) == (same[0] if same else None)
    assert max(len(value.text.encode()) for value in kept) == found.longest_text()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["linspace", "geomspace", "range", "logspace"]), st.lists(NUMBER, min_size=3, max_size=3))
def test_any_numbers_give_a_range_or_an_error(kind: str, numbers: list[str]) -> None:
    found: Range | None = None
    try:
        found = parse_expression(f"{kind}:{','.join(numbers)}")
    except RangeError:
        return
    some = list(itertools.islice(found, 200))
    assert len(set(some)) == len(some)
    assert all(math.isfinite(value.data) for value in some if isinstance(value.data, float))
    assert max(len(value.text) for value in some) <= found.longest_text()


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_gives_a_range_or_an_error(text: str) -> None:
    for expression in (text, "case:" + text, "range:" + text):
        try:
            assert parse_expression(expression).count > 0
        except RangeError:
            continue


@pytest.mark.parametrize(
    "expression", [f"linspace:0,1,{MAX_VALUES}", f"range:{MAX_VALUES}", f"geomspace:1,2,{MAX_VALUES}"]
)
def test_long_range_needs_no_memory(expression: str) -> None:
    tracemalloc.start()
    try:
        found = parse_expression(expression)
        assert (found.count, found.duplicates) == (MAX_VALUES, 0)
        assert found.index(found[MAX_VALUES // 3]) == MAX_VALUES // 3
        assert sum(1 for _ in itertools.islice(found, 10_000)) == 10_000
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
