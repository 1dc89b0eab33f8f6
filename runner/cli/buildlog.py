"""What a build wrote, and finding it from a session that never started because of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from runner.builds import build_key
from runner.cli.options import as_applied
from runner.state import State
from runner.state.records import AttemptRow

FAILED = "build failed"
"""How the reason of a session begins whose build failed."""


class BuildLog(NamedTuple):
    stdout: Path
    stderr: Path


def build_log(state: State, build: str) -> BuildLog:
    """Where the streams of a build lie."""
    folder = state.build_folder(build)
    return BuildLog(folder.with_suffix(".out"), folder.with_suffix(".err"))


def build_log_of(state: State, attempt: AttemptRow, folder: Path) -> BuildLog | None:
    """The log of the build that kept an attempt from starting; None if it did not, or that build is no longer known.

    `folder` is where the relative paths of the sweep start.
    """
    if attempt.started is not None or not (attempt.reason or "").startswith(FAILED):
        return None
    applied = next((apply for apply in state.journal.applies() if apply.number == attempt.apply), None)
    this = applied and as_applied(applied, folder)
    session = this and next((session for session in this.plan if session.id == attempt.session), None)
    if not this or not session or session.build is None:
        return None
    return build_log(state, build_key(session, this.plan.recipe, attempt.backend))
