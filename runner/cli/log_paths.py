"""Where the log lies that tells why something failed, and the command that shows it; the log of a build in particular."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from runner.cli.states import sweep_of_apply
from runner.cli.sweeps import PlannedSweep
from runner.plan.builds import build_key
from runner.reporters.progress.progress import LogLocator
from runner.reporters.progress.tracker import CauseCount
from runner.results.failures import attempt_log
from runner.state import State
from runner.state.rows import AttemptRow
from runner.text import variables

FAILED = "build failed"
"""How the reason of a session begins whose build failed."""


def where_logs_lie(this: PlannedSweep, state: State, arguments: str) -> LogLocator:
    """`arguments` are the sweep and its state as `runner logs` is to have them."""
    recipe, backend = this.plan.recipe, this.sweep.backend.kind
    return LogLocator(
        attempt=lambda session, attempt, began: attempt_log(state, recipe, session, attempt, backend, began=began),
        build=lambda build: build_log(state, build).stderr,
        command=lambda cause: log_command(cause, arguments),
        describe=lambda session: _name(state, session),
    )


def _name(state: State, session: str) -> str:
    found = state.journal.sessions_matching(session, live=True)
    return variables(found[0].params, found[0].repeat) if found else session


def log_command(cause: CauseCount, arguments: str) -> str:
    """The command that shows the whole log of a cause's example."""
    stream = "" if cause.log.suffix == ".out" else " --stderr"
    return f"runner logs {arguments} {cause.example.session}{stream}"


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
    this = applied and sweep_of_apply(applied, folder)
    session = this and next((session for session in this.plan if session.id == attempt.session), None)
    if not this or not session or session.build is None:
        return None
    return build_log(state, build_key(session, this.plan.recipe, attempt.backend))
