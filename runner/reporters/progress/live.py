"""Progress on a terminal: one block at the bottom, drawn by rich, and lines that scroll away above it."""

from __future__ import annotations

import io
import os
import time

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from runner.reporters.progress.block import fit, render
from runner.reporters.progress.output import Output
from runner.reporters.progress.tracker import Tracker

REDRAW_SECONDS = 0.1
"""The interval at which `LiveDisplay.tick` is to be called."""

REST_FACTOR = 20
"""After a frame, drawing pauses for this many times the CPU time that the frame took."""

MOST_LINES = 200
"""Lines that one frame adds above the block."""

MOST_ROWS, MOST_CELLS = 3, 240
"""Rows that a line above the block may take; in a narrow terminal, cells. The terminal wraps such a line."""

HIDE_SECONDS = 0.5
"""How long `hide` waits for a terminal that accepts no output."""

FALLBACK = os.terminal_size((80, 24))

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""A terminal that knows these shows all between them at once; others ignore them."""


class LiveDisplay:
    """Draws the tracker at a bounded rate. An event costs nothing here; a slow terminal gets fewer frames."""

    seconds = REDRAW_SECONDS

    def __init__(self, out: Output, tracker: Tracker) -> None:
        self.tracker = tracker
        self._out = out
        self._block = BottomBlock(out)
        self._above: list[Text] = []
        self._omitted = 0
        self._next_frame = 0.0
        """`time.monotonic()` before which nothing is drawn."""

    def write(self, text: str, style: str = "") -> None:
        """Add lines above the block with the next frame."""
        for line in text.split("\n"):
            if len(self._above) < MOST_LINES:
                self._above.append(Text(line, style))
            else:
                self._omitted += 1

    def tick(self, now: float) -> None:
        """Draw what has changed, if a frame is due and the terminal has accepted the last one. `now` is Unix time."""
        if time.monotonic() < self._next_frame or not self._out.idle:
            return
        began = time.thread_time()
        self._draw(now if _in_foreground(self._out.descriptor) else None)
        self._next_frame = time.monotonic() + REST_FACTOR * (time.thread_time() - began)

    def hide(self) -> None:
        """Write the pending lines and remove the block, also before this process is stopped."""
        self._draw(None)
        self._out.drain(HIDE_SECONDS)

    def show(self) -> None:
        """Draw the next block where the cursor is: another program has written to the terminal."""
        self._block.forget()
        self._next_frame = 0.0

    def _draw(self, now: float | None) -> None:
        """Draw one frame; without `now` it has no block."""
        size = _terminal_size(self._out.descriptor)
        width = size.columns - 1  # after a full row the cursor would be neither on it nor on the next
        above = [fit(line, max(MOST_ROWS * width, MOST_CELLS), self._out.encoding) for line in self._above]
        if self._omitted:
            above.append(Text(f"and {self._omitted:,} more lines", "dim"))
        self._above, self._omitted = [], 0
        block = [] if now is None else render(self.tracker, now, width, size.lines, self._out.encoding)
        self._block.draw(above, block, size)
        if now is None:
            self._block.forget()


class BottomBlock:
    """Keeps a block of lines at the bottom of a terminal, below all other lines.

    `rich.live.Live` does the same, but moves up by the lines that it drew. A terminal that becomes narrower wraps each of
    them over several rows, and one that becomes lower moves rows into its scrollback, from where they return when it
    becomes higher again: rich leaves these rows behind. This class counts rows for the size of the moment.
    """

    def __init__(self, out: Output) -> None:
        self._console = Console(file=_File(out), force_terminal=True, legacy_windows=False)
        self._lines: list[Text] = []
        """The block as it was drawn last."""
        self._hidden: list[int] = []
        """Cells of each line of earlier blocks that lies in the scrollback."""
        self._size = FALLBACK

    def draw(self, above: list[Text], lines: list[Text], size: os.terminal_size) -> None:
        """Print lines above the block and replace the block, in one write; an unchanged block is not drawn again."""
        if not above and lines == self._lines:
            return
        self._console.size = size
        frame = Text("\n").join([*above, *(lines or [Text()])])
        self._console.print(self._erase(size), frame, end="", soft_wrap=True)
        self._lines = lines
        if above:  # they separate the block from the rows in the scrollback
            self._hidden = []

    def forget(self) -> None:
        """Treat what has been drawn as text of others, which is not erased."""
        self._lines, self._hidden = [], []

    def _erase(self, size: os.terminal_size) -> Control:
        """Erase the last block and move to where it began. Rows that have left the screen are kept in mind."""
        drawn = [line.cell_len for line in self._lines]
        if size.lines > self._size.lines:  # rows have returned from the scrollback
            drawn, self._hidden = self._hidden + drawn, []
        rows = sum(_rows(cells, size.columns) for cells in drawn)
        self._hidden += _first_rows(drawn, rows - size.lines, size.columns)
        self._size = size
        up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)) * (min(rows, size.lines) - 1)
        return Control(ControlType.CARRIAGE_RETURN, *up, (ControlType.ERASE_IN_LINE, 2))


def _rows(cells: int, columns: int) -> int:
    return max(1, -(-cells // columns))


def _first_rows(lines: list[int], count: int, columns: int) -> list[int]:
    """The cells of the lines that take the first `count` rows; the last of them may be cut."""
    kept = []
    for cells in lines:
        if count <= 0:
            break
        kept.append(min(cells, count * columns))
        count -= _rows(cells, columns)
    return kept


class _File(io.StringIO):
    """What rich takes for a file: passes text on, between marks for terminals that can show it at once."""

    def __init__(self, out: Output) -> None:
        super().__init__()
        self._out = out

    def write(self, text: str) -> int:
        self._out.write_escaped(f"{BEGIN}{text}{END}")
        return len(text)


def _terminal_size(descriptor: int) -> os.terminal_size:
    try:
        columns, lines = os.get_terminal_size(descriptor)
    except OSError:
        return FALLBACK
    return os.terminal_size((columns or FALLBACK.columns, lines or FALLBACK.lines))


def _in_foreground(descriptor: int) -> bool:
    """Whether this process may draw: False while the shell has put it into the background."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # not the controlling terminal, so no shell can take it
        return True
