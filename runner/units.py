"""Times, memory sizes and amounts of a resource: parsed from text, and formatted."""

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
_LEAST_BYTES = 1_000_000
"""A number without a unit from here on is taken for bytes by a hint."""

_DURATION_HINT = "such as `90s`, `10m` or `1.5h`"
_MEMORY_HINT = "such as `512m` or `2g`"
_AMOUNT_HINT = "such as `2` or `0.5`"
_DURATION_UNITS = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
}
"""Units that people write, and the unit to write."""

_PARTS = re.compile(r"\s*((?:[0-9]+(?:\.[0-9]+)?\s*[dhms]\s*){2,})\Z", re.ASCII)
"""`1h30m`, `1d 12h`: several units, which runner does not read."""

_CLOCK = re.compile(r"\s*(?:([0-9]+)-)?([0-9]+):([0-5][0-9]):([0-5][0-9])\s*\Z", re.ASCII)
"""`[DAYS-]HOURS:MINUTES:SECONDS`, as Slurm has it."""


class UnitError(ValueError):
    """A quantity that cannot be read. `hint` is advice, or None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def parse_duration(quantity: str | int | float) -> float:
    """Return the seconds of `10m`, `1.5h` or `500ms`; a number without a unit is seconds. Raises UnitError."""
    if found := _CLOCK.match(str(quantity)):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        raise UnitError(
            f"`{quantity}` is not a time", f"write `{_shortest(((days * 24 + hours) * 60 + minutes) * 60 + seconds)}`"
        )
    if found := _PARTS.match(str(quantity)):
        parts = re.findall(r"([0-9.]+)\s*([dhms])", found[1])
        total = sum(Fraction(number) * _SECONDS[unit] for number, unit in parts)
        raise UnitError(f"`{quantity}` is not a time", f"write `{_shortest(math.ceil(total))}`")
    number, unit, text = _split(quantity, "time", _DURATION_HINT)
    if (factor := _SECONDS.get(unit or "s")) is None:
        known = _DURATION_UNITS.get(unit.lower(), unit.lower())
        hint = f"write `{text}{known}`" if known in _SECONDS else "the units are `s`, `m`, `h` and `d`"
        raise UnitError(f"unknown unit of time `{unit}`", hint)
    try:
        return float(number * factor)
    except OverflowError:
        raise UnitError(f"the time `{quantity}` is too long") from None


def _shortest(seconds: int) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_memory(quantity: str | int | float, *, bare: Literal["error", "MiB"]) -> int:
    """Return the bytes of `256m`, `1.5G` or `4GiB`, rounded up; units are powers of 1024. Raises UnitError.

    `bare` says what a number without a unit is.
    """
    number, unit, text = _split(quantity, "memory amount", _MEMORY_HINT)
    if not unit:
        if bare == "error":
            raise UnitError(f"the memory amount `{quantity}` has no unit", _memory_hint(number, text))
        unit = "m"
    if not (known := _MEMORY.match(unit)):
        raise UnitError(f"unknown unit of memory `{unit}`", "the units are `k`, `m`, `g` and `t`")
    return math.ceil(number * _MEMORY_POWERS[known[1].lower()])


def _memory_hint(number: Fraction, text: str) -> str:
    """Return what to write for a number without a unit. A large one most likely is bytes."""
    if number < _LEAST_BYTES:
        whole = text if "e" not in text.lower() else str(math.ceil(number))
        return f"write `{whole}m` or `{whole}g`"
    for unit in ("t", "g", "m"):
        amount = number / _MEMORY_POWERS[unit]
        if amount >= 1 and amount.denominator == 1:
            return f"for bytes write `{amount}{unit}`"
    return f"for bytes write `{math.ceil(number / _MEMORY_POWERS['m'])}m`"


def parse_amount(quantity: str | int | float) -> int | Fraction:
    """Return how much of `cpu`, `gpu` or a custom resource, exactly: `0.1` is a tenth. Raises UnitError."""
    number, unit, _ = _split(quantity, "number", _AMOUNT_HINT)
    if unit == "m":  # Kubernetes: thousandths
        raise UnitError(
            f"the amount `{quantity}` has a unit", f"write `{float(number / 1000)}`; only `mem` takes a unit"
        )
    if unit:
        raise UnitError(f"the amount `{quantity}` has a unit", "only `mem` takes a unit")
    return number.numerator if number.denominator == 1 else number


def _split(quantity: str | int | float, kind: str, hint: str) -> tuple[Fraction, str, str]:
    """Return the number, its unit, and the number as written."""
    if isinstance(quantity, bool):
        raise UnitError(f"`{str(quantity).lower()}` is not a {kind}", hint)
    found = _QUANTITY.match(str(quantity))
    number = scalars.exact(found[1]) if found else None
    if found is None or number is None:
        raise UnitError(f"`{quantity}` is not a {kind}", hint)
    if number < 0:
        raise UnitError(f"the {kind} `{quantity}` is negative")
    return number, found[2], found[1]


def format_memory(size: int) -> str:
    """Return bytes as `37 MiB` or `1.5 GiB`; `parse_memory` reads it back, up to rounding."""
    if size < 1024:
        return f"{size} B"
    number = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        number /= 1024
        if number < 1023.95 or unit == "TiB":
            break
    return _tenths(number).removesuffix(".0") + f" {unit}"


def format_duration(seconds: float) -> str:
    """Return seconds as `120ms`, `3.2s`, `4m 05s`, `1h 02m` or `2d 03h`: at most two units."""
    if seconds < 0.9995:
        return f"{_round(seconds * 1000)}ms"
    if seconds < 59.95:
        return f"{_tenths(seconds)}s"
    whole = _round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    minutes = _round(seconds / 60)
    if minutes < 1440:
        return f"{minutes // 60}h {minutes % 60:02}m"
    hours = _round(seconds / 3600)
    return f"{hours // 24}d {hours % 24:02}h"


def _round(number: float, parts: int = 1) -> int:
    """Return the number of `parts`-ths nearest to `number`, halves upwards, as the scripts of a report do."""
    return math.floor(Fraction(number) * parts + Fraction(1, 2))


def _tenths(number: float) -> str:
    found = _round(number, 10)
    return f"{found // 10}.{found % 10}"


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: `1 session`, `3,000 sessions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
