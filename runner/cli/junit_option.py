"""The option `--junit FILE` of `apply` and `results`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from runner.apply.selection import Choice
from runner.cli.sweeps import PlannedSweep
from runner.errors import InvalidInput
from runner.state import State

F = TypeVar("F", bound=Callable[..., Any])


def junit_option(function: F) -> F:
    return click.option(
        "--junit",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write JUnit XML there: a test case for each session, retries as flaky.",
    )(function)


def require_writable(path: Path | None) -> None:
    """Raise InvalidInput if the file cannot be written: checked before the sessions run, not after."""
    if path == Path("-"):
        raise InvalidInput("`-` is not a file", "stdout has other data; name a file, such as `junit.xml`")
    if path is not None and not (os.path.isdir(path.parent) and os.access(path.parent, os.W_OK)):
        reason = "is not a writable folder" if os.path.exists(path.parent) else "does not exist"
        raise InvalidInput(f"cannot write `{path}`", f"`{path.parent}` {reason}")
    if path is not None and os.path.isdir(path):
        raise InvalidInput(f"cannot write `{path}`", "it is a folder: name a file in it")
    if path is not None:
        from runner.reporters import junit  # noqa: F401 (the package may be replaced while sessions run)


def write_junit(path: Path, planned: PlannedSweep, choice: Choice, state: State | None) -> None:
    """Write the selected sessions with their present results."""
    from runner.reporters import junit  # imports an XML writer, which is slow

    junit.write(path, planned.plan, lambda: planned.plan.sessions(choice.select, choice.shard), state)
