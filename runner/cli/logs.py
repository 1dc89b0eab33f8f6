"""`runner logs`: the output of a session."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click
import trio

from runner.apply.attempts import submitted_attempt
from runner.backends import BACKENDS
from runner.cli.console import say
from runner.cli.log_paths import build_log_of
from runner.cli.options import is_session, state_option
from runner.cli.states import open_sweep
from runner.config.sweep import Sweep
from runner.errors import InvalidInput
from runner.reporters.streams import copy_from
from runner.results.failures import Logs, last_lines
from runner.results.lookup import find
from runner.state import State
from runner.state.rows import AttemptRow, runs_on
from runner.text.filters import Filter, TerminalFilter, WorkflowFilter
from runner.text.workflow import in_workflow
from runner.units import counted

POLL_SECONDS = 0.2
REFRESH, SLOWEST_REFRESH = 1.5, 10.0


@click.command("logs")
@click.argument("arguments", nargs=-1, required=True, metavar="[SWEEP.YAML] SESSION")
@click.option("-f", "--follow", is_flag=True, help="Continue to print until the session ends.")
@click.option("--stderr", is_flag=True, help="Print stderr instead of stdout.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="The N-th attempt. [default: the last]")
@state_option
def command(arguments: tuple[str, ...], follow: bool, stderr: bool, attempt: int | None, state: Path | None) -> None:
    """Print what a session wrote, byte for byte.

    SESSION is an id, a unique prefix of one, or values: `lr=0.1,seed=3`.
    """
    if len(arguments) > 2:
        raise InvalidInput("one session at a time", "write `runner logs sweep.yaml SESSION`")
    if (
        len(arguments) == 1
        and not is_session(arguments[0])
        and (Path(arguments[0]).suffix or os.path.exists(arguments[0]))
    ):
        ids = f"the ids are in `runner results {shlex.quote(arguments[0])}`"
        raise InvalidInput("missing argument `SESSION`", f"{ids}: `runner logs {shlex.quote(arguments[0])} ID`")
    file, session = arguments if len(arguments) == 2 else ("sweep.yaml", arguments[0])
    with open_sweep(file, state) as (planned, opened):
        session_id = find(session, planned.plan, opened)
        last = opened.journal.row(session_id) if opened else None
        if opened is None or last is None:
            raise InvalidInput(f"session `{session_id}` has not run yet", "`runner apply` runs it")
        if attempt is not None and attempt > last.number:
            raise InvalidInput(f"session `{session_id}` has had {counted(last.number, 'attempt')}")
        number = attempt or last.number
        row = next(row for row in opened.journal.attempts(session_id) if row.number == number)
        if build := build_log_of(opened, row, planned.sweep.folder):
            _show_build(build, stderr)
        elif row.outcome is None and runs_on(row.backend, row.job):
            trio.run(_fetch, planned.sweep, opened, row, follow, stderr)
        elif follow:
            _follow(opened, session_id, number, stderr)
        else:
            copy = _Copy()
            copy.add(_log(opened, session_id, number, stderr))
            copy.end()
            if not copy.offset and row.outcome is not None:
                say(f"nothing on {'stderr' if stderr else 'stdout'}: the session wrote nothing, or its log was pruned")


def _show_build(log: Logs, stderr: bool) -> None:
    """Print the log of a build; its stderr too without `--stderr`, because it has the reason."""
    say("the session was not started because its build failed; the log of the build:\n")
    copy = _Copy()
    copy.add(log.stderr if stderr else log.stdout)
    copy.end()
    if not stderr:
        say("".join(f"{line}\n" for line in last_lines(log.stderr, 1000)).removesuffix("\n"))


def _log(state: State, session: str, attempt: int, stderr: bool) -> Path:
    paths = state.paths(session, attempt)
    return paths.stderr if stderr else paths.stdout


class _Copy:
    """Copies a growing log to stdout: its bytes, but on a terminal and in GitHub Actions through a filter."""

    def __init__(self) -> None:
        self.offset = 0
        """Bytes of the log that were copied."""
        self._filter: Filter | None = None
        if in_workflow(os.environ):
            self._filter = WorkflowFilter()
        elif os.isatty(1):
            self._filter = TerminalFilter()

    def add(self, log: Path) -> None:
        """Copy what the log has beyond `offset`."""
        self.offset = copy_from(log, self.offset, sys.stdout.buffer, self._filter)

    def end(self) -> None:
        """Print what the filter has held back."""
        if self._filter:
            sys.stdout.buffer.write(self._filter.end())
            sys.stdout.buffer.flush()


async def _fetch(sweep: Sweep, state: State, row: AttemptRow, follow: bool, stderr: bool) -> None:
    """Print the log of a job on a cluster. With `follow`, poll the cluster at growing intervals.

    The log is fetched into a temporary folder: only the holder of the state may write there. A log that the job itself
    writes into the state is read from there.
    """
    paths = state.paths(row.session, row.number)
    written = paths.stderr if stderr else paths.stdout
    options = sweep.backend.options if row.backend == sweep.backend.kind else {}
    copy, seconds = _Copy(), REFRESH
    async with BACKENDS[row.backend](options, os.environ, state.jobs(row.backend)) as backend:
        job = await backend.find(row.name)
        with tempfile.TemporaryDirectory(prefix="runner-logs-") as folder:
            stdout, stderr_ = (os.path.join(folder, name) for name in ("out", "err"))
            fetched = Path(stderr_ if stderr else stdout)
            if job is not None:  # so that the backend knows the paths of the logs
                attempt = submitted_attempt(sweep, state, row.session, row.number, row.name)
                await backend.submit(replace(attempt, stdout=stdout, stderr=stderr_))
            more = job is not None
            while more:
                assert job is not None
                more = await backend.refresh(job) and follow
                copy.add(_existing(fetched, written))
                now = next((one for one in state.journal.attempts(row.session) if one.number == row.number), None)
                if now is None or now.outcome is not None:
                    copy.add(written)
                    break
                if more:
                    await trio.sleep(seconds)
                    seconds = min(SLOWEST_REFRESH, seconds * 1.2)
            copy.end()


def _existing(fetched: Path, written: Path) -> Path:
    return fetched if fetched.exists() else written


def _follow(state: State, session: str, attempt: int, stderr: bool) -> None:
    copy, log = _Copy(), _log(state, session, attempt, stderr)
    while True:
        row = next((row for row in state.journal.attempts(session) if row.number == attempt), None)
        ended = row is None or row.outcome is not None or state.holder is None
        copy.add(log)
        if ended:
            copy.end()
            return
        time.sleep(POLL_SECONDS)
