"""Convert the flags of `runner run` to the equivalent sweep file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import yaml

from runner.errors import InvalidInput
from runner.scalars import resolve
from runner.space.ranges import RangeError, parse_expression
from runner.template.shell import ShellScript, expansions
from runner.template.template import parse

_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


@dataclass(frozen=True)
class Flags:
    """The flags of `runner run` as given. A template takes a variable from its own kind of range first."""

    code: str | None = None
    exec: str | None = None
    argv: tuple[str, ...] | None = None
    build: str | None = None
    files: tuple[str, ...] = ()
    workdir: str | None = None
    env: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    env_range: tuple[str, ...] = ()
    build_range: tuple[str, ...] = ()
    exec_range: tuple[str, ...] = ()
    max_parallel: int | None = None
    name: str | None = None
    image: str | None = None
    backend: str | None = None
    backend_options: Mapping[str, Any] = field(default_factory=dict)


def to_document(flags: Flags) -> tuple[dict[str, Any], list[str]]:
    """Return the sweep as plain data, and warnings. Raises InvalidInput.

    The order of ranges is Backend.AI's: env outermost, then build, then exec, the last one fastest. A variable named in
    two kinds of range becomes two variables, `env_X` and `exec_X`. A range that no template uses is left out with a
    warning.
    """
    kinds = {
        "env": _ranges("--env-range", flags.env_range),
        "build": _ranges("--build-range", flags.build_range),
        "exec": _ranges("--exec-range", flags.exec_range),
    }
    shared = {
        name for kind, ranges in kinds.items() for name in ranges if sum(name in other for other in kinds.values()) > 1
    }
    renamed = {kind: {name: f"{kind}_{name}" for name in ranges if name in shared} for kind, ranges in kinds.items()}
    env = {name: _rename(value, renamed["env"]) for name, value in _pairs("--env", flags.env)}
    build = _rename_in_shell(flags.build, renamed["build"]) if flags.build else None
    command = _rename_in_shell(flags.exec, renamed["exec"]) if flags.exec else None
    argv = [_rename(word, renamed["exec"]) for word in flags.argv] if flags.argv else None
    resources = dict(_pairs("--resources", flags.resources))
    if resolve(resources.get("mem", "")) is not None and re.fullmatch(r"[0-9.]+", resources.get("mem", "")):
        resources["mem"] += "m"
    templates = [*env.values(), *resources.values(), *filter(None, (flags.image,)), *(argv or ())]
    used = {name for text in templates for name in parse(text)[0].names}
    known = {renamed[kind].get(name, name) for kind, given in kinds.items() for name in given}
    used.update(name for text in (build, command) if text for name in ShellScript.of(text, known).names)
    ranges: dict[str, str] = {}
    warnings: list[str] = []
    for kind, given in kinds.items():
        for name, expression in given.items():
            final = renamed[kind].get(name, name)
            if final in used:
                ranges[final] = expression
            else:
                _check_range(kind, name, expression)
                advice = _quoting(flags, kind, name)
                warnings.append(
                    f"nothing refers to `{name}` of `--{kind}-range`; its values make no difference{advice}"
                )
    document = {
        "name": flags.name,
        "code": flags.code,
        "exec": command if command is not None else argv,
        "build": build,
        "files": list(flags.files),
        "workdir": flags.workdir,
        "env": env,
        "resources": {name: _number(value) for name, value in resources.items()},
        "ranges": ranges,
        "max_parallel": flags.max_parallel,
        "backend": {"kind": flags.backend or "local", **flags.backend_options}
        if flags.backend_options
        else flags.backend,
        "image": flags.image,
    }
    return {key: value for key, value in document.items() if value not in (None, {}, [], ())}, warnings


def _quoting(flags: Flags, kind: str, name: str) -> str:
    """Advice about quotes if the text may have had the variable before the caller's shell expanded it."""
    text = {"exec": flags.exec, "build": flags.build}.get(kind) or ""
    return f"; in single quotes a shell leaves `${name}` alone: `--{kind} '… ${name}'`" if text else ""


def _check_range(kind: str, name: str, expression: str) -> None:
    try:
        parse_expression(expression)
    except RangeError as error:
        raise InvalidInput(f"in `--{kind}-range {name}=…`: {error.message}", error.hint) from error


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return a sweep file that reads back as this data under the YAML 1.2 core schema."""
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=inf)
    assert isinstance(text, str)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes a string so that YAML 1.2 reads it as a string too: PyYAML knows the numbers of YAML 1.1 only."""


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None if isinstance(resolve(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def _number(text: str) -> Any:
    number = resolve(text)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def _rename(text: str, names: Mapping[str, str]) -> str:
    def renamed(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return f"${{{names[name]}}}" if name in names else found[0]

    return _VARIABLE.sub(renamed, text)


def _rename_in_shell(text: str, names: Mapping[str, str]) -> str:
    for found in reversed([*expansions(text)]):
        if found.name in names:
            start = text.index(found.name, found.start)
            text = text[:start] + names[found.name] + text[start + len(found.name) :]
    return text


def _pairs(option: str, given: Iterable[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput(f"`{text}` is not `NAME=VALUE`", f"write `{option} NAME=VALUE`")
        pairs.append((name, value))
    return pairs


def _ranges(option: str, given: Sequence[str]) -> dict[str, str]:
    ranges: dict[str, str] = {}
    for name, expression in _pairs(option, given):
        if not _NAME.match(name):
            raise InvalidInput(
                f"`{name}` in `{option}` is not a variable name", "use letters, digits and `_`, with no digit first"
            )
        if name in ranges:
            raise InvalidInput(f"`{name}` is given twice by `{option}`", "one range for each variable")
        ranges[name] = expression
    return ranges
