"""Where a document does not fit its schema, in words: the fault, its place, a hint."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from runner.config import schema_errors_backends, schema_errors_quantities
from runner.config.schema_mismatch import Misfit, shown
from runner.config.yaml.nodes import MappingNode, ScalarNode, SequenceNode, at, kind
from runner.diagnostics import Problem, Span, nearest, printable
from runner.scalars import resolve

_TYPES = {
    "string": "a string",
    "array": "a list",
    "object": "a mapping",
    "integer": "a whole number",
    "number": "a number",
}
_ONE_OF = {"code": ("exec", "code"), "last_line": ("json", "regex", "last_line")}
"""Keys that the schema can only ask for as the last of several."""

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


def describe(misfit: Misfit) -> Iterator[Problem]:
    """Its problems; none where it only follows from another misfit."""
    if misfit.title in schema_errors_quantities.QUANTITIES:
        yield schema_errors_quantities.describe(misfit)
    elif "propertyNames" in misfit.schema_path:
        yield from _name(misfit)
    else:
        yield from _RULES.get(misfit.keyword, _other)(misfit)


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _type(misfit: Misfit) -> Iterator[Problem]:
    node = misfit.node
    types = [misfit.wanted] if isinstance(misfit.wanted, str) else list(misfit.wanted)
    if misfit.path[0] == "zip" and len(misfit.path) == 2 and (whole := _flat_zip(misfit)) is not None:
        yield whole
        return
    single = {"string", "number", "boolean"} <= set(types)
    expected = "a single value" if single else _or([_TYPES[name] for name in types])
    if not isinstance(node, ScalarNode):
        yield Problem(f"{misfit.name} must be {expected}, not {kind(node)}", node.span, _shape_hint(misfit, types))
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
            f"{misfit.name} must be {expected}, not {shown(node)}",
            node.span,
            _scalar_hint(misfit, node, types),
        )


def _scalar_hint(misfit: Misfit, node: ScalarNode, types: list[str]) -> str | None:
    text, data = node.value
    required = misfit.schema.get("required", [])
    if node.quoted and isinstance(resolve(text), int | float) and {"integer", "number"} & set(types):
        return "remove the quotes"
    if "string" in types and "object" not in types and not isinstance(data, str):
        return f'quote it: `"{text}"`'
    if types == ["object"] and len(required) == 1 and "\n" not in text:
        return f"write `{misfit.path[-1]}: {{{required[0]}: {text}}}`"
    if "array" in types and "\n" not in text:
        return f"write `[{text}]`"
    return None


def _flat_zip(misfit: Misfit) -> Problem | None:
    """`zip: [a, b]`, which is one slip and not one for each name."""
    groups = misfit.document.get("zip")
    assert isinstance(groups, SequenceNode)
    names = [item.value.text for item in groups.items if isinstance(item, ScalarNode)]
    if len(names) < len(groups.items):
        return None
    return Problem("`zip` must be a list of lists", groups.span, f"write `[[{', '.join(names)}]]`")


def _shape_hint(misfit: Misfit, types: list[str]) -> str | None:
    if types == ["array"] and isinstance(misfit.node, MappingNode):
        return "begin each item with `- `"
    if types == ["object"] and isinstance(misfit.node, SequenceNode):
        return "an entry of a mapping is written `name: value`"
    return None


def _name(misfit: Misfit) -> Iterator[Problem]:
    """A key that is no name of the kind that the schema wants."""
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    key = mapping.key(misfit.value)
    assert key is not None
    if misfit.keyword == "not":
        yield Problem(f"the name `{misfit.value}` is taken", key.span, "choose another name")
    else:
        yield _not_a_name(misfit, misfit.value, key.span)


def _not_a_name(misfit: Misfit, text: str, span: Span) -> Problem:
    shown = printable(text)
    if not text:
        return Problem(f"an empty {misfit.title}", span)
    if misfit.title == "environment variable name":
        name, _, value = shown.partition("=")
        hint = f"write `{name}: {value}`" if "propertyNames" in misfit.schema_path and name and value else None
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
            f"{misfit.name} must be a whole number or a percentage, not {shown(node)}",
            node.span,
            "write `10` or `5%`",
        )
    elif misfit.title == "Name":
        yield Problem(
            f"{misfit.name} is also the name of a folder, and cannot be {shown(node)}",
            node.span,
            "leave out `/` and a dot at the beginning",
        )
    else:
        yield schema_errors_backends.pattern(misfit) or Problem(f"{shown(node)} is no {misfit.title}", node.span)


def _unknown_keys(misfit: Misfit) -> Iterator[Problem]:
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    known = list(misfit.schema["properties"])
    for key, _ in mapping.entries:
        text = key.value.text
        if text not in known:
            what = "kind of range" if misfit.title == "range" else "key"
            where = f" in {misfit.name}" if misfit.path else ""
            hint = schema_errors_backends.meant(misfit, text, known) or _meant(misfit, text, known)
            yield Problem(f"unknown {what} `{printable(text)}`{where}", key.span, hint)


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
    for name in misfit.wanted:
        names = _ONE_OF.get(name, (name,))
        if mapping.get(name) is not None or _is_misspelled(names, misfit):
            continue
        if not misfit.path:
            hint = "say what to run: `exec: [python, train.py]`"
            yield Problem("one of `exec` and `code` is needed", misfit.key_span, hint)
        elif len(names) > 1:
            listed = ", ".join(f"`{one}`" for one in names[:-1])
            yield Problem(f"{misfit.name} needs one of {listed} and `{names[-1]}`", misfit.key_span)
        else:
            yield Problem(f"{misfit.name} needs `{name}`", misfit.key_span)


def _is_misspelled(names: Sequence[str], misfit: Misfit) -> bool:
    """Whether one of these keys is there under a wrong name, which has been said; not so a backend's options without `kind`."""
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    return misfit.title != schema_errors_backends.TITLE and any(
        nearest(key.value.text, names) or _LIKELY.get(key.value.text) in names for key, _ in mapping.entries
    )


def _needs(misfit: Misfit) -> Iterator[Problem]:
    mapping = misfit.node
    assert isinstance(mapping, MappingNode)
    for name, needed in misfit.wanted.items():
        key = mapping.key(name)
        for other in needed:
            if key is not None and mapping.get(other) is None:
                hint = "list what the build reads, as `files: [main.c, Makefile]`" if other == "files" else None
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
    yield Problem(f"{misfit.name} must be at least {misfit.wanted}, not {misfit.value}", misfit.node.span)


def _too_large(misfit: Misfit) -> Iterator[Problem]:
    yield Problem(f"{misfit.name} must be at most {misfit.wanted}, not {misfit.value}", misfit.node.span)


def _too_few(misfit: Misfit) -> Iterator[Problem]:
    message = f"{misfit.name} is empty"
    if misfit.wanted > 1:
        message = f"a {misfit.title} in `{misfit.path[0]}` needs at least {misfit.wanted} names"
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
    "maximum": _too_large,
    "minimum": _too_small,
    "not": _excluded,
    "pattern": _pattern,
    "required": _missing,
    "type": _type,
    "uniqueItems": _repeated,
}
