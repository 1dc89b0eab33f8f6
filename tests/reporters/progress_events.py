"""Events of made-up applies and an output that keeps what is written to it, for the tests of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from runner.events import AttemptEnded, AttemptStarted, AttemptWaiting, Event
from runner.model import Outcome, Session, Value
from runner.reporters.progress.progress import LogLocator, Progress
from runner.reporters.progress.tracker import Tracker
from runner.results.failures import Logs
from tests import facts

GIB = 1024**3
NAMES = ["resnet", "日本語の長い名前" * 4, "🚀 rocket", "e\u0301té", "\x1b[31mred", "plain"]


def session(number: int, name: str = "x", cpu: int = 1) -> Session:
    params = {"model": Value(name, name), "lr": Value("0.1", 0.1)}
    return facts.session(number)._replace(params=params, repeat=0, resources={"cpu": cpu, "mem": GIB})


def apply_began(to_run: int, at: float = 0.0) -> Event:
    return replace(
        facts.apply_started(at), to_run=to_run, capacity={"cpu": 8, "mem": 16 * GIB, "gpu": 2}, max_parallel=None
    )


def started(number: int, at: float, name: str = "x", attempt: int = 1) -> Iterator[Event]:
    one = session(number, name)
    yield facts.submitted(one, attempt, at)
    yield AttemptStarted(at, one.id, attempt, "1", None, ())


def ended(
    number: int,
    at: float,
    outcome: Outcome = Outcome.SUCCEEDED,
    duration: float | None = 1.0,
    retry_in: float | None = None,
    attempt: int = 1,
    reason: str | None = None,
) -> AttemptEnded:
    code = 1 if outcome is Outcome.FAILED else None
    return AttemptEnded(at, session(number).id, attempt, outcome, code, reason, duration, None, None, {}, retry_in)


def tracker_of(*events: Event) -> Tracker:
    tracker = Tracker()
    for event in events:
        tracker.take(event)
    return tracker


def busy() -> Tracker:
    """At second 100: 30 of 60 ended in 10 s each, 6 run, 2 wait at their backend, and one was tried again."""
    events: list[Event] = [apply_began(60)]
    for number in range(30):
        bad = number % 10 == 9
        events += [
            *started(number, number),
            ended(number, number + 10, Outcome.FAILED if bad else Outcome.SUCCEEDED, 10.0),
        ]
    events += [*started(30, 50.0), ended(30, 51.0, Outcome.FAILED, 1.0, retry_in=1.0)]
    for number, name in enumerate(NAMES, 30):
        events += started(number, 60.0 + number, name, attempt=2 if number == 30 else 1)
    for number in (40, 41):
        events += [
            facts.submitted(session(number)),
            AttemptWaiting(70, session(number).id, 1, "no room: quota of 日本"),
        ]
    return tracker_of(*events)


class FakeOutput:
    """Keeps what is written."""

    descriptor = -1
    encoding = "utf-8"

    def __init__(self) -> None:
        self.written: list[str] = []
        self.idle = True

    def write(self, text: str) -> None:
        self.written.append(text)

    write_escaped = write

    def drain(self, seconds: float | None) -> None: ...

    @property
    def lines(self) -> list[str]:
        return "".join(self.written).splitlines()


NO_LOGS = LogLocator(
    attempt=lambda *_: Logs(Path("/nowhere"), Path("/nowhere")),
    build=lambda _: Path("/nowhere"),
    command=lambda *_: "runner logs",
)


def progress_on(
    output: FakeOutput, *, live: bool = False, verbose: bool = False, clock: Callable[[], float] = lambda: 0
) -> Progress:
    return Progress(output, NO_LOGS, live=live, verbose=verbose, clock=clock)


def fail(progress: Progress, number: int, reason: str, at: float = 1.0) -> None:
    for event in (*started(number, at), ended(number, at, Outcome.FAILED, reason=reason)):
        progress(event)
