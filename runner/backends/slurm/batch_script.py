"""What an array takes along: for each session a block of sh, for all of them the script that carries them out. Starts nothing."""

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
    from runner.backends.slurm.pack.task import Plan

_AT_ONCE = 16
"""Blocks of sh in one file, or those of one task where these are more: a file each would be many, one for all long to read."""

_SLURM = Path(__file__).parent


def files(folder: Path, attempts: Sequence[Attempt], pack: int, setup: str, python: str) -> dict[str, bytes]:
    """All that goes into an array's folder, by name. `python`, where it is not empty, carries out packs in the place of sh."""
    per_file = max(1, _AT_ONCE // pack)
    blocks = [block(attempt, place, setup) for place, attempt in enumerate(attempts)]
    starts = range(0, len(blocks), pack * per_file)
    made = {f"tasks.{number}": b"".join(blocks[at : at + pack * per_file]) for number, at in enumerate(starts)}
    parts = [_SLURM.with_name("tree.sh"), _SLURM / "wrapper.sh"]
    values = {"dir": str(folder), "count": len(attempts), "pack": pack, "per_file": per_file}
    if python:
        made["plans"], size = plans(attempts, pack, setup)
        parts.insert(0, _SLURM / "interpreter.sh")
        values |= {"python": python, "entry": str(_SLURM / "pack" / "__main__.py"), "size": size}
    head = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in values.items())
    made["script"] = os.fsencode("\n".join(["#!/bin/sh", head, *map(_read, parts)]))
    return made


def plans(attempts: Sequence[Attempt], pack: int, setup: str) -> tuple[bytes, int]:
    """What pack/task.py has to know, one task after the other, and the bytes of each: all have the size of the largest."""
    tasks = [
        marshal.dumps((first, [_plan(attempt, setup) for attempt in attempts[first : first + pack]]))
        for first in range(0, len(attempts), pack)
    ]
    size = max(map(len, tasks))
    return b"".join(task.ljust(size, b"\0") for task in tasks), size


def _plan(attempt: Attempt, setup: str) -> Plan:
    command: bytes | list[bytes]
    assignments = _assignments(attempt)
    if setup:
        words = ("bash", "-lc", _setting_up(setup), "bash", *assignments, *_safe(_argv(attempt)))
        command, env = [os.fsencode(word) for word in words], {}
    else:
        command = [os.fsencode(word) for word in _argv(attempt)]
        env = dict(os.fsencode(word).split(b"=", 1) for word in assignments)
    workdir, stdout, stderr = (os.fsencode(path) for path in (attempt.workdir, attempt.stdout, attempt.stderr))
    return command, env, workdir, stdout, stderr, attempt.timeout, attempt.grace


def block(attempt: Attempt, place: int, setup: str) -> bytes:
    """What wrapper.sh has to know of one session. Secrets are not among it: they are in the job's environment."""
    limit = "" if attempt.timeout is None else f"{attempt.timeout:.2f}"
    words = ["exec $setsid"]
    if setup:
        # A login shell: there is where sites define what `module` is.
        words += ["bash", "-lc", shlex.quote(_setting_up(setup)), "bash"]
    else:
        words += ["env"]
    lines = [
        f"plan_{place}() {{",
        f"stdout={shlex.quote(attempt.stdout)} stderr={shlex.quote(attempt.stderr)}",
        f"workdir={shlex.quote(attempt.workdir)} limit={limit} grace={attempt.grace:.2f}",
        "command() {",
        " ".join(words) + " $default \\",
        *(f"{shlex.quote(assignment)} \\" for assignment in _assignments(attempt)),
        " ".join(shlex.quote(word) for word in _safe(_argv(attempt))),
        "}",
        "}",
        "",
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


@cache
def _read(part: Path) -> str:
    return part.read_text(encoding="utf-8")


def _setting_up(setup: str) -> str:
    return f'{{ {setup}\n}} || {{ echo "runner: the setup failed" >&2; exit 1; }}\nexec env "$@"'


def _assignments(attempt: Attempt) -> Iterator[str]:
    for name, value in attempt.env.items():
        if name not in attempt.secrets:
            yield f"{name}={value}"


def _argv(attempt: Attempt) -> tuple[str, ...]:
    return ("/bin/sh", "-c", attempt.command) if isinstance(attempt.command, str) else attempt.command


def _safe(argv: tuple[str, ...]) -> tuple[str, ...]:
    """`env` would take a program whose name holds `=` for one more variable."""
    return ("sh", "-c", 'exec "$@"', "sh", *argv) if "=" in argv[0] or argv[0].startswith("-") else argv
