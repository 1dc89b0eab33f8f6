"""Arithmetic and geometric progressions whose numbers are computed one by one, and the text of a number.

The text is part of the identity of sessions: the rendering of numbers must never change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from runner.model import Value

_WORK = Context(prec=64)
"""64 digits: 50 are exact even if each of ten million steps has an error in the last digit."""


@dataclass(frozen=True, slots=True)
class Progression:
    """Monotone numbers."""

    count: int
    compute: Callable[[int], Value]
    """Returns the i-th number, 0 <= i < count."""
    constant: bool
    """All numbers are equal."""
    apart: bool
    """Neighbours differ by more than a float64 is rounded, so no two have the same text."""


def arithmetic(start: Fraction, step: Fraction, count: int) -> Progression:
    """Return start + i * step."""
    over = math.lcm(start.denominator, step.denominator)
    first = start.numerator * (over // start.denominator)
    gain = step.numerator * (over // step.denominator)
    largest = max(abs(start), abs(start + (count - 1) * step))
    return Progression(
        count,
        lambda position: _ratio_value(first + position * gain, over),
        constant=step == 0,
        apart=over == 1 or abs(step) > math.ulp(float(largest)),
    )


def powers_of_ten(start: Fraction, step: Fraction, count: int) -> Progression:
    """Return 10 ** (start + i * step)."""
    over = math.lcm(start.denominator, step.denominator)
    first = start.numerator * (over // start.denominator)
    gain = step.numerator * (over // step.denominator)

    def exactly(position: int) -> Fraction | None:
        exponent, rest = divmod(first + position * gain, over)
        return None if rest else Fraction(10) ** exponent

    return _geometric(power_of_ten(start), power_of_ten(step), count, exactly)


def geometric(start: Fraction, stop: Fraction, count: int) -> Progression:
    """Return start * (stop / start) ** (i / (count - 1)); start and stop have the same sign and are not zero."""
    steps = max(count - 1, 1)
    ratio = stop / start
    order, root = _root(ratio, steps)

    def exactly(position: int) -> Fraction | None:
        power, rest = divmod(position * order, steps)
        return None if rest else start * root**power

    step = _WORK.exp(_WORK.divide(_WORK.ln(_decimal(ratio)), steps))
    return _geometric(_decimal(start), step, count, exactly)


def _geometric(first: Decimal, step: Decimal, count: int, exactly: Callable[[int], Fraction | None]) -> Progression:
    """Return first * step ** i to 50 digits; `exactly` returns the rational numbers among them."""

    def approximate(position: int) -> Decimal:
        return _WORK.multiply(first, _WORK.power(step, position))

    def compute(position: int) -> Value:
        rational = exactly(position)
        if rational is None:
            return _float_value(float(approximate(position)))
        return _ratio_value(rational.numerator, rational.denominator)

    smallest = min(abs(first), abs(approximate(count - 1)))
    gap = 1 - min(step, _WORK.divide(1, step))
    normal = smallest > Decimal("2.3e-308")
    return Progression(count, compute, constant=step == 1, apart=normal and gap > Decimal(2) ** -52)


def power_of_ten(exponent: Fraction) -> Decimal:
    """Return 10 ** exponent to 50 digits."""
    return _WORK.power(10, _decimal(exponent))


def _ratio_value(numerator: int, denominator: int) -> Value:
    whole, rest = divmod(numerator, denominator)
    return _float_value(numerator / denominator) if rest else Value(str(whole), whole)


def _float_value(number: float) -> Value:
    """Return the shortest decimal that reads back as this float64, without an exponent for 1e-6 <= |x| < 1e16."""
    text = repr(number)
    if "e" not in text:
        return Value(str(int(number)), int(number)) if text.endswith(".0") else Value(text, number)
    if 1e-6 <= abs(number) < 1e16:
        return Value(format(Decimal(text), "f"), number)
    mantissa, _, exponent = text.partition("e")
    return Value(f"{mantissa}e{int(exponent)}", number)


def _root(ratio: Fraction, steps: int) -> tuple[int, Fraction]:
    """Return the largest divisor of `steps` for which `ratio` has a rational root, and that root."""
    if ratio == 1:
        return steps, ratio
    largest = min(steps, max(ratio.numerator, ratio.denominator).bit_length())
    for order in range(largest, 1, -1):
        if steps % order == 0:
            root = Fraction(_integer_root(ratio.numerator, order), _integer_root(ratio.denominator, order))
            if root**order == ratio:
                return order, root
    return 1, ratio


def _integer_root(number: int, order: int) -> int:
    """Return the integer part of a root, by Newton's method from above."""
    guess = 1 << -(-number.bit_length() // order)
    while (nearer := ((order - 1) * guess + number // guess ** (order - 1)) // order) < guess:
        guess = nearer
    return guess


def _decimal(number: Fraction) -> Decimal:
    return _WORK.divide(Decimal(number.numerator), Decimal(number.denominator))
