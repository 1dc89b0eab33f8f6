"""What a person watching an apply is told, while it runs and at its end. Consumes events; draws only on stderr."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runner.events import (
    ApplyEnded,
    ApplyInterrupted,
    ApplyStarted,
    AttemptAdopted,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
    StopReached,
)
from runner.model import Outcome
from runner.render import variables
from runner.units import format_duration

QUIET_SECONDS = 30.0
"""Off a terminal: at most this long without a word."""

REDRAW_SECONDS = 0.1
SHOWN_FAILURES = 3
TAIL_LINES = 5


class Screen(Protocol):
    """What is drawn on: it neither blocks nor fails."""

    def isatty(self) -> bool: ...

    def write(self, text: str) -> None: ...


@dataclass
class Failure:
    what: str
    outcome: Outcome
    reason: str | None
    stderr: Path
    see: str


@dataclass
class Tally:
    """The state of an apply as its events tell it: all that the display needs, and nothing it could not derive."""

    to_run: int = 0
    started_at: float = 0.0
    running: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def line(self, now: float) -> str:
        """One line: how far it is, what runs, what failed."""
        done = sum(self.outcomes.values())
        bad = done - self.outcomes[Outcome.SUCCEEDED]
        parts = [f"{done:,}/{self.to_run:,} done", f"{len(self.running) - len(self.waiting):,} running"]
        if self.waiting:
            parts.append(f"{len(self.waiting):,} waiting")
        if bad:
            parts.append(f"{bad:,} not succeeded")
        return f"{', '.join(parts)}, {format_duration(max(0.0, now - self.started_at))}"


@dataclass(frozen=True)
class Logs:
    """Where a failed attempt's stderr lies, and the command that shows a session's."""

    stderr: Callable[[str, int], Path]
    command: Callable[[str], str]


class Progress:
    """Shows an apply on `out`: one line that is redrawn on a terminal, else a line when something fails or time goes by.

    With `logs`, the end shows the last lines of the first failures and how to see the rest. `build_errors` says where a
    build's stderr lies: its last lines are shown as soon as it has failed.
    """

    def __init__(self, out: Screen, build_errors: Callable[[str], Path], logs: Logs | None = None) -> None:
        self.tally = Tally()
        self._build_errors = build_errors
        self._logs = logs
        self._out = out
        self._live = out.isatty()
        self._drawn_at = 0.0
        self._width = 0
        self._reasons: set[str] = set()

    def __call__(self, event: Event) -> None:
        tally = self.tally
        match event:
            case ApplyStarted():
                tally.to_run, tally.started_at = event.to_run, event.at
                self._drawn_at = time.monotonic()
            case AttemptSubmitted() | AttemptAdopted():
                tally.running[event.session.id] = variables(event.session.params, event.session.repeat)
            case AttemptWaiting():
                tally.waiting[event.session] = event.reason
                if event.reason not in self._reasons:
                    self._reasons.add(event.reason)
                    self._say(f"waiting: {event.reason}")
            case AttemptStarted():
                tally.waiting.pop(event.session, None)
                if event.cold is not None and event.cold not in self._reasons:
                    self._reasons.add(event.cold)
                    self._say(f"started cold: {event.cold}")
            case AttemptEnded():
                tally.waiting.pop(event.session, None)
                self._ended(event)
            case BuildStarted():
                self._say(f"building: {event.command}")
            case BuildEnded() if event.outcome is not Outcome.SUCCEEDED:
                why = event.reason or f"exit code {event.exit_code}"
                self._say("\n".join([f"build {event.outcome}: {why}", *_indented(self._build_errors(event.build))]))
            case StopReached():
                self._say(f"stopping: {event.reason}")
            case ApplyInterrupted():
                again = "" if event.now else " (once more to end it now)"
                self._say(f"{event.reason}: ending what runs{again}")
            case ApplyEnded() | _:
                pass
        self.tick()

    def _ended(self, event: AttemptEnded) -> None:
        tally = self.tally
        known = tally.running.pop(event.session, None)
        what = known or event.session
        if known is None:
            self._say(f"{event.outcome}: {event.session} attempt {event.attempt}: {event.reason}")
            return
        if event.retry_in is not None:
            self._say(f"{_why(event)}: {what}; again in {format_duration(event.retry_in)}")
            return
        tally.outcomes[event.outcome] += 1
        if event.outcome is not Outcome.SUCCEEDED:
            if self._logs and len(tally.failures) < SHOWN_FAILURES and event.outcome is not Outcome.CANCELLED:
                stderr = self._logs.stderr(event.session, event.attempt)
                see = self._logs.command(event.session)
                tally.failures.append(Failure(what, event.outcome, event.reason, stderr, see))
            self._say(f"{_why(event)}: {what}")

    def _say(self, text: str) -> None:
        self._out.write(f"{self._cleared()}{text}\n")
        self._drawn_at = time.monotonic()

    def tick(self) -> None:
        """Draw anew if it is time to."""
        now = time.monotonic()
        if now - self._drawn_at < (REDRAW_SECONDS if self._live else QUIET_SECONDS):
            return
        self._drawn_at = now
        line = self.tally.line(time.time())
        if self._live:
            self._out.write(self._cleared() + line)
            self._width = len(line)
        else:
            self._out.write(line + "\n")

    def _cleared(self) -> str:
        """What takes the redrawn line off the screen."""
        width, self._width = self._width, 0
        return "\r" + " " * width + "\r" if width else ""

    def finish(self, ended: ApplyEnded, left: int = 0) -> None:
        """The summary: the last lines of the first failures and how to see all of them, then counts.

        `left` sessions have not succeeded, and were not to run this time.
        """
        tally = self.tally
        lines = []
        for failure in tally.failures:
            why = f" ({failure.reason})" if failure.reason else ""
            lines += ["", f"{failure.outcome}: {failure.what}{why}", *_indented(failure.stderr)]
            lines.append(f"    see: {failure.see}")
        counts = [f"{count:,} {outcome.value}" for outcome in Outcome if (count := ended.outcomes.get(outcome, 0))]
        if tally.running:
            counts.append(f"{len(tally.running):,} left running")
        if ended.not_run > len(tally.running):
            counts.append(f"{ended.not_run - len(tally.running):,} not run")
        if left:
            counts.append(f"{left:,} not selected that {'has' if left == 1 else 'have'} not succeeded")
        took = format_duration(max(0.0, time.time() - tally.started_at))
        lines += [*([""] if tally.failures else []), f"{', '.join(counts) or 'nothing to run'} in {took}"]
        self._say("\n".join(lines))


def _indented(log: Path) -> list[str]:
    return [f"    {line}" for line in tail(log)]


def tail(path: Path, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a log, made safe to print; none if there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    last = text.splitlines()[-lines:]
    return ["".join(char if char.isprintable() or char == "\t" else "�" for char in line)[:400] for line in last]


def _why(event: AttemptEnded) -> str:
    return f"{event.outcome.value} ({event.reason})" if event.reason else event.outcome.value
