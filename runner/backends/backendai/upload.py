"""The request that creates a session: it carries the wrapper script and all input files.

They travel in environment variables, which the wrapper unsets: a bootstrap script holds at most 16 KiB and belongs to the
user. The whole request must stay below what the manager accepts.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from runner.backends.backendai.console import marker
from runner.backends.backendai.inputs import (
    InputFile,
    checkpoints,
    input_files,
    is_build,
    links_and_folders,
)
from runner.backends.backendai.limits import MAX_LOGGED, MAX_OUTPUT, MAX_REQUEST, MAX_VARIABLE
from runner.model import Attempt, Resources

VARIABLE = "RUNNER_PAYLOAD_"
MAX_VARIABLES = MAX_REQUEST // MAX_VARIABLE + 1


class PayloadTooLarge(Exception):
    """The session's files do not fit into a request. `size` in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class CreateRequest(NamedTuple):
    """The body of a session's creation. `omitted` counts output files of earlier attempts that do not fit."""

    body: dict[str, Any]
    omitted: int


class Payload(NamedTuple):
    """`text` is base64; the first `script_size` bytes that it encodes are a script for sh, the rest are files."""

    text: str
    script_size: int


def create_request(attempt: Attempt, defaults: Mapping[str, Any]) -> CreateRequest:
    """Return the request that creates the attempt's session; `defaults` are the fields that all sessions share.

    Raises PayloadTooLarge, and OSError where an input cannot be read.
    """
    kept = checkpoints(attempt)
    payload = pack(attempt, [*input_files(attempt), *kept.files])
    variables = {
        f"{VARIABLE}{number}": payload.text[start : start + MAX_VARIABLE]
        for number, start in enumerate(range(0, len(payload.text), MAX_VARIABLE))
    }
    joined = "".join(f"${name}" for name in variables)
    command = (
        "d=$(mktemp -d)",
        f'printf %s "{joined}" | base64 -d >"$d/payload"',
        f'dd if="$d/payload" of="$d/run" bs={payload.script_size} count=1 2>/dev/null',
        f'exec sh "$d/run" "$d" {payload.script_size}',
    )
    body = {
        "name": attempt.name,
        "image": attempt.image,
        "type": "batch",
        "startupCommand": " && ".join(command),
        "enqueueOnly": True,
        "maxWaitSeconds": 0,
        "reuseIfExists": False,
        **defaults,
        "config": {**defaults["config"], "environ": variables, "resources": resource_slots(attempt.resources)},
    }
    if len(json.dumps(body)) > MAX_REQUEST:
        raise PayloadTooLarge(len(payload.text) * 3 // 4)
    return CreateRequest(body, kept.omitted)


def pack(attempt: Attempt, files: list[InputFile]) -> Payload:
    """Return the wrapper script and the files as one text. Raises PayloadTooLarge."""
    size = sum(len(file.content) for file in files)
    if size > MAX_REQUEST:
        raise PayloadTooLarge(size)
    script = (_prologue(attempt, files) + wrapper()).encode("utf-8", "surrogateescape")
    return Payload(base64.b64encode(script + b"".join(file.content for file in files)).decode(), len(script))


@cache
def wrapper() -> str:
    here = Path(__file__)
    parts = (here.parent.with_name("tree.sh"), here.with_name("wrapper.sh"))
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)


def resource_slots(resources: Resources) -> dict[str, str]:
    """Return the resources as the manager names them.

    `gpu` is `cuda.device`, or `cuda.shares` for a fraction. Another name without a dot is a capacity of the sweep only.
    """
    slots: dict[str, str] = {}
    for name, amount in resources.items():
        if name == "gpu":
            name = "cuda.device" if amount % 1 == 0 else "cuda.shares"
        if name in ("cpu", "mem") or "." in name:
            slots[name] = str(amount) if isinstance(amount, int) or amount.denominator == 1 else _decimal(amount)
    return slots


def _decimal(amount: Fraction) -> str:
    return f"{float(amount):.6f}".rstrip("0")


def _prologue(attempt: Attempt, files: list[InputFile]) -> str:
    """Return the part of the script that differs between attempts: the variables and functions that wrapper.sh uses."""
    argv = ("/bin/sh", "-c", attempt.command) if isinstance(attempt.command, str) else attempt.command
    workdir = os.path.relpath(attempt.workdir, attempt.root) if attempt.root else "."
    limit = "" if attempt.timeout is None else str(round(attempt.timeout * 100))
    build = is_build(attempt)
    lines = [
        "unset " + " ".join(f"{VARIABLE}{number}" for number in range(MAX_VARIABLES)),
        f"mark={marker(attempt.name)} dir=$1 skip=$2",
        "root=$dir/work output=$root" if build else "root=$PWD output=$dir/output",
        f"workdir={shlex.quote(str(PurePosixPath(workdir)))} newer_than={'$dir/inputs-created' if build else ''}",
        f"limit={limit} grace={round(attempt.grace * 100)} max_logged={MAX_LOGGED} output_room={MAX_OUTPUT}",
        "create_inputs() {",
        '{ dd bs="$skip" count=1 of=/dev/null 2>/dev/null',
        *(f"put {len(file.content)} {'x' if file.executable else '-'} {file.path} &&" for file in files),
        *(f"{command} &&" for command in links_and_folders(attempt)),
        'true; } <"$dir/payload"',
        "}",
        "command() {",
        "default=; if env --default-signal=INT true 2>/dev/null; then default=--default-signal=INT,QUIT; fi",
        "session=; if type setsid >/dev/null 2>&1; then session=setsid; fi",
        "exec $session env $default \\",
        *(f"{assignment} \\" for assignment in _assignments(attempt)),
        " ".join(shlex.quote(word) for word in _for_env(argv)),
        "}",
        "",
    ]
    return "\n".join(lines)


def _assignments(attempt: Attempt) -> Iterator[str]:
    in_container = {"RUNNER_PARAMS_FILE": '"$dir/params.json"', "RUNNER_OUTPUT_DIR": '"$output"'}
    for name, value in {**attempt.env, **attempt.secrets}.items():
        if name in in_container:
            yield f"{shlex.quote(name)}={in_container[name]}"
        else:
            yield shlex.quote(f"{name}={value}")


def _for_env(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command that `env` does not take for an assignment or an option."""
    return ("sh", "-c", 'exec "$@"', "sh", *argv) if "=" in argv[0] or argv[0].startswith("-") else argv
