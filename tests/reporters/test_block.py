"""The block at the bottom of a terminal, as text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.text import Text

from runner.events import ApplyInterrupted, ApplyWaiting, AttemptStarted, AttemptWaiting, BuildEnded, BuildStarted
from runner.model import Outcome
from runner.reporters.progress.block import fit, render
from runner.reporters.progress.tracker import Tracker
from runner.reporters.progress.wording import summary_line
from tests import facts
from tests.reporters.progress_events import apply_began, busy, ended, session, started, tracker_of


def plain(tracker: Tracker, width: int, encoding: str = "utf-8", now: float = 100.0, height: int = 24) -> list[str]:
    return [line.plain.rstrip() for line in render(tracker, now, width, height, encoding)]


def running(count: int) -> Tracker:
    return tracker_of(apply_began(60), *(event for n in range(count) for event in started(n, 1.0)))


@pytest.mark.parametrize(("height", "listed"), [(24, 9), (50, 22), (12, 5), (200, 40)])
def test_tall_terminal_lists_more_running_sessions(height: int, listed: int) -> None:
    """With half of its lines for the block, and five sessions on a terminal of any height."""
    lines = plain(running(40), 80, height=height)
    assert sum("model=" in line for line in lines) == listed
    assert ("  and 31 more" in lines) == (listed == 9)
    assert len(lines) < height


def test_low_terminal_keeps_first_lines() -> None:
    assert plain(running(40), 80, height=4) == plain(running(40), 80)[:3]


def test_bar_fills_width() -> None:
    assert {len(plain(busy(), width)[0]) for width in (100, 200)} == {100, 200}


def test_narrow_block_wraps_time_of_next_retry() -> None:
    tracker = tracker_of(apply_began(1), *started(1, 0.0), ended(1, 1.0, Outcome.FAILED, retry_in=3600.0))
    assert plain(tracker, 39, now=2.0)[-2:] == ["  1 waiting to be tried again, next in", "  59m 59s"]


def test_block_of_80_cells() -> None:
    assert plain(busy(), 80) == [
        "lr-search  ━━━━━━━━━━━━━━━━━━━━━━───────────────────────  30/60  50%  ETA 1m 13s",
        "27 succeeded  3 failed  1 retry  6 running  2 waiting  1m 40s  18/min",
        "cpu 8/8  mem 8 GiB of 16 GiB",
        "      10s  model=resnet lr=0.1 (attempt 2)",
        "       9s  model=日本語の長い名前日本語の長い名前日本語の長い名前日本語の長い名…",
        "       8s  model='🚀 rocket' lr=0.1",
        "       7s  model=e\u0301té lr=0.1",
        "       6s  model=␛[31mred lr=0.1",
        "       5s  model=plain lr=0.1",
        "  2 waiting: no room: quota of 日本",
    ]


def test_block_of_40_cells() -> None:
    assert plain(busy(), 40)[:5] == [
        "━━━━━━━━────────  30/60  50%  ETA 1m 13s",
        "27 succeeded  3 failed  1 retry",
        "6 running  2 waiting  1m 40s  18/min",
        "cpu 8/8  mem 8 GiB of 16 GiB",
        "      10s  model=resnet lr=0.1 (attempt…",
    ]


def test_ascii_encoding_gets_ascii_block() -> None:
    lines = plain(busy(), 80, "ascii")
    assert all(line.isascii() for line in lines)
    assert "  ######" in lines[0]
    assert "model=\\u65e5\\u672c\\u8a9e" in lines[4]
    assert lines[4].endswith("...")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "euc-jp"])
@pytest.mark.parametrize("width", [1, 2, 5, 10, 20, 39, 40, 41, 79, 80, 200])
def test_no_line_is_wider_than_terminal(width: int, encoding: str) -> None:
    for line in render(busy(), 100.0, width, 24, encoding):
        assert cell_len(line.plain) <= width
        line.plain.encode(encoding)


@pytest.mark.parametrize("width", range(1, 12))
def test_wide_character_is_not_cut_in_half(width: int) -> None:
    text = "日本語🚀e\u0301x"
    shown = fit(Text(text, "red"), width, "utf-8").plain
    assert cell_len(shown) <= width
    assert shown == text if width >= cell_len(text) else shown.endswith("…")
    assert set(shown) <= {*text, " ", "…"}


def test_session_name_cannot_move_cursor() -> None:
    for line in render(busy(), 100.0, 200):
        assert line.plain.isprintable()


def test_no_block_before_apply_starts() -> None:
    assert render(Tracker(), 1.0, 80) == []


def test_cut_line_keeps_its_colours() -> None:
    line = fit(Text.assemble(("red", "red"), (" green" * 9, "green")), 12, "utf-8")
    assert [(span.start, span.end, span.style) for span in line.spans] == [(0, 3, "red"), (3, 12, "green")]


def test_bar_is_full_only_at_end() -> None:
    tracker = tracker_of(apply_began(1000), *(event for n in range(999) for event in (*started(n, 0.0), ended(n, 1.0))))
    assert "99%" in plain(tracker, 80)[0]
    assert "─" in plain(tracker, 80)[0]
    for event in (*started(999, 1.0), ended(999, 2.0)):
        tracker.take(event)
    assert "100%" in plain(tracker, 80)[0]
    assert "─" not in plain(tracker, 80)[0]


def test_session_is_listed_after_a_second() -> None:
    tracker = tracker_of(apply_began(9), *started(0, 99.5, "short"), *started(1, 98.0, "long"))
    assert [line for line in plain(tracker, 80) if "model=" in line] == ["       2s  model=long lr=0.1"]


def test_build_is_counted_and_uses_capacity() -> None:
    tracker = tracker_of(apply_began(9), BuildStarted(0, "b", "make", "n", "local"))
    assert "1 building" in plain(tracker, 80)[1]
    assert "cpu 1/8" in plain(tracker, 80)[2]
    tracker.take(BuildEnded(1, "b", Outcome.SUCCEEDED, 0, None, 1.0))
    assert "building" not in plain(tracker, 80)[1]


def test_queued_attempt_is_waiting_until_it_starts() -> None:
    one = session(0)
    tracker = tracker_of(
        apply_began(2), facts.submitted(one), AttemptWaiting(1, one.id, 1, "a"), AttemptWaiting(2, one.id, 1, "b")
    )
    assert "0 running  1 waiting" in plain(tracker, 80)[1]
    assert plain(tracker, 80)[-1] == "  1 waiting: b"
    tracker.take(AttemptStarted(3, one.id, 1, "1", None, ()))
    assert "1 running" in plain(tracker, 80)[1]
    assert "waiting" not in "".join(plain(tracker, 80))


def test_wait_for_what_another_runner_holds() -> None:
    tracker = tracker_of(apply_began(2), ApplyWaiting(1, "gpu 0 is in use by pid 7: /x/two.yaml"))
    assert plain(tracker, 80)[-1] == "  waiting: gpu 0 is in use by pid 7: /x/two.yaml"
    tracker.take(ApplyWaiting(2, None))
    assert "waiting" not in "".join(plain(tracker, 80))


def test_prefetched_attempt_is_not_running_until_it_starts() -> None:
    first, second = session(0), session(1)
    tracker = tracker_of(apply_began(9))
    for one in (first, second):
        tracker.take(replace(facts.submitted(one), ahead=True))
    assert "0 running" in plain(tracker, 80)[1]
    assert "cpu" not in "".join(plain(tracker, 80))
    tracker.take(AttemptStarted(1, first.id, 1, "1", None, ()))
    assert "1 running" in plain(tracker, 80)[1]
    assert "cpu 1/8" in plain(tracker, 80)[2]
    tracker.take(ended(0, 2.0))
    tracker.take(ended(1, 2.0, Outcome.CANCELLED, duration=None))
    assert tracker.outcomes == {Outcome.SUCCEEDED: 1, Outcome.CANCELLED: 1}
    assert not tracker.running


def test_pending_retries_are_shown_with_time_of_next() -> None:
    tracker = tracker_of(
        apply_began(3),
        *(*started(0, 0.0), ended(0, 1.0, Outcome.FAILED, 1.0, retry_in=20.0)),
        *(*started(1, 0.0), ended(1, 2.0, Outcome.FAILED, 1.0, retry_in=60.0)),
    )
    assert plain(tracker, 80, now=9.5)[-1] == "  2 waiting to be tried again, next in 12s"
    assert ", 2 waiting to be tried again, next in 12s; " in summary_line(tracker, 9.5)
    assert plain(tracker, 80, now=21.5)[-1] == "  2 waiting to be tried again"  # no capacity is free yet
    for event in started(0, 22.0, attempt=2):
        tracker.take(event)
    assert plain(tracker, 80, now=22.0)[-1] == "  1 waiting to be tried again, next in 40s"
    tracker.take(ApplyInterrupted(23.0, "interrupted", now=False))
    assert "again" not in "".join(plain(tracker, 80, now=23.0))
