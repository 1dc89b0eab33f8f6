"""Progress in a pipe or the log of a CI job."""

from __future__ import annotations

from runner.reporters.progress.plain import MOST_LINES, MOST_OF_A_KIND
from tests.reporters.progress_events import FakeOutput, apply_began, fail, progress_on


def test_failures_of_one_cause_are_counted_after_three_lines() -> None:
    now = [0.0]
    output = FakeOutput()
    progress = progress_on(output, clock=lambda: now[0])
    progress(apply_began(5000))
    progress.tick()
    for number in range(5000):
        fail(progress, number, f"no room at step {number}")
    assert len(output.lines) == MOST_OF_A_KIND
    now[0] = 29.9
    progress.tick()
    assert len(output.lines) == MOST_OF_A_KIND
    now[0] = 30.0
    progress.tick()
    assert output.lines[MOST_OF_A_KIND:] == [
        "5,000/5,000 done, 5,000 failed, 0 running; 30s, 167/s",
        "  4,997 more failed (no room at step 3)",
    ]


def test_lines_of_many_causes_are_limited() -> None:
    now = [0.0]
    output = FakeOutput()
    progress = progress_on(output, clock=lambda: now[0])
    progress(apply_began(10_000))
    progress.tick()
    for second in range(600):
        now[0] = float(second)
        for number in range(10):
            fail(progress, number, "cause " + "abcdefghij"[number] * (second + 1))
        progress.tick()
    assert progress.tracker.done == 6000
    assert len(output.lines) <= (600 / 30) * (MOST_LINES + 7)


def test_summary_line_every_30_seconds() -> None:
    now = [0.0]
    output = FakeOutput()
    progress = progress_on(output, clock=lambda: now[0])
    progress(apply_began(10))
    for second in range(301):
        now[0] = float(second)
        progress.tick()
    assert len(output.lines) == 10
    assert output.lines[0] == "0/10 done, 0 running; 30s"
