"""Warnings about shell strings in which a failure goes unnoticed, or which `/bin/sh` of this machine does not know.

The shell runs without `-e` and without `pipefail`. A warning that is wrong costs more than one that is missing: commands
that hardly fail, conditions, `||` and scripts that look at `$?` are left alone.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache

from runner.config.fields import Placed
from runner.config.sweep import Sweep
from runner.config.yaml.nodes import place
from runner.diagnostics import Problem
from runner.template.shell import ShellScript, expansions, regions
from runner.template.statements import Command, Statement, statements
from runner.text.shorten import excerpt

HARMLESS = frozenset(
    ": true [ test echo printf cat ls find seq yes pwd date hostname nproc uname whoami id env printenv nvidia-smi free df"  # noqa: SIM905
    " export unset readonly local declare set shift read trap umask ulimit sleep wait kill rm mkdir touch exit return break"
    " continue eval source . module ml alias tput clear head".split()
)
"""Commands whose failure is rare or does not matter, or that the shell itself ends with."""

LONGEST_REWRITTEN = 200
"""Characters of a string that a hint repeats in another form."""

_HANDLED = re.compile(r"\$\{?\?|PIPESTATUS|\bset\s+-\w*e|\bset\s+-o\s+errexit|\berrexit\b")
"""The script looks at a status itself, or ends at the first failure."""

_BASHISMS = (
    (re.compile(r"(?<![\w-])set\s+-\w*o\s+pipefail\b"), "set -o pipefail"),
    (re.compile(r"(?<![\w$-])\[\[(?=\s)"), "[["),
    (re.compile(r"(?:^|[;&|\n(])\s*source(?=\s)"), "source"),
    (re.compile(r"<<<"), "<<<"),
    (re.compile(r"(?<=\s)[<>]\((?=\s*\w)"), "<("),
    (re.compile(r"&>"), "&>"),
    (re.compile(r"(?:^|[;&|\n(])\s*function\s+\w"), "function"),
    (re.compile(r"(?:^|[;&|\n]|\bdo\b|\bthen\b)\s*[A-Za-z_]\w*\+?=\("), "name=(…)"),
)
"""What dash and busybox do not know, and what it is called in a message."""

_LOOKALIKES = re.compile(
    "(?:(?<=\\s)[\u2010-\u2015\u2212]{1,2}(?=[A-Za-z]))|[\u201c\u201d\u201e]|[\u00a0\u2000-\u200b\u202f\u3000]"
)
"""Dashes, quotes and spaces that the shell takes for letters."""

_STREAM = r"(?:/dev/std(?P<{0}name>err|out)|/(?:dev|proc/self)/fd/(?P<{0}number>[12]))(?![\w/.-])"
_TRUNCATION = re.compile(
    r"(?<![>\d])(?P<redirection>(?:\d|&)?>\|?\s*)" + _STREAM.format("") + r"|\btee\s+" + _STREAM.format("tee_")
)
"""The kernel opens the file behind such a path again, and empties it: a log is a file."""

SIMPLE_SHELLS = ("dash", "busybox")


def check_pitfalls(sweep: Sweep, shell: str | None = None) -> Iterator[Problem]:
    """Yield warnings about the shell strings of a sweep. `shell` is the program behind `/bin/sh`; default: this machine's."""
    for placed in (sweep.shell, sweep.build):
        if placed is None or not isinstance(placed.template, ShellScript):
            continue
        if sweep.backend.kind == "local":
            yield from _unknown_to(shell or installed_shell(), sweep, placed)
        yield from _lookalikes(sweep, placed)
        if sweep.backend.kind != "backend.ai":
            yield from _truncations(sweep, placed)
        text = placed.text
        found = statements(text)
        if "pipefail" not in text and not _HANDLED.search(text):
            yield from _lost_in_pipe(sweep, placed, found)
        if not _HANDLED.search(text):
            yield from _lost_in_sequence(sweep, placed, found)


@cache
def installed_shell() -> str:
    """Return the name of the program behind `/bin/sh`."""
    return os.path.basename(os.path.realpath("/bin/sh"))


def _lost_in_pipe(sweep: Sweep, placed: Placed, found: list[Statement]) -> Iterator[Problem]:
    for statement in found:
        if statement.conditional:
            continue
        for pipeline in statement.pipelines:
            lost = next((command for command in pipeline[:-1] if _can_fail(command)), None)
            if lost is None or (pipeline[-1].word == "grep" and "-q" in _text(placed, pipeline[-1])):
                continue
            message = (
                f"a failure of `{excerpt(_text(placed, lost))}` goes unnoticed: the last command of a pipe decides"
            )
            yield _warning(sweep, placed, lost, message, _pipe_hint(placed, pipeline))
            return


