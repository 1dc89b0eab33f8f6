"""The files that an array's tasks read: a shell function for each session, plans for packs, and the batch script."""

from __future__ import annotations

import marshal
import os
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from runner.model import Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runner.backends.slurm.pack.task import SessionPlan

_FUNCTIONS_IN_FILE = 16
"""Sessions described in one file, or all of one task if these are more. One file each would be many, one for all slow to read."""

_SLURM = Path(__file__).parent


def files(folder: Path, attempts: Sequence[Attempt], pack: int, setup: str, python: str) -> dict[str, bytes]:
    """The contents of an array's files, by name. `python` runs the packs on nodes where it works; empty: `sh` runs them."""
    per_file = max(1, _FUNCTIONS_IN_FILE // pack)
    functions = [plan_function(attempt, index, setup) for index, attempt in enumerate(attempts)]
    step = pack * per_file
    starts = range(0, len(functions), step)
    contents = {f"tasks.{number}": b"".join(functions[at : at + step]) for number, at in enumerate(starts)}
    values: dict[str, object] = {"dir": folder, "count": len(attempts), "pack": pack, "per_file": per_file}
    if python:
        contents["plans"], size = plans(attempts, pack, setup)
        values |= {"python": python, "entry": _SLURM / "pack" / "__main__.py", "size": size}
    else:
        values["python"] = ""
    head = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in values.items())
    parts = (_SLURM.with_name("tree.sh"), _SLURM / "wrapper.sh")
    contents["script"] = os.fsencode("\n".join(["#!/bin/sh", head, *map(_read, parts)]))
    return contents


def plans(attempts: Sequence[Attempt], pack: int, setup: str) -> tuple[bytes, int]:
    """The content of `plans`, which pack/task.py reads: for each task the same number of bytes, which is returned, too."""
    tasks = [
        marshal.dumps((first, [_plan(attempt, setup) for attempt in attempts[first : first + pack]]))
        for first in range(0, len(attempts), pack)
    ]
    size = max(map(len, tasks))
    return b"".join(task.ljust(size, b"\0") for task in tasks), size


def _plan(attempt: Attempt, setup: str) -> SessionPlan:
    command: bytes | list[bytes]
    assignments = _assignments(attempt)
    if setup:
        words = ("bash", "-lc", _setup_script(setup), "bash", *assignments, *_for_env(_argv(attempt)))
        command, env = [os.fsencode(word) for word in words], {}
    else:
        command = [os.fsencode(word) for word in _argv(attempt)]
        env = dict(os.fsencode(word).split(b"=", 1) for word in assignments)
    workdir, stdout, stderr = (os.fsencode(path) for path in (attempt.workdir, attempt.stdout, attempt.stderr))
    return command, env, workdir, stdout, stderr, attempt.timeout, attempt.grace


def plan_function(attempt: Attempt, index: int, setup: str) -> bytes:
    """The shell function `plan_INDEX` for wrapper.sh. It has no secrets: these are in the job's environment."""
    limit = "" if attempt.timeout is None else f"{attempt.timeout:.2f}"
    words = ["exec $setsid"]
    if setup:
        words += [
            "bash",
            "-lc",
            shlex.quote(_setup_script(setup)),
            "bash",
        ]  # a login shell: sites define `module` there
    else:
        words += ["env"]
    lines = [
        f"plan_{index}() {{",
        f"stdout={shlex.quote(attempt.stdout)} stderr={shlex.quote(attempt.stderr)}",
        f"workdir={shlex.quote(attempt.workdir)} limit={limit} grace={attempt.grace:.2f}",
        "command() {",
        " ".join(words) + " $default \\",
        *(f"{shlex.quote(assignment)} \\" for assignment in _assignments(attempt)),
        " ".join(shlex.quote(word) for word in _for_env(_argv(attempt))),
        "}",
        "}",
        "",
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _setup_script(setup: str) -> str:
    return f'{{ {setup}\n}} || {{ echo "runner: the setup failed" >&2; exit 1; }}\nexec env "$@"'


def _assignments(attempt: Attempt) -> Iterator[str]:
    for name, value in attempt.env.items():
        if name not in attempt.secrets:
            yield f"{name}={value}"


def _argv(attempt: Attempt) -> tuple[str, ...]:
    return ("/bin/sh", "-c", attempt.command) if isinstance(attempt.command, str) else attempt.command


def _for_env(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command as arguments of `env`, which would take a program with `=` in its name for a variable."""
    return ("sh", "-c", 'exec "$@"', "sh", *argv) if "=" in argv[0] or argv[0].startswith("-") else argv
