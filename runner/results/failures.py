"""Failures grouped by cause, and the log that explains a failure.

Two failures have the same cause if their outcome, their exit code and the last line of their stderr are equal, apart from
numbers. If nothing was written to stderr, the reason that the backend gave replaces that line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from runner.model import Outcome, Recipe, Session
from runner.plan.builds import build_key
from runner.reasons import exit_text
from runner.state import State
from runner.state.folders import open_file
from runner.state.rows import AttemptRow
from runner.text.escape import log_line
from runner.units import counted

TAIL = 8192
"""Bytes read from the end of a log to find its last lines."""

LONGEST_LINE = 400
"""Characters of a line that are shown."""

SHORTEST_ID = 8
"""A word of at least this many hex digits, one of them decimal, counts as a number: it is a digest or an id."""

CAUSED = frozenset(Outcome) - {Outcome.SUCCEEDED, Outcome.CANCELLED}
"""The outcomes that have a cause. A cancelled session has none: its end was asked for."""

SILENT = "nothing on stderr"

_NUMBER = re.compile(
    rf"0x[0-9a-f]+|(?<![0-9a-z])(?=[a-f]*[0-9])[0-9a-f]{{{SHORTEST_ID},}}(?![0-9a-z])|[0-9]+(?:[.,:][0-9]+)*(?:e[-+]?[0-9]+)?",
    re.I,
)
_BAR = re.compile(r"(?:(?:[▀-▟]+|([#=*.>-])\1+>?) *)+")
_SPACE = re.compile(r"\s+")


class Failure(NamedTuple):
    """An attempt that did not succeed."""

    session: str
    attempt: int
    outcome: Outcome
    exit_code: int | None
    reason: str | None
    """The backend's reason, if it gave one."""
    line: str | None
    """The last line of its log, None if it wrote nothing."""


Key: TypeAlias = tuple[Outcome, int | None, str]


@dataclass
class Cause:
    """The failures that share an outcome, an exit code and a last line."""

    outcome: Outcome
    exit_code: int | None
    failures: list[Failure] = field(default_factory=list)
    """In the order in which they were added; the first is shown as the example."""

    @property
    def example(self) -> Failure:
        return self.failures[0]

    @property
    def text(self) -> str:
        """The example's explanation: one line, empty if there is none."""
        return explanation(self.example)

    @property
    def how(self) -> str:
        """The outcome and the reason of the example: `failed (exit code 1)`."""
        return how(self.outcome, self.exit_code, self.example.reason)

    @property
    def title(self) -> str:
        """`failed (exit code 1): no module named numpy`."""
        return ": ".join(filter(None, (self.how, self.text)))


def how(outcome: Outcome, exit_code: int | None, reason: str | None) -> str:
    """The end of an attempt for people: `failed (exit code 1)`, `timed-out (ran longer than 4s)`."""
    why = reason or (exit_text(exit_code) if exit_code else None)
    return outcome.value + (f" ({why})" if why else "")


def explanation(failure: Failure) -> str:
    """What `how` does not contain: the last line of the log, or SILENT if there is neither a line nor a reason; else empty."""
    exit_code = failure.exit_code
    only_code = exit_code and failure.reason in (None, exit_text(exit_code), f"exit code {exit_code}")
    return failure.line or (SILENT if only_code else "")


def key(failure: Failure) -> Key:
    """Equal for failures of the same cause."""
    return failure.outcome, failure.exit_code, without_numbers(failure.line or failure.reason or "")


def by_cause(failures: Iterable[Failure]) -> list[Cause]:
    """The causes, the most frequent first; of equally frequent ones, the one that comes first in `failures`."""
    causes: dict[Key, Cause] = {}
    for failure in failures:
        cause = causes.setdefault(key(failure), Cause(failure.outcome, failure.exit_code))
        cause.failures.append(failure)
    return sorted(causes.values(), key=lambda cause: -len(cause.failures))


def headline(causes: Iterable[Cause]) -> str:
    """`372 failed, 3 timed-out, 2 causes`; empty without causes."""
    return headline_of([(cause.outcome, len(cause.failures)) for cause in causes])


def headline_of(sizes: Sequence[tuple[Outcome, int]]) -> str:
    """The same, from the outcome and the number of failures of each cause."""
    counts = dict.fromkeys(Outcome, 0)
    for outcome, size in sizes:
        counts[outcome] += size
    parts = [f"{count:,} {outcome.value}" for outcome, count in counts.items() if count]
    return ", ".join([*parts, counted(len(sizes), "cause")]) if sizes else ""


def without_numbers(line: str) -> str:
    """The line with a placeholder for every number, address, digest and progress bar."""
    return _SPACE.sub(" ", _BAR.sub("…", _NUMBER.sub("#", line))).strip()


def last_line(log: Path) -> str | None:
    """The last line of a log that is not blank, without control characters; None if there is none."""
    return next((line for line in reversed(last_lines(log, 100)) if line.strip()), None)


def last_lines(log: Path, count: int) -> list[str]:
    """Up to `count` lines from the end of a log, as a terminal shows them: without colours and other control characters, and
    without text that a carriage return overwrote. Empty if the log is missing or has only blank lines in reach.
    """
    try:
        with open(open_file(log), "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if size > TAIL and len(lines) > 1:
        del lines[0]  # its beginning was not read
    shown = [log_line(line)[:LONGEST_LINE].rstrip() for line in lines[-count:]]
    return shown if any(shown) else []


def cause_log(state: State, recipe: Recipe, session: Session, row: AttemptRow) -> Path:
    """The log that explains why an attempt failed, see `attempt_log`."""
    return attempt_log(state, recipe, session, row.number, row.backend, began=row.started is not None)


def attempt_log(state: State, recipe: Recipe, session: Session, attempt: int, backend: str, *, began: bool) -> Path:
    """The stderr of an attempt, or its stdout if it wrote nothing to stderr.

    If its command never `began` and it needs a build, this is the stderr of the build.
    """
    if not began and session.build is not None:
        return state.build_folder(build_key(session, recipe, backend)).with_suffix(".err")
    paths = state.paths(session.id, attempt)
    return paths.stderr if state.kept(session.id, attempt).stderr else paths.stdout


def failure(state: State, recipe: Recipe, session: Session, row: AttemptRow) -> Failure:
    """An attempt that did not succeed, with the last line of the log that explains it."""
    line = last_line(cause_log(state, recipe, session, row))
    return Failure(session.id, row.number, row.outcome or Outcome.LOST, row.exit_code, row.reason, line)
