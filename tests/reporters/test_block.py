"""The block at the bottom of a terminal, and the lines where there is none: text of a tally, a time and a width."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyte
import pytest
from rich.cells import cell_len
from rich.text import Text

from runner.events import (
    ApplyInterrupted,
    AttemptEnded,
    AttemptStarted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
)
from runner.model import Outcome, Session, Value
from runner.reporters.progress.block import fitted, render
from runner.reporters.progress.live import MOST_LINES, Live
from runner.reporters.progress.plain import EACH_CAUSE
from runner.reporters.progress.plain import MOST_LINES as MOST_PLAIN_LINES
from runner.reporters.progress.progress import Logs, Progress
from runner.reporters.progress.screen import Screen
from runner.reporters.progress.tracker import Tally
from runner.reporters.progress.wording import in_use, summary_line
from tests import facts

GIB = 1024**3
NAMES = ["resnet", "日本語の長い名前" * 4, "🚀 rocket", "e\u0301té", "\x1b[31mred", "plain"]


def session(number: int, name: str = "x", cpu: int = 1) -> Session:
    params = {"model": Value(name, name), "lr": Value("0.1", 0.1)}
    return facts.session(number)._replace(params=params, repeat=0, resources={"cpu": cpu, "mem": GIB})


def began(to_run: int, at: float = 0.0) -> Event:
    return replace(
        facts.apply_started(at), to_run=to_run, capacity={"cpu": 8, "mem": 16 * GIB, "gpu": 2}, max_parallel=None
    )


def start(number: int, at: float, name: str = "x", attempt: int = 1) -> Iterator[Event]:
    one = session(number, name)
    yield facts.submitted(one, attempt, at)
    yield AttemptStarted(at, one.id, attempt, "1", None, ())


def end(
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


def tally_of(*events: Event) -> Tally:
    tally = Tally()
    for event in events:
        tally.take(event)
    return tally


def busy() -> Tally:
    """At second 100: 30 of 60 ended in 10 s each, 6 run, 2 wait at their backend, and one was tried again."""
    events: list[Event] = [began(60)]
    for number in range(30):
        bad = number % 10 == 9
        events += [*start(number, number), end(number, number + 10, Outcome.FAILED if bad else Outcome.SUCCEEDED, 10.0)]
    events += [*start(30, 50.0), end(30, 51.0, Outcome.FAILED, 1.0, retry_in=1.0)]
    for number, name in enumerate(NAMES, 30):
        events += start(number, 60.0 + number, name, attempt=2 if number == 30 else 1)
    for number in (40, 41):
        events += [
            facts.submitted(session(number)),
            AttemptWaiting(70, session(number).id, 1, "no room: quota of 日本"),
        ]
    return tally_of(*events)


def plain(tally: Tally, width: int, encoding: str = "utf-8", now: float = 100.0) -> list[str]:
    return [line.plain.rstrip() for line in render(tally, now, width, encoding)]


@pytest.mark.parametrize(("submitted", "expected"), [(3, "3/4"), (9, "2/4")])
def test_what_waits_for_a_limit_that_the_backend_keeps_is_not_in_use(submitted: int, expected: str) -> None:
    """Where runner keeps it, all that was submitted is; more than may run at once was submitted to have it kept there."""
    events: list[Event] = [replace(facts.apply_started(0.0), capacity={}, max_parallel=4)]
    for number in range(submitted):
        events += start(number, 0.0) if number < 2 else [facts.submitted(session(number))]
    assert in_use(tally_of(*events)) == [f"max_parallel {expected}"]


def test_a_block_of_80_cells() -> None:
    assert plain(busy(), 80) == [
        "lr-search  ━━━━━━━━━━━━━━━━━━━━━━───────────────────────  30/60  50%  ETA 1m 13s",
        "27 succeeded  3 failed  1 retry  6 running  2 waiting  1m 40s  18/min",
        "cpu 8/8  mem 8 GiB of 16 GiB",
        "      10s  model=resnet lr=0.1 (attempt 2)",
        "       9s  model=日本語の長い名前日本語の長い名前日本語の長い名前日本語の長い名…",
        "       8s  model='🚀 rocket' lr=0.1",
        "       7s  model=e\u0301té lr=0.1",
        "       6s  model=\\x1b[31mred lr=0.1",
        "  and 1 more",
        "  2 waiting: no room: quota of 日本",
    ]


def test_a_block_of_40_cells() -> None:
    assert plain(busy(), 40)[:5] == [
        "━━━━━━━━────────  30/60  50%  ETA 1m 13s",
        "27 succeeded  3 failed  1 retry",
        "6 running  2 waiting  1m 40s  18/min",
        "cpu 8/8  mem 8 GiB of 16 GiB",
        "      10s  model=resnet lr=0.1 (attempt…",
    ]


def test_a_block_without_unicode() -> None:
    lines = plain(busy(), 80, "ascii")
    assert all(line.isascii() for line in lines)
    assert "  ######" in lines[0]
    assert "model=\\u65e5\\u672c\\u8a9e" in lines[4]
    assert lines[4].endswith("...")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "euc-jp"])
@pytest.mark.parametrize("width", [1, 2, 5, 10, 20, 39, 40, 41, 79, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int, encoding: str) -> None:
    for line in render(busy(), 100.0, width, encoding):
        assert cell_len(line.plain) <= width
        line.plain.encode(encoding)


@pytest.mark.parametrize("width", range(1, 12))
def test_a_wide_character_is_never_cut_in_half(width: int) -> None:
    text = "日本語🚀e\u0301x"
    shown = fitted(Text(text, "red"), width, "utf-8").plain
    assert cell_len(shown) <= width
    assert shown == text if width >= cell_len(text) else shown.endswith("…")
    assert set(shown) <= {*text, " ", "…"}


def test_nothing_a_session_is_named_moves_the_cursor() -> None:
    for line in render(busy(), 100.0, 200):
        assert line.plain.isprintable()


def test_before_it_has_begun_there_is_no_block() -> None:
    assert render(Tally(), 1.0, 80) == []


def test_the_colour_of_what_is_cut_stays() -> None:
    line = fitted(Text.assemble(("red", "red"), (" green" * 9, "green")), 12, "utf-8")
    assert [(span.start, span.end, span.style) for span in line.spans] == [(0, 3, "red"), (3, 12, "green")]


def test_the_bar_is_full_only_at_the_end() -> None:
    tally = tally_of(began(1000), *(event for n in range(999) for event in (*start(n, 0.0), end(n, 1.0))))
    assert "99%" in plain(tally, 80)[0]
    assert "─" in plain(tally, 80)[0]
    for event in (*start(999, 1.0), end(999, 2.0)):
        tally.take(event)
    assert "100%" in plain(tally, 80)[0]
    assert "─" not in plain(tally, 80)[0]


def test_short_sessions_are_not_named_as_they_would_flicker() -> None:
    tally = tally_of(began(9), *start(0, 99.5, "short"), *start(1, 98.0, "long"))
    assert [line for line in plain(tally, 80) if "model=" in line] == ["       2s  model=long lr=0.1"]


def test_a_build_takes_room_and_is_counted() -> None:
    tally = tally_of(began(9), BuildStarted(0, "b", "make", "n", "local"))
    assert "1 building" in plain(tally, 80)[1]
    assert "cpu 1/8" in plain(tally, 80)[2]
    tally.take(BuildEnded(1, "b", Outcome.SUCCEEDED, 0, None, 1.0))
    assert "building" not in plain(tally, 80)[1]


def test_the_eta_follows_from_durations_and_how_many_run_at_once() -> None:
    """Four at a time, 10 s each, 40 in all: after 4 have ended, and 4 have run for 5 s, there are 35 s to go."""
    tally = tally_of(began(40))
    assert tally.eta(5.0) is None
    for number in range(4):
        for event in start(number, 0.0):
            tally.take(event)
    assert tally.eta(5.0) is None
    for number in range(4):
        tally.take(end(number, 10.0, duration=10.0))
        for event in start(number + 4, 10.0):
            tally.take(event)
    assert tally.eta(15.0) == pytest.approx(85.0)


def test_the_eta_knows_of_retries_and_of_time_between_sessions() -> None:
    """Each session takes two tries of 1 s, one at a time, with a second between any two: 4 s a session."""
    tally = tally_of(
        began(3),
        *(*start(0, 0.0), end(0, 1.0, Outcome.FAILED, 1.0, retry_in=1.0)),
        *(*start(0, 2.0, attempt=2), end(0, 3.0, duration=1.0, attempt=2)),
    )
    assert tally.eta(4.0) == pytest.approx(8.0)


def test_what_waits_at_a_cluster_is_not_running_until_it_has_started() -> None:
    one = session(0)
    tally = tally_of(
        began(2), facts.submitted(one), AttemptWaiting(1, one.id, 1, "a"), AttemptWaiting(2, one.id, 1, "b")
    )
    assert "0 running  1 waiting" in plain(tally, 80)[1]
    assert plain(tally, 80)[-1] == "  1 waiting: b"
    tally.take(AttemptStarted(3, one.id, 1, "1", None, ()))
    assert "1 running" in plain(tally, 80)[1]
    assert "waiting" not in "".join(plain(tally, 80))


def test_what_is_handed_over_ahead_does_not_run_until_it_has_begun() -> None:
    first, second = session(0), session(1)
    tally = tally_of(began(9))
    for one in (first, second):
        tally.take(replace(facts.submitted(one), ahead=True))
    assert "0 running" in plain(tally, 80)[1]
    assert "cpu" not in "".join(plain(tally, 80))
    tally.take(AttemptStarted(1, first.id, 1, "1", None, ()))
    assert "1 running" in plain(tally, 80)[1]
    assert "cpu 1/8" in plain(tally, 80)[2]
    tally.take(end(0, 2.0))
    tally.take(end(1, 2.0, Outcome.CANCELLED, duration=None))
    assert tally.outcomes == {Outcome.SUCCEEDED: 1, Outcome.CANCELLED: 1}
    assert not tally.running


def test_what_waits_to_be_tried_again_is_said_with_when() -> None:
    tally = tally_of(
        began(3),
        *(*start(0, 0.0), end(0, 1.0, Outcome.FAILED, 1.0, retry_in=20.0)),
        *(*start(1, 0.0), end(1, 2.0, Outcome.FAILED, 1.0, retry_in=60.0)),
    )
    assert plain(tally, 80, now=9.5)[-1] == "  2 waiting to be tried again, next in 12s"
    assert ", 2 waiting to be tried again, next in 12s; " in summary_line(tally, 9.5)
    assert plain(tally, 80, now=21.5)[-1] == "  2 waiting to be tried again"  # and there is no room yet
    for event in start(0, 22.0, attempt=2):
        tally.take(event)
    assert plain(tally, 80, now=22.0)[-1] == "  1 waiting to be tried again, next in 40s"
    tally.take(ApplyInterrupted(23.0, "interrupted", now=False))
    assert "again" not in "".join(plain(tally, 80, now=23.0))


class Paper:
    """A terminal's stand-in that keeps what was written."""

    descriptor = -1
    encoding = "utf-8"

    def __init__(self) -> None:
        self.written: list[str] = []
        self.idle = True

    def write(self, text: str) -> None:
        self.written.append(text)

    def drain(self, seconds: float | None) -> None: ...

    @property
    def lines(self) -> list[str]:
        return "".join(self.written).splitlines()


