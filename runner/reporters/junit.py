"""JUnit XML: a test suite of one test case for each session, with its variables as properties.

A session that failed is a `failure`; one that was lost, cancelled, rejected or stale an `error`; one that was not run
`skipped`. The other attempts of the same apply are `flakyFailure` if the last one succeeded, else `rerunFailure`, as in
Surefire. In the schemas of Surefire and Jenkins only suites have properties, so each session is a suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO
from xml.sax.saxutils import escape, quoteattr

from runner.model import Outcome, Session, Status, Value
from runner.plan.plan import Plan
from runner.results.failures import cause_logs, failure, last_lines, tails
from runner.results.rows import Result, results
from runner.scalars import resolve
from runner.state import State
from runner.state.fs import replacing_text
from runner.state.rows import AttemptRow
from runner.text.escape import valid_xml
from runner.text.sessions import variables

TAIL_LINES = 50
LONGEST_VALUE = 60
"""Characters of a value up to which a test's name has all of it."""

_FAILURES = frozenset((Outcome.FAILED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY))


class Case(NamedTuple):
    """A session as a test case."""

    result: Result
    attempts: list[AttemptRow]
    """Its attempts of the last apply that had any, the first one first."""

    @property
    def verdict(self) -> str:
        """`success`, `failure`, `error` or `skipped`."""
        if self.result.status in (Status.NEW, Status.RUNNING):
            return "skipped"
        if self.result.status == Outcome.SUCCEEDED:
            return "success"
        return "failure" if self.result.status in _FAILURES else "error"


def write(path: Path, plan: Plan, sessions: Callable[[], Iterable[Session]], state: State | None) -> None:
    """Write the results of these sessions of the plan, atomically. Raises OSError."""
    with replacing_text(path) as file:
        counts = Counter(Case(result, []).verdict for result in results(sessions(), state))
        _document(file, plan, _cases(results(sessions(), state, plan.sweep.metrics), state), counts, state)


def _cases(found: Iterable[Result], state: State | None) -> Iterator[Case]:
    for result in found:
        last = result.last
        tried = (
            state.journal.attempts(result.session.id) if state and last and last.number > 1 else [last] if last else []
        )
        yield Case(result, [row for row in tried if last and row.apply == last.apply])


def _document(out: TextIO, plan: Plan, cases: Iterable[Case], counts: Counter[str], state: State | None) -> None:
    name = plan.sweep.name
    totals = {"tests": counts.total(), "failures": counts["failure"], "errors": counts["error"]}
    out.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites{_attributes(name=name, **totals)}>\n')
    for case in cases:
        session, verdict = case.result.session, case.verdict
        seconds = f"{sum(row.duration or 0.0 for row in case.attempts):.3f}"
        each = {f"{kind}s": int(verdict == kind) for kind in ("error", "failure")} | {
            "skipped": int(verdict == "skipped")
        }
        out.write(f"<testsuite{_attributes(name=_named(session), time=seconds, tests=1, **each)}>\n<properties>\n")
        for key, value in _properties(case, plan.sweep.repeat > 1):
            out.write(f"<property{_attributes(name=key, value=value)}/>\n")
        out.write(f"</properties>\n<testcase{_attributes(name=_named(session), classname=name, time=seconds)}>\n")
        for _, element in sorted(_elements(plan, case, state), key=lambda one: _ORDER.index(one[0])):
            out.write(element)
        for name, lines in _outputs(plan, case, state):
            out.write(f"<{name}>{_text(lines)}</{name}>\n")
        out.write("</testcase>\n</testsuite>\n")
    out.write("</testsuites>\n")


_ORDER = ("failure", "rerunFailure", "flakyFailure", "skipped", "error", "rerunError", "flakyError")
"""The order of elements in Surefire's schema."""


def _elements(plan: Plan, case: Case, state: State | None) -> Iterator[tuple[str, str]]:
    """The elements of a test case with their kinds: its first unsuccessful attempt, then the others."""
    session, status = case.result.session, case.result.status
    if case.verdict == "skipped":
        yield "skipped", f"<skipped{_attributes(message='not run' if status == Status.NEW else 'still running')}/>\n"
        return
    bad = [row for row in case.attempts if row.outcome is not Outcome.SUCCEEDED]
    for at, row in enumerate(bad):
        assert state is not None
        suffix = "Failure" if row.outcome in _FAILURES else "Error"
        why = failure(state, plan.recipe, session, row)
        message = ": ".join(part for part in (row.reason, why.line) if part) or why.outcome.value
        attributes = _attributes(message=message, type=why.outcome.value)
        logs = cause_logs(state, plan.recipe, session, row)
        ends = tails(logs, TAIL_LINES, why.line, why.stream)
        tail = _text("\n".join(ends[0].lines if ends else ()))
        if case.verdict == "success":
            kind = f"flaky{suffix}"
        elif at == 0:
            kind = suffix.lower()
        else:
            kind = f"rerun{suffix}"
        inner = tail if kind in ("failure", "error") else f"<stackTrace>{tail}</stackTrace>"
        yield kind, f"<{kind}{attributes}>{inner}</{kind}>\n"


def _outputs(plan: Plan, case: Case, state: State | None) -> Iterator[tuple[str, str]]:
    """`system-out` and `system-err` of a session that did not succeed: the ends of the logs of its last attempt."""
    if state is None or case.verdict not in ("failure", "error") or not case.attempts:
        return
    logs = cause_logs(state, plan.recipe, case.result.session, case.attempts[-1])
    for name, log in (("system-out", logs.stdout), ("system-err", logs.stderr)):
        if lines := last_lines(log, TAIL_LINES):
            yield name, "\n".join(lines)


def _properties(case: Case, repeated: bool) -> Iterator[tuple[str, str]]:
    session, last = case.result.session, case.result.last
    for name, value in session.params.items():
        yield name, value.text
    if repeated:
        yield "repeat", str(session.repeat)
    yield "runner.session", session.id
    yield "runner.status", case.result.status
    if last:
        yield "runner.apply.attempts", str(last.number)
        for name, metric in last.metrics.items():
            yield f"metrics.{name}", metric.text if isinstance(metric, Value) else f"missing: {metric.reason}"


def _named(session: Session) -> str:
    """A unique name: the variables, with the id where they do not tell this session from every other one."""
    whole = all(map(_is_shown_exactly, session.params.values()))
    return variables(session.params, session.repeat) + ("" if whole else f" ({session.id})")


def _is_shown_exactly(value: Value) -> bool:
    """Whether no other value looks like this one: it is not shortened, escaped, or a text that reads like a number."""
    is_typed = not isinstance(value.data, str) or isinstance(resolve(value.text), str)
    return len(value.text) <= LONGEST_VALUE and value.text.isprintable() and value.text != "''" and is_typed


def _attributes(**attributes: str | int) -> str:
    return "".join(f" {name}={quoteattr(valid_xml(str(value)))}" for name, value in attributes.items())


def _text(text: str) -> str:
    return escape(valid_xml(text), {"\r": "&#13;"})
