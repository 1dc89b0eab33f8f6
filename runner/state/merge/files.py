"""Joining states: what several jobs have done of one sweep becomes one state, with its logs and outputs.

Everything that comes along is copied into a folder of its own first, the stage; then the journal's one transaction ends, and the
stage is put into place. A merge that is killed before that has changed nothing; what one that is killed later has left in the
stage is put into place by whoever opens the state to write next.

What builds have made stays behind, as it may be bound to its place and machine; whoever needs a build makes it again.
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

_ENDS = (".out", ".err")


def merge(state: State, other: State) -> Union:
    """Take all of `other`, which nobody writes to, into `state`, which is held. What is there already stays, and `other` is
    left as it is. Raises EnvironmentFailed; then the same call does the rest.
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
    """Copy what comes along under the names that it will have."""
    for moved in union.moved:
        for end in _ENDS:
            _copy(
                here / "logs" / f"{moved.session}.{moved.before}{end}",
                stage / "logs" / f"{moved.session}.{moved.after}{end}",
            )
            (stage / "logs" / f"{moved.session}.{moved.before}{end}").touch()  # it goes, if nothing comes in its place
    for session, attempt, end in _logs(there):
        number = union.number(session, attempt)
        if number is not None:
            _copy(there / "logs" / f"{session}.{attempt}{end}", stage / "logs" / f"{session}.{number}{end}")
    for session in _names(there / "output"):
        if _is_id(session) and union.takes_output(session):
            _copy(there / "output" / session, stage / "output" / session)
    for name in _names(there / "builds"):
        if name.endswith(_ENDS) and not (here / "builds" / name).exists():
            _copy(there / "builds" / name, stage / "builds" / name)


def _logs(folder: Path) -> Iterator[tuple[str, int, str]]:
    """Session, attempt and end of each log."""
    for name in _names(folder / "logs"):
        session, _, rest = name.partition(".")
        number, dot, end = rest.partition(".")
        if _is_id(session) and number.isdecimal() and dot + end in _ENDS:
            yield session, int(number), dot + end


def _is_id(name: str) -> bool:
    return len(name) == 16 and all(character in "0123456789abcdef" for character in name)


def _names(folder: Path) -> list[str]:
    """What is in a folder; whoever carries states about may have left out one that is empty."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a whole tree, if it is there, with its modes, times and links."""
    try:
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True, copy_function=_copy_file)
        elif os.path.lexists(source):
            _copy_file(str(source), str(target))
    except shutil.Error as error:
        path, _, fault = error.args[0][0]
        raise EnvironmentFailed(f"cannot copy `{path}`: {fault}") from error


def _copy_file(source: str, target: str) -> None:
    """What is neither file nor link, a pipe that a session has left behind, has no content to bring."""
    mode = os.lstat(source).st_mode
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        shutil.copy2(source, target, follow_symlinks=False)
