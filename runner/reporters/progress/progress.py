"""The progress of an apply for people, while it runs and at its end. Consumes events; writes only to stderr."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.clock import now
from runner.events import (
    ApplyEnded,
    ApplyInterrupted,
    ApplyWaiting,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
    MetricsCollected,
    StopReached,
)
from runner.model import Outcome, Session, missing_reasons
from runner.reporters.progress.output import Output
from runner.reporters.progress.plain import PlainDisplay
from runner.reporters.progress.summary import TAIL_LINES, LogCommand, cause_lines, ended_lines
from runner.reporters.progress.tracker import RunningAttempt, Tracker
from runner.reporters.progress.wording import describe, end_line
from runner.results.collected import MissingMetrics
from runner.results.failures import (
    CAUSED,
    Failure,
    Logs,
    explained,
    explanation,
    how,
    key,
    last_lines,
    without_numbers,
)
from runner.text.escape import printable
from runner.text.reasons import LEFT_BEHIND
from runner.units import counted


@dataclass(frozen=True)
class LogLocator:
    """Finds logs and describes sessions."""

    attempt: Callable[[Session, int, bool], Logs]
    """The logs that show why an attempt failed, by its number and whether its command ever started."""
    build: Callable[[str], Path]
    """The stderr of a build."""
    command: LogCommand | None = None
    """The command that shows a log. Without it, the end has no list of failures and no use of the capacity."""
    describe: Callable[[str], str] = str
    """The variables of a session that an earlier apply submitted, by its id."""


class Progress:
    """Shows an apply on `out`: with `live` a block that is redrawn, else lines.

    `verbose` adds a line for every attempt that ends. `tick` is to be called every `seconds`. The clock gives Unix time.
    """

    def __init__(
        self,
        out: Output,
        logs: LogLocator,
        *,
        live: bool,
        verbose: bool = False,
        clock: Callable[[], float] = now,
    ) -> None:
        self.tracker = Tracker()
        self._out = out
        self._logs = logs
        self._verbose = verbose
        self._clock = clock
        self._written: set[str] = set()
        """Texts that are written once, without their numbers."""
        self._retrying: dict[str, tuple[Failure, Session, Logs]] = {}
        """Failures of sessions that wait for another attempt; they count if it does not come."""
        self._missing = MissingMetrics()
        self._collected_again = MissingMetrics(which="sessions whose metrics were collected again")
        """Sessions of earlier applies, also of earlier versions of the file."""
        self._plain = PlainDisplay(out.write, self.tracker)
        self._live = None
        if live:
            from runner.reporters.progress.live import LiveDisplay  # imports rich, which is slow

            self._live = LiveDisplay(out, self.tracker)
        self.seconds = (self._live or self._plain).seconds

    def __call__(self, event: Event) -> None:
        match event:
            case AttemptEnded():
                self._ended(event, self.tracker.open_attempt(event.session))
            case AttemptSubmitted():
                self._retrying.pop(event.session.id, None)
            case AttemptWaiting() if self._live is None:  # the block shows it
                self._write_once(f"waiting: {printable(event.reason)}")
            case ApplyWaiting() if event.reason is not None and self._live is None:
                self._write_once(f"waiting: {printable(event.reason)}")
            case AttemptStarted() if event.cold is not None:
                self._write_once(f"started cold: {printable(event.cold)}")
            case MetricsCollected():
                self._collected_again.add(event.metrics)
            case BuildStarted():
                self._write_some(f"building: {printable(event.command)}", "building", "builds started")
            case BuildEnded() if event.outcome is not Outcome.SUCCEEDED:
                why = event.reason or f"exit code {event.exit_code}"
                tail = last_lines(self._logs.build(event.build), TAIL_LINES)
                text = "\n".join([f"build {event.outcome}: {why}", *(f"    {line}" for line in tail)])
                self._write_some(
                    text, ("build", why, without_numbers(tail[-1]) if tail else ""), f"builds {event.outcome}"
                )
            case StopReached():
                self._write(f"stopping: {printable(event.reason)}", "yellow")
            case ApplyInterrupted():
                again = "" if event.now else " (interrupt again to kill them)"
                self._write(f"{printable(event.reason)}: ending the running sessions{again}", "yellow")
            case _:
                pass
        self.tracker.take(event)

    def tick(self) -> None:
        """Draw a frame, or write a summary line, if one is due."""
        (self._live or self._plain).tick(self._clock())

    def hide(self) -> None:
        """Remove the block, before another program writes to the terminal."""
        if self._live:
            self._live.hide()

    def show(self) -> None:
        """Draw the block again, below what another program has written."""
        if self._live:
            self._live.show()

    def finish(self, ended: ApplyEnded, left: int = 0, elsewhere: int = 0) -> None:
        """Write the summary: counts, wall time, use of the capacity, and failures by cause.

        `left` sessions have not succeeded and were not selected; `elsewhere` more have jobs at another backend.
        """
        self.hide()
        tracker = self.tracker
        for failure, session, logs in self._retrying.values():
            tracker.add_failure(failure, session, logs)
        running = len(tracker.running)
        not_run = max(0, ended.not_run - running)
        counts = {"not_run": not_run, "left_running": running, "left": left, "elsewhere": elsewhere}
        usage = ended.usage if self._logs.command else None
        lines = list(ended_lines(ended.outcomes, tracker.elapsed(ended.at), usage, **counts))
        if again := self._collected_again.sessions:
            lines.append(f"collected metrics again: {counted(again, 'session')}")
        lines += [*self._missing.lines(), *self._collected_again.lines()]
        if self._logs.command is not None and tracker.causes:
            lines += ["", *cause_lines(tracker.causes.values(), self._logs.command)]
        else:
            self._plain.write_omitted()
        self._out.write("".join(f"{printable(line)}\n" for line in lines))

    def _ended(self, event: AttemptEnded, attempt: RunningAttempt | None) -> None:
        outcome = event.outcome
        if outcome is Outcome.SUCCEEDED:
            self._missing.add(event.metrics)
            for name, reason in missing_reasons(event.metrics).items():
                self._write_once(f"warning: `{name}` is missing: {reason}")
        if attempt is None:
            text = end_line(event, self._logs.describe(event.session), None)
            self._write_some(text, ("recovery", outcome), f"{outcome}, submitted by an earlier apply")
        elif outcome in CAUSED:
            self._failed(event, attempt)
        elif event.reason == LEFT_BEHIND:
            text = f"{end_line(event, describe(attempt.session), None)} (`wait` in a shell string waits for them)"
            self._write_some(text, LEFT_BEHIND, f"{outcome} ({LEFT_BEHIND})", "yellow")
        elif self._verbose:
            style = "" if outcome is Outcome.SUCCEEDED else "yellow"
            self._write(end_line(event, describe(attempt.session), None), style)

    def _failed(self, event: AttemptEnded, attempt: RunningAttempt) -> None:
        logs = self._logs.attempt(attempt.session, event.attempt, attempt.started is not None)
        line, stream = explained(logs) or (None, "stderr")
        failure = Failure(event.session, event.attempt, event.outcome, event.exit_code, event.reason, line, stream)
        again = event.retry_in is not None
        if again:
            self._retrying[event.session] = (failure, attempt.session, logs)
        else:
            self.tracker.add_failure(failure, attempt.session, logs)
        text, style = end_line(event, describe(attempt.session), line), "yellow" if again else "red"
        if self._verbose:
            self._write(text, style)
        else:
            end = how(event.outcome, event.exit_code, event.reason) + (", tried again" if again else "")
            self._write_some(text, (again, key(failure)), ": ".join(filter(None, (end, explanation(failure)))), style)

    def _write_once(self, text: str) -> None:
        if (pattern := without_numbers(text)) not in self._written:
            self._written.add(pattern)
            self._write_some(text, pattern, text)

    def _write(self, text: str, style: str = "") -> None:
        if self._live:
            self._live.write(text, style)
        else:
            self._plain.write(text)

    def _write_some(self, text: str, kind: object, kind_text: str, style: str = "") -> None:
        if self._live:
            self._live.write(text, style)
        else:
            self._plain.write_some(text, kind, kind_text)
