"""What people write for a range in other tools and languages, and what to write here."""

from __future__ import annotations

import re

from runner import scalars
from runner.diagnostics import did_you_mean

KINDS = ("case", "linspace", "range", "logspace", "geomspace")

_AS_LIST = "write the values as a list: `[0.1, 0.2]`"
KIND_ALIASES = {
    **dict.fromkeys(("log", "loguniform", "log_uniform", "logrange", "geom", "geometric"), "geomspace"),
    **dict.fromkeys(("lin", "linear", "uniform"), "linspace"),
    **dict.fromkeys(("arange", "seq", "int", "randint"), "range"),
    **dict.fromkeys(("choice", "choices", "values", "value", "grid", "grid_search", "list", "in"), _AS_LIST),
    **dict.fromkeys(("min", "max", "start", "stop", "low", "high", "distribution"), "such as `geomspace:1e-4,1e-1,4`"),
}
"""Kinds of range in other tools: the kind to write, or a hint."""


def kind_hint(kind: str) -> str:
    """Return what to write for an unknown kind of range."""
    return did_you_mean(kind, KINDS, KIND_ALIASES) or "choose from " + ", ".join(f"`{known}`" for known in KINDS)


_CALL = re.compile(r"(?:\w+\.)*(\w+)\((.*)\)\Z")
_INTERVAL = re.compile(
    r"([-+]?[0-9.]*[0-9](?:e[-+]?[0-9]+)?)\.\.\.?([-+]?[0-9.]*[0-9](?:e[-+]?[0-9]+)?)\Z", re.IGNORECASE
)


def is_expression(text: str) -> bool:
    """Return whether a text has the form of a range expression."""
    return text.partition(":")[0] in KINDS and ":" in text


def is_interval(text: str) -> bool:
    """Return whether a text has the form `1..5`, which other languages use for a range."""
    return _INTERVAL.match(text) is not None


LARGEST_EXPONENT = 30
"""No sweep goes beyond 10 to this power: a larger number is meant as a value, not as an exponent."""


def geomspace_hint(text: str) -> str | None:
    """Return the `geomspace` that a `logspace` most likely means, or None.

    So it is where both of its positive exponents lie between 0 and 1, or one of them is too large to be meant.
    """
    kind, _, rest = text.partition(":")
    numbers = [scalars.resolve_number(part.strip()) for part in rest.split(",")]
    if kind != "logspace" or len(numbers) != 3:
        return None
    start, stop, _ = numbers
    if start is None or stop is None or not (start > 0 and stop > 0):
        return None
    if not (max(start, stop) < 1 or max(start, stop) > LARGEST_EXPONENT):
        return None
    return f"did you mean `geomspace:{rest}`?"


def expression_hint(text: str) -> str:
    """Return what to write for a text that is not a range expression."""
    if found := _INTERVAL.match(text):
        first, last = (scalars.resolve_number(bound) for bound in found.groups())
        if isinstance(first, int) and isinstance(last, int):
            return f"write `range:{first},{last + 1}`"
        return f"write `linspace:{found[1]},{found[2]},5` for five values"
    if found := _CALL.match(text):
        kind = found[1] if found[1] in KINDS else KIND_ALIASES.get(found[1], "")
        return f"write `{kind}:{found[2]}`" if kind in KINDS else f"write `[{shortened(found[2])}]`"
    if text.startswith("[") and text.endswith("]"):
        return f"write `case:{shortened(text[1:-1])}`"
    return f"write `case:{shortened(text)}` or a list"


def shortened(text: str) -> str:
    """Return the text as a message shows it."""
    return text if len(text) <= 60 else text[:57] + "…"
