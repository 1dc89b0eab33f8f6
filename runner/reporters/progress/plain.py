"""Progress off a terminal, in a pipe or a CI job's log: never silent for long, and never a flood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from runner.reporters.progress.tracker import Tally
from runner.reporters.progress.wording import summary_line

QUIET_SECONDS = 30.0
"""Between two summary lines."""

EACH_CAUSE = 3
"""So many failures of one cause have a line of their own; the others are counted."""

MOST_LINES = 20
"""Lines between two summary lines, whatever happens."""

MOST_FOLDED = 5
"""Causes that a summary line is followed by."""


@dataclass(slots=True)
class Folded:
    """What many lines have become: one text, and how many they were."""

    text: str
    count: int = 0


class Plain:
    """Writes lines at once. Of what shares a `kind` only the first few; all of them are in the counts."""

    seconds = 1.0

    def __init__(self, write: Callable[[str], None], tally: Tally) -> None:
        self._write = write
        self._tally = tally
        self._summed_up: float | None = None
        self._lines = 0
        self._seen: Counter[Hashable] = Counter()
        self._folded: dict[Hashable, Folded] = {}

    def say(self, text: str) -> None:
        """What is said in any case."""
        self._write(text + "\n")

    def mention(self, text: str, kind: Hashable, folded: str) -> None:
        """What is said unless there is too much of it; `folded` stands for it then, after the next summary line."""
        self._seen[kind] += 1
        if self._seen[kind] <= EACH_CAUSE and self._lines < MOST_LINES:
            self._lines += 1
            self.say(text)
        else:
            self._folded.setdefault(kind, Folded(folded)).count += 1

    def tick(self, now: float) -> None:
        """Sum up, if it is time to. `now` is Unix time."""
        if self._summed_up is None:
            self._summed_up = self._tally.began
        elif now - self._summed_up >= QUIET_SECONDS:
            self._summed_up = now
            self.say(summary_line(self._tally, now))
            self.unfold()

    def unfold(self) -> None:
        """Say how much was not said since the last time."""
        common = sorted(self._folded.values(), key=lambda folded: -folded.count)
        for folded in common[:MOST_FOLDED]:
            self.say(f"  {folded.count:,} more {folded.text}")
        if rest := sum(folded.count for folded in common[MOST_FOLDED:]):
            self.say(f"  {rest:,} more of other causes")
        self._folded.clear()
        self._lines = 0
