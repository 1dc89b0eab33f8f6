"""The Vega-Lite templates of `charts.json`, and how they are filled."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

Spec: TypeAlias = dict[str, Any]

_NAME = re.compile(r"\$([a-z_]+)\Z")
_NAME_IN_TEXT = re.compile(r"\$\{([a-z_]+)\}")


def fill(name: str, values: Mapping[str, Any]) -> Any:
    """The template `name` as JSON data.

    A string `"$key"` stands for `values[key]`, or for the template `key`. A member or item for which that is None is left
    out, and a list takes the place of its item. `${key}` inside a string stands for the text of `values[key]`.
    """
    return _filled(_templates()[name], values)


@cache
def _templates() -> Mapping[str, Any]:
    text = resources.files("runner.reporters.html").joinpath("charts.json").read_text(encoding="utf-8")
    templates: dict[str, Any] = json.loads(text)
    return templates


def _filled(part: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(part, dict):
        members = {key: _filled(member, values) for key, member in part.items()}
        return {key: member for key, member in members.items() if member is not None or part[key] is None}
    if isinstance(part, list):
        items: list[Any] = []
        for item in part:
            found = _filled(item, values)
            items += found if isinstance(found, list) else [] if found is None else [found]
        return items
    if not isinstance(part, str):
        return part
    if name := _NAME.match(part):
        key = name[1]
        return values[key] if key in values else _filled(_templates()[key], values)
    return _NAME_IN_TEXT.sub(lambda found: str(values[found[1]]), part)
