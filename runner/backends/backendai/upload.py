"""What a job takes along: its command, its environment, the wrapper and its input files, packed for a session's creation.

It travels in the session's environment variables, which the wrapper unsets: a bootstrap script holds 16 KiB at most, and
is the user's own. All of it together has to stay below what the manager takes as one request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from runner.model import Attempt, Resources

LARGEST_REQUEST = 1024 * 1024 - 4096
"""Bytes; the manager's web server takes a MiB, and some of it is headers."""

LARGEST_PAYLOAD = 750 * 1024
"""Bytes of what a job takes along, before they are encoded; the rest of the request is left for its other fields."""

MOST_LOGGED = 5_600_000
"""Bytes of stdout and stderr that the console carries; it keeps 10 MB by default, and they are encoded there."""

MOST_BROUGHT_BACK = 1024 * 1024
"""Bytes of output files that the console carries."""

_VARIABLE = 96 * 1024
"""Characters in one variable; the kernel allows 128 KiB."""


class TooLarge(Exception):
    """What a job takes along does not fit in a request. `size` in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Item(NamedTuple):
    """A file to lay out: where, as sh writes it, and what is in it."""

    place: str
    content: bytes
    executable: bool


def key(name: str) -> str:
    """What begins each line of this attempt's on the console. A later runner has to know it by the name alone."""
    return "@runner-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def request(attempt: Attempt, job: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the session's creation. Raises TooLarge, and OSError where an input cannot be read."""
    packed = pack(attempt)
    variables = {
        f"RUNNER_PAYLOAD_{number}": packed.text[start : start + _VARIABLE]
        for number, start in enumerate(range(0, len(packed.text), _VARIABLE))
    }
    whole = "".join(f"${name}" for name in variables)
    steps = (
        "d=$(mktemp -d)",
        f'printf %s "{whole}" | base64 -d >"$d/payload"',
        f'dd if="$d/payload" of="$d/run" bs={packed.script} count=1 2>/dev/null',
        f'exec sh "$d/run" "$d" {packed.script}',
    )
    body = {
        "name": attempt.name,
        "image": attempt.image,
        "type": "batch",
        "startupCommand": " && ".join(steps),
        "enqueueOnly": True,
        "maxWaitSeconds": 0,
        "reuseIfExists": False,
        **job,
        "config": {**job["config"], "environ": variables, "resources": slots(attempt.resources)},
    }
    size = len(json.dumps(body))
    if size > LARGEST_REQUEST:
        raise TooLarge(len(packed.text) * 3 // 4)
    return body


class Packed(NamedTuple):
    """`text` is base64; the first `script` bytes of what it decodes to are a script for sh, the rest are files."""

    text: str
    script: int


def pack(attempt: Attempt) -> Packed:
    items = list(_items(attempt))
    size = sum(len(item.content) for item in items)
    if size > LARGEST_REQUEST:
        raise TooLarge(size)
    script = (_prologue(attempt, items) + wrapper()).encode("utf-8", "surrogateescape")
    return Packed(base64.b64encode(script + b"".join(item.content for item in items)).decode(), len(script))


@cache
def wrapper() -> str:
    here = Path(__file__)
    parts = (here.parent.with_name("tree.sh"), here.with_name("wrapper.sh"))
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)


def slots(resources: Resources) -> dict[str, str]:
    """Resources as the cluster names them. `gpu` is CUDA's; a name without a dot is the sweep's own, and only counted."""
    found: dict[str, str] = {}
    for name, amount in resources.items():
        if name == "gpu":
            name = "cuda.device" if amount % 1 == 0 else "cuda.shares"
        if name in ("cpu", "mem") or "." in name:
            found[name] = str(amount) if isinstance(amount, int) or amount.denominator == 1 else _decimal(amount)
    return found


def _decimal(amount: Fraction) -> str:
    return f"{float(amount):.6f}".rstrip("0")


def _items(attempt: Attempt) -> Iterator[Item]:
    for path, source in inputs(attempt):
        yield Item(f'"$root"/{shlex.quote(path)}', Path(source).read_bytes(), os.access(source, os.X_OK))
    params = attempt.env.get("RUNNER_PARAMS_FILE")
    if params is not None and os.path.exists(params):
        yield Item('"$dir/params.json"', Path(params).read_bytes(), False)
    yield from kept(attempt)[0]


def inputs(attempt: Attempt) -> Iterator[tuple[str, str]]:
    """The input files: their paths below the root, and where they are."""
    if attempt.files is not None:
        for path in attempt.files:
            yield path, os.path.join(attempt.root, path)
        return
    for folder, _, names in os.walk(attempt.root):
        for name in sorted(names):
            whole = os.path.join(folder, name)
            if os.path.isfile(whole) and not os.path.islink(whole):
                yield _below(attempt.root, whole), whole


