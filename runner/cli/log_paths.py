"""The paths of the logs of attempts and builds, and the command that shows a log."""

from __future__ import annotations

from pathlib import Path

from runner.cli.states import sweep_of_apply
from runner.cli.sweeps import PlannedSweep
from runner.plan.builds import build_key
from runner.reporters.progress.progress import LogLocator
from runner.reporters.progress.tracker import CauseCount
from runner.results.failures import Logs, attempt_logs
from runner.results.verdict import Stream
from runner.state import State
from runner.state.rows import AttemptRow
from runner.text.sessions import variables

BUILD_FAILED = "build failed"
"""The prefix of the reason of an attempt that ended because its build failed."""


def log_locator(planned: PlannedSweep, state: State, arguments: str) -> LogLocator:
    """Return the functions that find logs. `arguments`: the sweep file and its `--state`, as arguments of `runner logs`."""
    recipe, backend = planned.plan.recipe, planned.sweep.backend.kind
    return LogLocator(
        attempt=lambda session, attempt, began: attempt_logs(state, recipe, session, attempt, backend, began=began),
        build=lambda build: build_log(state, build).stderr,
        command=lambda cause, stream: log_command(cause, stream, arguments),
        describe=lambda session: _name(state, session),
    )


def _name(state: State, session: str) -> str:
    matching = state.journal.sessions_matching(session, live=True)
    return variables(matching[0].params, matching[0].repeat) if matching else session


def log_command(cause: CauseCount, stream: Stream, arguments: str) -> str:
    """Return the command that shows the whole log of the example of a cause."""
    return f"runner logs {arguments} {cause.example.session}{' --stderr' if stream == 'stderr' else ''}"


def build_log(state: State, build: str) -> Logs:
    """Return the paths of what a build wrote."""
    folder = state.build_folder(build)
    return Logs(folder.with_suffix(".out"), folder.with_suffix(".err"))


def build_log_of(state: State, attempt: AttemptRow, folder: Path) -> Logs | None:
    """Return the log of the failed build of an attempt; None if it did not fail, or if its build is no longer known.

    `folder` is the folder that relative paths of the sweep start from.
    """
    if attempt.started is not None or not (attempt.reason or "").startswith(BUILD_FAILED):
        return None
    applied = next((apply for apply in state.journal.applies() if apply.number == attempt.apply), None)
    planned = applied and sweep_of_apply(applied, folder)
    session = planned and next((session for session in planned.plan if session.id == attempt.session), None)
    if not planned or not session or session.build is None:
        return None
    return build_log(state, build_key(session, planned.plan.recipe, attempt.backend))
