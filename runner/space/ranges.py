"""Ranges: the values of a variable, from a list or an expression. Values of long ranges are computed on demand."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import repeat

from runner import scalars
from runner.model import Scalar, Value
from runner.space.range_hints import KINDS, expression_hint, kind_hint, shortened
from runner.space.sequences import Progression, arithmetic, geometric, power_of_ten, powers_of_ten

MAX_VALUES = 10_000_000
"""Values of one range."""

MAX_STORED = 10_000
"""Longest range whose values are stored: faster than computing them for each value of an outer axis."""

_ARITY = {"linspace": (3, 3), "range": (1, 3), "logspace": (3, 3), "geomspace": (3, 3)}
_FORMS = {
    "case": "case:VALUE,…",
    "linspace": "linspace:START,STOP,POINTS",
    "range": "range:[START,]STOP[,STEP]",
    "logspace": "logspace:START,STOP,POINTS",
    "geomspace": "geomspace:START,STOP,POINTS",
}


class RangeError(ValueError):
    """A range without values, or not a range. `hint` is advice, or None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Range(ABC):
    """An immutable sequence of distinct values.

    Two values are the same if text and typed data are equal: 1, 1.0, "1" and true are four values.
    """

    duplicates: int
    """Values that were left out because they are equal to an earlier one."""

    @property
    @abstractmethod
    def count(self) -> int:
        """The number of distinct values."""

    @abstractmethod
    def __getitem__(self, position: int) -> Value: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Value]: ...

    @abstractmethod
    def index(self, value: Value) -> int | None:
        """Return the position of exactly this value (text and data), or None."""

    @abstractmethod
    def indices_equal(self, value: Value) -> Sequence[int]:
        """Return the positions of the values that `scalars.equal` this one: numbers by value, others by text."""

    @abstractmethod
    def longest_text(self) -> int:
        """Return an upper bound of the bytes of UTF-8 of a value's text."""

    def two_spellings(self) -> tuple[Value, Value] | None:
        """Return the first two values that are one number with different texts, such as 3.1 and 3.10, or None."""
        return None  # a computed number has one text

    def __len__(self) -> int:
        return self.count

    @property
    def given_count(self) -> int:
        """The number of values with duplicates."""
        return self.count + self.duplicates

    def given(self) -> Iterator[Value]:
        """Iterate over the values with duplicates, in order: what `zip` pairs."""
        return iter(self)


class _StoredRange(Range):
    """A range whose values are stored."""

    def __init__(self, listed: Iterable[Value]) -> None:
        self._positions: dict[tuple[str, type, Scalar], int] = {}
        stored: list[Value] = []
        self._given = array("L")
        for value in listed:
            position = self._positions.setdefault(_identity(value), len(stored))
            if position == len(stored):
                stored.append(value)
            self._given.append(position)
        self._values = tuple(stored)
        self.duplicates = len(self._given) - len(stored)

    @property
    def count(self) -> int:
        return len(self._values)

    def __getitem__(self, position: int) -> Value:
        return self._values[position]

    def __iter__(self) -> Iterator[Value]:
        return iter(self._values)

    def given(self) -> Iterator[Value]:
        return map(self._values.__getitem__, self._given)

    def index(self, value: Value) -> int | None:
        return self._positions.get(_identity(value))

    def indices_equal(self, value: Value) -> Sequence[int]:
        return [position for position, own in enumerate(self._values) if scalars.equal(own, value)]

    def longest_text(self) -> int:
        return max(len(value.text.encode("utf-8", "surrogatepass")) for value in self._values)

    def two_spellings(self) -> tuple[Value, Value] | None:
        first: dict[Scalar, Value] = {}
        for value in self._values:
            if scalars.is_number(value.data) and (same := first.setdefault(value.data, value)).text != value.text:
                return same, value
        return None


class _ComputedRange(Range):
    """Strictly monotone numbers at least one float64 apart, so that no two have the same text; computed on demand."""

    def __init__(self, count: int, compute: Callable[[int], Value]) -> None:
        self.duplicates = 0
        self._count = count
        self._compute = compute
        self._sign = 1 if _number(compute(0)) < _number(compute(count - 1)) else -1

    @property
    def count(self) -> int:
        return self._count

    def __getitem__(self, position: int) -> Value:
        if position < 0:
            position += self._count
        if not 0 <= position < self._count:
            raise IndexError(position)
        return self._compute(position)

    def __iter__(self) -> Iterator[Value]:
        return map(self._compute, range(self._count))

    def index(self, value: Value) -> int | None:
        for position in self._near(value):
            if _identity(self._compute(position)) == _identity(value):
                return position
        return None

    def indices_equal(self, value: Value) -> Sequence[int]:
        return [position for position in self._near(value) if scalars.equal(self._compute(position), value)]

    def _near(self, value: Value) -> Iterator[int]:
        number = value.data if scalars.is_number(value.data) else scalars.resolve_number(value.text)
        if isinstance(number, int | float) and not math.isnan(number):
            position = bisect_left(
                range(self._count), self._sign * number, key=lambda i: self._sign * _number(self._compute(i))
            )
            if position < self._count:
                yield position

    def longest_text(self) -> int:
        ends = max(len(str(int(_number(self._compute(end))))) for end in (0, self._count - 1))
        return max(ends + 1, len("-0.000001234567890123456"))


def from_values(listed: Sequence[Value]) -> Range:
    """Return the range of a list; a string in it is a value, not an expression. Raises RangeError."""
    if not listed:
        raise RangeError("a range without values", "an empty list makes no sessions: give it at least one value")
    for value in listed:
        if isinstance(value.data, float) and not math.isfinite(value.data):
            raise RangeError(
                f"`{value.text}` is not a finite number, which JSON cannot carry",
                "if text is meant, write it in quotes in a list",
            )
    return _StoredRange(listed)


