"""The schemas that runner ships, and what of a document does not fit the sweep file's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.config.schema_errors import describe
from runner.config.schema_match import TYPES, fits
from runner.config.schema_mismatch import Misfit
from runner.config.yaml.nodes import MappingNode, RefusedNode, plain
from runner.diagnostics import Problem, in_file_order

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_PACKAGE = Path(__file__).parent.parent
_FOLDERS = (_PACKAGE / "_schemas", _PACKAGE.parent / "schemas")
"""In the wheel, and in a checkout."""


@cache
def load(name: str) -> dict[str, Any]:
    """The schema `sweep`, `problems`, … as shipped; not to be changed. Raises KeyError if there is none."""
    for folder in _FOLDERS:
        try:
            text = (folder / f"{name}.schema.json").read_text(encoding="utf-8")
        except OSError:
            continue
        schema: dict[str, Any] = json.loads(text)
        return schema
    raise KeyError(name)


def check(document: MappingNode) -> list[Problem]:
    """Everything about the document's shape that the schema does not allow: each fault once, in file order."""
    data = plain(document)
    if fits(data, load("sweep")):
        return []
    errors: Iterable[Any] = validator().iter_errors(data)
    misfits = [
        Misfit(
            document,
            tuple(error.absolute_path),
            str(error.validator),
            error.validator_value,
            error.schema,
            tuple(error.absolute_schema_path),
            error.instance,
        )
        for error in errors
    ]
    misfits = [misfit for misfit in misfits if not isinstance(misfit.node, RefusedNode)]
    problems = {problem: None for misfit in misfits for problem in describe(misfit)}
    return list(in_file_order(problems))


@cache
def validator() -> Validator:
    """jsonschema's own judge over the sweep file, with the types as `fits` has them."""
    from jsonschema import Draft202012Validator, validators

    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {name: lambda _, data, is_type=is_type: is_type(data) for name, is_type in TYPES.items()}
    )
    extended: Any = validators.extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
    judge: Validator = extended(load("sweep"))
    return judge
