"""A block that stays at the bottom of a terminal, and lines that scroll away above it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from runner.reporters.progress.terminal import Terminal

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""Around what a terminal that knows them shows at once; the others ignore them."""

CLEAR_LINE = "\x1b[2K"
"""Before a line, not behind it: until it is erased whole, a terminal that wraps anew for another width knows a line as long as
it ever was, or as one with the next.
"""

CLEAR_BELOW = "\x1b[J"

FALLBACK = os.terminal_size((80, 24))


class Screen:
    """Draws whole frames, each in one piece; what is unchanged is not drawn. Changes no mode of the terminal, so that
    there is nothing to put right after a stop or a death.
    """

    def __init__(self, out: Terminal) -> None:
        self._out = out
        self._console = Console(file=io.StringIO(), force_terminal=True, legacy_windows=False, soft_wrap=True)
        self._shown: list[Text] = []

    @property
    def size(self) -> os.terminal_size:
        try:
            columns, lines = os.get_terminal_size(self._out.descriptor)
        except OSError:
            return FALLBACK
        return os.terminal_size((columns or FALLBACK.columns, lines or FALLBACK.lines))

    @property
    def ours(self) -> bool:
        """Whether the terminal is ours to draw on: not while the shell has it and we are in the background."""
        try:
            return os.tcgetpgrp(self._out.descriptor) == os.getpgrp()
        except OSError:  # it is not the one that controls us, and nobody else's either
            return True

    def draw(self, above: Sequence[Text], block: Sequence[Text]) -> None:
        """Add lines above, and have this block below them in the place of the last one. Its lines fit the width."""
        block = list(block)[: max(0, self.size.lines - 1)]
        if not above and block == self._shown:
            return
        frame = [BEGIN, self._to_top()]
        if above:  # a line of them may wrap over rows of the last block, and CLEAR_LINE erases but the first of its own
            frame.append(CLEAR_BELOW)
        frame += [CLEAR_LINE + self._painted(line) + "\r\n" for line in above]
        frame.append("\r\n".join(CLEAR_LINE + self._painted(line) for line in block))
        frame.append(CLEAR_BELOW + END)
        self._out.write("".join(frame))
        self._shown = block

    def clear(self) -> None:
        """Take the block away."""
        if self._shown:
            self._out.write(self._to_top() + CLEAR_BELOW)
            self._shown = []

    def forget(self) -> None:
        """Somebody else has written since: the next block begins where the cursor is."""
        self._shown = []

    def _to_top(self) -> str:
        """To where the block begins. A terminal that has become narrower has broken its lines."""
        columns = self.size.columns
        rows = sum(max(1, -(-line.cell_len // columns)) for line in self._shown)
        up = (ControlType.CURSOR_UP, rows - 1)
        return str(Control(ControlType.CARRIAGE_RETURN, *([up] if rows > 1 else [])))

    def _painted(self, line: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(line, end="")
        return captured.get()
