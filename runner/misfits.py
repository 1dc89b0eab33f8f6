"""Where a document does not fit its schema, in words: the fault, its place, a hint."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.diagnostics import Problem, Span, nearest, printable
from runner.nodes import MappingNode, Node, ScalarNode, SequenceNode, at, kind
from runner.values import resolve

_TYPES = {
    "string": "a string",
    "array": "a list",
    "object": "a mapping",
    "integer": "a whole number",
    "number": "a number",
}
_QUANTITY = re.compile(r"\s*([-+]?)([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z]*)\s*\Z")
_QUANTITIES = {
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
_LIKELY = {
    "args": "exec",
    "cmd": "exec",
    "command": "exec",
    "environment": "env",
    "grid": "ranges",
    "jobs": "max_parallel",
    "matrix": "ranges",
    "parallel": "max_parallel",
    "parameters": "ranges",
    "params": "ranges",
    "run": "exec",
    "script": "exec",
    "seeds": "repeat",
    "variables": "ranges",
}
"""What other tools call our keys."""


@dataclass(frozen=True)
class Misfit:
    """One error of jsonschema: where in the document, against which keyword of which part of the schema."""

    document: MappingNode
    path: tuple[str | int, ...]
    keyword: str
    wanted: Any
    schema: Mapping[str, Any]
    schema_path: tuple[str | int, ...]

    @property
    def node(self) -> Node:
        return at(self.document, self.path)

    @property
    def title(self) -> str:
        """The kind of thing it should be."""
        return str(self.schema.get("title", ""))

    @property
    def name(self) -> str:
        """What is wrong, for the beginning of a sentence."""
        dotted = ".".join(step for step in self.path if isinstance(step, str))
        return f"an item of `{dotted}`" if self.path and isinstance(self.path[-1], int) else f"`{dotted}`"

    @property
    def key_span(self) -> Span:
        """The key whose value it is; for the document its first key, for an item of a list the item."""
        if not self.path:
            return self.document.entries[0][0].span if self.document.entries else self.document.span
        last = self.path[-1]
        parent = at(self.document, self.path[:-1])
        key = parent.key(last) if isinstance(parent, MappingNode) and isinstance(last, str) else None
        return key.span if key else self.node.span


def describe(misfit: Misfit) -> Iterator[Problem]:
    """Its problems; none where it only follows from another misfit."""
    if misfit.title in _QUANTITIES:
        yield _quantity(misfit)
    elif "propertyNames" in misfit.schema_path:
        yield from _name(misfit)
    else:
        yield from _RULES.get(misfit.keyword, _other)(misfit)


def _shown(node: Node) -> str:
    """The value as a message can show it."""
    if not isinstance(node, ScalarNode) or (node.value.data is None and not node.value.text):
        return kind(node)
    text = printable(node.value.text)
    text = text if len(text) <= 40 else text[:39] + "…"
    return f"the string `{text}`" if node.quoted else f"`{text}`"


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _type(misfit: Misfit) -> Iterator[Problem]:
    node = misfit.node
    types = [misfit.wanted] if isinstance(misfit.wanted, str) else list(misfit.wanted)
    single = {"string", "number", "boolean"} <= set(types)
    expected = "a single value" if single else _or([_TYPES[name] for name in types])
    if not isinstance(node, ScalarNode):
        yield Problem(
            f"{misfit.name} must be {expected}, not {kind(node)}", node.span, _shape_hint(misfit, types)
        )
        return
    text, data = node.value
    if data is None and not text:
        hint = 'an empty text is written `""`' if single else f"give it {expected}, or remove it"
        yield Problem(f"{misfit.name} has no value", node.span, hint)
    elif isinstance(data, float) and not math.isfinite(data):
        yield Problem(
            f"`{text}` is not a finite number",
            node.span,
            f'if text is meant, quote it: `"{text}"`' if single else None,
        )
    else:
        yield Problem(
            f"{misfit.name} must be {expected}, not {_shown(node)}",
            node.span,
            _scalar_hint(misfit, node, types),
        )


def _scalar_hint(misfit: Misfit, node: ScalarNode, types: list[str]) -> str | None:
    text, data = node.value
    required = misfit.schema.get("required", [])
    if node.quoted and isinstance(resolve(text), int | float) and {"integer", "number"} & set(types):
        return "remove the quotes"
    if "string" in types and not isinstance(data, str):
        return f'quote it: `"{text}"`'
    if types == ["object"] and len(required) == 1 and "\n" not in text:
        return f"write `{misfit.path[-1]}: {{{required[0]}: {text}}}`"
    if "array" in types and misfit.path == ("zip", misfit.path[-1]):
        return "each item of `zip` is a list of names, as `[[model, width]]`"
    if "array" in types and "\n" not in text:
        return f"write `[{text}]`"
    return None


def _shape_hint(misfit: Misfit, types: list[str]) -> str | None:
    if types == ["array"] and isinstance(misfit.node, MappingNode):
        return "begin each item with `- `"
    if types == ["object"] and isinstance(misfit.node, SequenceNode):
        return "an entry of a mapping is written `name: value`"
    return None


def _quantity(misfit: Misfit) -> Problem:
    node, name, what = misfit.node, misfit.name, _QUANTITIES[misfit.title]
    if not isinstance(node, ScalarNode):
        return Problem(f"{name} must be {what}, not {kind(node)}", node.span)
    text, data = node.value
    if data is None and not text:
        return Problem(f"{name} has no value", node.span, f"give it {what}, or remove it")
    found = _QUANTITY.match(text)
    if found is None or isinstance(data, bool):
        hints = {"amount of memory": "write `256m` or `1.5g`", "amount": None}
        return Problem(
            f"{name} must be {what}, not {_shown(node)}",
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
    return Problem(f"{name} must be {what}, not {_shown(node)}", node.span, _UNITS.get(misfit.title))


def _name(misfit: Misfit) -> Iterator[Problem]:
    """A key that is no name of the kind that the schema wants; jsonschema does not say which: all of them."""
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    for key, _ in mapping.entries:
        text = key.value.text
        if misfit.keyword == "not" and text == misfit.wanted.get("const"):
            yield Problem(f"the name `{text}` is taken", key.span, "choose another name")
        elif misfit.keyword == "pattern" and not re.search(misfit.wanted, text):
            yield _not_a_name(misfit, text, key.span)


def _not_a_name(misfit: Misfit, text: str, span: Span) -> Problem:
    shown = printable(text)
    if not text:
        return Problem(f"an empty {misfit.title}", span)
    if misfit.title == "environment variable name":
        name, _, value = shown.partition("=")
        hint = f"write `{name}: {value}`" if "propertyNames" in misfit.schema_path and name else None
        return Problem(f"the name of an environment variable cannot have a `=`: `{shown}`", span, hint)
    hint = "use letters, digits and `_`, no digit first" if misfit.title.endswith("variable name") else None
    mended = re.sub(r"\W", "_", text, flags=re.ASCII)
    if hint and mended != text and re.match(r"[A-Za-z_]*[A-Za-z]", mended):
        hint = f"write `{mended}`"
    return Problem(f"`{shown}` is no {misfit.title.removeprefix('new ')}", span, hint)


def _pattern(misfit: Misfit) -> Iterator[Problem]:
    node = misfit.node
    assert isinstance(node, ScalarNode)
    if misfit.title in ("variable name", "environment variable name"):
        yield _not_a_name(misfit, node.value.text, node.span)
    elif misfit.title == "Failures":
        yield Problem(
            f"{misfit.name} must be a whole number or a percentage, not {_shown(node)}",
            node.span,
            "write `10` or `5%`",
        )
    elif misfit.title == "Name":
        yield Problem(
            f"{misfit.name} is also the name of a folder, and cannot be {_shown(node)}",
            node.span,
            "leave out `/` and a dot at the beginning",
        )
    else:
        yield Problem(f"{_shown(node)} is no {misfit.title}", node.span)


def _unknown_keys(misfit: Misfit) -> Iterator[Problem]:
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    known = list(misfit.schema["properties"])
    for key, _ in mapping.entries:
        text = key.value.text
        if text not in known:
            what = "kind of range" if misfit.title == "range" else "key"
            where = f" in {misfit.name}" if misfit.path else ""
            yield Problem(f"unknown {what} `{printable(text)}`{where}", key.span, _meant(misfit, text, known))


def _meant(misfit: Misfit, text: str, known: list[str]) -> str:
    near = nearest(text, known) or (_LIKELY.get(text) if not misfit.path else None)
    if near:
        return f"did you mean `{near}`?"
    if len(known) <= 6:
        return f"known are {', '.join(f'`{name}`' for name in known)}"
    for key, schema in misfit.schema["properties"].items():
        if text in schema.get("properties", {}):
            return f"`{text}` is a key of `{key}`"
    return "`runner schema` lists the keys"


def _missing(misfit: Misfit) -> Iterator[Problem]:
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    choice = {"code": ["exec", "code"], "last_line": ["json", "regex", "last_line"]}
    for name in misfit.wanted:
        if mapping.get(name) is not None:
            continue
        names = choice.get(name, [name])
        schema = misfit.schema.get("properties", {})
        if any(
            nearest(key.value.text, names) or _LIKELY.get(key.value.text) in names
            for key, _ in mapping.entries
            if key.value.text not in schema and key.value.text not in names
        ):
            continue  # said already: the key is there, misspelled
        if not misfit.path:
            yield Problem(
                "one of `exec` and `code` is needed",
                misfit.key_span,
                "say what to run: `exec: [python, train.py]`",
            )
        elif len(names) > 1:
            listed = ", ".join(f"`{one}`" for one in names[:-1])
            yield Problem(f"{misfit.name} needs one of {listed} and `{names[-1]}`", misfit.key_span)
        else:
            yield Problem(f"{misfit.name} needs `{name}`", misfit.key_span)


def _needs(misfit: Misfit) -> Iterator[Problem]:
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    for name, needed in misfit.wanted.items():
        key = mapping.key(name)
        for other in needed:
            if key is not None and mapping.get(other) is None:
                hint = (
                    "list what the build reads, as `files: [main.c, Makefile]`" if other == "files" else None
                )
                yield Problem(f"`{name}` needs `{other}`", key.span, hint)


def _excluded(misfit: Misfit) -> Iterator[Problem]:
    """A key that must not be there beside another."""
    parent = at(misfit.document, misfit.path[:-1])
    assert isinstance(parent, MappingNode)
    rivals = [name for name in ("exec", "json", "regex", "last_line") if parent.get(name) is not None]
    if rivals and rivals[0] != misfit.path[-1]:
        yield Problem(
            f"`{rivals[0]}` and `{misfit.path[-1]}` exclude each other", misfit.key_span, "remove one of them"
        )


def _unknown_word(misfit: Misfit) -> Iterator[Problem]:
    node, known = misfit.node, [str(word) for word in misfit.wanted]
    if not isinstance(node, ScalarNode):
        yield Problem(f"{misfit.name} must be a string, not {kind(node)}", node.span)
        return
    near = nearest(node.value.text, known)
    hint = f"did you mean `{near}`?" if near else f"known are {', '.join(f'`{word}`' for word in known)}"
    yield Problem(f"unknown {misfit.title} `{printable(node.value.text)}`", node.span, hint)


def _too_small(misfit: Misfit) -> Iterator[Problem]:
    yield Problem(
        f"{misfit.name} must be at least {misfit.wanted}, not {_shown(misfit.node)}", misfit.node.span
    )


def _too_few(misfit: Misfit) -> Iterator[Problem]:
    message = (
        f"{misfit.name} is empty"
        if misfit.wanted == 1
        else f"{misfit.name} needs at least {misfit.wanted} items"
    )
    yield Problem(message, misfit.node.span)


def _too_many(misfit: Misfit) -> Iterator[Problem]:
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    known = [key for key, _ in mapping.entries if key.value.text in misfit.schema["properties"]]
    if len(known) > misfit.wanted:
        first, second = (key.value.text for key in known[:2])
        yield Problem(f"`{first}` and `{second}` exclude each other", known[1].span, "a range has one kind")


def _too_long(misfit: Misfit) -> Iterator[Problem]:
    yield Problem(f"{misfit.name} is longer than {misfit.wanted} characters", misfit.node.span)


def _repeated(misfit: Misfit) -> Iterator[Problem]:
    sequence = misfit.node
    assert isinstance(sequence, SequenceNode)
    seen: set[str] = set()
    for item in sequence.items:
        if isinstance(item, ScalarNode):
            if item.value.text in seen:
                yield Problem(f"`{item.value.text}` is given twice", item.span, "remove one of them")
            seen.add(item.value.text)


def _other(misfit: Misfit) -> Iterator[Problem]:
    yield Problem(f"{misfit.name} does not fit: `{misfit.keyword}` is {misfit.wanted}", misfit.node.span)


_RULES: Mapping[str, Callable[[Misfit], Iterator[Problem]]] = {
    "additionalProperties": _unknown_keys,
    "dependentRequired": _needs,
    "enum": _unknown_word,
    "maxLength": _too_long,
    "maxProperties": _too_many,
    "minItems": _too_few,
    "minLength": _too_few,
    "minProperties": _too_few,
    "minimum": _too_small,
    "not": _excluded,
    "pattern": _pattern,
    "required": _missing,
    "type": _type,
    "uniqueItems": _repeated,
}