NOWHERE = Logs(of=lambda *_: Path("/nowhere"), build=lambda _: Path("/nowhere"), command=lambda kind: "runner logs")


def shown(
    paper: Paper, *, live: bool = False, verbose: bool = False, clock: Callable[[], float] = lambda: 0
) -> Progress:
    return Progress(paper, NOWHERE, live=live, verbose=verbose, clock=clock)


def test_a_hundred_thousand_sessions_draw_nothing_until_it_is_time() -> None:
    paper = Paper()
    progress = shown(paper, live=True, clock=lambda: 50.0)
    progress(began(100_000))
    for number in range(1000):
        one = session(number)
        for _ in range(100):
            progress(facts.submitted(one))
            progress(AttemptStarted(1, one.id, 1, "1", None, ()))
            progress(end(number, 2.0))
    assert progress.tally.done == 100_000
    assert progress.tally.running == {}
    assert paper.written == []
    progress.tick()
    assert len(paper.written) == 1
    assert "100,000/100,000" in paper.written[0]


def test_a_frame_that_would_be_the_same_is_not_drawn() -> None:
    paper = Paper()
    screen = Screen(paper)
    for _ in range(3):
        screen.draw([], render(busy(), 100.0, 79))
    assert len(paper.written) == 1
    screen.draw([], render(busy(), 101.0, 79))
    assert len(paper.written) == 2
    screen.forget()
    screen.draw([], render(busy(), 101.0, 79))
    assert len(paper.written) == 3


