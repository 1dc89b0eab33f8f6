"""Why things failed: failures grouped by cause, so that 372 of them read as the 2 that they are.

Two failures have one cause when they ended alike (outcome and exit code) and the last line that each wrote to stderr is
the same, numbers aside. Where nothing was written, the reason that the backend gave takes the place of that line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from runner.model import Outcome
from runner.reasons import exit_text
from runner.units import counted

TAIL = 8192
"""Bytes at the end of a log that its last lines are looked for in."""

LONGEST_LINE = 400
"""Characters kept of a line."""

SHORTEST_ID = 8
"""Hex digits, some of them decimal, that count as one number: digests and ids differ like numbers do."""

CAUSED = frozenset(Outcome) - {Outcome.SUCCEEDED, Outcome.CANCELLED}
"""The outcomes that have a cause: what ended otherwise than it should, and nobody had asked for it."""

SILENT = "nothing on stderr"

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_NUMBER = re.compile(
    rf"0x[0-9a-f]+|(?<![0-9a-z])(?=[a-f]*[0-9])[0-9a-f]{{{SHORTEST_ID},}}(?![0-9a-z])|[0-9]+(?:[.,:][0-9]+)*(?:e[-+]?[0-9]+)?",
    re.I,
)
_BAR = re.compile(r"(?:(?:[▀-▟]+|([#=*.>-])\1+>?) *)+")
_SPACE = re.compile(r"\s+")


class Failure(NamedTuple):
    """An attempt that did not succeed. `line` is the last one it wrote to stderr, None if it wrote nothing."""

    session: str
    attempt: int
    outcome: Outcome
    exit_code: int | None
    reason: str | None
    line: str | None


Key: TypeAlias = tuple[Outcome, int | None, str]


@dataclass
class Cause:
    """What its failures share; `failures` are in the order in which they were met, and the first one is the example."""

    outcome: Outcome
    exit_code: int | None
    failures: list[Failure] = field(default_factory=list)

    @property
    def example(self) -> Failure:
        return self.failures[0]

    @property
    def text(self) -> str:
        """What more the example tells: one line for people, empty where there is nothing."""
        return told(self.example)

    @property
    def how(self) -> str:
        """How they ended, in the words of the example."""
        return how(self.outcome, self.exit_code, self.example.reason)

    @property
    def title(self) -> str:
        """`failed (exit code 1): no module named numpy`."""
        return ": ".join(filter(None, (self.how, self.text)))


def how(outcome: Outcome, exit_code: int | None, reason: str | None) -> str:
    """`failed (exit code 1)`, `timed-out (ran longer than 4s)`."""
    why = reason or (exit_text(exit_code) if exit_code else None)
    return outcome.value + (f" ({why})" if why else "")


def told(failure: Failure) -> str:
    """What `how` does not say: the last line that it wrote; where there is none and no reason, that there is nothing else."""
    exit_code = failure.exit_code
    only_code = exit_code and failure.reason in (None, exit_text(exit_code), f"exit code {exit_code}")
    return failure.line or (SILENT if only_code else "")


def key(failure: Failure) -> Key:
    """Equal for failures of one cause."""
    return failure.outcome, failure.exit_code, sans_numbers(failure.line or failure.reason or "")


def by_cause(failures: Iterable[Failure]) -> list[Cause]:
    """The causes, the most frequent one first; among equals, the one that was met first."""
    causes: dict[Key, Cause] = {}
    for failure in failures:
        cause = causes.setdefault(key(failure), Cause(failure.outcome, failure.exit_code))
        cause.failures.append(failure)
    return sorted(causes.values(), key=lambda cause: -len(cause.failures))


def headline(causes: Iterable[Cause]) -> str:
    """`372 failed, 3 timed-out, 2 causes`; empty where there is none."""
    return headline_of([(cause.outcome, len(cause.failures)) for cause in causes])


def headline_of(sizes: Sequence[tuple[Outcome, int]]) -> str:
    """The same from the outcome and the size of each cause."""
    counts = dict.fromkeys(Outcome, 0)
    for outcome, size in sizes:
        counts[outcome] += size
    parts = [f"{count:,} {outcome.value}" for outcome, count in counts.items() if count]
    return ", ".join([*parts, counted(len(sizes), "cause")]) if sizes else ""


def sans_numbers(line: str) -> str:
    """The line with every number, address, digest and progress bar alike."""
    return _SPACE.sub(" ", _BAR.sub("…", _NUMBER.sub("#", line))).strip()


def last_line(log: Path) -> str | None:
    """The last line of a log that is not blank, safe to show; None where there is none."""
    return next((line for line in reversed(last_lines(log, 100)) if line.strip()), None)


def last_lines(log: Path, count: int) -> list[str]:
    """Up to `count` lines from the end of a log, as a terminal would leave them standing: what a carriage return
    overwrote is gone, and so are colours. Safe to show; none where there is no log, or nothing but blank lines there.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if size > TAIL and len(lines) > 1:
        del lines[0]  # its beginning is out of reach
    shown = [_shown(line) for line in lines[-count:]]
    return shown if any(shown) else []


def _shown(line: str) -> str:
    standing = next((part for part in reversed(line.split("\r")) if part.strip()), "")
    plain = _ESCAPE.sub("", standing).expandtabs(8)
    return "".join(char if char.isprintable() else "�" for char in plain)[:LONGEST_LINE].rstrip()
