"""Output of `apply` in a step of GitHub Actions: annotations, folded groups and the job summary."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runner.apply.apply import Applied
from runner.apply.selection import Choice
from runner.cli.console import error_text
from runner.cli.display import Display
from runner.cli.sweeps import PlannedSweep
from runner.model import Session
from runner.reporters import github
from runner.reporters.streams import Writer
from runner.results.columns import STATUSES
from runner.results.failures import CAUSED, Tail, by_cause, cause_logs, failure, flat, tails
from runner.results.rows import Result, result_rows, results
from runner.state import State
from runner.text.sessions import variables
from runner.text.workflow import command, in_workflow
from runner.units import counted

TAIL_LINES = 20
"""Last lines of an example's log in the job summary and in a group."""

ANNOTATED_LINES = 5
"""Last lines of an example's log in an annotation."""

MAX_GROUPS = 10
"""The largest number of causes that get a group in the log of a step."""


class Fold:
    """A folded group in the log of a step. GitHub runs no workflow command that a line of it may contain."""

    def __init__(self, err: Writer, title: str) -> None:
        self.token = secrets.token_hex(16)
        self._err = err
        self._open = True
        err.write_escaped(f"{command('group', title)}\n{command('stop-commands', self.token)}\n")

    def end(self) -> None:
        if self._open:
            self._open = False
            self._err.write_escaped(f"::{self.token}::\n{command('endgroup')}\n")


@contextmanager
def folded(err: Writer, title: str, environ: Mapping[str, str]) -> Iterator[Fold | None]:
    """Fold what is written to `err` until `Fold.end` or the end of the body. Yields None outside of GitHub Actions."""
    fold = Fold(err, title) if in_workflow(environ) else None
    try:
        yield fold
    finally:
        if fold:
            fold.end()


def on_github(
    fold: Fold | None,
    display: Display,
    planned: PlannedSweep,
    choice: Choice,
    state: State,
    err: Writer,
    environ: Mapping[str, str],
) -> Display:
    """Return the display; if `fold` is given, at the end it also writes annotations, a group for each cause, and the summary."""
    if fold is None:
        return display
    from runner.reporters import github_summary  # noqa: F401 (the package may be replaced while sessions run)

    def finish(applied: Applied) -> None:
        fold.end()
        err.write_escaped(f"{command('stop-commands', fold.token)}\n")
        display.finish(applied)
        err.write_escaped(f"::{fold.token}::\n")
        summary = _ApplySummary(planned, choice, state)
        for line in summary.annotations(environ):
            err.write_escaped(f"{line}\n")
        for cause in summary.causes[:MAX_GROUPS]:
            title = f"{cause.how}: {summary.names[cause.example.session]}"
            err.write_escaped(github.group(title, flat(summary.tails[cause.example.session]), fold.token))
        if len(summary.causes) > MAX_GROUPS:
            err.write(f"and {counted(len(summary.causes) - MAX_GROUPS, 'more cause')}\n")
        try:
            _append(environ.get("GITHUB_STEP_SUMMARY"), summary)
        except OSError as error:
            where = environ.get("GITHUB_STEP_SUMMARY")
            err.write(f"warning: cannot write the job summary `{where}`: {error_text(error)}\n")

    return replace(display, finish=finish)


class _ApplySummary:
    """The selected sessions once an apply has ended: counts by status, and the causes of failures with an example of each."""

    def __init__(self, planned: PlannedSweep, choice: Choice, state: State) -> None:
        self._planned, self._choice, self._state = planned, choice, state
        counts: Counter[str] = Counter()
        failures = []
        for result in self._results():
            counts[result.status] += 1
            if result.last and result.status in CAUSED:
                failures.append(failure(state, planned.plan.recipe, result.session, result.last))
        self.causes = by_cause(failures)
        shown = [f"{count:,} {status}" for status in STATUSES if (count := counts[status])]
        self.counts = ", ".join(shown) or "nothing to run"
        self.names: dict[str, str] = {}
        """The variables of each example, by session id."""
        self.tails: dict[str, list[Tail]] = {}
        """The last lines of each example's logs, by session id."""
        examples = {cause.example.session for cause in self.causes}
        for session in self._sessions() if examples else ():
            if session.id in examples:
                self.names[session.id] = variables(session.params, session.repeat)
                self.tails[session.id] = self._tail(session)

    def _sessions(self) -> Iterator[Session]:
        return self._planned.plan.sessions(self._choice.select, self._choice.shard)

    def _results(self) -> Iterator[Result]:
        return results(self._sessions(), self._state)

    def _tail(self, session: Session) -> list[Tail]:
        row = self._state.journal.row(session.id)
        assert row is not None
        recipe = self._planned.plan.recipe
        why = failure(self._state, recipe, session, row)
        return tails(cause_logs(self._state, recipe, session, row), TAIL_LINES, why.line, why.stream)

    def annotations(self, environ: Mapping[str, str]) -> list[str]:
        source = self._planned.sweep.source.name
        tails = {
            session: flat([Tail(tail.stream, tail.lines[-ANNOTATED_LINES:]) for tail in parts])
            for session, parts in self.tails.items()
        }
        return github.cause_annotations(self.causes, self.names, tails, github.in_repository(source, environ))

    def markdown(self, size: int) -> str:
        """Return the job summary, cut so that with `size` bytes of an existing one it stays below GitHub's limit."""
        from runner.reporters import github_summary
        from runner.results.columns import Columns

        sweep = self._planned.sweep
        shard = f", shard {self._choice.shard}" if self._choice.shard else ""
        columns = Columns(sweep.space.names, sweep.repeat > 1, tuple(sweep.metrics)).short
        shown = {session: flat(parts) for session, parts in self.tails.items()}
        page = github_summary.JobSummary(
            f"{sweep.name}{shard}",
            self.counts,
            self.causes,
            self.names,
            shown,
            columns,
        )
        rows = result_rows(
            self._planned.plan.points(self._choice.select, self._choice.shard), self._state, sweep.metrics
        )
        return page.markdown(rows, github_summary.LARGEST - size)


def _append(path: str | None, summary: _ApplySummary) -> None:
    """Append the summary to the file that GitHub names. The step itself may have written to it."""
    if path:
        size = Path(path).stat().st_size if Path(path).exists() else 0
        with open(path, "a", encoding="utf-8") as file:
            file.write(summary.markdown(size))