def test_lines_that_wrap_leave_nothing_of_the_block_between_them() -> None:
    paper = Paper()
    screen = Screen(paper)
    block = [Text(f"block {number} " + "=" * 60) for number in range(4)]
    screen.draw([], block)
    above = ["a" * 100, "b" * 200]
    screen.draw([Text(line) for line in above], block)
    emulator = pyte.Screen(80, 24)
    pyte.Stream(emulator).feed("".join(paper.written))
    seen = [line.rstrip() for line in emulator.display]
    assert seen[:5] == ["a" * 80, "a" * 20, "b" * 80, "b" * 80, "b" * 40]
    assert seen[5:9] == [line.plain for line in block]
    assert not any(seen[9:])


def test_a_narrow_terminal_hides_neither_a_message_nor_when_the_next_attempt_is() -> None:
    tally = tally_of(began(1), *start(1, 0.0), end(1, 1.0, Outcome.FAILED, retry_in=3600.0))
    assert plain(tally, 39, now=2.0)[-2:] == ["  1 waiting to be tried again, next in", "  59m 59s"]
    paper = Paper()
    paper.descriptor, terminal = os.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        live = Live(paper, tally)
        live.say(f"failed (exit code 1): {'model=resnet ' * 10}: boom")
        live.tick(2.0)
        assert [line for line in paper.lines if line.endswith(": boom")]
    finally:
        os.close(paper.descriptor)
        os.close(terminal)


