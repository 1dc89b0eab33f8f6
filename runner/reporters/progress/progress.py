"""What a person watching an apply is told, while it runs and at its end. Consumes events; writes only to stderr."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.events import (
    ApplyEnded,
    ApplyInterrupted,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
    StopReached,
)
from runner.model import Outcome, Session
from runner.reporters.progress.plain import Plain
from runner.reporters.progress.summary import TAIL_LINES, cause_lines, ended_lines
from runner.reporters.progress.terminal import Terminal, redraws
from runner.reporters.progress.tracker import Kind, Running, Tally
from runner.reporters.progress.wording import end_line, named
from runner.results.failures import CAUSED, Failure, how, key, last_line, last_lines, sans_numbers, told

__all__ = ["Logs", "Progress", "redraws"]


@dataclass(frozen=True)
class Logs:
    """Where logs lie: of an attempt, by its number and whether its command ever began, the one that tells why it failed; of a
    build, its stderr. `command` shows a session's; without one, the end has no list of failures, nor the use of the capacity.
    `name` has the variables of what an earlier apply began, by its id.
    """

    of: Callable[[Session, int, bool], Path]
    build: Callable[[str], Path]
    command: Callable[[Kind], str] | None = None
    name: Callable[[str], str] = str


class Progress:
    """Shows an apply on `out`: with `live` a block that is drawn again, else lines. `verbose` has a line for every end.

    `seconds` says how often `tick` is to be called. The clock gives Unix time.
    """

    def __init__(
        self, out: Terminal, logs: Logs, *, live: bool, verbose: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self.tally = Tally()
        self._out = out
        self._logs = logs
        self._verbose = verbose
        self._clock = clock
        self._told: set[str] = set()
        self._waiting: dict[str, tuple[Failure, Session, Path]] = {}
        """Failures that are to be tried again: where that does not come about, they stand."""
        self._plain = Plain(out.write, self.tally)
        self._live = None
        if live:
            from runner.reporters.progress.live import Live  # and with it rich, which is slow to import

            self._live = Live(out, self.tally)
        self.seconds = (self._live or self._plain).seconds

    def __call__(self, event: Event) -> None:
        match event:
            case AttemptEnded():
                self._ended(event, self.tally.known(event.session))
            case AttemptSubmitted():
                self._waiting.pop(event.session.id, None)
            case AttemptWaiting() if self._live is None:  # where the block shows it
                self._once(f"waiting: {event.reason}")
            case AttemptStarted() if event.cold is not None:
                self._once(f"started cold: {event.cold}")
            case BuildStarted():
                self._mention(f"building: {event.command}", "building", "builds begun")
            case BuildEnded() if event.outcome is not Outcome.SUCCEEDED:
                why = event.reason or f"exit code {event.exit_code}"
                tail = last_lines(self._logs.build(event.build), TAIL_LINES)
                text = "\n".join([f"build {event.outcome}: {why}", *(f"    {line}" for line in tail)])
                self._mention(text, ("build", why, sans_numbers(tail[-1]) if tail else ""), f"builds {event.outcome}")
            case StopReached():
                self._say(f"stopping: {event.reason}", "yellow")
            case ApplyInterrupted():
                again = "" if event.now else " (once more to end it now)"
                self._say(f"{event.reason}: ending what runs{again}", "yellow")
            case _:
                pass
        self.tally.take(event)

    def tick(self) -> None:
        """Draw, or sum up, if it is time to."""
        (self._live or self._plain).tick(self._clock())

    def hide(self) -> None:
        """Leave the terminal to others."""
        if self._live:
            self._live.hide()

    def show(self) -> None:
        """The terminal is ours again."""
        if self._live:
            self._live.show()

    def finish(self, ended: ApplyEnded, left: int = 0, elsewhere: int = 0) -> None:
        """The summary: counts, wall time, use of the capacity, and failures by cause.

        `left` sessions have not succeeded, and were not to run this time; `elsewhere` more have their jobs at another backend.
        """
        self.hide()
        tally = self.tally
        for failure, session, log in self._waiting.values():
            tally.fails(failure, session, log)
        running = len(tally.running)
        not_run = max(0, ended.not_run - running)
        counts = {"not_run": not_run, "left_running": running, "left": left, "elsewhere": elsewhere}
        usage = ended.usage if self._logs.command else None
        lines = list(ended_lines(ended.outcomes, tally.elapsed(ended.at), usage, **counts))
        if self._logs.command is not None and tally.kinds:
            lines += ["", *cause_lines(tally.kinds.values(), self._logs.command)]
        else:
            self._plain.unfold()
        self._out.write("\n".join(lines) + "\n")

    def _ended(self, event: AttemptEnded, known: Running | None) -> None:
        outcome = event.outcome
        if known is None:
            text = end_line(event, self._logs.name(event.session), None)
            self._mention(text, ("left over", outcome), f"{outcome} that an earlier apply had begun")
            return
        if outcome not in CAUSED:
            if self._verbose:
                self._say(end_line(event, named(known.session), None), "" if outcome is Outcome.SUCCEEDED else "yellow")
            return
        log = self._logs.of(known.session, event.attempt, known.started is not None)
        last = last_line(log)
        failure = Failure(event.session, event.attempt, outcome, event.exit_code, event.reason, last)
        name = named(known.session)
        again = event.retry_in is not None
        if again:
            self._waiting[event.session] = (failure, known.session, log)
        else:
            self.tally.fails(failure, known.session, log)
        text = end_line(event, name, last)
        if self._verbose:
            self._say(text, "yellow" if again else "red")
        else:
            folded = how(outcome, event.exit_code, event.reason) + (", tried again" if again else "")
            kind = (again, key(failure))
            self._mention(text, kind, ": ".join(filter(None, (folded, told(failure)))), "yellow" if again else "red")

    def _once(self, text: str) -> None:
        if (like := sans_numbers(text)) not in self._told:
            self._told.add(like)
            self._mention(text, like, text)

    def _say(self, text: str, style: str = "") -> None:
        if self._live:
            self._live.say(text, style)
        else:
            self._plain.say(text)

    def _mention(self, text: str, kind: object, folded: str, style: str = "") -> None:
        if self._live:
            self._live.say(text, style)
        else:
            self._plain.mention(text, kind, folded)
