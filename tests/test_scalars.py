"""Scalars of the YAML 1.2 core schema, and numbers without rounding."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Scalar, Value
from runner.scalars import MAX_DIGITS, equal, exact, resolve


@pytest.mark.parametrize(
    ("text", "data"),
    [
        *(("", None), ("~", None), ("null", None), ("nULL", "nULL")),
        *(("true", True), ("False", False), ("yes", "yes"), ("no", "no"), ("on", "on")),
        *(
            ("12", 12),
            ("-0", 0),
            ("010", 10),
            ("+7", 7),
            ("0o17", 15),
            ("0x1F", 31),
            ("0b1", "0b1"),
            ("1_000", "1_000"),
        ),
        *(
            ("1e-3", 0.001),
            (".5", 0.5),
            ("1.", 1.0),
            ("-.5E2", -50.0),
            ("-.inf", -math.inf),
            ("inf", "inf"),
            (".", "."),
        ),
        *(
            ("12:30", "12:30"),
            ("2024-01-01", "2024-01-01"),
            (" 1", " 1"),
            ("1\n", "1\n"),
            ("١", "١"),
            ("nan", "nan"),
        ),
        ("9" * (MAX_DIGITS + 1), "9" * (MAX_DIGITS + 1)),
    ],
)
def test_resolve(text: str, data: Scalar) -> None:
    found = resolve(text)
    assert (type(found), found) == (type(data), data)


def test_numbers_are_equal_by_value_others_by_text() -> None:
    assert equal(Value("0.10", 0.1), Value("1e-1", 0.1))
    assert equal(Value("1", 1), Value("1.0", 1.0))
    assert equal(Value("true", True), Value("true", "true"))
    assert not equal(Value("1", 1), Value("true", True))
    assert not equal(Value("1.0", "1.0"), Value("1", 1))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=25))
def test_exact_returns_the_decimal_number(number: object) -> None:
    assert exact(str(number)) == Fraction(str(number))


@pytest.mark.parametrize(
    "text", ["1e999999999", "-1e400", "1e-400", "9" * 400, ".inf", ".nan", "x", "", "1/2", "0x" + "f" * 300]
)
def test_exact_of_a_number_outside_float64(text: str) -> None:
    assert exact(text) is None


def test_exact_of_every_notation() -> None:
    assert exact("0e999999999") == exact("-0.0") == 0
    assert [exact(text) for text in ("0x1F", "1.", "+.5", "1e-3")] == [
        31,
        1,
        Fraction(1, 2),
        Fraction(1, 1000),
    ]
