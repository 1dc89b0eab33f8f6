"""The live display, frame by frame."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

import pyte
import pytest
from rich.text import Text

from runner.events import AttemptStarted
from runner.reporters.progress.block import render
from runner.reporters.progress.live import MOST_LINES, BottomBlock, LiveDisplay
from tests import facts
from tests.reporters.progress_events import FakeOutput, apply_began, busy, ended, progress_on, session, tracker_of

SIZE = os.terminal_size((80, 24))


def test_unchanged_block_is_not_drawn_again() -> None:
    output = FakeOutput()
    block = BottomBlock(output)
    for now, frames in ((100.0, 1), (100.0, 1), (101.0, 2)):
        block.draw([], render(busy(), now, 79), SIZE)
        assert len(output.written) == frames
    block.forget()
    block.draw([], render(busy(), 101.0, 79), SIZE)
    assert len(output.written) == 3


def test_wrapped_lines_above_block_leave_nothing_of_it() -> None:
    output = FakeOutput()
    block = BottomBlock(output)
    lines = [Text(f"block {number} " + "=" * 60) for number in range(4)]
    block.draw([], lines, SIZE)
    block.draw([Text("a" * 100), Text("b" * 200)], lines, SIZE)
    emulator = pyte.Screen(80, 24)
    pyte.Stream(emulator).feed("".join(output.written).replace("\n", "\r\n"))
    shown = [line.rstrip() for line in emulator.display]
    assert shown[:5] == ["a" * 80, "a" * 20, "b" * 80, "b" * 80, "b" * 40]
    assert shown[5:9] == [line.plain for line in lines]
    assert not any(shown[9:])


@pytest.mark.parametrize(
    ("drawn", "sizes", "up"),
    [
        ([79, 30], [(80, 24)], [1]),
        ([79, 30], [(40, 24), (80, 24)], [2, 0]),
        ([79, 79, 30], [(40, 3), (40, 3), (80, 24)], [2, 0, 1]),
        ([79, 79, 30], [(50, 2), (50, 2), (80, 24)], [1, 0, 2]),
    ],
)
def test_rows_are_counted_for_new_size(drawn: list[int], sizes: list[tuple[int, int]], up: list[int]) -> None:
    """The cursor cannot move into the scrollback; rows there are erased when the terminal is higher again."""
    output = FakeOutput()
    block = BottomBlock(output)
    block.draw([], [Text("=" * cells) for cells in drawn], SIZE)
    for number, size in enumerate(sizes):
        block.draw([], [Text(f"new {number}")], os.terminal_size(size))
    assert [frame.count("\x1b[1A") for frame in output.written[1:]] == up


def test_narrow_terminal_wraps_message() -> None:
    output = FakeOutput()
    output.descriptor, terminal = os.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        live = LiveDisplay(output, tracker_of(apply_began(1)))
        live.write(f"failed (exit code 1): {'model=resnet ' * 10}: boom")
        live.tick(2.0)
        assert [line for line in output.lines if line.endswith(": boom")]
    finally:
        os.close(output.descriptor)
        os.close(terminal)


def test_control_characters_do_not_reach_terminal() -> None:
    output = FakeOutput()
    live = LiveDisplay(output, tracker_of(apply_began(1)))
    live.write("failed: \x1b[2Jx\x07")
    live.hide()
    assert "failed: ␛[2Jx" in "".join(output.written)


def test_events_draw_nothing_before_tick() -> None:
    output = FakeOutput()
    progress = progress_on(output, live=True, clock=lambda: 50.0)
    progress(apply_began(100_000))
    for number in range(1000):
        one = session(number)
        for _ in range(100):
            progress(facts.submitted(one))
            progress(AttemptStarted(1, one.id, 1, "1", None, ()))
            progress(ended(number, 2.0))
    assert progress.tracker.done == 100_000
    assert progress.tracker.running == {}
    assert output.written == []
    progress.tick()
    assert len(output.written) == 1
    assert "100,000/100,000" in output.written[0]


def test_no_frame_while_output_is_busy() -> None:
    output = FakeOutput()
    live = LiveDisplay(output, tracker_of(apply_began(9)))
    output.idle = False
    live.tick(1.0)
    assert output.written == []
    output.idle = True
    live.tick(1.0)
    assert len(output.written) == 1


def test_lines_above_block_are_limited() -> None:
    output = FakeOutput()
    live = LiveDisplay(output, tracker_of(apply_began(9)))
    for number in range(10_000):
        live.write(f"failed {number}")
    live.hide()
    assert sum("failed" in line for line in output.lines) == MOST_LINES
    assert f"and {10_000 - MOST_LINES:,} more lines" in "".join(output.lines)
