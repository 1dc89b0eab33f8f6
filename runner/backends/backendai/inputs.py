"""The files that a session is created with: the attempt's inputs, and what earlier attempts left in its output folder."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from runner.backends.backendai.limits import MAX_CHECKPOINTS, MAX_PAYLOAD
from runner.errors import InputsChanged
from runner.model import Attempt


class InputFile(NamedTuple):
    """A file to create in the container. `path` is quoted for sh and may begin with a variable of the wrapper."""

    path: str
    content: bytes
    executable: bool


class Checkpoints(NamedTuple):
    """Output files of earlier attempts. `omitted` counts those that do not fit."""

    files: list[InputFile]
    omitted: int


def is_build(attempt: Attempt) -> bool:
    """Return whether the attempt is a build: its output is its working directory."""
    return attempt.output == attempt.root


def input_paths(attempt: Attempt) -> Iterator[tuple[str, str]]:
    """Yield the input files: path below the root, and absolute path on this machine."""
    if attempt.files is not None:
        for path in attempt.files:
            yield path, os.path.join(attempt.root, path)
        return
    for folder, _, names in os.walk(attempt.root):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield _below(attempt.root, path), path


def input_files(attempt: Attempt) -> Iterator[InputFile]:
    """Yield the input files and `params.json`. Raises OSError where one cannot be read, and InputsChanged."""
    for path, source in input_paths(attempt):
        try:
            content = Path(source).read_bytes()
        except FileNotFoundError:
            if path in attempt.digests:
                raise InputsChanged(f"`{path}` was removed since this apply read it") from None
            raise
        known = attempt.digests.get(path)
        if known is not None and hashlib.sha256(content).hexdigest() != known:
            raise InputsChanged(f"`{path}` changed since this apply read it")
        yield InputFile(f'"$root"/{shlex.quote(path)}', content, os.access(source, os.X_OK))
    params = attempt.env.get("RUNNER_PARAMS_FILE")
    if params is not None and os.path.exists(params):
        yield InputFile('"$dir/params.json"', Path(params).read_bytes(), False)


def checkpoints(attempt: Attempt) -> Checkpoints:
    """Return the output files of earlier attempts, the newest first, as many as fit beside the inputs."""
    if attempt.number == 1 or is_build(attempt):
        return Checkpoints([], 0)
    found: list[tuple[float, str]] = []
    for folder, _, names in os.walk(attempt.output):
        paths = [os.path.join(folder, name) for name in names]
        found += [(os.stat(path).st_mtime, path) for path in paths if os.path.isfile(path)]
    room = min(MAX_CHECKPOINTS, MAX_PAYLOAD - sum(os.path.getsize(source) for _, source in input_paths(attempt)))
    files: list[InputFile] = []
    for _, path in sorted(found, reverse=True):
        room -= os.path.getsize(path)
        if room < 0:
            break
        place = f'"$output"/{shlex.quote(os.path.relpath(path, attempt.output))}'
        files.append(InputFile(place, Path(path).read_bytes(), os.access(path, os.X_OK)))
    return Checkpoints(files, len(found) - len(files))


def links_and_folders(attempt: Attempt) -> Iterator[str]:
    """Yield shell commands that create what is not a file.

    For a build: its links and empty folders. For a retry: links in the output folder to folders in it; links to files are
    sent as files.
    """
    if attempt.files is None:
        for folder, folders, names in os.walk(attempt.root):
            if not folders and not names and folder != attempt.root:
                yield f'mkdir -p "$root"/{shlex.quote(_below(attempt.root, folder))}'
            for name in sorted((*folders, *names)):
                if os.path.islink(link := os.path.join(folder, name)):
                    yield _link(link, attempt.root, '"$root"')
    if attempt.number > 1 and not is_build(attempt):
        output = os.path.realpath(attempt.output)
        for folder, folders, _ in os.walk(attempt.output):
            for name in sorted(folders):
                link = os.path.join(folder, name)
                if os.path.islink(link) and Path(os.path.realpath(link)).is_relative_to(output):
                    yield _link(link, attempt.output, '"$output"')


def _link(link: str, root: str, place: str) -> str:
    return f"link {shlex.quote(_target(link, root))} {place}/{shlex.quote(_below(root, link))}"


def _target(link: str, root: str) -> str:
    """Return a link's target, relative if it is below `root`, which has another path in the container."""
    target = os.readlink(link)
    if os.path.isabs(target) and Path(target).is_relative_to(root):
        return os.path.relpath(target, os.path.dirname(link))
    return target


def _below(root: str, path: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")
