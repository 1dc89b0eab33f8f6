"""A quick yes for documents that fit their schema, so that only a wrong file pays for importing jsonschema.

It knows the part of JSON Schema 2020-12 that our schemas use, and says yes only where it is sure; jsonschema judges
all else and finds the faults.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]


class _Unsure(Exception):
    """The schema says something that is not known here."""


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "array": lambda data: isinstance(data, list),
    "boolean": lambda data: isinstance(data, bool),
    "integer": lambda data: isinstance(data, int) and not isinstance(data, bool),
    "null": lambda data: data is None,
    "number": lambda data: isinstance(data, int | float) and not isinstance(data, bool) and math.isfinite(data),
    "object": lambda data: isinstance(data, dict),
    "string": lambda data: isinstance(data, str),
}
"""The types as a sweep file means them: 2.0 is no whole number, `.inf` and `.nan` are none to compute with."""


def fits(data: Any, schema: Schema) -> bool:
    """True if the data fits for sure; False says nothing."""
    try:
        return _fits(data, schema, schema)
    except _Unsure:
        return False


def _fits(data: Any, schema: Schema, root: Schema) -> bool:
    for keyword, wanted in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        rule = _RULES.get(keyword)
        if rule is None:
            raise _Unsure
        if not rule(data, wanted, schema, root):
            return False
    return True


def _type(data: Any, wanted: str | list[str], _: Schema, __: Schema) -> bool:
    return any(TYPES[name](data) for name in ([wanted] if isinstance(wanted, str) else wanted))


def _ref(data: Any, wanted: str, _: Schema, root: Schema) -> bool:
    name = wanted.removeprefix("#/$defs/")
    if name not in root["$defs"]:
        raise _Unsure
    return _fits(data, root["$defs"][name], root)


def _if(data: Any, wanted: Schema, schema: Schema, root: Schema) -> bool:
    return _fits(data, schema.get("then" if _fits(data, wanted, root) else "else", {}), root)


def _all(data: Any, wanted: list[Schema], _: Schema, root: Schema) -> bool:
    return all(_fits(data, one, root) for one in wanted)


def _not(data: Any, wanted: Schema, _: Schema, root: Schema) -> bool:
    return not _fits(data, wanted, root)


def _enum(data: Any, wanted: list[Any], _: Schema, __: Schema) -> bool:
    return isinstance(data, str) and data in wanted


def _const(data: Any, wanted: Any, _: Schema, __: Schema) -> bool:
    return isinstance(data, str) and bool(data == wanted)


def _properties(data: Any, wanted: Mapping[str, Schema], _: Schema, root: Schema) -> bool:
    return not isinstance(data, dict) or all(
        _fits(data[name], inner, root) for name, inner in wanted.items() if name in data
    )


def _additional(data: Any, wanted: Schema | bool, schema: Schema, root: Schema) -> bool:
    if not isinstance(data, dict):
        return True
    extra = data.keys() - schema.get("properties", {}).keys()
    if isinstance(wanted, bool):
        return wanted or not extra
    return all(_fits(data[name], wanted, root) for name in extra)


def _names(data: Any, wanted: Schema, _: Schema, root: Schema) -> bool:
    return not isinstance(data, dict) or all(_fits(name, wanted, root) for name in data)


def _items(data: Any, wanted: Schema, _: Schema, root: Schema) -> bool:
    return not isinstance(data, list) or all(_fits(item, wanted, root) for item in data)


def _unique(data: Any, wanted: bool, _: Schema, __: Schema) -> bool:
    if not isinstance(data, list) or not wanted:
        return True
    if not all(isinstance(item, str) for item in data):
        raise _Unsure
    return len(set(data)) == len(data)


def _required(data: Any, wanted: list[str], _: Schema, __: Schema) -> bool:
    return not isinstance(data, dict) or all(name in data for name in wanted)


def _dependent(data: Any, wanted: Mapping[str, list[str]], _: Schema, __: Schema) -> bool:
    return not isinstance(data, dict) or all(
        other in data for name, needed in wanted.items() if name in data for other in needed
    )


def _pattern(data: Any, wanted: str, _: Schema, __: Schema) -> bool:
    return not isinstance(data, str) or _compiled(wanted).search(data) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _minimum(data: Any, wanted: float, _: Schema, __: Schema) -> bool:
    return not TYPES["number"](data) or bool(data >= wanted)


def _maximum(data: Any, wanted: float, _: Schema, __: Schema) -> bool:
    return not TYPES["number"](data) or bool(data <= wanted)


def _above(data: Any, wanted: float, _: Schema, __: Schema) -> bool:
    return not TYPES["number"](data) or bool(data > wanted)


def _at_least(kind: type[str | list[Any] | dict[str, Any]]) -> Callable[[Any, int, Schema, Schema], bool]:
    return lambda data, wanted, _, __: not isinstance(data, kind) or len(data) >= wanted


def _at_most(kind: type[str | list[Any] | dict[str, Any]]) -> Callable[[Any, int, Schema, Schema], bool]:
    return lambda data, wanted, _, __: not isinstance(data, kind) or len(data) <= wanted


_ANNOTATIONS = frozenset(("$defs", "$schema", "default", "description", "else", "examples", "then", "title"))
_RULES: Mapping[str, Callable[[Any, Any, Schema, Schema], bool]] = {
    "$ref": _ref,
    "additionalProperties": _additional,
    "allOf": _all,
    "const": _const,
    "dependentRequired": _dependent,
    "enum": _enum,
    "exclusiveMinimum": _above,
    "if": _if,
    "items": _items,
    "maxLength": _at_most(str),
    "maxProperties": _at_most(dict),
    "maximum": _maximum,
    "minItems": _at_least(list),
    "minLength": _at_least(str),
    "minProperties": _at_least(dict),
    "minimum": _minimum,
    "not": _not,
    "pattern": _pattern,
    "properties": _properties,
    "propertyNames": _names,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique,
}
