"""Problems of a sweep that Backend.AI cannot run, found before anything starts and without a request."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime

from runner.backends.backendai.limits import MAX_BOOTSTRAP_SCRIPT, MAX_PAYLOAD
from runner.backends.backendai.options import read_script
from runner.config import files
from runner.config.sweep import Sweep
from runner.config.yaml import MappingNode
from runner.diagnostics import Problem, Span
from runner.errors import InvalidInput
from runner.text.escape import printable
from runner.units import format_memory

MAX_PORT = 65535

_NUMBER = r"\d+(?:\.\d+)?"
_FROM_NOW = re.compile(
    rf"[+-]?\s*(?:({_NUMBER})|(?:({_NUMBER})(?:d|days?))?\s*(?:({_NUMBER})(?:h|hrs?|hours?))?"
    rf"\s*(?:({_NUMBER})(?:m|mins?|minutes?))?\s*(?:({_NUMBER})(?:s|secs?|seconds?))?)"
)


def problems(sweep: Sweep) -> Iterator[Problem]:
    """Yield the problems, in no particular order."""
    if sweep.image is None:
        hint = "add one, such as `image: python:3.11`; `backend.ai image list` lists the cluster's images"
        yield Problem("backend `backend.ai` needs an `image`", sweep.backend.span, hint)
    for node in files.outside(sweep):
        hint = "a session's files are created below its own folder"
        yield Problem(f"`{node.value.text}` is outside the sweep's folder", node.span, hint)
    yield from _too_large(sweep)
    # The options in effect, not the document's: `--backend` may have replaced those.
    options = sweep.backend.options
    if (script := options.get("bootstrap_script")) is not None:
        yield from _script(script, _option(sweep, "bootstrap_script"))
    if (time := options.get("starts_at")) is not None and not is_time(time):
        hint = "such as `2026-12-24T20:00:00+09:00`, or `1d 2h 30min` from the submission"
        yield Problem(f"`{printable(time)}` is not a time", _option(sweep, "starts_at"), hint)
    ports = options.get("preopen")
    if isinstance(ports, str) and any(not 1 <= int(port) <= MAX_PORT for port in ports.split(",")):
        hint = f"a port is a number from 1 to {MAX_PORT}"
        yield Problem(f"`{printable(ports)}` contains an invalid port", _option(sweep, "preopen"), hint)


def is_time(text: str) -> bool:
    """Return whether the manager accepts `text` for `starts_at`: ISO 8601, or a duration from the submission.

    A duration is as its `str_to_timedelta` reads it: `30min`, `1d2h`, `300` seconds.
    """
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
    if len(text) > MAX_BOOTSTRAP_SCRIPT:
        hint = "let it download the rest, or put the rest into the image"
        message = f"the bootstrap script has {len(text):,} characters, at most {MAX_BOOTSTRAP_SCRIPT:,} are possible"
        yield Problem(message, span, hint)


def _option(sweep: Sweep, name: str) -> Span | None:
    backend = sweep.document.get("backend")
    node = backend.get(name) if isinstance(backend, MappingNode) else None
    return node.span if node else sweep.backend.span


def _too_large(sweep: Sweep) -> Iterator[Problem]:
    sizes = {path: _size(os.path.join(sweep.folder, path)) for path in files.paths(sweep)}
    total = sum(sizes.values()) + len((sweep.code or "").encode())
    if total <= MAX_PAYLOAD:
        return
    largest = max(sizes, key=sizes.__getitem__, default=None)
    share = f", {format_memory(sizes[largest])} of it `{largest}`" if largest and len(sizes) > 1 else ""
    yield Problem(
        f"`files` are {format_memory(total)}{share}; a job of Backend.AI takes at most {format_memory(MAX_PAYLOAD)}",
        sweep.files[0].span if sweep.files else None,
        "put large files into a virtual folder and mount it: `backend: {kind: backend.ai, mounts: [NAME]}`",
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
