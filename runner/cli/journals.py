"""`runner doctor --state`: check the journals of states, and replace damaged ones by what can be read of them."""

from __future__ import annotations

from pathlib import Path

from runner.backends.base import Finding
from runner.errors import InvalidInput, RunnerError
from runner.state import FOLDER
from runner.state.check import check
from runner.units import counted


def check_states(folder: Path) -> list[Finding]:
    """What was found and done. Raises InvalidInput if there is no state in the folder."""
    states = _states(folder)
    if not states:
        hint = "such as `runner doctor --state .runner`, or the folder that has `journal.db`"
        raise InvalidInput(f"no state in `{folder}`", hint)
    return [_checked(state) for state in states]


def _states(folder: Path) -> list[Path]:
    for journals in ("journal.db", "*/journal.db", f"{FOLDER}/*/journal.db"):
        if found := sorted(folder.glob(journals)):
            return [journal.parent for journal in found]
    return []


def _checked(state: Path) -> Finding:
    place = f"state {state}"
    try:
        checked = check(state.absolute())
    except RunnerError as error:
        return Finding(place, error.message, error.hint, failed=True)
    if checked.salvaged is None:
        older = ", but older than what a runner that died has recorded: those sessions run again"
        return Finding(place, f"the journal is sound{older if checked.misses_wal else ''}", None)
    kept = checked.salvaged.kept
    saved = f"{counted(kept['sessions'], 'session')} and {counted(kept['attempts'], 'attempt')} were saved"
    lost = f"{counted(checked.salvaged.lost, 'row')} could not be read"
    aside = checked.salvaged.aside.name
    return Finding(place, f"the journal was damaged ({checked.fault}): {saved}, {lost}; it is kept as `{aside}`", None)
