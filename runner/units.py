"""Times, memory and amounts of a resource: read from what people write, written for people to read."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Literal

from runner import scalars

_QUANTITY = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z]*)\s*\Z", re.ASCII)
_SECONDS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_MEMORY = re.compile(r"([kmgt])(?:i?b)?\Z", re.IGNORECASE)
_MEMORY_POWERS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DURATION_HINT = "write a number and one of `s`, `m`, `h`, `d`, as in `90s` or `1.5h`"
_MEMORY_HINT = "write a number and one of `k`, `m`, `g`, `t`, as in `256m` or `1.5g`"


class UnitError(ValueError):
    """A quantity that cannot be read. `hint` is advice, or None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def parse_duration(quantity: str | int | float) -> float:
    """Seconds of `10m`, `1.5h`, `500ms`; a bare number is seconds. Raises UnitError."""
    number, unit = _split(quantity, "time", _DURATION_HINT)
    if (factor := _SECONDS.get(unit or "s")) is None:
        raise UnitError(f"unknown unit of time `{unit}`", _DURATION_HINT)
    try:
        return float(number * factor)
    except OverflowError:
        raise UnitError(f"the time `{quantity}` is too long") from None


def parse_memory(quantity: str | int | float, *, bare: Literal["error", "MiB"]) -> int:
    """Bytes of `256m`, `1.5G`, `4GiB`, rounded up; every unit is a power of 1024. Raises UnitError.

    `bare` says what a number without a unit is.
    """
    number, unit = _split(quantity, "amount of memory", _MEMORY_HINT)
    if not unit:
        if bare == "error":
            raise UnitError(f"the amount of memory `{quantity}` has no unit", _MEMORY_HINT)
        unit = "m"
    if not (known := _MEMORY.match(unit)):
        raise UnitError(f"unknown unit of memory `{unit}`", _MEMORY_HINT)
    return math.ceil(number * _MEMORY_POWERS[known[1].lower()])


def parse_amount(quantity: str | int | float) -> int | Fraction:
    """How much of `cpu`, `gpu` or a custom resource, exactly: `0.1` is a tenth. Raises UnitError."""
    number, unit = _split(quantity, "amount", "write a number, as in `2` or `0.5`")
    if unit:
        raise UnitError(f"the amount `{quantity}` has a unit", "only `mem` takes a unit")
    return number.numerator if number.denominator == 1 else number


def _split(quantity: str | int | float, kind: str, hint: str) -> tuple[Fraction, str]:
    if isinstance(quantity, bool):
        raise UnitError(f"`{str(quantity).lower()}` is no {kind}", hint)
    found = _QUANTITY.match(str(quantity))
    number = scalars.exact(found[1]) if found else None
    if found is None or number is None:
        raise UnitError(f"`{quantity}` is no {kind}", hint)
    if number < 0:
        raise UnitError(f"the {kind} `{quantity}` is negative")
    return number, found[2]


def format_memory(size: int) -> str:
    """`37 MiB`, `1.5 GiB`; `parse_memory` reads it back, up to rounding."""
    if size < 1024:
        return f"{size} B"
    number = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        number /= 1024
        if number < 1023.95 or unit == "TiB":
            break
    return _tenths(number).removesuffix(".0") + f" {unit}"


def format_duration(seconds: float) -> str:
    """`120ms`, `3.2s`, `4m 05s`, `1h 02m`, `2d 03h`: two units at most."""
    if seconds < 0.9995:
        return f"{_nearest(seconds * 1000)}ms"
    if seconds < 59.95:
        return f"{_tenths(seconds)}s"
    whole = _nearest(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    minutes = _nearest(seconds / 60)
    if minutes < 1440:
        return f"{minutes // 60}h {minutes % 60:02}m"
    hours = _nearest(seconds / 3600)
    return f"{hours // 24}d {hours % 24:02}h"


def _nearest(number: float, parts: int = 1) -> int:
    """Of its parts; a half goes up, exactly as in the scripts of a report."""
    return math.floor(Fraction(number) * parts + Fraction(1, 2))


def _tenths(number: float) -> str:
    found = _nearest(number, 10)
    return f"{found // 10}.{found % 10}"


def counted(number: int, noun: str) -> str:
    """`1 session`, `3,000 sessions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
