"""Joining states: what several jobs have done of one sweep becomes one state, with its logs and outputs.

What builds have made stays behind, as it may be bound to its place and machine; whoever needs a build makes it again.

Everything is copied into a folder of its own first and put into place just before the journal's one transaction ends: a merge
that is killed has changed nothing that the same merge, repeated, does not set right.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from runner.errors import EnvironmentFailed
from runner.state.disk import guarded
from runner.state.folder import State, _remove
from runner.state.union import Union

_PARTS = ("logs", "output", "builds")
_ENDS = (".out", ".err")


def merge(state: State, other: State) -> Union:
    """Take all of `other`, which nobody writes to, into `state`, which is held. What is there already stays, and `other` is
    left as it is. Raises EnvironmentFailed; then the same call does the rest.
    """
    stage = state.folder / "merge"
    _settle(state, stage)
    with guarded(stage):
        for part in (*_PARTS, "late"):
            (stage / part).mkdir(parents=True)
        other.journal.copy_to(stage / "theirs.db")
        with state.journal.merging(stage / "theirs.db") as union:
            _gather(state.folder, other.folder, union, stage)
            for part in _PARTS:
                for name in _names(stage / part):
                    if (state.folder / part / name).is_dir():
                        _remove(state.folder / part / name)
                    os.replace(stage / part / name, state.folder / part / name)
    _settle(state, stage)
    return union


def _gather(here: Path, there: Path, union: Union, stage: Path) -> None:
    """Copy what comes along under the names that it will have."""
    taken = {(moved.session, moved.before) for moved in union.moved}
    for moved in union.moved:
        for end in _ENDS:
            _copy(
                here / "logs" / f"{moved.session}.{moved.before}{end}",
                stage / "logs" / f"{moved.session}.{moved.after}{end}",
            )
    for session, attempt, end in _logs(there):
        number = union.number(session, attempt)
        if number is not None and (session, number) not in taken:
            _copy(there / "logs" / f"{session}.{attempt}{end}", stage / "logs" / f"{session}.{number}{end}")
    for one in union.attempts.values():
        if (one.session, one.after) in taken:
            for end in _ENDS:  # an empty one says that there is no such log
                late = stage / "late" / f"{one.session}.{one.after}.{one.name}{end}"
                late.touch()
                _copy(there / "logs" / f"{one.session}.{one.before}{end}", late)
    for session in _names(there / "output"):
        if _is_id(session) and union.takes_output(session):
            _copy(there / "output" / session, stage / "output" / session)
    for name in _names(there / "builds"):
        if name.endswith(_ENDS) and not (here / "builds" / name).exists():
            _copy(there / "builds" / name, stage / "builds" / name)


def _settle(state: State, stage: Path) -> None:
    """Remove the stage. A log in it whose attempt the journal has by now is put into its place first: while the transaction had
    not ended, the log of another attempt was there.
    """
    with guarded(stage):
        for name in _names(stage / "late"):
            session, number, attempt, end = name.split(".")
            if any(row.number == int(number) and row.name == attempt for row in state.journal.attempts(session)):
                log = state.folder / "logs" / f"{session}.{number}.{end}"
                os.replace(stage / "late" / name, log)
                if log.stat().st_size == 0:
                    log.unlink()
        _remove(stage)


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