def _lost_in_sequence(sweep: Sweep, placed: Placed, found: list[Statement]) -> Iterator[Problem]:
    for statement in found[:-1]:
        last = statement.pipelines[-1][-1]
        if statement.conditional or statement.has_alternative or statement.background or not _can_fail(last):
            continue
        message = f"a failure of `{excerpt(_text(placed, last))}` goes unnoticed: the shell runs the next command"
        separator = "with a line" if "\n" in placed.text else "with"
        hint = f"begin {separator} `set -e{'' if separator == 'with a line' else ';'}`, or join the commands by `&&`"
        yield _warning(sweep, placed, last, message, hint)
        return


def _can_fail(command: Command) -> bool:
    return bool(command.word) and command.word not in HARMLESS


def _text(placed: Placed, command: Command) -> str:
    return placed.text[command.start : command.end]


def _pipe_hint(placed: Placed, pipeline: list[Command]) -> str:
    """Return what to write: without `tee`, for runner keeps the output; else the whole command in bash."""
    if pipeline[-1].word == "tee" and len(pipeline) == 2:
        return f"leave out `| {_text(placed, pipeline[-1])}`: `runner logs` prints what a session has written"
    return _in_bash(placed) or "write `exec: [bash, -euo, pipefail, -c, …]`"


def _in_bash(placed: Placed) -> str | None:
    """Return the string as a list for bash, with the variables as its arguments; None if that is not simple."""
    text = placed.text
    assert isinstance(placed.template, ShellScript)
    names = placed.template.names
    region = regions(text)
    if placed.key != "exec" or "\n" in text or len(text) > LONGEST_REWRITTEN or len(names) > 9:
        return None
    parts, done = [], 0
    for found in expansions(text):
        if found.name not in names:
            continue
        if not found.whole or region(found.start) == "single":
            return None
        parts += [text[done : found.start].replace("$", "$$"), f"$${names.index(found.name) + 1}"]
        done = found.end
    script = "".join([*parts, text[done:].replace("$", "$$")])
    arguments = "".join(f", ${name}" for name in names)
    return f"write `exec: [bash, -euo, pipefail, -c, {json.dumps(script, ensure_ascii=False)}, bash{arguments}]`"


def _lookalikes(sweep: Sweep, placed: Placed) -> Iterator[Problem]:
    """Yield a warning for the first character outside of quotes that only looks like one of the shell's."""
    region = regions(placed.text)
    for found in _LOOKALIKES.finditer(placed.text):
        if region(found.start()) == "none":
            is_space = not found[0].isprintable()
            shown = f"U+{ord(found[0][0]):04X}" if is_space else found[0]
            meant = "a space" if is_space else '`"`' if found[0] in "“”„" else "`-` or `--`"
            span = place(sweep.source, placed.node, *found.span())
            yield Problem(f"`{shown}` is a letter to the shell", span, f"write {meant}", "warning")
            return


def _truncations(sweep: Sweep, placed: Placed) -> Iterator[Problem]:
    """Yield a warning for the first command that empties the log of the session."""
    region = regions(placed.text)
    for found in _TRUNCATION.finditer(placed.text):
        if region(found.start()) != "none":
            continue
        is_stderr = "err" in (found["name"], found["tee_name"]) or "2" in (found["number"], found["tee_number"])
        stream = "stderr" if is_stderr else "stdout"
        if found["redirection"] is None:
            hint = f"write `tee -a /dev/{stream}`"
        else:
            hint = f"write `{found['redirection'].rstrip('| ')}&{2 if is_stderr else 1}`, or `>>/dev/{stream}`"
        span = place(sweep.source, placed.node, *found.span())
        yield Problem(f"`{found[0]}` empties the log of {stream} first", span, hint, "warning")
        return


def _unknown_to(shell: str, sweep: Sweep, placed: Placed) -> Iterator[Problem]:
    """Yield a warning for each construct of bash that the shell does not know."""
    if shell not in SIMPLE_SHELLS:
        return
    region = regions(placed.text)
    for pattern, name in _BASHISMS:
        found = next((one for one in pattern.finditer(placed.text) if region(one.end() - 1) == "none"), None)
        if found is not None:
            start = found.end() - len(found[0].lstrip(";&|(\n \t"))
            span = place(sweep.source, placed.node, start, found.end())
            hint = _in_bash(placed) if placed.key == "exec" else None
            hint = hint or "write `exec: [bash, -euo, pipefail, -c, …]`"
            yield Problem(f"`{name}` is not known to `{shell}`, which is `/bin/sh` here", span, hint, "warning")


def _warning(sweep: Sweep, placed: Placed, command: Command, message: str, hint: str) -> Problem:
    return Problem(message, place(sweep.source, placed.node, command.start, command.end), hint, "warning")