def _shape(attempt: Attempt) -> Iterator[str]:
    """What there is besides files, as sh makes it: a build's empty folders and links; of what earlier attempts left in the
    output folder, links to folders there. Those to files go along as files.
    """
    if attempt.files is None:
        for folder, folders, names in os.walk(attempt.root):
            if not folders and not names and folder != attempt.root:
                yield f'mkdir -p "$root"/{shlex.quote(_below(attempt.root, folder))}'
            for name in sorted((*folders, *names)):
                if os.path.islink(link := os.path.join(folder, name)):
                    yield _link(link, attempt.root, '"$root"')
    if attempt.number > 1 and not builds(attempt):
        output = os.path.realpath(attempt.output)
        for folder, folders, _ in os.walk(attempt.output):
            for name in sorted(folders):
                link = os.path.join(folder, name)
                if os.path.islink(link) and Path(os.path.realpath(link)).is_relative_to(output):
                    yield _link(link, attempt.output, '"$output"')


def _link(link: str, root: str, place: str) -> str:
    return f"link {shlex.quote(_target(link, root))} {place}/{shlex.quote(_below(root, link))}"


def _target(link: str, root: str) -> str:
    """One that is given as a place below the root, which lies elsewhere there, is made relative."""
    target = os.readlink(link)
    if os.path.isabs(target) and Path(target).is_relative_to(root):
        return os.path.relpath(target, os.path.dirname(link))
    return target


def _below(root: str, path: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def kept(attempt: Attempt) -> tuple[list[Item], int]:
    """What earlier attempts left in the output folder, such as a checkpoint, and how many files of it stay behind: the newest
    ones go along, as many as fit beside the inputs.
    """
    if attempt.number == 1 or builds(attempt):
        return [], 0
    found: list[tuple[float, str]] = []
    for folder, _, names in os.walk(attempt.output):
        whole = [os.path.join(folder, name) for name in names]
        found += [(os.stat(path).st_mtime, path) for path in whole if os.path.isfile(path)]
    room = min(MOST_BROUGHT_BACK // 4, LARGEST_PAYLOAD - sum(os.path.getsize(source) for _, source in inputs(attempt)))
    items: list[Item] = []
    for _, path in sorted(found, reverse=True):
        room -= os.path.getsize(path)
        if room < 0:
            break
        place = f'"$output"/{shlex.quote(os.path.relpath(path, attempt.output))}'
        items.append(Item(place, Path(path).read_bytes(), os.access(path, os.X_OK)))
    return items, len(found) - len(items)


def left_behind(attempt: Attempt) -> int:
    return kept(attempt)[1]


def builds(attempt: Attempt) -> bool:
    """Whether it is the working directory itself that is wanted back."""
    return attempt.output == attempt.root


def _prologue(attempt: Attempt, items: list[Item]) -> str:
    argv = ("/bin/sh", "-c", attempt.command) if isinstance(attempt.command, str) else attempt.command
    workdir = os.path.relpath(attempt.workdir, attempt.root) if attempt.root else "."
    limit = "" if attempt.timeout is None else str(round(attempt.timeout * 100))
    lines = [
        "unset " + " ".join(f"RUNNER_PAYLOAD_{number}" for number in range(LARGEST_REQUEST // _VARIABLE + 1)),
        f"mark={key(attempt.name)} dir=$1 skip=$2",
        "root=$dir/work output=$root" if builds(attempt) else "root=$PWD output=$dir/output",
        f"workdir={shlex.quote(str(PurePosixPath(workdir)))} since={'$dir/laid-out' if builds(attempt) else ''}",
        f"limit={limit} grace={round(attempt.grace * 100)} most={MOST_LOGGED} brought_back={MOST_BROUGHT_BACK}",
        "files() {",
        '{ dd bs="$skip" count=1 of=/dev/null 2>/dev/null',
        *(f"put {len(item.content)} {'x' if item.executable else '-'} {item.place} &&" for item in items),
        *(f"{step} &&" for step in _shape(attempt)),
        'true; } <"$dir/payload"',
        "}",
        "command() {",
        "default=; if env --default-signal=INT true 2>/dev/null; then default=--default-signal=INT,QUIT; fi",
        "session=; if type setsid >/dev/null 2>&1; then session=setsid; fi",
        "exec $session env $default \\",
        *(f"{assignment} \\" for assignment in _assignments(attempt)),
        " ".join(shlex.quote(word) for word in _safe(argv)),
        "}",
        "",
    ]
    return "\n".join(lines)


def _assignments(attempt: Attempt) -> Iterator[str]:
    ours = {"RUNNER_PARAMS_FILE": '"$dir/params.json"', "RUNNER_OUTPUT_DIR": '"$output"'}
    for name, value in {**attempt.env, **attempt.secrets}.items():
        yield f"{shlex.quote(name)}={ours[name]}" if name in ours else shlex.quote(f"{name}={value}")


def _safe(argv: tuple[str, ...]) -> tuple[str, ...]:
    """`env` would take a program whose name holds `=` for one more variable."""
    return ("sh", "-c", 'exec "$@"', "sh", *argv) if "=" in argv[0] or argv[0].startswith("-") else argv
