"""The `files` of a sweep: which files they are. `inputs` reads their content."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from runner.config.fields import leads_out
from runner.config.sweep import Sweep
from runner.config.yaml.nodes import ScalarNode
from runner.errors import InvalidInput

NOISE = frozenset(
    ".DS_Store .git .gitattributes .gitignore .gitkeep .gitmodules .hg .idea .ipynb_checkpoints .keep .mypy_cache"  # noqa: SIM905
    " .nox .pytest_cache .python-version .ruff_cache .runner .svn .tox .venv .vscode".split()
)
"""Hidden files and folders that no session reads."""


def paths(sweep: Sweep) -> list[str]:
    """Return every input file once, sorted, relative to the sweep's folder, with `/`. Raises InvalidInput.

    An entry is a path or a pattern (`*`, `?`, `[…]`, `**`); a folder means all files below it, also behind links. Hidden
    files, `__pycache__` and a state folder of runner are left out unless their full path is given; the file of `secrets` always.
    """
    found = {path for node in sweep.files for path in expand(sweep.folder, node.value.text)}
    secret = sweep.secrets.path
    return sorted(path for path in found if secret is None or not _is_same(sweep.folder / path, secret))


def missing(sweep: Sweep) -> Iterator[ScalarNode]:
    """Return the entries that match no file."""
    return (node for node in sweep.files if not any(True for _ in expand(sweep.folder, node.value.text)))


def outside(sweep: Sweep) -> Iterator[ScalarNode]:
    """Return the entries outside the sweep's folder."""
    return (node for node in sweep.files if leads_out(node.value.text))


def expand(folder: Path, entry: str, *, hidden: bool = False) -> Iterator[str]:
    """Yield the files of one entry, perhaps twice. `hidden`: hidden ones, too. Raises InvalidInput."""
    literal = folder / entry
    if os.path.isfile(literal):
        yield _relative(literal, folder)
    elif os.path.isdir(literal):
        yield from _below(literal, folder, hidden)
    else:
        for path in glob.iglob(entry, root_dir=folder, recursive=True, include_hidden=hidden):
            if _made_by_programs(path):
                continue
            if os.path.isfile(folder / path):
                yield _relative(folder / path, folder)
            elif "**" not in entry:  # `**` matches the files below by itself
                yield from _below(folder / path, folder, hidden)


def folders(sweep: Sweep) -> set[str]:
    """Return the absolute paths of the folders whose entries decide which files `paths` returns."""
    found: set[str] = set()
    for node in sweep.files:
        entry = node.value.text
        literal = sweep.folder / entry
        if os.path.isfile(literal):
            continue
        if os.path.isdir(literal):
            found.update(top for top, _, _ in walk(str(literal)))
            continue
        parts = entry.split("/")
        for count in range(len(parts)):
            # The folders in which the pattern's next part is looked for; those below a folder that it matches as a whole.
            pattern = "/".join([*parts[:count], ""]) if count else "./"
            found.update(
                os.path.join(sweep.folder, path) for path in glob.iglob(pattern, root_dir=sweep.folder, recursive=True)
            )
        for path in glob.iglob(entry + "/", root_dir=sweep.folder, recursive=True):
            found.update(top for top, _, _ in walk(os.path.join(sweep.folder, path)))
    return found


def walk(top: str, hidden: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk`, without what is never an input. Links are followed, but not into a folder that they are in.

    Raises InvalidInput for a folder that cannot be read: what is in it might be an input.
    """
    above: dict[str, frozenset[tuple[int, int]]] = {top: frozenset()}
    for root, names, files in os.walk(top, onerror=_unreadable, followlinks=True):
        if "journal.db" in files and "lock" in files:  # a state folder of runner, from `--state`
            names.clear()
            continue
        about = os.stat(root)
        inside = above.pop(root) | {(about.st_dev, about.st_ino)}
        names[:] = [
            name
            for name in sorted(names)
            if (name not in NOISE if hidden else not name.startswith("."))
            and name != "__pycache__"
            and _identity(root, name) not in inside
        ]
        above.update((os.path.join(root, name), inside) for name in names)
        yield root, names, files


def _below(top: Path, folder: Path, hidden: bool) -> Iterator[str]:
    for root, _, names in walk(str(top), hidden):
        for name in names:
            if (hidden or not name.startswith(".")) and os.path.isfile(os.path.join(root, name)):
                yield _relative(os.path.join(root, name), folder)


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def secrets(sweep: Sweep) -> Iterator[ScalarNode]:
    """Return the entries that name the file of `secrets`."""
    path = sweep.secrets.path
    return (node for node in sweep.files if path is not None and _is_same(sweep.folder / node.value.text, path))


def _identity(root: str, name: str) -> tuple[int, int] | None:
    try:
        about = os.stat(os.path.join(root, name))
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise InvalidInput(
            f"cannot read `{error.filename}`: {error.strerror}", "its files are part of `files`"
        ) from error


def _made_by_programs(path: str) -> bool:
    """Return whether running the inputs creates the file; then it must not change their digest."""
    return "__pycache__" in path.split(os.sep)


def _relative(path: str | Path, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")
