"""The contents of a report, read from the plan and the state."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.model import Outcome, Resources
from runner.plan.plan import Plan
from runner.reporters.html.dataset import Dataset, DatasetBuilder
from runner.results.collected import MissingMetrics
from runner.results.failures import CAUSED, Cause, Failure, Logs, Tail, by_cause, cause_logs, explained, tails
from runner.results.rows import results
from runner.state import State
from runner.state.rows import ApplyRow, AttemptRow
from runner.text.sessions import variables

MOST_ROWS = 50_000
"""Sessions in the table and the plots; the counts include all."""

MOST_BARS = 20_000
"""Attempts in the timeline."""

TAIL_LINES = 20
"""Lines of a log under a cause."""


@dataclass(frozen=True)
class CauseDetails:
    """A cause of failures, as the report shows it."""

    cause: Cause
    tails: Sequence[Tail]
    """The last lines of the example's logs."""
    names: Sequence[str]
    """The variables of each session."""


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows. Times are Unix seconds."""

    name: str
    file: str
    """The sweep file, as a command names it."""
    state: Path | None
    """The folder given as `--state`."""
    text: str
    """The sweep file as it was last applied."""
    axes: Sequence[Sequence[str]]
    """The variables; those of one axis vary together."""
    dataset: Dataset
    """The first MOST_ROWS sessions."""
    total: int
    """The number of sessions."""
    counts: Mapping[str, int]
    """Sessions by status."""
    causes: Sequence[CauseDetails]
    missing: MissingMetrics
    """The metrics that succeeded sessions lack."""
    applies: Sequence[ApplyRow]
    """The newest first."""
    last: Sequence[ApplyRow]
    """The last apply; several after states were merged."""
    attempts: Sequence[AttemptRow]
    """The first MOST_BARS started attempts of `last`, or of the last apply that started any."""
    rows: Mapping[str, int]
    """The row of each session of `attempts` in the data set."""
    resources: Mapping[str, Resources]
    """What each session of `attempts` requires now."""
    live: bool
    made: float
    version: str
    """The version of runner that writes the report."""

    def command(self, name: str) -> str:
        """`runner NAME` for this sweep and its state, to which arguments can be appended."""
        state = ["--state", str(self.state)] if self.state else []
        return shlex.join(["runner", name, *state, self.file])


def read_report(
    plan: Plan, state: State | None, file: str, state_option: Path | None, made: float, version: str
) -> ReportData:
    """Read everything; a log is read for each failed session."""
    sweep = plan.sweep
    applies = list(state.journal.applies()) if state else []
    last_applies = state.journal.last_applies() if state else []
    attempts = _attempts(state, [last_applies, *([apply] for apply in applies)]) if state else []
    shown = {attempt.session for attempt in attempts}
    builder = DatasetBuilder(sweep.space.names, tuple(sweep.metrics), repeated=sweep.repeat > 1)
    counts: Counter[str] = Counter()
    missing = MissingMetrics()
    failures: list[Failure] = []
    names: dict[str, str] = {}
    logs: dict[str, Logs] = {}
    rows: dict[str, int] = {}
    resources: dict[str, Resources] = {}
    for row, result in enumerate(results(plan, state, sweep.metrics)):
        session, last = result.session, result.last
        counts[result.status] += 1
        if last is not None and result.status == Outcome.SUCCEEDED:
            missing.add(last.metrics)
        if row < MOST_ROWS:
            builder.add(result)
        if session.id in shown:
            resources[session.id] = session.resources
            if row < MOST_ROWS:
                rows[session.id] = row
        if state is not None and last is not None and result.status in CAUSED:
            found = explained(logs.setdefault(session.id, cause_logs(state, plan.recipe, session, last)))
            end = (Outcome(result.status), last.exit_code, last.reason)
            failures.append(Failure(session.id, last.number, *end, *(found or (None, "stderr"))))
            names[session.id] = variables(session.params, session.repeat)
    return ReportData(
        name=sweep.name,
        file=file,
        state=state_option,
        text=applies[0].text if applies else sweep.source.text,
        axes=[axis.names for axis in sweep.space.axes],
        dataset=builder.build(),
        total=plan.count,
        counts=counts,
        causes=[_details(cause, logs, names) for cause in by_cause(failures)],
        missing=missing,
        applies=applies,
        last=last_applies,
        attempts=attempts,
        rows=rows,
        resources=resources,
        live=state is not None and state.holder is not None,
        made=made,
        version=version,
    )


def _details(cause: Cause, logs: Mapping[str, Logs], names: Mapping[str, str]) -> CauseDetails:
    example = cause.example
    sessions = [names[failure.session] for failure in cause.failures]
    return CauseDetails(cause, tails(logs[example.session], TAIL_LINES, example.line, example.stream), sessions)


def _attempts(state: State, choices: Iterable[Sequence[ApplyRow]]) -> list[AttemptRow]:
    """The started attempts of the first choice that has any."""
    for applies in choices:
        found = state.journal.attempts_of([apply.number for apply in applies], MOST_BARS)
        if found:
            return found
    return []
