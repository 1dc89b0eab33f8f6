"""What of a sweep this backend could never carry out; found before anything starts, and without asking the cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator

from runner import inputs
from runner.backends.backendai.payload import LARGEST_PAYLOAD
from runner.diagnostics import Problem, Span
from runner.sweep import Sweep
from runner.units import format_memory

FOLDERS = (
    "put what is large into a virtual folder and name it in `mounts`: `backend: {kind: backend.ai, mounts: [NAME]}`"
)


def problems(sweep: Sweep) -> Iterator[Problem]:
    """In no order."""
    if sweep.image is None:
        hint = "name it: `image: python:3.11`; `backend.ai image list` shows those there are"
        yield Problem("backend `backend.ai` needs an `image`", sweep.backend.span, hint)
    for node in inputs.outside(sweep):
        hint = "files are laid out below the session's own folder there"
        yield Problem(f"`{node.value.text}` lies outside the sweep's folder", node.span, hint)
    yield from _too_large(sweep)


def _too_large(sweep: Sweep) -> Iterator[Problem]:
    sizes = {path: _size(os.path.join(sweep.folder, path)) for path in inputs.paths(sweep)}
    total = sum(sizes.values()) + len((sweep.code or "").encode())
    if total <= LARGEST_PAYLOAD:
        return
    largest = max(sizes, key=sizes.__getitem__, default=None)
    what = f", `{largest}` alone to {format_memory(sizes[largest])}" if largest and len(sizes) > 1 else ""
    yield Problem(
        f"`files` come to {format_memory(total)}{what}; a job of Backend.AI takes {format_memory(LARGEST_PAYLOAD)} along",
        _span(sweep),
        FOLDERS,
    )


def _span(sweep: Sweep) -> Span | None:
    return sweep.files[0].span if sweep.files else None


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