def test_a_frame_that_nobody_takes_is_not_drawn() -> None:
    paper = Paper()
    live = Live(paper, tally_of(began(9)))
    paper.idle = False
    live.tick(1.0)
    assert paper.written == []
    paper.idle = True
    live.tick(1.0)
    assert len(paper.written) == 1


def test_a_flood_of_lines_above_the_block_is_cut() -> None:
    paper = Paper()
    live = Live(paper, tally_of(began(9)))
    for number in range(10_000):
        live.say(f"failed {number}")
    live.hide()
    assert sum("failed" in line for line in paper.lines) == MOST_LINES
    assert f"and {10_000 - MOST_LINES:,} more lines" in "".join(paper.lines)


def fail(progress: Progress, number: int, reason: str, at: float = 1.0) -> None:
    for event in (*start(number, at), end(number, at, Outcome.FAILED, reason=reason)):
        progress(event)


def test_off_a_terminal_many_failures_of_one_cause_are_a_few_lines() -> None:
    now = [0.0]
    paper = Paper()
    progress = shown(paper, clock=lambda: now[0])
    progress(began(5000))
    progress.tick()
    for number in range(5000):
        fail(progress, number, f"no room at step {number}")
    assert len(paper.lines) == EACH_CAUSE
    now[0] = 29.9
    progress.tick()
    assert len(paper.lines) == EACH_CAUSE
    now[0] = 30.0
    progress.tick()
    assert paper.lines[EACH_CAUSE:] == [
        "5,000/5,000 done, 5,000 failed, 0 running; 30s, 167/s",
        "  4,997 more failed (no room at step 3)",
    ]


