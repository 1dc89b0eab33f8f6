"""What a sweep file does not share with its schema, in words: the fault, its position, a hint.

The schema holds the words for each value: `x-noun` (what it must be), `x-hint`, `x-first-key` (the key that a plain value
most likely means), `x-aliases` (what people write from other tools, and what to write instead: a known name or a hint),
`x-one-of` (the keys of which one is required) and `x-private` (the value may hold a password, so it is not repeated).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from runner.config.schema_mismatch import Mismatch, joined, shown
from runner.config.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode, at, kind
from runner.diagnostics import Problem, Span, did_you_mean, nearest
from runner.scalars import resolve
from runner.space.range_hints import KIND_ALIASES
from runner.text.escape import printable
from runner.units import UnitError, parse_amount, parse_duration, parse_memory

_PARSERS: Mapping[str, Callable[[str], object]] = {
    "amount": parse_amount,
    "amount of memory": lambda text: parse_memory(text, bare="error"),
    "duration": parse_duration,
    "positive duration": parse_duration,
}
"""By the title of the schema: they say what is wrong with a number or its unit."""

_RIVALS = ("exec", "json", "regex", "last_line")
"""Keys that cannot be combined with certain others."""


def describe(mismatch: Mismatch) -> Iterator[Problem]:
    """Yield its problems; none if it only follows from another mismatch."""
    node = mismatch.node
    parse = _PARSERS.get(mismatch.title)
    if parse and isinstance(node, ScalarNode) and (node.value.data is not None or node.value.text):
        yield _quantity(mismatch, node, parse)
    elif mismatch.is_name:
        key = mismatch.mapping.key(mismatch.value)
        assert key is not None
        yield _invalid_name(mismatch, mismatch.value, key.span)
    else:
        yield from _RULES.get(mismatch.keyword, _other)(mismatch)


def _quantity(mismatch: Mismatch, node: ScalarNode, parse: Callable[[str], object]) -> Problem:
    hint = mismatch.words("x-hint")
    if isinstance(node.value.data, bool):
        return Problem(f"{mismatch.name} must be {mismatch.noun}, not `{node.value.text}`", node.span, hint)
    try:
        parse(node.value.text)
    except UnitError as error:
        is_word = not re.match(r"\s*[-+.]?[0-9]", node.value.text)
        return Problem(error.message, node.span, hint if hint and is_word else error.hint)
    if mismatch.title == "positive duration":
        return Problem(f"{mismatch.name} must be more than 0", node.span, f"for no limit, leave out {mismatch.name}")
    return Problem(f"{mismatch.name} must be {mismatch.noun}, not {shown(node)}", node.span, hint)


def _type(mismatch: Mismatch) -> Iterator[Problem]:
    node, types, name = mismatch.node, mismatch.types, mismatch.name
    single = {"string", "number", "boolean"} <= set(types)
    if mismatch.path[0] == "zip" and len(mismatch.path) == 2 and (problem := _flat_zip(mismatch.document)):
        yield problem
    elif not isinstance(node, ScalarNode):
        yield Problem(f"{name} must be {mismatch.noun}, not {kind(node)}", node.span, _shape_hint(mismatch, node))
    elif node.value.data is None and not node.value.text:
        hint = 'an empty text is written `""`' if single else mismatch.words("x-hint")
        yield Problem(f"{name} has no value", node.span, hint or f"give it {mismatch.noun}, or remove it")
    elif isinstance(node.value.data, float) and not math.isfinite(node.value.data):
        hint = f'if text is meant, quote it: `"{node.value.text}"`' if single else None
        yield Problem(f"`{node.value.text}` is not a finite number", node.span, hint)
    else:
        hint = _scalar_hint(mismatch, node)
        yield Problem(f"{name} must be {mismatch.noun}, not {shown(node)}", node.span, hint)


def _scalar_hint(mismatch: Mismatch, node: ScalarNode) -> str | None:
    types, (text, data) = mismatch.types, node.value
    required = mismatch.schemas[-1].get("required", ())
    first = mismatch.words("x-first-key") or (required[0] if len(required) == 1 else None)
    items = mismatch.schemas[-1].get("items", {})
    if node.quoted and isinstance(resolve(text), int | float) and {"integer", "number"} & set(types):
        return "remove the quotes"
    if mismatch.title == "Failures" and isinstance(data, float) and 0 < data < 1:
        return f'write `"{data:.0%}"`'
    if types == ["object"] and first and "\n" not in text:
        return f"write `{mismatch.path[-1]}: {{{first}: {text}}}`"
    if "array" in types and "enum" in items:
        near = did_you_mean(text, items["enum"], items.get("x-aliases", {}), form="write `[{}]`")
        return (
            near.removeprefix("did you mean ").removesuffix("?")
            if near
            else str(mismatch.words("x-hint") or "") or None
        )
    if "string" in types and "object" not in types and not isinstance(data, str) and mismatch.title != "Failures":
        return f'quote it: `"{text}"`'
    if "array" in types and "\n" not in text:
        return f"write `[{text}]`"
    hint: str | None = mismatch.words("x-hint")
    return hint


def _shape_hint(mismatch: Mismatch, node: Node) -> str | None:
    hint: str | None = mismatch.words("x-hint")
    if hint is None and mismatch.types == ["array"] and isinstance(node, MappingNode):
        return "begin each item with `- `"
    if hint is None and mismatch.types == ["object"] and isinstance(node, SequenceNode):
        return "an entry of a mapping is written `name: value`"
    return hint


def _flat_zip(document: MappingNode) -> Problem | None:
    """Return the problem of `zip: [a, b]`: one, not one for each name."""
    groups = document.get("zip")
    assert isinstance(groups, SequenceNode)
    names = [item.value.text for item in groups.items if isinstance(item, ScalarNode)]
    if len(names) < len(groups.items):
        return None
    return Problem("`zip` must be a list of lists", groups.span, f"write `[[{', '.join(names)}]]`")


def _invalid_name(mismatch: Mismatch, text: str, span: Span) -> Problem:
    title, hint = mismatch.title.removeprefix("new "), mismatch.words("x-hint")
    if mismatch.keyword == "not":
        return Problem(f"the name `{text}` is reserved", span, "choose another name")
    if not text:
        return Problem(f"an empty {title}", span, hint)
    name, _, value = text.partition("=")
    if title == "variable name":
        mended = re.sub(r"\W", "_", text, flags=re.ASCII)
        if mended != text and re.match(r"[A-Za-z_]*[A-Za-z]", mended):
            hint = f"write `{mended}`"
    elif mismatch.is_name and name and value:
        hint = f"write `{printable(name)}: {printable(value)}`"
    article = "an" if title[0] in "aeiou" else "a"
    return Problem(f"`{printable(text)}` is not {article} {title}", span, hint)


def _pattern(mismatch: Mismatch) -> Iterator[Problem]:
    node = mismatch.node
    assert isinstance(node, ScalarNode)
    if mismatch.title.endswith(" name"):
        yield _invalid_name(mismatch, node.value.text, node.span)
        return
    fault = f"{mismatch.name} must be {mismatch.noun}"
    if not mismatch.words("x-private"):
        fault += f", not {shown(node)}"
    yield Problem(fault, node.span, mismatch.words("x-hint"))


def _unknown_keys(mismatch: Mismatch) -> Iterator[Problem]:
    known = list(mismatch.schemas[-1]["properties"])
    is_range = mismatch.title == "range"
    aliases = KIND_ALIASES if is_range else mismatch.schemas[-1].get("x-aliases", {})
    for key, _ in mismatch.mapping.entries:
        text = key.value.text
        if text not in known:
            where = f" in {mismatch.name}" if mismatch.path else ""
            hint = did_you_mean(text, known, aliases) or _known_keys(mismatch, text, known)
            yield Problem(
                f"unknown {'kind of range' if is_range else 'key'} `{printable(text)}`{where}", key.span, hint
            )
            if is_range:
                return


def _known_keys(mismatch: Mismatch, text: str, known: Sequence[str]) -> str:
    if known == ["kind"]:
        return f"the backend `{mismatch.value.get('kind')}` has no options"
    for key, schema in mismatch.schemas[-1]["properties"].items():
        if text in schema.get("properties", {}):
            return f"`{text}` is a key of `{key}`"
    return "choose from " + ", ".join(f"`{name}`" for name in known)


def _missing(mismatch: Mismatch) -> Iterator[Problem]:
    for name in mismatch.expected:
        names = mismatch.schemas[-1].get("x-one-of", [name])
        if mismatch.mapping.get(name) is not None or _is_misspelled(mismatch, names):
            continue
        listed = joined([f"`{one}`" for one in names])
        fault = f"{mismatch.name} needs {listed}" if mismatch.path else f"{listed} is missing"
        yield Problem(fault, mismatch.key_span, mismatch.schemas[-1].get("x-hint"))


def _is_misspelled(mismatch: Mismatch, names: Sequence[str]) -> bool:
    """True if an unknown key of the mapping has been reported that most likely means one of `names`."""
    if mismatch.path and mismatch.path[0] == "backend":
        return False
    aliases = mismatch.schemas[0].get("x-aliases", {})
    keys = [key.value.text for key, _ in mismatch.mapping.entries]
    return any(nearest(key, names) or aliases.get(key) in names for key in keys)


def _needs(mismatch: Mismatch) -> Iterator[Problem]:
    for name, needed in mismatch.expected.items():
        key = mismatch.mapping.key(name)
        for other in needed:
            if key is not None and mismatch.mapping.get(other) is None:
                hint = "list what the build reads, such as `files: [main.c, Makefile]`" if other == "files" else None
                yield Problem(f"`{name}` needs `{other}`", key.span, hint)


def _excluded(mismatch: Mismatch) -> Iterator[Problem]:
    """Yield the problem of a key that cannot be combined with another."""
    parent = at(mismatch.document, mismatch.path[:-1])
    assert isinstance(parent, MappingNode)
    rivals = [name for name in _RIVALS if parent.get(name) is not None]
    if rivals and rivals[0] != mismatch.path[-1]:
        fault = f"`{rivals[0]}` and `{mismatch.path[-1]}` cannot be combined"
        yield Problem(fault, mismatch.key_span, "remove one of them")


def _unknown_word(mismatch: Mismatch) -> Iterator[Problem]:
    node, known = mismatch.node, [str(word) for word in mismatch.expected]
    if not isinstance(node, ScalarNode):
        yield Problem(f"{mismatch.name} must be a string, not {kind(node)}", node.span)
        return
    near = did_you_mean(node.value.text, known, mismatch.words("x-aliases", {}))
    hint = near or "choose from " + ", ".join(f"`{word}`" for word in known)
    yield Problem(f"unknown {mismatch.title.lower()} `{printable(node.value.text)}`", node.span, hint)


def _too_small(mismatch: Mismatch) -> Iterator[Problem]:
    fault = f"{mismatch.name} must be at least {mismatch.expected}, not {mismatch.value}"
    yield Problem(fault, mismatch.node.span, mismatch.words("x-hint"))


def _too_large(mismatch: Mismatch) -> Iterator[Problem]:
    yield Problem(f"{mismatch.name} must be at most {mismatch.expected:,}, not {mismatch.value:,}", mismatch.node.span)


def _too_few(mismatch: Mismatch) -> Iterator[Problem]:
    message = f"{mismatch.name} is empty"
    if mismatch.expected > 1:
        message = f"a {mismatch.title} in `{mismatch.path[0]}` needs at least {mismatch.expected} names"
    yield Problem(message, mismatch.node.span, mismatch.words("x-hint"))


def _too_many(mismatch: Mismatch) -> Iterator[Problem]:
    properties = mismatch.schemas[-1]["properties"]
    known = [key for key, _ in mismatch.mapping.entries if key.value.text in properties]
    if len(known) > mismatch.expected:
        first, second = (key.value.text for key in known[:2])
        yield Problem(f"`{first}` and `{second}` cannot be combined", known[1].span, "a range has one kind")


def _too_long(mismatch: Mismatch) -> Iterator[Problem]:
    yield Problem(f"{mismatch.name} is longer than {mismatch.expected} characters", mismatch.node.span)


def _repeated(mismatch: Mismatch) -> Iterator[Problem]:
    sequence = mismatch.node
    assert isinstance(sequence, SequenceNode)
    seen: set[str] = set()
    for item in sequence.items:
        if isinstance(item, ScalarNode):
            if item.value.text in seen:
                yield Problem(f"`{item.value.text}` is given twice", item.span, "remove one of them")
            seen.add(item.value.text)


def _other(mismatch: Mismatch) -> Iterator[Problem]:
    yield Problem(f"{mismatch.name} does not match `{mismatch.keyword}: {mismatch.expected}`", mismatch.node.span)


_RULES: Mapping[str, Callable[[Mismatch], Iterator[Problem]]] = {
    "additionalProperties": _unknown_keys,
    "dependentRequired": _needs,
    "enum": _unknown_word,
    "maxLength": _too_long,
    "maxProperties": _too_many,
    "minItems": _too_few,
    "minLength": _too_few,
    "minProperties": _too_few,
    "maximum": _too_large,
    "minimum": _too_small,
    "not": _excluded,
    "pattern": _pattern,
    "required": _missing,
    "type": _type,
    "uniqueItems": _repeated,
}
