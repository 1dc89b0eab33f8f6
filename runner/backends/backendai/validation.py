"""What of a sweep this backend could never carry out; found before anything starts, and without asking the cluster."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime

from runner.backends.backendai.options import read_script
from runner.backends.backendai.upload import LARGEST_PAYLOAD
from runner.config import files
from runner.config.sweep import Sweep
from runner.config.yaml import MappingNode
from runner.diagnostics import Problem, Span, printable
from runner.errors import InvalidInput
from runner.units import format_memory

LONGEST_SCRIPT = 16 * 1024
"""Characters; the manager's database has room for so many."""

LARGEST_PORT = 65535

_NUMBER = r"\d+(?:\.\d+)?"
_FROM_NOW = re.compile(
    rf"[+-]?\s*(?:({_NUMBER})|(?:({_NUMBER})(?:d|days?))?\s*(?:({_NUMBER})(?:h|hrs?|hours?))?"
    rf"\s*(?:({_NUMBER})(?:m|mins?|minutes?))?\s*(?:({_NUMBER})(?:s|secs?|seconds?))?)"
)

FOLDERS = (
    "put what is large into a virtual folder and name it in `mounts`: `backend: {kind: backend.ai, mounts: [NAME]}`"
)


def problems(sweep: Sweep) -> Iterator[Problem]:
    """In no order."""
    if sweep.image is None:
        hint = "name it: `image: python:3.11`; `backend.ai image list` shows those there are"
        yield Problem("backend `backend.ai` needs an `image`", sweep.backend.span, hint)
    for node in files.outside(sweep):
        hint = "files are laid out below the session's own folder there"
        yield Problem(f"`{node.value.text}` lies outside the sweep's folder", node.span, hint)
    yield from _too_large(sweep)
    # Not the document's: its options are not meant where `--backend` has chosen this one.
    if (script := sweep.backend.options.get("bootstrap_script")) is not None:
        yield from _script(script, _option(sweep, "bootstrap_script"))
    if (time := sweep.backend.options.get("starts_at")) is not None and not is_time(time):
        hint = "such as `2026-12-24T20:00:00+09:00`, or `1d 2h 30min` from then on"
        yield Problem(f"`{printable(time)}` is no time", _option(sweep, "starts_at"), hint)
    ports = sweep.backend.options.get("preopen")
    if isinstance(ports, str) and any(not 1 <= int(port) <= LARGEST_PORT for port in ports.split(",")):
        hint = f"ports go from 1 to {LARGEST_PORT}"
        yield Problem(f"`{printable(ports)}` holds a number that is no port", _option(sweep, "preopen"), hint)


def is_time(text: str) -> bool:
    """As the manager reads it: a time in ISO 8601, or how long from its submission (`30min`, `1d2h`, `300` seconds)."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        found = _FROM_NOW.fullmatch(text)
        return found is not None and any(found.groups())
    return True


def _script(path: str, span: Span | None) -> Iterator[Problem]:
    try:
        text = read_script(path) or ""
    except InvalidInput as error:
        yield Problem(error.message, span, error.hint)
        return
    if len(text) > LONGEST_SCRIPT:
        hint = "have it fetch the rest, or put it into the image"
        yield Problem(f"a bootstrap script of {len(text):,} characters; {LONGEST_SCRIPT:,} are possible", span, hint)


def _option(sweep: Sweep, name: str) -> Span | None:
    backend = sweep.document.get("backend")
    node = backend.get(name) if isinstance(backend, MappingNode) else None
    return node.span if node else sweep.backend.span


def _too_large(sweep: Sweep) -> Iterator[Problem]:
    sizes = {path: _size(os.path.join(sweep.folder, path)) for path in files.paths(sweep)}
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
