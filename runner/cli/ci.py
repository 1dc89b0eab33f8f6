"""What a CI system gets of an apply without being asked: GitHub's annotations, groups and job summary."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner import github, jobsummary, results
from runner.applying import Applied
from runner.causes import by_cause, last_lines
from runner.cli.options import Given
from runner.cli.streams import fault
from runner.columns import Columns
from runner.history import Choice
from runner.model import Outcome, Session, Status
from runner.outputs import Writer
from runner.render import variables
from runner.state import State
from runner.tails import failure, telling_log

if TYPE_CHECKING:
    from runner.cli.apply import Watch

TAIL_LINES = 20
"""Of the example's log, in a summary and in a group."""

ANNOTATED_LINES = 5


def on_github(look: Watch, this: Given, choice: Choice, state: State, err: Writer, environ: Mapping[str, str]) -> Watch:
    """In a step of GitHub Actions: progress folded away, then an annotation and a folded log for each cause, and the summary.
    Anywhere else the watch as it was.
    """
    if not github.here(environ):
        return look
    token = secrets.token_hex(16)
    stop, go_on = github.command("stop-commands", token), f"::{token}::"
    err.write(f"{github.command('group', f'runner apply {this.sweep.source.name}')}\n{stop}\n")

    def finish(applied: Applied) -> None:
        err.write(f"{go_on}\n{github.command('endgroup')}\n{stop}\n")
        look.finish(applied)
        err.write(f"{go_on}\n")
        told = _Told(this, choice, state)
        for line in told.annotations(environ):
            err.write(f"{line}\n")
        for cause in told.causes:
            title = f"{cause.how}: {told.named[cause.example.session]}"
            err.write(github.group(title, told.tails[cause.example.session], token))
        try:
            _append(environ.get("GITHUB_STEP_SUMMARY"), told)
        except OSError as error:
            err.write(f"warning: cannot write the job summary: {fault(error)}\n")

    return replace(look, finish=finish)


class _Told:
    """What the state says of the selected sessions once an apply has ended: the causes, an example of each, and counts."""

    def __init__(self, this: Given, choice: Choice, state: State) -> None:
        self._this, self._choice, self._state = this, choice, state
        counts: Counter[str] = Counter()
        failures = []
        for result in self._results():
            counts[result.status] += 1
            if result.last and result.status not in (Outcome.SUCCEEDED, Outcome.CANCELLED, Status.NEW, Status.RUNNING):
                failures.append(failure(state, this.plan.recipe, result.session, result.last))
        self.causes = by_cause(failures)
        self.outcome = ", ".join(f"{count:,} {status}" for status, count in counts.items()) or "nothing to run"
        self.named: dict[str, str] = {}
        self.tails: dict[str, list[str]] = {}
        examples = {cause.example.session for cause in self.causes}
        for session in self._sessions() if examples else ():
            if session.id in examples:
                self.named[session.id] = variables(session.params, session.repeat)
                self.tails[session.id] = self._tail(session)

    def _sessions(self) -> Iterator[Session]:
        return self._this.plan.sessions(self._choice.select, self._choice.shard)

    def _results(self) -> Iterator[results.Result]:
        return results.results(self._sessions(), self._state)

    def _tail(self, session: Session) -> list[str]:
        row = self._state.journal.row(session.id)
        assert row is not None
        return last_lines(telling_log(self._state, self._this.plan.recipe, session, row), TAIL_LINES)

    def annotations(self, environ: Mapping[str, str]) -> list[str]:
        source = self._this.sweep.source.name
        tails = {session: lines[-ANNOTATED_LINES:] for session, lines in self.tails.items()}
        return github.cause_annotations(self.causes, self.named, tails, github.in_repository(source, environ))

    def summary(self, room: int) -> str:
        sweep = self._this.sweep
        shard = f", shard {self._choice.shard}" if self._choice.shard else ""
        columns = Columns(sweep.space.names, sweep.repeat > 1, tuple(sweep.metrics)).short
        page = jobsummary.Summary(f"{sweep.name}{shard}", self.outcome, self.causes, self.named, self.tails, columns)
        rows = ((result.session, results.to_row(result, self._state)) for result in self._results())
        return page.markdown(rows, room)


def _append(path: str | None, told: _Told) -> None:
    """Add to what the step has written there already, within what GitHub takes of both."""
    if path:
        there = Path(path).stat().st_size if Path(path).exists() else 0
        with open(path, "a", encoding="utf-8") as file:
            file.write(told.summary(jobsummary.LARGEST - there))
