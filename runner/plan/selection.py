"""The text of a selection, as in `--select`: `lr=0.1,seed=3`; a value with a comma is quoted: `milestones="6:20,5:20"`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runner.diagnostics import nearest
from runner.errors import InvalidInput
from runner.model import Value
from runner.scalars import equal, resolve
from runner.template.template import REPEAT

_PAIR = re.compile(r'(?P<name>[^=,]*)(?P<equals>=?)(?P<value>"(?:[^"\\]|\\.)*"|[^,]*)(?:,|\Z)', re.S)
_ESCAPED = re.compile(r"\\(.)", re.S)


class Pair(NamedTuple):
    name: str
    value: Value


def parse_selection(text: str, names: Iterable[str]) -> dict[str, Value]:
    """Return the condition of a selection. Raises InvalidInput for a syntax error, an unknown variable or a contradiction."""
    return merged(pairs(text, [*names, REPEAT]))


def merged(given: Iterable[Pair]) -> dict[str, Value]:
    """Return the condition that all pairs make together. Raises InvalidInput if two of them contradict each other."""
    condition: dict[str, Value] = {}
    for name, value in given:
        known = condition.setdefault(name, value)
        if not equal(known, value):
            raise InvalidInput(
                f"no session has both `{name}={known.text}` and `{name}={value.text}`",
                "a session is selected if it has all of the values; select one value at a time",
            )
    return condition


def pairs(text: str, known: Iterable[str]) -> Iterator[Pair]:
    """Yield the variables and values of a selection. Raises InvalidInput."""
    known = list(known)
    at = 0
    while True:
        found = _PAIR.match(text, at)
        assert found is not None, "the pattern matches any text up to a comma"
        if not found["equals"]:
            raise InvalidInput(f"`{found['name']}` is not `NAME=VALUE`", _syntax_hint(text, found.start()))
        yield Pair(_known(found["name"].strip(), known), _value(found["value"]))
        if found.end("value") == found.end():  # no comma behind it
            return
        at = found.end()


def quoted(text: str) -> str:
    """Return a value as a selection has to spell it."""
    if "," not in text and not text.startswith('"'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquoted(text: str) -> str | None:
    """Return the value of a text in double quotes; None for any other text."""
    if len(text) < 2 or not text.startswith('"') or not text.endswith('"'):
        return None
    return _ESCAPED.sub(r"\1", text[1:-1])


def _value(text: str) -> Value:
    inner = unquoted(text)
    return Value(text, resolve(text)) if inner is None else Value(inner, resolve(inner))


def _known(name: str, known: list[str]) -> str:
    if name in known:
        return name
    near = nearest(name, known)
    raise InvalidInput(
        f"unknown variable `{name}`",
        f"did you mean `{near}`?" if near else f"this sweep has {', '.join(f'`{one}`' for one in known)}",
    )


def _syntax_hint(text: str, end: int) -> str:
    """Return what to write: the value before in quotes, if the comma at its end may be a part of it."""
    before = text[: max(0, end - 1)].rpartition(",")[2] if end else ""
    name, equals, _ = before.partition("=")
    if not equals:
        return "select by variables: `lr=0.1,seed=3`"
    return f"select by variables: `lr=0.1,seed=3`; a value with a comma is quoted: `'{name}=\"…,…\"'`"