def test_off_a_terminal_many_causes_are_no_flood_either() -> None:
    now = [0.0]
    paper = Paper()
    progress = shown(paper, clock=lambda: now[0])
    progress(began(10_000))
    progress.tick()
    for second in range(600):
        now[0] = float(second)
        for number in range(10):
            fail(progress, number, "cause " + "abcdefghij"[number] * (second + 1))
        progress.tick()
    assert progress.tally.done == 6000
    assert len(paper.lines) <= (600 / 30) * (MOST_PLAIN_LINES + 7)


def test_off_a_terminal_it_is_never_silent_for_long_and_sums_up_every_30_seconds() -> None:
    now = [0.0]
    paper = Paper()
    progress = shown(paper, clock=lambda: now[0])
    progress(began(10))
    for second in range(301):
        now[0] = float(second)
        progress.tick()
    assert len(paper.lines) == 10
    assert paper.lines[0] == "0/10 done, 0 running; 30s"


def test_verbose_has_a_line_for_every_end() -> None:
    paper = Paper()
    progress = shown(paper, verbose=True)
    progress(began(10))
    for number in range(10):
        for event in start(number, 0.0, f"m{number}"):
            progress(event)
        progress(end(number, 1.0))
    assert paper.lines == [f"succeeded in 1.0s: model=m{number} lr=0.1" for number in range(10)]


def test_what_ends_ahead_of_its_room_is_of_this_apply() -> None:
    paper = Paper()
    progress = shown(paper)
    progress(began(2))
    for number, outcome in enumerate((Outcome.CANCELLED, Outcome.REJECTED)):
        progress(replace(facts.submitted(session(number, "m")), ahead=True))
        progress(end(number, 1.0, outcome, reason="interrupted", duration=None))
    assert paper.lines == ["rejected (interrupted): model=m lr=0.1"]
    assert progress.tally.outcomes == {Outcome.CANCELLED: 1, Outcome.REJECTED: 1}


def test_what_is_not_listed_at_the_end_was_at_least_counted() -> None:
    paper = Paper()
    progress = Progress(paper, replace(NOWHERE, command=None), live=False, clock=lambda: 1.0)
    progress(began(10))
    for number in range(10):
        fail(progress, number, "exit code 1")
    progress.finish(facts.apply_ended(1.0, {Outcome.FAILED: 10}, 0))
    assert paper.lines[EACH_CAUSE:] == ["  7 more failed (exit code 1): nothing on stderr", "10 failed in 1.0s"]


def test_at_the_end_failures_stand_by_cause() -> None:
    now = [0.0]
    paper = Paper()
    progress = shown(paper, clock=lambda: now[0])
    progress(began(374))
    for number in range(370):
        fail(progress, number, "exit code 1")
    for number in range(370, 372):
        for event in (*start(number, 0.0), end(number, 9.0, Outcome.TIMED_OUT, reason="after 9s")):
            progress(event)
    paper.written.clear()
    now[0] = 65.0
    progress.finish(facts.apply_ended(65.0, {Outcome.FAILED: 370, Outcome.TIMED_OUT: 2}, 2))
    assert paper.lines == [
        "370 failed, 2 timed-out, 2 not run in 1m 05s",
        "",
        "370 failed, 2 timed-out, 2 causes",
        "",
        "370 failed (exit code 1), such as model=x lr=0.1:",
        "    nothing on stderr",
        "",
        "2 timed-out (after 9s), such as model=x lr=0.1",
    ]


def test_a_retry_that_never_came_leaves_its_failure() -> None:
    """Counts and causes are of the same failures; one that was tried again counts for how that ended."""
    paper = Paper()
    progress = shown(paper)
    progress(began(2))
    for number in range(2):
        for event in (*start(number, 0.0), end(number, 1.0, Outcome.FAILED, retry_in=1.0, reason="no")):
            progress(event)
    for event in (*start(0, 2.0, attempt=2), end(0, 3.0, attempt=2)):
        progress(event)
    paper.written.clear()
    progress.finish(facts.apply_ended(4.0, {Outcome.FAILED: 1, Outcome.SUCCEEDED: 1}, 0))
    assert [line for line in paper.lines if "cause" in line] == ["1 failed, 1 cause"]
