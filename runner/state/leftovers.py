"""What a writer has left that was killed, apart from the files of attempts without an end: recovery needs those."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from runner.state.folders import Folder
from runner.state.fs import TEMPORARY, guarded
from runner.state.rows import OpenAttempt

_PARAMS = re.compile(r"([0-9a-f]{16})\.json")
_LOG = re.compile(r"([0-9a-f]{16}\.[0-9]+)\.(?:out|err)")
_OUTPUT = re.compile("([0-9a-f]{16})")
_COPY = re.compile(r"[0-9a-f]{16}\.new")
"""A build or a snapshot that was being made."""

_WRITTEN_IN = 60.0
"""Seconds in which `runner cancel`, which needs no lock, has written a request."""


def remove_leftovers(state: Path, attempts: Iterable[OpenAttempt]) -> None:
    """Remove files that nothing refers to from the state in this folder, which is held. `attempts`: those without an end.

    These are the files of the pool (`file_pool`), copies that are incomplete, and files that were to replace another.
    It looks at every log and output folder. Raises EnvironmentFailed.
    """
    logs = {f"{attempt.session}.{attempt.number}" for attempt in attempts}
    sessions = {log.partition(".")[0] for log in logs}
    _remove(state / "params", lambda folder, name: _names(_PARAMS, name, sessions))
    _remove(state / "logs", lambda folder, name: _names(_LOG, name, logs) and _is_empty_file(folder, name))
    _remove(state / "builds", lambda folder, name: _COPY.fullmatch(name) is not None)
    _remove(state / "inputs", lambda folder, name: _COPY.fullmatch(name) is not None)
    _remove(state / "cancel", lambda folder, name: False)
    with guarded(state), Folder(state / "output") as outputs:
        for name in outputs.names():
            if _names(_OUTPUT, name, sessions):
                with suppress(OSError):  # it holds something
                    os.rmdir(name, dir_fd=outputs.descriptor)


def _remove(path: Path, unneeded: Callable[[Folder, str], bool]) -> None:
    with guarded(path), suppress(FileNotFoundError), Folder(path) as folder:
        for name in folder.names():
            if unneeded(folder, name) or (TEMPORARY.fullmatch(name) and _is_abandoned(folder, name)):
                folder.remove(name)


def _names(pattern: re.Pattern[str], name: str, used: set[str]) -> bool:
    found = pattern.fullmatch(name)
    return found is not None and found[1] not in used


def _is_empty_file(folder: Folder, name: str) -> bool:
    about = folder.stat(name)
    return stat.S_ISREG(about.st_mode) and about.st_size == 0


def _is_abandoned(folder: Folder, name: str) -> bool:
    return folder.stat(name).st_mtime < time.time() - _WRITTEN_IN
