"""Checks of the values of a sweep: shell strings, sizes, resources, files, and whether each session fits the capacity.

Variables are checked one by one, or in the combinations that one template uses, never session by session. A value that
looks wrong is then looked up in the space, because an exclusion may have removed it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from runner.config import files, snapshots
from runner.config.fields import Placed, amount
from runner.config.shell_checks import check_shell
from runner.config.shell_pitfalls import check_pitfalls
from runner.config.sweep import REPEAT, Sweep
from runner.diagnostics import Problem
from runner.model import Resources, Value
from runner.text.escape import printable
from runner.text.shorten import excerpt
from runner.units import UnitError

LONGEST_ARGUMENT = 128 * 1024
"""Longest argument or `NAME=value` string in bytes, with its NUL: MAX_ARG_STRLEN of Linux, execve(2)."""


def check_values(sweep: Sweep) -> Iterator[Problem]:
    """Yield the problems of the values. Templates with unknown variables are left out: they have been reported."""
    yield from check_shell(sweep)
    yield from check_pitfalls(sweep)
    yield from _too_long(sweep)
    for name, placed in sweep.resources.items():
        if _known(sweep, placed):
            yield from _bad_amounts(sweep, name, placed)
    for missing in files.missing(sweep):
        is_folder = os.path.isdir(sweep.folder / missing.value.text)
        fault = f"no file in `{missing.value.text}`" if is_folder else f"no such file: `{missing.value.text}`"
        yield Problem(fault, missing.span, f"`files` are relative to `{sweep.folder}`")
    for named in files.secrets(sweep):
        fault = f"`{printable(named.value.text)}` is in `files` and in `secrets`"
        yield Problem(fault, named.span, "remove it from `files`, which are uploaded, and whose digests are stored")
    yield from _python(sweep)
    if sweep.snapshot:
        yield from snapshots.problems(sweep)
    if sweep.build is not None:
        for outside in files.outside(sweep):
            yield Problem(
                f"`{outside.value.text}` is outside the folder of the sweep file",
                outside.span,
                "`build` runs in a copy of `files`, so they must be below the sweep file",
            )


def check_image(sweep: Sweep) -> Iterator[Problem]:
    """Yield a warning for an image that the chosen backend does not use."""
    key = sweep.document.key("image")
    if key is not None and sweep.image is not None and sweep.backend.kind != "backend.ai":
        hint = "`backend: backend.ai` runs sessions in images; otherwise remove it"
        yield Problem(f"`image` has no effect with the backend `{sweep.backend.kind}`", key.span, hint, "warning")


def check_fits(
    sweep: Sweep, misfit: Callable[[Resources], str | None], hint: str, hints: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Problem]:
    """Yield a problem for each resource of which a session needs too much. `misfit` returns why an amount never fits, or None.

    `hints`: the hints for certain resources, in place of `hint`.
    """
    for name, placed in sweep.resources.items():
        for values in _combinations(sweep, placed):
            reason = misfit({name: _amount(name, placed, values)})
            if reason is not None and _real(sweep, values):
                yield Problem(
                    f"a session {_with(values)}can never run: {reason}", placed.node.span, hints.get(name, hint)
                )
                break


def _python(sweep: Sweep) -> Iterator[Problem]:
    """Yield the problems of `python`: no session uses it, or its interpreter does not exist on this machine."""
    key = sweep.document.key("python")
    if sweep.python is None or key is None:
        return
    first = sweep.argv[0] if sweep.argv else None
    if sweep.shell is not None:
        fault = "`python` has no effect: `exec` is a string, which a shell runs"
        yield Problem(fault, key.span, "write `exec` as a list: `[python, train.py, …]`")
    elif first is not None and _known(sweep, first):
        words = [first.template.render(values) for values in _combinations(sweep, first)]
        if not any(sweep.python.is_meant(word) for word in words):
            hint = "it applies to an `exec` that begins with `python` or `python3`, and to `code`"
            yield Problem("`python` has no effect: no session is a Python program", key.span, hint)
    node, path = sweep.python.interpreter, sweep.python.path(sweep.folder)
    if node is None or path is None or sweep.backend.kind != "local" or shutil.which(path):
        return
    if "/" not in path:
        yield Problem(f"`{path}` not found", node.span, "a name without a slash is searched on PATH")
    elif os.path.exists(path):
        yield Problem(f"`{node.value.text}` is not executable", node.span)
    else:
        yield Problem(f"no such file: `{node.value.text}`", node.span, f"it is relative to `{sweep.folder}`")


def _known(sweep: Sweep, placed: Placed) -> bool:
    return set(placed.template.names) <= {*sweep.space.names, REPEAT}


def _combinations(sweep: Sweep, placed: Placed) -> Iterator[Mapping[str, Value]]:
    """Yield the combinations of the variables of one template."""
    names = set(placed.template.names)
    for values in sweep.space.projected(names - {REPEAT}):
        seen = {name: values[name] for name in values if name in names}
        if REPEAT not in names:
            yield seen
        else:
            yield from ({**seen, REPEAT: _count(repeat)} for repeat in range(sweep.repeat))


def _count(repeat: int) -> Value:
    return Value(str(repeat), repeat)


def _real(sweep: Sweep, values: Mapping[str, Value]) -> bool:
    return sweep.space.has({name: value for name, value in values.items() if name != REPEAT})


def _with(values: Mapping[str, Value]) -> str:
    shown = ", ".join(f"{name}={excerpt(value.text)}" for name, value in values.items())
    return f"with `{shown}` " if shown else ""


def _too_long(sweep: Sweep) -> Iterator[Problem]:
    names = {name for placed in sweep.templates() for name in placed.template.names}
    lengths = {name: sweep.space.longest_text(name) for name in names - {REPEAT}}
    lengths[REPEAT] = len(str(sweep.repeat))
    strings = [(placed, "this argument", 0) for placed in (sweep.argv or ())]
    strings += [(placed, "this command", 0) for placed in (sweep.shell, sweep.build) if placed is not None]
    strings += [(placed, f"`{name}`", len(name.encode()) + 1) for name, placed in sweep.env.items()]
    for placed, what, extra in strings:
        if not _known(sweep, placed) or placed.template.longest(lengths) + extra + 1 <= LONGEST_ARGUMENT:
            continue
        for values in _combinations(sweep, placed):
            size = len(placed.template.render(values).encode("utf-8", "surrogatepass")) + extra + 1
            if size > LONGEST_ARGUMENT and _real(sweep, values):
                yield Problem(
                    f"{what} {_with(values)}is {size:,} bytes long; the system takes at most {LONGEST_ARGUMENT:,}",
                    placed.node.span,
                    "write it to a file and pass the file's name",
                )
                break
    if sweep.code is not None and len(sweep.code.encode()) >= LONGEST_ARGUMENT:
        node = sweep.document.get("code")
        yield Problem(
            f"`code` is {len(sweep.code.encode()):,} bytes long; the system takes at most {LONGEST_ARGUMENT:,}",
            node.span if node else None,
            "write it to a file, and run the file with `exec`",
        )


def _amount(name: str, placed: Placed, values: Mapping[str, Value]) -> int:
    text = placed.template.render(values)
    return amount(name, Value(text, text))  # type: ignore[return-value]


def _bad_amounts(sweep: Sweep, name: str, placed: Placed) -> Iterator[Problem]:
    for values in _combinations(sweep, placed):
        try:
            _amount(name, placed, values)
        except UnitError as error:
            if _real(sweep, values):
                yield Problem(f"{error.message} (a session {_with(values).rstrip()})", placed.node.span, error.hint)
                return
