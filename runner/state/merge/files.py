"""Merge states: the journals, logs and outputs of several jobs of one sweep become one state.

All files are first copied into a folder of their own, the stage. Then the journal's one transaction is committed, and the files
are moved into place. If a merge is killed before the commit, nothing has changed. If it is killed after, the next writer of the
state moves the staged files.

Build outputs are not copied, because they may depend on their path and machine. A build that is needed runs again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from runner.errors import EnvironmentFailed
from runner.state.fs import guarded
from runner.state.merge.journal import Union
from runner.state.merge.staging import PARTS, STAGE, put_into_place
from runner.state.state import State

_SUFFIXES = (".out", ".err")


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
    for moved in union.moved:
        for end in _SUFFIXES:
            _copy(
                here / "logs" / f"{moved.session}.{moved.before}{end}",
                stage / "logs" / f"{moved.session}.{moved.after}{end}",
            )
            (stage / "logs" / f"{moved.session}.{moved.before}{end}").touch()  # an empty file removes the old log
    for session, attempt, end in _logs(there):
        number = union.number(session, attempt)
        if number is not None:
            _copy(there / "logs" / f"{session}.{attempt}{end}", stage / "logs" / f"{session}.{number}{end}")
    for session in _names(there / "output"):
        if _is_id(session) and union.takes_output(session):
            _copy(there / "output" / session, stage / "output" / session)
    for name in _names(there / "builds"):
        if name.endswith(_SUFFIXES) and not (here / "builds" / name).exists():
            _copy(there / "builds" / name, stage / "builds" / name)


def _logs(folder: Path) -> Iterator[tuple[str, int, str]]:
    """Session id, attempt number and suffix of each log."""
    for name in _names(folder / "logs"):
        session, _, rest = name.partition(".")
        number, dot, end = rest.partition(".")
        if _is_id(session) and number.isdecimal() and dot + end in _SUFFIXES:
            yield session, int(number), dot + end


def _is_id(name: str) -> bool:
    return len(name) == 16 and all(character in "0123456789abcdef" for character in name)


def _names(folder: Path) -> list[str]:
    """The names in a folder. A missing folder counts as empty: archives may leave those out."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a whole tree, if it exists, with modes, times and symbolic links."""
    try:
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True, copy_function=_copy_file)
        elif os.path.lexists(source):
            _copy_file(str(source), str(target))
    except shutil.Error as error:
        path, _, fault = error.args[0][0]
        raise EnvironmentFailed(f"cannot copy `{path}`: {fault}") from error


def _copy_file(source: str, target: str) -> None:
    """Copy a file or a link. Anything else, such as a pipe, is left out."""
    mode = os.lstat(source).st_mode
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        shutil.copy2(source, target, follow_symlinks=False)
