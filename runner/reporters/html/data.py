"""What a report is made of, read from the plan and the state."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.model import Outcome, Resources
from runner.plan.plan import Plan
from runner.results.columns import Columns, Row
from runner.results.failures import CAUSED, Cause, Failure, by_cause, cause_log, last_line, last_lines
from runner.results.rows import result_row, results
from runner.state import State
from runner.state.rows import ApplyRow, AttemptRow
from runner.text import variables

MOST_ROWS = 50_000
"""Sessions that the table and the plots have; the counts have all of them."""

MOST_BARS = 20_000
"""Attempts of one apply that the timeline draws."""

TAIL_LINES = 20


@dataclass(frozen=True)
class Explained:
    """A cause, the last lines of its example's log (its stderr, or its stdout), and its sessions by their variables."""

    cause: Cause
    tail: Sequence[str]
    on_stderr: bool
    names: Sequence[str]


@dataclass(frozen=True)
class Material:
    """All that a report says. `rows` are the first MOST_ROWS of `total` sessions."""

    name: str
    file: str
    state: Path | None
    """The folder of `--state`, where one was given."""
    text: str
    columns: Columns
    axes: Sequence[Sequence[str]]
    """The variables; those of one axis vary together."""
    rows: Sequence[Row]
    total: int
    counts: Mapping[str, int]
    causes: Sequence[Explained]
    applies: Sequence[ApplyRow]
    """The last one first."""
    last: Sequence[ApplyRow]
    """Those of them that together are the last one: several where states were merged."""
    attempts: Sequence[AttemptRow]
    """Of `last`, or of the last apply that began any, those that have begun to run; the first MOST_BARS of them."""
    resources: Mapping[str, Resources]
    """What each session of `attempts` needs, as the file says it now."""
    live: bool
    made: float
    maker: str

    def command(self, name: str) -> str:
        """`runner NAME` for this sweep and its state; more words may follow."""
        state = ["--state", str(self.state)] if self.state else []
        return shlex.join(["runner", name, *state, self.file])


def gather(plan: Plan, state: State | None, file: str, where: Path | None, made: float, maker: str) -> Material:
    """Read everything. `file` and `where` (the folder of `--state`) are as the commands for logs are to have them."""
    sweep = plan.sweep
    rows: list[Row] = []
    counts: Counter[str] = Counter()
    failures: list[Failure] = []
    names: dict[str, str] = {}
    logs: dict[str, Path] = {}
    resources: dict[str, Resources] = {}
    for result in results(plan, state):
        session, last = result.session, result.last
        counts[result.status] += 1
        if len(rows) < MOST_ROWS:
            rows.append(result_row(result, state))
        if last is not None:
            resources[session.id] = session.resources
        if state is not None and last is not None and result.status in CAUSED:
            log = logs[session.id] = cause_log(state, plan.recipe, session, last)
            how = (Outcome(result.status), last.exit_code, last.reason)
            failures.append(Failure(session.id, last.number, *how, last_line(log)))
            names[session.id] = variables(session.params, session.repeat)
    applies = list(state.journal.applies()) if state else []
    last_applies = state.journal.last_applies() if state else []
    return Material(
        name=sweep.name,
        file=file,
        state=where,
        text=applies[0].text if applies else sweep.source.text,
        columns=Columns(sweep.space.names, sweep.repeat > 1, tuple(sweep.metrics)),
        axes=[axis.names for axis in sweep.space.axes],
        rows=rows,
        total=plan.count,
        counts=counts,
        causes=[
            Explained(
                cause,
                last_lines(logs[cause.example.session], TAIL_LINES),
                logs[cause.example.session].suffix == ".err",
                [names[failure.session] for failure in cause.failures],
            )
            for cause in by_cause(failures)
        ],
        applies=applies,
        last=last_applies,
        attempts=_attempts(state, [last_applies, *([apply] for apply in applies)]) if state else [],
        resources=resources,
        live=state is not None and state.holder is not None,
        made=made,
        maker=maker,
    )


def _attempts(state: State, choices: Iterable[Sequence[ApplyRow]]) -> list[AttemptRow]:
    """Of the first of these choices that began any."""
    for applies in choices:
        found = state.journal.attempts_of([apply.number for apply in applies], MOST_BARS)
        if found:
            return found
    return []
