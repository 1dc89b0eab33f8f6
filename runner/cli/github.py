"""What a CI system gets of an apply without being asked: GitHub's annotations, groups and job summary."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runner.apply.apply import Applied
from runner.apply.selection import Choice
from runner.cli.console import fault
from runner.cli.display import Display
from runner.cli.sweeps import PlannedSweep
from runner.model import Session
from runner.reporters import github
from runner.reporters.streams import Writer
from runner.results.columns import STATUSES
from runner.results.failures import CAUSED, by_cause, cause_log, failure, last_lines
from runner.results.rows import Result, result_rows, results
from runner.state import State
from runner.text import variables
from runner.units import counted

TAIL_LINES = 20
"""Of the example's log, in a summary and in a group."""

ANNOTATED_LINES = 5

MOST_FOLDS = 10
"""Causes that have a folded group in the log of a step."""


class Fold:
    """Lines that are folded away in the log of a step; none of them is taken for a command, whoever wrote it."""

    def __init__(self, err: Writer, title: str) -> None:
        self.token = secrets.token_hex(16)
        self._err = err
        self._open = True
        err.write(f"{github.command('group', title)}\n{github.command('stop-commands', self.token)}\n")

    def end(self) -> None:
        if self._open:
            self._open = False
            self._err.write(f"::{self.token}::\n{github.command('endgroup')}\n")


@contextmanager
def folded(err: Writer, title: str, environ: Mapping[str, str]) -> Iterator[Fold | None]:
    """In a step of GitHub Actions, fold away what is written to `err` until `end`, or the body's; anywhere else None."""
    fold = Fold(err, title) if github.in_workflow(environ) else None
    try:
        yield fold
    finally:
        if fold:
            fold.end()


def on_github(
    fold: Fold | None,
    look: Display,
    this: PlannedSweep,
    choice: Choice,
    state: State,
    err: Writer,
    environ: Mapping[str, str],
) -> Display:
    """The watch that also tells GitHub, at the end: an annotation and a folded log for each cause, and the job's summary."""
    if fold is None:
        return look

    def finish(applied: Applied) -> None:
        fold.end()
        err.write(f"{github.command('stop-commands', fold.token)}\n")
        look.finish(applied)
        err.write(f"::{fold.token}::\n")
        summary = _ApplySummary(this, choice, state)
        for line in summary.annotations(environ):
            err.write(f"{line}\n")
        for cause in summary.causes[:MOST_FOLDS]:
            title = f"{cause.how}: {summary.named[cause.example.session]}"
            err.write(github.group(title, summary.tails[cause.example.session], fold.token))
        if len(summary.causes) > MOST_FOLDS:
            err.write(f"and {counted(len(summary.causes) - MOST_FOLDS, 'more cause')}\n")
        try:
            _append(environ.get("GITHUB_STEP_SUMMARY"), summary)
        except OSError as error:
            where = environ.get("GITHUB_STEP_SUMMARY")
            err.write(f"warning: cannot write the job summary `{where}`: {fault(error)}\n")

    return replace(look, finish=finish)


class _ApplySummary:
    """What the state says of the selected sessions once an apply has ended: the causes, an example of each, and counts."""

    def __init__(self, this: PlannedSweep, choice: Choice, state: State) -> None:
        self._this, self._choice, self._state = this, choice, state
        counts: Counter[str] = Counter()
        failures = []
        for result in self._results():
            counts[result.status] += 1
            if result.last and result.status in CAUSED:
                failures.append(failure(state, this.plan.recipe, result.session, result.last))
        self.causes = by_cause(failures)
        stand = [f"{count:,} {status}" for status in STATUSES if (count := counts[status])]
        self.outcome = ", ".join(stand) or "nothing to run"
        self.named: dict[str, str] = {}
        self.tails: dict[str, list[str]] = {}
        examples = {cause.example.session for cause in self.causes}
        for session in self._sessions() if examples else ():
            if session.id in examples:
                self.named[session.id] = variables(session.params, session.repeat)
                self.tails[session.id] = self._tail(session)

    def _sessions(self) -> Iterator[Session]:
        return self._this.plan.sessions(self._choice.select, self._choice.shard)

    def _results(self) -> Iterator[Result]:
        return results(self._sessions(), self._state)

    def _tail(self, session: Session) -> list[str]:
        row = self._state.journal.row(session.id)
        assert row is not None
        return last_lines(cause_log(self._state, self._this.plan.recipe, session, row), TAIL_LINES)

    def annotations(self, environ: Mapping[str, str]) -> list[str]:
        source = self._this.sweep.source.name
        tails = {session: lines[-ANNOTATED_LINES:] for session, lines in self.tails.items()}
        return github.cause_annotations(self.causes, self.named, tails, github.in_repository(source, environ))

    def page(self, there: int) -> str:
        """What fits beside the bytes that are there already."""
        from runner.reporters import github_summary
        from runner.results.columns import Columns

        sweep = self._this.sweep
        shard = f", shard {self._choice.shard}" if self._choice.shard else ""
        columns = Columns(sweep.space.names, sweep.repeat > 1, tuple(sweep.metrics)).short
        page = github_summary.JobSummary(
            f"{sweep.name}{shard}", self.outcome, self.causes, self.named, self.tails, columns
        )
        rows = result_rows(self._this.plan.points(self._choice.select, self._choice.shard), self._state)
        return page.markdown(rows, github_summary.LARGEST - there)


def _append(path: str | None, summary: _ApplySummary) -> None:
    """Add to what the step has written there already, within what GitHub takes of both."""
    if path:
        there = Path(path).stat().st_size if Path(path).exists() else 0
        with open(path, "a", encoding="utf-8") as file:
            file.write(summary.page(there))
