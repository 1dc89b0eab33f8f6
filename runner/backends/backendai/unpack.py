"""Laying down in a folder what a job says it has made: files, links and empty folders, never outside of that folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from runner.backends.backendai.console import Console, File


def lay_down(found: Console, folder: Path, *, links_anywhere: bool) -> int:
    """How many were refused. Links come last, so that nothing is written through one of them.

    With `links_anywhere` a link may lead out of the folder, as a build's do into its image; otherwise what reads the folder
    here would follow a job's link to this machine's own files.
    """
    if not (found.folders or found.files or found.links):
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    refused = 0
    for path in sorted(found.folders):
        refused += not _made(root, PurePosixPath(path))
    for file in found.files.values():
        content, missing = file.stream.join()
        refused += not missing and not _written(root, file, content)
    for path, target in found.links.items():
        inside = links_anywhere or _stays(PurePosixPath(path), PurePosixPath(target))
        refused += not (inside and _linked(root, PurePosixPath(path), target))
    return refused


def _made(root: Path, path: PurePosixPath) -> bool:
    if _named(path) and (root / path).resolve() == root / path:
        try:
            (root / path).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):  # a file of an earlier attempt
            return False
        return True
    return False


def _written(root: Path, file: File, content: bytes) -> bool:
    if (fresh := _fresh(root, PurePosixPath(file.path))) is None:
        return False
    fresh.write_bytes(content)
    fresh.chmod(0o755 if file.executable else 0o644)
    return _put(fresh, root / file.path)


def _linked(root: Path, path: PurePosixPath, target: str) -> bool:
    if not target or "\0" in target or (fresh := _fresh(root, path)) is None:
        return False
    fresh.symlink_to(target)
    return _put(fresh, root / path)


def _fresh(root: Path, path: PurePosixPath) -> Path | None:
    """Where to make what is to become `path`; None where there can be nothing of that name."""
    if not _named(path) or not (path.parent == PurePosixPath() or _made(root, path.parent)):
        return None
    fresh = root / path.parent / f".{path.name}.new"
    fresh.unlink(missing_ok=True)
    return fresh


def _put(fresh: Path, final: Path) -> bool:
    try:
        os.replace(fresh, final)
    except IsADirectoryError:  # one of an earlier attempt
        fresh.unlink()
        return False
    return True


def _named(path: PurePosixPath) -> bool:
    return not path.is_absolute() and ".." not in path.parts and "\0" not in str(path) and bool(path.parts)


def _stays(path: PurePosixPath, target: PurePosixPath) -> bool:
    """Whether a link leads to a place in the folder, for any links there: `..` behind a name may lead out through one."""
    ups = 0
    while ups < len(target.parts) and target.parts[ups] == "..":
        ups += 1
    return not target.is_absolute() and ups < len(path.parts) and ".." not in target.parts[ups:]
