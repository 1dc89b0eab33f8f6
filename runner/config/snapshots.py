"""`snapshot`: whether sessions run in a read-only copy of `files`, and why they cannot."""

from __future__ import annotations

import os
from collections.abc import Iterator

from runner.config import files
from runner.config.sweep import Sweep
from runner.diagnostics import Problem

BY_DEFAULT = frozenset(("slurm",))
"""Backends whose jobs may wait for hours, in which the user goes on with his work. Elsewhere a session starts at once."""


def wanted(sweep: Sweep, backend: str, *, uploads: bool) -> bool:
    """Return whether the sessions of a valid sweep run in a snapshot. `uploads`: the backend sends the inputs itself."""
    if not sweep.files or sweep.build is not None or uploads or sweep.snapshot is False:
        return False
    return sweep.snapshot is True or (backend in BY_DEFAULT and not any(problems(sweep)))


def problems(sweep: Sweep) -> Iterator[Problem]:
    """Yield why the sessions cannot run in a snapshot, at the places to change."""
    key = sweep.document.key("snapshot")
    span = key.span if key else None
    if sweep.build is not None:
        fault = "`snapshot` has no effect: with `build`, sessions run in the build's copy of `files`"
        yield Problem(fault, span, "remove it")
    if not sweep.files:
        yield Problem(
            "`snapshot` has no effect: the sweep has no `files`", span, "name them, such as `files: [train.py]`"
        )
    for node in files.outside(sweep):
        fault = f"`{node.value.text}` is outside the folder of the sweep file"
        yield Problem(fault, node.span, "a snapshot has only files below it; write `snapshot: false`, or move the file")
    for placed in sweep.templates():
        if any(folder in placed.text for folder in {str(sweep.folder), os.path.realpath(sweep.folder)}):
            fault = "a path into the sweep's folder leads past the snapshot"
            yield Problem(fault, placed.node.span, "write it relative to the folder, or write `snapshot: false`")
