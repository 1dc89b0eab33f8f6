"""Scalars of the YAML 1.2 core schema, their equality, and metrics as JSON data."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from fractions import Fraction
from typing import Any

from runner.model import Missing, Scalar, Value

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

MAX_DIGITS = 4000
"""A longer number is text; Python does not convert it (sys.int_info.default_max_str_digits is 4300)."""


def resolve(text: str) -> Scalar:
    """Return the typed value of a plain (unquoted) scalar: YAML 1.2, section 10.3.2."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    number = resolve_number(text)
    return text if number is None else number


def resolve_number(text: str) -> int | float | None:
    """Return the number that a plain scalar represents, or None."""
    if not text or text[0] not in "+-.0123456789" or len(text) > MAX_DIGITS:
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
    """Return whether `exclude`, `include` and `--select` take two values as equal: numbers by value, others by text."""
    if is_number(one.data) and is_number(other.data):
        return one.data == other.data
    return one.text == other.text


def identity(value: Value) -> Hashable:
    """Return what two values share if they are the same number, or the same in text and type."""
    return value.data if is_number(value.data) else value


def exact(text: str) -> Fraction | None:
    """Return the exact number that a plain scalar represents; None if it is not a number, or outside float64.

    The limit prevents `1e999999999` from becoming an integer of a gigabyte.
    """
    number = resolve_number(text)
    if number is None or not within_float(number):
        return None
    if isinstance(number, int):
        return Fraction(number)
    if number == 0.0:
        return None if _SIGNIFICANT.match(text) else Fraction(0)
    return Fraction(text)


def within_float(number: int | float) -> bool:
    """Whether a number is finite, also as a float64."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def metric_data(metric: Value | Missing) -> Any:
    """The JSON data that the journal stores: a scalar, `[text, number]` if Python would write the number differently, or a
    mapping with the reason why there is no value.
    """
    if isinstance(metric, Missing):
        return {"unread" if metric.unread else "missing": metric.reason}
    return metric.data if metric.text == str(metric.data) else [metric.text, metric.data]


def metric_from(data: Any) -> Value | Missing:
    """The metric of which `metric_data` made this."""
    if isinstance(data, dict):
        return Missing(data["unread"], unread=True) if "unread" in data else Missing(data.get("missing", NOT_FOUND))
    if isinstance(data, list):
        return Value(*data)
    return Missing(NOT_FOUND) if data is None else Value(str(data), data)


NOT_FOUND = "not found"
"""The reason of a missing metric that was recorded without one, before version 4 of the journal."""
