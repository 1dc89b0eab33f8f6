"""Scalars as the YAML 1.2 core schema reads them, and when two of them are equal."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from runner.model import Scalar, Value

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_INT = re.compile(r"[-+]?[0-9]+\Z", re.ASCII)
_OCT = re.compile(r"0o[0-7]+\Z", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_INF = re.compile(r"([-+]?)\.(inf|Inf|INF)\Z")
_SIGNIFICANT = re.compile(r"[-+]?[0.]*[1-9]", re.ASCII)
_NAN = frozenset((".nan", ".NaN", ".NAN"))

LONGEST_INT = 4000
"""Digits; beyond it Python refuses to convert, and a number is surely meant as text."""


def resolve(text: str) -> Scalar:
    """The typed value of a plain (unquoted) scalar: YAML 1.2 core schema, section 10.3.2."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    number = resolve_number(text)
    return text if number is None else number


def resolve_number(text: str) -> int | float | None:
    """The number that a plain scalar is, or None if it is not one."""
    if not text or text[0] not in "+-.0123456789" or len(text) > LONGEST_INT:
        return None
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    if _OCT.match(text):
        return int(text[2:], 8)
    if _HEX.match(text):
        return int(text[2:], 16)
    if found := _INF.match(text):
        return -math.inf if found[1] == "-" else math.inf
    if text in _NAN:
        return math.nan
    return None


def is_number(data: Scalar) -> bool:
    return isinstance(data, int | float) and not isinstance(data, bool)


def equal(one: Value, other: Value) -> bool:
    """As `exclude`, `include` and `--select` compare: numbers as numbers, everything else by its text."""
    if is_number(one.data) and is_number(other.data):
        return one.data == other.data
    return one.text == other.text


def exact(text: str) -> Fraction | None:
    """The number of a plain scalar without rounding; None if it is none, or beyond the reach of a float64.

    The bound keeps `1e999999999` from becoming an integer of a gigabyte.
    """
    number = resolve_number(text)
    if number is None or not _within_float(number):
        return None
    if isinstance(number, int):
        return Fraction(number)
    if number == 0.0:
        return None if _SIGNIFICANT.match(text) else Fraction(0)
    return Fraction(text)


def _within_float(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
