"""Creates the files, links and empty folders that a job reports in its output folder, and nothing outside of it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from runner.backends.backendai.console import ConsoleLog, OutputFile


def extract(console: ConsoleLog, folder: Path, *, external_links: bool) -> int:
    """Create what the console carries, and return how many entries were refused.

    `external_links` allows links that lead out of the folder, as a build has into its image. Elsewhere they are refused:
    what reads the folder would follow them to files of this machine.
    """
    if not (console.folders or console.files or console.links):
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    refused = 0
    for path in sorted(console.folders):
        refused += not _make_folder(root, PurePosixPath(path))
    for file in console.files.values():
        content, missing = file.content.join()
        refused += not missing and not _write(root, file, content)
    # Links come last, so that no file is written through one of them.
    for path, target in console.links.items():
        allowed = external_links or _stays_inside(PurePosixPath(path), PurePosixPath(target))
        refused += not (allowed and _link(root, PurePosixPath(path), target))
    return refused


def _make_folder(root: Path, path: PurePosixPath) -> bool:
    if not _is_valid(path) or (root / path).resolve() != root / path:
        return False
    try:
        (root / path).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):  # a file of an earlier attempt
        return False
    return True


def _write(root: Path, file: OutputFile, content: bytes) -> bool:
    if (temporary := _temporary(root, PurePosixPath(file.path))) is None:
        return False
    temporary.write_bytes(content)
    temporary.chmod(0o755 if file.executable else 0o644)
    return _replace(temporary, root / file.path)


def _link(root: Path, path: PurePosixPath, target: str) -> bool:
    if not target or "\0" in target or (temporary := _temporary(root, path)) is None:
        return False
    temporary.symlink_to(target)
    return _replace(temporary, root / path)


def _temporary(root: Path, path: PurePosixPath) -> Path | None:
    """Return a path beside `path` to be renamed to it; None if `path` is not valid."""
    if not _is_valid(path) or not (path.parent == PurePosixPath() or _make_folder(root, path.parent)):
        return None
    temporary = root / path.parent / f".{path.name}.new"
    temporary.unlink(missing_ok=True)
    return temporary


def _replace(temporary: Path, final: Path) -> bool:
    try:
        os.replace(temporary, final)
    except IsADirectoryError:  # a folder of an earlier attempt
        temporary.unlink()
        return False
    return True


def _is_valid(path: PurePosixPath) -> bool:
    return not path.is_absolute() and ".." not in path.parts and "\0" not in str(path) and bool(path.parts)


def _stays_inside(path: PurePosixPath, target: PurePosixPath) -> bool:
    """Return whether a link at `path` leads into the folder for any other links: `..` only at its start."""
    ups = 0
    while ups < len(target.parts) and target.parts[ups] == "..":
        ups += 1
    return not target.is_absolute() and ups < len(path.parts) and ".." not in target.parts[ups:]
