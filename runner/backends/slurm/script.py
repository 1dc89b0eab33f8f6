"""What an array takes along: for each session a block of sh, for all of them the script that carries them out. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from runner.model import Attempt

_ROUNDED = 512
"""Bytes that the size of a block is a multiple of."""


def tasks(attempts: Sequence[Attempt], setup: str) -> tuple[bytes, int]:
    """The blocks of these sessions, one after the other, and the bytes of each: all have the size of the largest."""
    blocks = [block(attempt, place, setup) for place, attempt in enumerate(attempts)]
    size = -(-max(map(len, blocks)) // _ROUNDED) * _ROUNDED
    return b"".join(text.ljust(size, b"\n") for text in blocks), size


def block(attempt: Attempt, place: int, setup: str) -> bytes:
    """What wrapper.sh has to know of one session. Secrets are not among it: they are in the job's environment."""
    argv = ("/bin/sh", "-c", attempt.command) if isinstance(attempt.command, str) else attempt.command
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
        *(f"{assignment} \\" for assignment in _assignments(attempt)),
        " ".join(shlex.quote(word) for word in _safe(argv)),
        "}",
        "}",
        "",
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def script(folder: Path, size: int, count: int, pack: int) -> str:
    """What `sbatch` is given. Each array task finds its sessions in `folder` by its index."""
    head = f"#!/bin/sh\ndir={shlex.quote(str(folder))} block={size} count={count} pack={pack}\n"
    return head + _wrapper()


@cache
def _wrapper() -> str:
    here = Path(__file__)
    parts = (here.parent.with_name("tree.sh"), here.with_name("wrapper.sh"))
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)


def _setting_up(setup: str) -> str:
    return f'{{ {setup}\n}} || {{ echo "runner: the setup failed" >&2; exit 1; }}\nexec env "$@"'


def _assignments(attempt: Attempt) -> Iterator[str]:
    for name, value in attempt.env.items():
        if name not in attempt.secrets:
            yield shlex.quote(f"{name}={value}")


def _safe(argv: tuple[str, ...]) -> tuple[str, ...]:
    """`env` would take a program whose name holds `=` for one more variable."""
    return ("sh", "-c", 'exec "$@"', "sh", *argv) if "=" in argv[0] or argv[0].startswith("-") else argv
