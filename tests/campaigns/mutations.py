"""Mutated sweep files: damage to the text, and damage to the structure of a file that parses."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import yaml

Step: TypeAlias = str | int

# fmt: off
TOKENS = (
    "|", ">", "&a ", "*a", "!x ", "%", "@", "`", "{", "}", "[", "]", ": ", "- ", "#", '"', "'", "\\", "\t", "\r\n", "? ",
    "$", "$$", "${", "${x", "$lr", "${{ lr }}", "{{ lr }}", "%(lr)s", "$(", "`id`", "<<EOF\n", "EOF", "; ", " | ", " && ",
    "\x00", "\x1b[31m", "\u00a0", "\u2028", "\ufeff", "\ud800", "“", "é", "😀", "\u202e", "１", "---\n", "...\n", "<<: *a\n",
    "null", "true", "~", "-0", "0x", "1e999", ".inf", ".nan", "1_000", "010", "0o17", "1:30", "9" * 5000, "1..5", "range:",
)
"""Text to insert."""

SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e308, float("inf"), float("nan"), 10**30, 2**63, 10_000_000,
    "", " ", "0", "-1", "%", "5%", "150%", "ten", "10 percent", "1e400%", "$lr", "${", "$$x", "{{ lr }}", "\x00", "\n", "é😀",
    "range:5", "range:", "range:0", "range:1,2,0", "range:0,10000001", "linspace:0,1,1e9", "linspace:a,b,c", "case:",
    "geomspace:0,1,2", "logspace:-400,400,3", "geomspace:1e-300,1e300,5", "range:1..5", "1..5", "10m", "10min", "1h30m",
    "-5s", "1e99d", "01:00:00", "512m", "1e9", "500mb", "-1g", "../x", "/etc/passwd", "~", "*", "a/**/b", "[", "(", "(?P<x",
    "(a+)+$", "*.py", "x" * 5000,
)
"""Values to put in the place of others."""

WORDS = (
    "exec", "ranges", "lr", "repeat", "env", "zip", "exclude", "metrics", "kind", "limit", "case", "x-y", "", "a b", "id", "é",
)
"""Keys."""
# fmt: on


def mutated(text: str, others: Sequence[str], chance: random.Random) -> str:
    """Return a damaged form of a sweep file; parts may come from `others`."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        document = _parsed(text) if chance.random() < 0.6 else None
        if isinstance(document, dict) and document:
            text = _written(_restructured(document, others, chance), chance)
        else:
            text = chance.choice(_DAMAGES)(text, others, chance)
    return text


def _parsed(text: str) -> Any:
    if "&" in text:  # an anchor: the document may contain itself, or be a bomb
        return None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _written(document: Any, chance: random.Random) -> str:
    if chance.random() < 0.2:
        return json.dumps(document, ensure_ascii=chance.random() < 0.5)
    flow = chance.choice((True, False, None))
    return yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True, sort_keys=False)


def _restructured(document: Any, others: Sequence[str], chance: random.Random) -> Any:
    document = copy.deepcopy(document)
    path = chance.choice(list(_paths(document)))
    holder, last = document, path[-1]
    for step in path[:-1]:
        holder = holder[step]
    match chance.randrange(6):
        case 0:
            del holder[last]
        case 1:
            holder[last] = chance.choice(SCALARS)
        case 2:
            holder[last] = _shaped(holder[last], chance)
        case 3:
            donor = _parsed(chance.choice(others))
            holder[last] = (
                _at(donor, chance.choice(list(_paths(donor)))) if isinstance(donor, dict) and donor else donor
            )
        case 4 if isinstance(holder, dict):
            holder[chance.choice(WORDS)] = holder.pop(last)
        case _ if isinstance(holder, dict):
            holder[chance.choice(WORDS)] = chance.choice(SCALARS)
        case _:
            holder.append(chance.choice(SCALARS))
    return document


def _shaped(value: Any, chance: random.Random) -> Any:
    """Return the value in another shape."""
    forms: list[Callable[[], Any]] = [
        lambda: [value],
        lambda: {chance.choice(WORDS): value},
        list,
        dict,
        lambda: str(value),
        lambda: [value, value],
        lambda: [[[value]]],
        lambda: list(value) if isinstance(value, dict | str) else value,
    ]
    return chance.choice(forms)()


def _paths(node: Any, above: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    pairs: Sequence[tuple[Step, Any]] = ()
    if isinstance(node, dict):
        pairs = list(node.items())
    elif isinstance(node, list):
        pairs = list(enumerate(node))
    for step, below in pairs:
        yield (*above, step)
        yield from _paths(below, (*above, step))


def _at(node: Any, path: Sequence[Step]) -> Any:
    for step in path:
        node = node[step]
    return copy.deepcopy(node)


def _insert(text: str, _: Sequence[str], chance: random.Random) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(TOKENS) + text[at:]


def _delete(text: str, _: Sequence[str], chance: random.Random) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + text[at + chance.choice((1, 1, 2, 5, 20)) :]


def _replace_word(text: str, _: Sequence[str], chance: random.Random) -> str:
    words = text.split(" ")
    words[chance.randrange(len(words))] = str(chance.choice((*TOKENS, *WORDS, "1", "x" * 300)))
    return " ".join(words)


def _move_line(text: str, others: Sequence[str], chance: random.Random) -> str:
    lines = text.split("\n")
    line = lines.pop(chance.randrange(len(lines)))
    source = chance.choice(others).split("\n") if chance.random() < 0.5 else [line]
    lines.insert(chance.randint(0, len(lines)), chance.choice(source))
    return "\n".join(lines)


def _indent(text: str, _: Sequence[str], chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    lines[at] = (
        chance.choice((" ", "  ", "\t", "- ", "")) + lines[at].lstrip() if chance.random() < 0.5 else " " + lines[at]
    )
    return "\n".join(lines)


def _cut(text: str, _: Sequence[str], chance: random.Random) -> str:
    return text[: chance.randint(0, len(text))]


_DAMAGES: tuple[Callable[[str, Sequence[str], random.Random], str], ...] = (
    *(_insert, _insert, _delete, _delete, _replace_word, _move_line, _indent, _cut),
)
