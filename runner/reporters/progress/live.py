"""Progress on a terminal: one block that is drawn again at a bounded rate, and lines above it."""

from __future__ import annotations

import time

from rich.text import Text

from runner.reporters.progress.block import fitted, render
from runner.reporters.progress.screen import Screen
from runner.reporters.progress.terminal import Terminal
from runner.reporters.progress.tracker import Tally

REDRAW_SECONDS = 0.1
"""Between two looks at whether there is something to draw."""

RESTS = 20
"""After it has drawn, it rests at least so many times as long as that took."""

MOST_LINES = 200
"""Lines that one frame adds above the block; nobody reads more at once."""

MOST_ROWS, MOST_CELLS = 3, 240
"""What a line above the block may take, in a narrow terminal so many cells: it is not drawn again, and need not fit in a row."""

HIDE_SECONDS = 0.5
"""How long a terminal that does not take anything is waited for."""


class Live:
    """Events cost nothing here: what they have changed is seen at the next `tick`. A reader that is slow sees fewer frames."""

    seconds = REDRAW_SECONDS

    def __init__(self, out: Terminal, tally: Tally) -> None:
        self.tally = tally
        self._out = out
        self._screen = Screen(out)
        self._above: list[Text] = []
        self._left_out = 0
        self._rests_until = 0.0

    def say(self, text: str, style: str = "") -> None:
        for line in text.split("\n"):
            if len(self._above) < MOST_LINES:
                self._above.append(Text(line, style))
            else:
                self._left_out += 1

    def tick(self, now: float) -> None:
        """Draw what has changed, if it is time and the terminal has taken the last frame. `now` is Unix time."""
        if time.monotonic() < self._rests_until or not self._out.idle:
            return
        began = time.thread_time()
        self._draw(now if self._screen.ours else None)
        self._rests_until = time.monotonic() + RESTS * (time.thread_time() - began)

    def hide(self) -> None:
        """Show the lines that wait to be shown, and take the block away, also before this process is stopped."""
        self._draw(None)
        self._out.drain(HIDE_SECONDS)

    def show(self) -> None:
        """Somebody else has had the terminal: draw anew, below what they wrote."""
        self._screen.forget()
        self._rests_until = 0.0

    def _draw(self, now: float | None) -> None:
        width = self._screen.size.columns - 1  # a full line would leave the cursor between two
        encoding = self._out.encoding
        above, self._above = [fitted(line, max(MOST_ROWS * width, MOST_CELLS), encoding) for line in self._above], []
        if self._left_out:
            above.append(Text(f"and {self._left_out:,} more lines", "dim"))
            self._left_out = 0
        if now is None:
            self._screen.clear()
        self._screen.draw(above, [] if now is None else render(self.tally, now, width, encoding))
