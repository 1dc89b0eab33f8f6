"""The files of attempts: their paths, and which of them attempts have left."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class AttemptPaths(NamedTuple):
    """The absolute paths of an attempt's files, as str; the properties give them as Path."""

    stdout_name: str
    stderr_name: str
    output_name: str
    params_name: str

    @property
    def stdout(self) -> Path:
        return Path(self.stdout_name)

    @property
    def stderr(self) -> Path:
        return Path(self.stderr_name)

    @property
    def output(self) -> Path:
        return Path(self.output_name)

    @property
    def params(self) -> Path:
        return Path(self.params_name)


@dataclass(frozen=True, slots=True)
class Kept:
    """Which files an attempt has left. An empty log or output folder does not count."""

    stdout: bool
    stderr: bool
    output: bool


class WrittenFiles:
    """Which files attempts have left. `names` are those of everything in the two folders; None to ask the disk each time."""

    def __init__(self, *, logs: str, output: str, names: Container[str] | None) -> None:
        self._logs = logs
        self._output = output
        self._names = names

    def of(self, session: str, attempt: int) -> tuple[str | None, str | None, str | None]:
        """The paths of the output folder, of stdout and of stderr, None for what is empty or not there."""
        out, err = f"{session}.{attempt}.out", f"{session}.{attempt}.err"
        names = self._names
        if names is not None and session not in names and out not in names and err not in names:
            return _NOTHING
        output, stdout, stderr = self._output + session, self._logs + out, self._logs + err
        # access() first: most of them are not there, and an OSError costs five times as much.
        return (
            output if os.access(output, os.F_OK, follow_symlinks=False) and _holds_something(output) else None,
            stdout if os.access(stdout, os.F_OK, follow_symlinks=False) and size_of(stdout) else None,
            stderr if os.access(stderr, os.F_OK, follow_symlinks=False) and size_of(stderr) else None,
        )


_NOTHING = (None, None, None)


def listed_names(folders: Iterable[str], *, most: int) -> frozenset[str] | None:
    """The names in these folders; None if there are more than `most`, or one cannot be read."""
    names: list[str] = []
    try:
        for folder in folders:
            with os.scandir(folder) as entries:
                names += [entry.name for entry in itertools.islice(entries, most + 1 - len(names))]
    except OSError:
        return None
    return frozenset(names) if len(names) <= most else None


def size_of(path: str) -> int | None:
    """The size of a regular file, None for anything else."""
    try:
        about = os.lstat(path)
    except OSError:
        return None
    return about.st_size if stat.S_ISREG(about.st_mode) else None


def _holds_something(folder: str) -> bool:
    if os.path.islink(folder):
        return False
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False
    except OSError:  # not a folder, or not readable
        return True
