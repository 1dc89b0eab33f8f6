"""The record of a `runner run` on a remote backend: its sweep file, kept until its jobs have ended or were reported.

A later run warns of the jobs that a dead run left, and names the commands that adopt or end them.
"""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from runner.cli.console import say
from runner.errors import RunnerError
from runner.state import open_at
from runner.state.fs import guarded
from runner.units import counted

_FILE = "run.yaml"
_REPORTED = "reported"
_IN = "# in "


def save(folder: Path, text: str, where: str) -> None:
    """Write the sweep file and `where`, the folder that its paths start from, into the run's folder; flushed to disk."""
    shown = where if where.isprintable() else json.dumps(where)
    with guarded(folder):
        (folder / _REPORTED).unlink(missing_ok=True)
        with (folder / _FILE).open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{_IN}{shown}\n{text}")
            file.flush()
            os.fsync(file.fileno())


def remove(folder: Path) -> None:
    """Remove the record: no job of the run is left."""
    with guarded(folder):
        (folder / _FILE).unlink(missing_ok=True)


def mark_reported(folder: Path) -> None:
    """Record that the user has seen the commands for the jobs, so that no later run warns of them."""
    with guarded(folder):
        (folder / _REPORTED).touch()


def commands(folder: Path, where: str, backend: str | None = None) -> tuple[str, str]:
    """Return the commands that adopt and that end the jobs of a run. `backend` replaces that of the sweep file."""
    cd, state, file = (shlex.quote(str(path)) for path in (where, folder, folder / _FILE))
    at = f" --backend {backend}" if backend else ""
    rest = f"--state {state} - <{file}"
    return f"cd {cd} && runner apply{at} {rest}", f"cd {cd} && runner cancel {rest}"


def warn(runs: Path, about_to_run: Path) -> None:
    """Warn once of each run whose client died and left jobs; not of `about_to_run`, which adopts its own."""
    for file in sorted(runs.glob(f"*/{_FILE}")):
        folder = file.parent
        if folder == about_to_run or (folder / _REPORTED).exists():
            continue
        try:
            where = _where(file)
            if where is None or not (left := _left(folder)):
                continue
            mark_reported(folder)
        except RunnerError:  # unreadable: its own commands will report it
            continue
        jobs = ", ".join(f"{counted(count, 'job')} at {backend}" for backend, count in sorted(left.items()))
        them = "it" if left.total() == 1 else "them"
        resume, cancel = commands(folder, where)
        say(f"warning: a `runner run` died and left {jobs}; `{resume}` adopts {them}, `{cancel}` ends {them}")


def _where(file: Path) -> str | None:
    try:
        with file.open(encoding="utf-8", errors="surrogateescape") as opened:
            line = opened.readline()
    except OSError:
        return None
    if not line.startswith(_IN + "/") and not line.startswith(_IN + '"'):
        return None
    shown = line.removeprefix(_IN).removesuffix("\n")
    return str(json.loads(shown)) if shown.startswith('"') else shown


def _left(folder: Path) -> Counter[str]:
    """Return the number of attempts and builds without an end by backend; empty for a run that is still alive."""
    left: Counter[str] = Counter()
    for state in _states(folder):
        with open_at(state) as opened:
            if opened is not None and opened.holder is None:
                left.update(attempt.backend for attempt in opened.journal.open_attempts() if attempt.backend != "local")
                left.update(build.backend for build in opened.journal.open_builds() if build.backend != "local")
    return left


def _states(folder: Path) -> Iterator[Path]:
    return (journal.parent for journal in folder.glob("*/journal.db"))
