"""The `files` of a sweep: their paths, and the digests of their content."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from runner.config.fields import leads_out
from runner.config.sweep import Sweep
from runner.config.yaml.nodes import ScalarNode
from runner.errors import InvalidInput


def paths(sweep: Sweep) -> list[str]:
    """Return every input file once, sorted, relative to the sweep's folder, with `/`.

    An entry is a path or a pattern (`*`, `?`, `[…]`, `**`); a folder means all files below it. Hidden files,
    `__pycache__` and a state folder of runner are left out unless their full path is given.
    """
    return sorted({path for node in sweep.files for path in _expand(sweep.folder, node.value.text)})


def missing(sweep: Sweep) -> Iterator[ScalarNode]:
    """Return the entries that match no file."""
    return (node for node in sweep.files if not any(True for _ in _expand(sweep.folder, node.value.text)))


def outside(sweep: Sweep) -> Iterator[ScalarNode]:
    """Return the entries outside the sweep's folder."""
    return (node for node in sweep.files if leads_out(node.value.text))


def digests(sweep: Sweep) -> dict[str, str]:
    """Return the SHA-256 of each input file by path. Raises InvalidInput if one cannot be read."""
    found: dict[str, str] = {}
    for path in paths(sweep):
        try:
            with open(sweep.folder / path, "rb") as file:
                found[path] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InvalidInput(f"cannot read `{path}`: {error.strerror}") from error
    return found


def _expand(folder: Path, entry: str) -> Iterator[str]:
    literal = folder / entry
    if literal.is_file():
        yield _relative(literal, folder)
    elif literal.is_dir():
        yield from _below(literal, folder)
    else:
        for path in glob.iglob(entry, root_dir=folder, recursive=True):
            if _made_by_programs(path):
                continue
            if (folder / path).is_file():
                yield _relative(folder / path, folder)
            elif "**" not in entry:  # `**` matches the files below by itself
                yield from _below(folder / path, folder)


def _below(top: Path, folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(top):
        if "journal.db" in names and "lock" in names:  # a state folder of runner, from `--state`
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in names:
            if not name.startswith(".") and os.path.isfile(os.path.join(root, name)):
                yield _relative(os.path.join(root, name), folder)


def _made_by_programs(path: str) -> bool:
    """Return whether running the inputs creates the file; then it must not change their digest."""
    return "__pycache__" in path.split(os.sep)


def _relative(path: str | Path, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")
