"""Progress in a pipe or the log of a CI job: a summary line every 30 seconds, and a bounded number of other lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from runner.reporters.progress.tracker import Tracker
from runner.reporters.progress.wording import summary_line

QUIET_SECONDS = 30.0
"""The interval between two summary lines."""

MOST_OF_A_KIND = 3
"""Lines of one kind that are written; more are counted."""

MOST_LINES = 20
"""Lines of all kinds between two summary lines; more are counted."""

MOST_KINDS = 5
"""Kinds that are listed with their counts after a summary line."""


@dataclass(slots=True)
class OmittedLines:
    """Lines of one kind that were not written."""

    text: str
    count: int = 0


class PlainDisplay:
    """Writes lines at once, of each kind the first few."""

    seconds = 1.0

    def __init__(self, write: Callable[[str], None], tracker: Tracker) -> None:
        self._out = write
        self._tracker = tracker
        self._last_summary: float | None = None
        self._lines = 0
        self._written: Counter[Hashable] = Counter()
        self._omitted: dict[Hashable, OmittedLines] = {}

    def write(self, text: str) -> None:
        """Write lines that are never left out."""
        self._out(text + "\n")

    def write_some(self, text: str, kind: Hashable, kind_text: str) -> None:
        """Write lines, or count them where there were too many; the count is written as `kind_text` with the next summary."""
        self._written[kind] += 1
        if self._written[kind] <= MOST_OF_A_KIND and self._lines < MOST_LINES:
            self._lines += 1
            self.write(text)
        else:
            self._omitted.setdefault(kind, OmittedLines(kind_text)).count += 1

    def tick(self, now: float) -> None:
        """Write a summary line if one is due. `now` is Unix time."""
        if self._last_summary is None:
            self._last_summary = self._tracker.began
        elif now - self._last_summary >= QUIET_SECONDS:
            self._last_summary = now
            self.write(summary_line(self._tracker, now))
            self.write_omitted()

    def write_omitted(self) -> None:
        """Write how many lines of which kinds were left out since the last call."""
        ordered = sorted(self._omitted.values(), key=lambda omitted: -omitted.count)
        for omitted in ordered[:MOST_KINDS]:
            self.write(f"  {omitted.count:,} more {omitted.text}")
        if rest := sum(omitted.count for omitted in ordered[MOST_KINDS:]):
            self.write(f"  {rest:,} more of other causes")
        self._omitted.clear()
        self._lines = 0
