"""Which log says why a session did not succeed, and its last lines."""

from __future__ import annotations

from pathlib import Path

from runner.model import Outcome, Recipe, Session
from runner.plan.builds import build_key
from runner.results.failures import Failure, last_line
from runner.state import State
from runner.state.rows import AttemptRow


def telling_log(state: State, recipe: Recipe, session: Session, row: AttemptRow) -> Path:
    """Its stderr; where it never started because of its build, that one's; where it wrote nothing there, its stdout."""
    return log_of(state, recipe, session, row.number, row.backend, began=row.started is not None)


def log_of(state: State, recipe: Recipe, session: Session, attempt: int, backend: str, *, began: bool) -> Path:
    """The same for an attempt that has no row: its number, and whether its command ever began."""
    if not began and session.build is not None:
        return state.build_folder(build_key(session, recipe, backend)).with_suffix(".err")
    places = state.paths(session.id, attempt)
    return places.stderr if state.kept(session.id, attempt).stderr else places.stdout


def failure(state: State, recipe: Recipe, session: Session, row: AttemptRow) -> Failure:
    """An attempt that ended without success, with the line that tells its cause."""
    line = last_line(telling_log(state, recipe, session, row))
    return Failure(session.id, row.number, row.outcome or Outcome.LOST, row.exit_code, row.reason, line)
