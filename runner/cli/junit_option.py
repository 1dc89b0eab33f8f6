"""`--junit FILE`, wherever it is an option."""

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
    """Raise InvalidInput where nothing could be written: before a night's work, not after it."""
    if path == Path("-"):
        raise InvalidInput("`-` is no file to write to", "stdout has other data; name a file, such as `junit.xml`")
    if path is not None and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InvalidInput(f"cannot write `{path}`", f"`{path.parent}` is no folder that you can write to")
    if path is not None and path.is_dir():
        raise InvalidInput(f"cannot write `{path}`", "it is a folder: name a file in it")


def write_junit(path: Path, this: PlannedSweep, choice: Choice, state: State | None) -> None:
    """The selected sessions as the state has them now."""
    from runner.reporters import junit  # what writes XML is slow to import

    junit.write(path, this.plan, lambda: this.plan.sessions(choice.select, choice.shard), state)
