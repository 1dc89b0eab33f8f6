"""What `runner run` leaves so that the jobs of a run that died can be found: its sweep's text, beside its state."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from runner.cli.streams import say
from runner.errors import RunnerError
from runner.state import open_at
from runner.state.fs import guarded
from runner.units import counted

_FILE = "run.yaml"
_TOLD = "told"
_IN = "# in "


def leave(folder: Path, text: str, where: str) -> None:
    """Keep the sweep's text, and the folder that its paths start from, in the run's folder. Survives a crash of the machine."""
    shown = where if where.isprintable() else json.dumps(where)
    with guarded(folder):
        (folder / _TOLD).unlink(missing_ok=True)
        with (folder / _FILE).open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{_IN}{shown}\n{text}")
            file.flush()
            os.fsync(file.fileno())


def forget(folder: Path) -> None:
    with guarded(folder):
        (folder / _FILE).unlink(missing_ok=True)


def told(folder: Path) -> None:
    """Whoever was there has been told how to go on with it: no later run says it again."""
    with guarded(folder):
        (folder / _TOLD).touch()


def commands(folder: Path, where: str, backend: str | None = None) -> tuple[str, str]:
    """What takes up the jobs of a run, and what ends them; `backend` where it is not the one that the run was meant for."""
    cd, state, file = (shlex.quote(str(path)) for path in (where, folder, folder / _FILE))
    at = f" --backend {backend}" if backend else ""
    rest = f"--state {state} - <{file}"
    return f"cd {cd} && runner apply{at} {rest}", f"cd {cd} && runner cancel {rest}"


def warn(runs: Path, about_to_run: Path) -> None:
    """Say once of each run in this folder that it has left jobs, and that nobody is there for them any more.

    What the one that is about to run left earlier it takes up itself.
    """
    for file in sorted(runs.glob(f"*/{_FILE}")):
        folder = file.parent
        if folder == about_to_run or (folder / _TOLD).exists():
            continue
        try:
            where = _where(file)
            if where is None or not (left := _left(folder)):
                continue
            told(folder)
        except RunnerError:  # not this run's to mend
            continue
        jobs = ", ".join(f"{counted(count, 'job')} at {backend}" for backend, count in sorted(left.items()))
        them = "it" if left.total() == 1 else "them"
        resume, cancel = commands(folder, where)
        say(f"warning: a `runner run` died and left {jobs}; `{resume}` takes {them} up, `{cancel}` ends {them}")


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
    """How many attempts and builds have no end, by backend; none of a run that still lives."""
    left: Counter[str] = Counter()
    for state in _states(folder):
        with open_at(state) as opened:
            if opened is not None and opened.holder is None:
                left.update(attempt.backend for attempt in opened.journal.open_attempts() if attempt.backend != "local")
                left.update(build.backend for build in opened.journal.open_builds() if build.backend != "local")
    return left


def _states(folder: Path) -> Iterator[Path]:
    return (journal.parent for journal in folder.glob("*/journal.db"))