def parse_expression(text: str) -> Range:
    """Return the range of an expression such as `linspace:1,2,3`. Raises RangeError."""
    kind, colon, rest = text.partition(":")
    if not colon:
        raise RangeError(f"`{shortened(text)}` is not a range expression", expression_hint(text))
    if kind != "case":
        return from_mapping(
            kind, [Value(item, scalars.resolve_number(item)) for item in map(str.strip, rest.split(","))]
        )
    items = (Value(item, scalars.resolve_number(item)) for item in rest.split(","))
    return from_values([Value(item.text, item.text) if item.data is None else item for item in items])


def from_mapping(kind: str, args: Sequence[Value]) -> Range:
    """Return the range of a mapping such as `{linspace: [1, 2, 3]}`. Raises RangeError."""
    if kind == "case":
        return from_values(args)
    if kind not in KINDS:
        raise RangeError(f"unknown kind of range `{shortened(kind)}`", kind_hint(kind))
    fewest, most = _ARITY[kind]
    given = 0 if [arg.text for arg in args] == [""] else len(args)
    if not fewest <= given <= most:
        wanted = f"{fewest} to {most} numbers" if fewest < most else f"{most} numbers"
        raise RangeError(f"`{kind}` takes {wanted}, not {given}", f"write it as `{_FORMS[kind]}`")
    numbers = [_exact(kind, arg) for arg in args]
    if kind == "range":
        return _range(*numbers)
    start, stop, points = numbers
    if points.denominator != 1 or points < 1:
        raise RangeError(f"`{kind}` of `{args[2].text}` points", _points_hint(kind, start, stop, points))
    if points > MAX_VALUES:
        raise _too_many(int(points))
    shape = {"linspace": _linspace, "logspace": _logspace, "geomspace": _geomspace}[kind]
    return shape(start, stop, int(points))


def _points_hint(kind: str, start: Fraction, stop: Fraction, points: Fraction) -> str:
    hint = "the third number is the number of points, a whole number"
    if kind != "linspace" or not 0 < points < abs(stop - start):
        return hint
    step = points if stop > start else -points
    text = ",".join(_text(number) for number in (start, stop + step, step))
    return f"{hint}; by step it is `range:{text}`"


def _text(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else repr(float(number))


def _range(start: Fraction, stop: Fraction | None = None, step: Fraction = Fraction(1)) -> Range:
    if stop is None:
        start, stop = Fraction(0), start
    if step == 0:
        raise RangeError("`range` with a step of 0")
    count = math.ceil((stop - start) / step)
    if count < 1:
        backwards = f"write `range:{_text(start)},{_text(stop)},{_text(-step)}`"
        hint = "STOP is not part of the range, as in Python" if start == stop else backwards
        raise RangeError("an empty range", hint)
    if count > MAX_VALUES:
        raise _too_many(count)
    return _collapsed(arithmetic(start, step, count))


def _linspace(start: Fraction, stop: Fraction, points: int) -> Range:
    return _collapsed(arithmetic(start, _per_step(start, stop, points), points))


def _logspace(start: Fraction, stop: Fraction, points: int) -> Range:
    for exponent in (start, stop):
        if not -324 < exponent < 309 or float(power_of_ten(exponent)) in (0.0, math.inf):
            meant = f": did you mean `geomspace:{_text(start)},{_text(stop)},{points}`?" if min(start, stop) > 0 else ""
            raise RangeError(
                "`logspace` is outside the range of a float64", f"START and STOP are exponents of ten{meant}"
            )
    return _collapsed(powers_of_ten(start, _per_step(start, stop, points), points))


def _geomspace(start: Fraction, stop: Fraction, points: int) -> Range:
    if start * stop <= 0:
        fault = "from or to zero" if start * stop == 0 else "from one sign to the other"
        raise RangeError(f"`geomspace` {fault}", "START and STOP must both be positive or both negative")
    return _collapsed(geometric(start, stop, points))


def _per_step(start: Fraction, stop: Fraction, points: int) -> Fraction:
    return (stop - start) / (points - 1) if points > 1 else Fraction(1)


def _collapsed(numbers: Progression) -> Range:
    if numbers.constant:
        return _StoredRange(repeat(numbers.compute(0), numbers.count))
    if numbers.apart and numbers.count > MAX_STORED:
        return _ComputedRange(numbers.count, numbers.compute)
    return _StoredRange(map(numbers.compute, range(numbers.count)))


def _exact(kind: str, arg: Value) -> Fraction:
    if not scalars.is_number(arg.data):
        named = "an empty text" if not arg.text.strip() else f"`{shortened(arg.text)}`"
        quoted = scalars.resolve_number(arg.text) is not None
        hint = "remove the quotes" if quoted else f"write it as `{_FORMS[kind]}`"
        raise RangeError(f"{named} in `{kind}` is not a number", hint)
    number = scalars.exact(arg.text)
    if number is None:
        if arg.text.lstrip("+-").lower() in (".inf", ".nan"):
            raise RangeError(f"`{arg.text}` in `{kind}` is not a finite number")
        raise RangeError(f"`{shortened(arg.text)}` in `{kind}` is outside the range of a float64")
    return number


def _number(value: Value) -> int | float:
    assert isinstance(value.data, int | float)
    return value.data


def _identity(value: Value) -> tuple[str, type, Scalar]:
    return value.text, type(value.data), value.data


def _too_many(count: int) -> RangeError:
    shown = f"{count:,}" if count < 10**15 else "far too many"
    return RangeError(f"a range of {shown} values", f"the limit is {MAX_VALUES:,}")
