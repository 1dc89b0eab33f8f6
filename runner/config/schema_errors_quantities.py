"""Amounts, memory and times that the schema does not take: what is wrong with the number or its unit."""

from __future__ import annotations

import re

from runner.config.schema_mismatch import Misfit, shown
from runner.config.yaml.nodes import ScalarNode, kind
from runner.diagnostics import Problem

_QUANTITY = re.compile(r"\s*([-+]?)((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z]*)\s*\Z")
QUANTITIES = {
    "amount": "a number",
    "amount of memory": "an amount of memory",
    "duration": "a time",
    "positive duration": "a time",
}
_UNITS = {
    "amount of memory": "the units are `k`, `m`, `g` and `t`",
    "duration": "the units are `s`, `m`, `h` and `d`",
    "positive duration": "the units are `s`, `m`, `h` and `d`",
}


def describe(misfit: Misfit) -> Problem:
    node, name, what = misfit.node, misfit.name, QUANTITIES[misfit.title]
    if not isinstance(node, ScalarNode):
        return Problem(f"{name} must be {what}, not {kind(node)}", node.span)
    text, data = node.value
    if data is None and not text:
        return Problem(f"{name} has no value", node.span, f"give it {what}, or remove it")
    found = _QUANTITY.match(text)
    if found is None or isinstance(data, bool):
        hints = {"amount of memory": "write `256m` or `1.5g`", "amount": None}
        return Problem(
            f"{name} must be {what}, not {shown(node)}",
            node.span,
            hints.get(misfit.title, "write `90s` or `1.5h`"),
        )
    sign, number, unit = found.groups()
    if sign == "-":
        return Problem(f"{name} must not be negative: `{text}`", node.span)
    if misfit.title == "amount" and unit:
        return Problem(f"{name} must be a plain number, not `{text}`", node.span, "only `mem` takes a unit")
    if misfit.title == "amount of memory" and not unit:
        return Problem(f"{name} has no unit", node.span, f"write `{number}m` or `{number}g`")
    if misfit.title == "positive duration" and not re.search("[1-9]", re.split("[eE]", number)[0]):
        return Problem(f"{name} must be more than 0", node.span, f"for no limit, leave {name} out")
    if unit and unit.lower() not in ("ms", "s", "m", "h", "d", "k", "g", "t"):
        return Problem(f"unknown unit `{unit}` in {name}", node.span, _UNITS.get(misfit.title))
    return Problem(f"{name} must be {what}, not {shown(node)}", node.span, _UNITS.get(misfit.title))
