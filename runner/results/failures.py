"""Failures grouped by cause, and the logs that explain a failure.

Two failures have the same cause if their outcome, their exit code and the line that explains them (`runner.results.verdict`)
are equal, apart from numbers and random names. If nothing was written, the reason that the backend gave replaces that line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from runner.model import Outcome, Recipe, Session
from runner.plan.builds import build_key
from runner.results.verdict import Explained, Stream, explain
from runner.state import State
from runner.state.rows import AttemptRow
from runner.state.tails import read_tail
from runner.text.escape import log_line
from runner.text.reasons import exit_text
from runner.units import counted

SEARCHED = 200
"""Lines at the end of each log that are searched for the one that explains a failure."""

LONGEST_LINE = 400
"""Characters of a line that are shown."""

SHORTEST_ID = 8
"""A word of at least this many hex digits, one of them decimal, counts as a number: it is a digest or an id."""

CAUSED = frozenset(Outcome) - {Outcome.SUCCEEDED, Outcome.CANCELLED}
"""The outcomes that have a cause. A cancelled session has none: its end was asked for."""

SILENT = "no output"

_TEMPORARY = re.compile(
    r"\btmp(?:[a-z0-9_]{8}|[._-][A-Za-z0-9]{6,})(?![A-Za-z0-9_])"
    r"|(?<=/tmp/)[\w.-]*?(?:[A-Z]|[0-9])[\w.-]*|(?<=/var/folders/)\S*?/T/[\w.-]+"
)
"""Names of temporary files: of Python's tempfile, `mktemp`, pytest, macOS."""

_DATE = re.compile(
    r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+)?(?:[0-9]{1,2}\s+)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\s+"
    r"[0-9]{1,4}\b|\b(?:AM|PM)\b"
)
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b", re.I)
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
    """The line of its logs that says why, None if it wrote nothing."""
    stream: Stream = "stderr"
    """Where that line is."""


class Logs(NamedTuple):
    """The paths of what an attempt wrote, or of what the build wrote that kept it from starting."""

    stdout: Path
    stderr: Path


class Tail(NamedTuple):
    """The end of one stream."""

    stream: Stream
    lines: list[str]


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
    """The line with a placeholder for every number, address, digest, UUID, date, temporary name and progress bar."""
    for pattern in (_UUID, _DATE, _TEMPORARY, _NUMBER):
        line = pattern.sub("#", line)
    return _SPACE.sub(" ", _BAR.sub("…", line)).strip()


def last_lines(log: Path, count: int) -> list[str]:
    """Up to `count` lines from the end of a log, as a terminal shows them: without colours and other control characters, and
    without text that a carriage return overwrote. Secrets are masked. Empty if the log is missing or has only blank lines in
    reach.
    """
    try:
        content, complete = read_tail(log)
    except OSError:
        return []
    text = content.decode(errors="replace")
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if not complete and len(lines) > 1:
        del lines[0]  # its beginning was not read
    shown = [log_line(line)[:LONGEST_LINE].rstrip() for line in lines[-count:]]
    return shown if any(shown) else []


def cause_logs(state: State, recipe: Recipe, session: Session, row: AttemptRow) -> Logs:
    """The logs that explain why an attempt failed, see `attempt_logs`."""
    return attempt_logs(state, recipe, session, row.number, row.backend, began=row.started is not None)


def attempt_logs(state: State, recipe: Recipe, session: Session, attempt: int, backend: str, *, began: bool) -> Logs:
    """The logs of an attempt; those of its build if its command never `began` and it needs one."""
    if not began and session.build is not None:
        folder = state.build_folder(build_key(session, recipe, backend))
        return Logs(folder.with_suffix(".out"), folder.with_suffix(".err"))
    paths = state.paths(session.id, attempt)
    return Logs(Path(paths.stdout), Path(paths.stderr))


def explained(logs: Logs) -> Explained | None:
    """The line of the logs that says why an attempt failed; None if it wrote nothing."""
    return explain(last_lines(logs.stderr, SEARCHED), last_lines(logs.stdout, SEARCHED))


def tails(logs: Logs, count: int, line: str | None = None, stream: Stream = "stderr") -> list[Tail]:
    """The last lines of each stream that has any, up to `count`: the stream of the explaining `line` first, and that line
    before the others if it is further up.
    """
    found = [
        Tail("stderr", last_lines(logs.stderr, count)),
        Tail("stdout", last_lines(logs.stdout, count)),
    ]
    if stream == "stdout":
        found.reverse()
    first = found[0].lines
    if line is not None and first and not any(line in shown for shown in first):
        found[0] = Tail(stream, [line, "…", *first[-count + 2 :]] if count > 2 else [line])
    return [Tail(tail.stream, tail.lines[_leading_blank(tail.lines) :]) for tail in found if any(tail.lines)]


def flat(parts: Sequence[Tail]) -> list[str]:
    """The lines of the tails, each below the name of its stream if there is more than one."""
    if len(parts) == 1:
        return parts[0].lines
    return [text for tail in parts for text in (f"{tail.stream}:", *(f"  {line}" for line in tail.lines))]


def _leading_blank(lines: Sequence[str]) -> int:
    return next((at for at, line in enumerate(lines) if line.strip()), 0)


def failure(state: State, recipe: Recipe, session: Session, row: AttemptRow) -> Failure:
    """An attempt that did not succeed, with the line that explains it."""
    found = explained(cause_logs(state, recipe, session, row))
    line, stream = found or (None, "stderr")
    return Failure(session.id, row.number, row.outcome or Outcome.LOST, row.exit_code, row.reason, line, stream)
