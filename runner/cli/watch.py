"""`status --watch`: a look at the state again and again, until nobody holds it any more."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.console import say
from runner.config.sweep import Sweep
from runner.reporters.progress.output import supports_redraw
from runner.reporters.progress.plain import QUIET_SECONDS
from runner.reporters.progress.snapshot import Snapshot
from runner.reporters.progress.tracker import Tracker
from runner.reporters.progress.wording import summary_line
from runner.reporters.streams import Writer
from runner.state import open_for_reading

if TYPE_CHECKING:
    from runner.reporters.progress.live import LiveDisplay

LOOK_SECONDS = 1.0

RESTS = 10
"""A look at a large sweep takes its time: it rests so many times as long."""


def await_apply(sweep: Sweep, directory: Path | None) -> None:
    """Return once the sweep's first apply has begun."""
    say("nothing has begun yet; waiting for `runner apply`")
    while True:
        with open_for_reading(sweep.folder, sweep.name, directory) as state:
            if state is not None and state.journal.last_apply() is not None:
                return
        time.sleep(LOOK_SECONDS)


def follow(look: Callable[[], Snapshot]) -> None:
    """Draw what `look` finds on stdout: a block on a terminal, else a line now and then. Returns when no apply runs."""
    out = Writer(1, 100, encoding=sys.stdout.encoding, gaps=True)
    if supports_redraw(out, os.environ):
        _draw(look, out)
    else:
        _sum_up(look)


def _draw(look: Callable[[], Snapshot], out: Writer) -> None:
    from runner.reporters.progress.live import LiveDisplay

    live = LiveDisplay(out, Tracker())
    try:
        with _stoppable(live) as draw:
            for now in _while_live(look):
                live.tracker = now.tracker
                draw()
    finally:
        live.hide()
        out.drain(LOOK_SECONDS)


@contextmanager
def _stoppable(live: LiveDisplay) -> Iterator[Callable[[], None]]:
    """Have Ctrl-Z take the block away before it stops this process, as it would anyway, and draw it again when that goes on.

    Yields what draws it; a signal that comes in the midst of that waits for its end.
    """
    drawing = False
    heard: deque[int] = deque()

    def draw() -> None:
        nonlocal drawing
        drawing = True
        live.tick(time.time())
        drawing = False
        while heard:
            heed(heard.popleft())

    def heed(number: int) -> None:
        if number == signal.SIGTSTP:
            live.hide()
            ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, ours)
        else:  # what lets us go on after a Ctrl-Z, too
            live.show()
            draw()

    def hear(number: int, _: object) -> None:
        if drawing:
            heard.append(number)
        else:
            heed(number)

    stops = signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
    before = {number: signal.signal(number, hear) for number in (signal.SIGCONT, *([signal.SIGTSTP] if stops else []))}
    try:
        yield draw
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sum_up(look: Callable[[], Snapshot]) -> None:
    said = -QUIET_SECONDS
    for now in _while_live(look):
        if time.monotonic() - said >= QUIET_SECONDS:
            said = time.monotonic()
            click.echo(summary_line(now.tracker, time.time()))


def _while_live(look: Callable[[], Snapshot]) -> Iterator[Snapshot]:
    """What it finds, as often as is cheap, while an apply runs."""
    while True:
        began = time.thread_time()
        now = look()
        if not now.live:
            return
        yield now
        time.sleep(max(LOOK_SECONDS, RESTS * (time.thread_time() - began)))
