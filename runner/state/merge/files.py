"""Merge states: the journals, logs and outputs of several jobs of one sweep become one state.

All files are first copied into a folder of their own, the stage. Then the journal's one transaction is committed, and the files
are moved into place. If a merge is killed before the commit, nothing has changed. If it is killed after, the next writer of the
state moves the staged files.

Build outputs are not copied, because they may depend on their path and machine. A build that is needed runs again.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.state.folders import Folder
from runner.state.fs import guarded
from runner.state.merge.copying import Copier
from runner.state.merge.journal import Union
from runner.state.merge.staging import PARTS, STAGE, put_into_place
from runner.state.state import State

_SUFFIXES = (".out", ".err", ".out.masked", ".err.masked")
_LOG = re.compile(r"([0-9a-f]{16})\.([1-9][0-9]{0,8})((?:\.out|\.err)(?:\.masked)?)")


def merge(state: State, other: State) -> Union:
    """Merge `other`, which has no writer, into `state`, which is held. Existing files stay, and `other` is not changed.

    Raises EnvironmentFailed; then the same call completes the merge.
    """
    stage, token = state.folder / STAGE, secrets.token_hex(8)
    try:
        with guarded(stage):
            for part in PARTS:
                (stage / part).mkdir(parents=True)
            other.journal.copy_to(stage / "theirs.db")
            with state.journal.merging(stage / "theirs.db", token) as union:
                _gather(state.folder, other.folder, union, stage)
                (stage / "token").write_text(token)
    finally:
        put_into_place(state.folder, state.journal)
    return union


def _gather(here: Path, there: Path, union: Union, stage: Path) -> None:
    """Copy files into the stage under their final names."""
    with Folder(here) as ours:
        copier = Copier(ours)
        for moved in union.moved:
            for end in _SUFFIXES:
                old, new = (f"{moved.session}.{number}{end}" for number in (moved.before, moved.after))
                with ours.folder("logs") as logs:
                    copier.copy(logs, old, stage / "logs" / new)
                (stage / "logs" / old).touch()  # an empty file removes the old log
    with Folder(there) as theirs:
        copier = Copier(theirs)
        with _part(theirs, "logs") as logs:
            for name, session, attempt, end in _logs(logs):
                number = union.number(session, attempt)
                if logs is not None and number is not None:
                    copier.copy(logs, name, stage / "logs" / f"{session}.{number}{end}")
        with _part(theirs, "output") as outputs:
            for session in outputs.names() if outputs else ():
                if outputs is not None and _is_id(session) and union.takes_output(session):
                    copier.copy(outputs, session, stage / "output" / session)
        with _part(theirs, "builds") as builds:
            for name in builds.names() if builds else ():
                if builds is not None and _is_build_log(name) and not os.path.lexists(here / "builds" / name):
                    copier.copy(builds, name, stage / "builds" / name)
        union.left_out = copier.left_out


@contextmanager
def _part(state: Folder, name: str) -> Iterator[Folder | None]:
    """A folder of a state. None if it is missing: archives may leave out empty folders."""
    try:
        folder = state.folder(name)
    except FileNotFoundError:
        yield None
        return
    with folder:
        yield folder


def _logs(folder: Folder | None) -> Iterator[tuple[str, str, int, str]]:
    """Name, session id, attempt number and suffix of each log."""
    for name in folder.names() if folder else ():
        if found := _LOG.fullmatch(name):
            yield name, found[1], int(found[2]), found[3]


def _is_id(name: str) -> bool:
    return len(name) == 16 and all(character in "0123456789abcdef" for character in name)


def _is_build_log(name: str) -> bool:
    build, dot, suffix = name.partition(".")
    return _is_id(build) and dot + suffix in _SUFFIXES
