"""Other sweep files with the same state, and other states with the same sessions: both are said before anything runs.

A state belongs to a name. Two files of one name share it; a file that was renamed, or a forgotten `--state`, has a new one, in
which nothing has succeeded yet.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runner.cli.console import say
from runner.cli.sweeps import PlannedSweep, load_sweep, plan_sweep
from runner.config.sweep import Sweep
from runner.errors import EnvironmentFailed, InvalidInput
from runner.state import FOLDER, State, locate, open_at
from runner.text.escape import printable
from runner.units import counted

COMPARED = 1000
"""Sessions of the plan that are looked up in other states."""

MOST_STATES = 100
"""Other states that are looked at, the most recently used first."""


def file_of(sweep: Sweep) -> Path | None:
    """Return the absolute path of a sweep's file; None if it has none."""
    name = sweep.source.name
    return None if name.startswith("<") else sweep.folder / Path(name).name


def sharing(sweep: Sweep, state: State) -> list[PlannedSweep | Path]:
    """Return the other sweep files with this state, planned as they are now; the path of one that is invalid now."""
    own, found = file_of(sweep), list[PlannedSweep | Path]()
    for text in state.journal.files():
        path = Path(os.path.normpath(state.folder / text))
        if not path.is_file() or (own is not None and own.is_file() and path.samefile(own)):
            continue
        try:
            other = plan_sweep(load_sweep(str(path)))
        except InvalidInput:
            found.append(path)
        else:
            if other.sweep.name == sweep.name:
                found.append(other)
    return found


def path_of(other: PlannedSweep | Path) -> Path:
    return other if isinstance(other, Path) else file_of(other.sweep) or other.sweep.folder


def shown(path: Path) -> str:
    """Return a path as a message shows it: relative if it is below the working directory."""
    try:
        return printable(str(path.relative_to(Path.cwd())))
    except ValueError:
        return printable(str(path))


def warn(planned: PlannedSweep, directory: Path | None, state: State | None) -> None:
    """Warn of sweep files that share the state, or of a state that has the sessions which this one lacks."""
    sweep = planned.sweep
    for other in sharing(sweep, state) if state is not None else ():
        name = printable(sweep.name)
        _say(
            f"`{shown(path_of(other))}` keeps its sessions in the same state, `{name}`",
            f"if the two are different sweeps, give one of them another name: `name: {name}-2`",
        )
    ids = [point.id for point in itertools.islice(planned.plan.points(), COMPARED)]
    if state is not None and state.journal.known(ids):
        return
    for folder in _other_states(sweep, directory):
        with suppress(EnvironmentFailed, OSError), open_at(folder) as other_state:
            if other_state is not None and (count := other_state.journal.known(ids)):
                last = other_state.journal.last_apply()
                _say_elsewhere(sweep, folder, last.sweep if last else folder.name, count, directory)
                return


def _say_elsewhere(sweep: Sweep, folder: Path, name: str, count: int, directory: Path | None) -> None:
    parent = locate(sweep.folder, sweep.name, directory).parent
    same_parent = folder.parent == parent
    where = f"`{printable(name)}`" if same_parent else f"`{shown(folder)}`"
    hints = [] if name == sweep.name else [f"`name: {printable(name)}` in the sweep file"]
    if not same_parent:
        hints.append(f"`--state {shown(folder.parent)}`")
    these = "this session" if count == 1 else f"{counted(count, 'session')} of this sweep"
    _say(f"the state {where} has {these}, and this one has none", f"{' and '.join(hints)} uses it")


def _say(message: str, hint: str) -> None:
    say(f"warning: {message}\n\nhint: {hint}\n")


def _other_states(sweep: Sweep, directory: Path | None) -> Iterator[Path]:
    own = locate(sweep.folder, sweep.name, directory)
    parents = [own.parent, (sweep.folder / FOLDER).absolute()]
    if (used := _last_directory(sweep)) is not None:
        parents.append(used)
    found: dict[Path, float] = {}
    for parent in parents:
        with suppress(OSError), os.scandir(parent) as entries:
            for entry in entries:
                with suppress(OSError):
                    found[Path(entry.path)] = os.stat(os.path.join(entry.path, "journal.db")).st_mtime
    found.pop(own, None)
    yield from itertools.islice(
        sorted(found, key=lambda folder: (folder.name != own.name, -found[folder])), MOST_STATES
    )


def remember(sweep: Sweep, directory: Path | None) -> None:
    """Note which `--state` a sweep file was applied with, for the user who forgets it next time. Does nothing if that fails."""
    note = _note(sweep)
    if directory is not None and note is not None:
        with suppress(OSError):
            note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            note.write_text(str(directory.absolute()), encoding="utf-8")


def _last_directory(sweep: Sweep) -> Path | None:
    note = _note(sweep)
    try:
        return Path(note.read_text(encoding="utf-8")) if note is not None else None
    except (OSError, ValueError):
        return None


def _note(sweep: Sweep) -> Path | None:
    """Return the file of the note, by the XDG base directory specification."""
    path, home = file_of(sweep), os.environ.get("XDG_STATE_HOME")
    top = Path(home) if home and os.path.isabs(home) else Path(os.path.expanduser("~"), ".local", "state")
    if path is None or not top.is_absolute():
        return None
    return top / "runner" / "states" / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
