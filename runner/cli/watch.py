"""`status --watch`: read the state at intervals and draw it, until no apply holds it."""

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

from runner.cli.console import for_people, say
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

POLL_SECONDS = 1.0

IDLE_FACTOR = 10
"""The state of a large sweep takes long to read; the pause is this many times as long."""


def await_apply(sweep: Sweep, directory: Path | None) -> None:
    """Return when the first apply of the sweep has started."""
    say("waiting for the first `runner apply` of this sweep")
    while True:
        with open_for_reading(sweep.folder, sweep.name, directory) as state:
            if state is not None and state.journal.last_apply() is not None:
                return
        time.sleep(POLL_SECONDS)


def follow(take: Callable[[], Snapshot]) -> None:
    """Show snapshots on stdout until no apply runs: a block on a terminal, elsewhere a line at intervals."""
    out = Writer(1, 100, encoding=sys.stdout.encoding, gaps=True, escape=for_people())
    if supports_redraw(out, os.environ):
        _draw_block(take, out)
    else:
        _print_lines(take)


def _draw_block(take: Callable[[], Snapshot], out: Writer) -> None:
    from runner.reporters.progress.live import LiveDisplay

    live = LiveDisplay(out, Tracker())
    try:
        with _stoppable(live) as draw:
            for snapshot in _snapshots(take):
                live.tracker = snapshot.tracker
                draw()
    finally:
        live.hide()
        out.drain(POLL_SECONDS)


@contextmanager
def _stoppable(live: LiveDisplay) -> Iterator[Callable[[], None]]:
    """Hide the block before Ctrl-Z stops this process, and draw it again when the process continues.

    Yields the function that draws. A signal that arrives while it draws is handled afterwards.
    """
    drawing = False
    pending: deque[int] = deque()

    def draw() -> None:
        nonlocal drawing
        drawing = True
        live.tick(time.time())
        drawing = False
        while pending:
            handle(pending.popleft())

    def handle(number: int) -> None:
        if number == signal.SIGTSTP:
            live.hide()
            handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, handler)
        else:  # SIGCONT
            live.show()
            draw()

    def on_signal(number: int, _: object) -> None:
        if drawing:
            pending.append(number)
        else:
            handle(number)

    stops = signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
    numbers = (signal.SIGCONT, *([signal.SIGTSTP] if stops else []))
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield draw
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_lines(take: Callable[[], Snapshot]) -> None:
    printed = -QUIET_SECONDS
    for snapshot in _snapshots(take):
        if time.monotonic() - printed >= QUIET_SECONDS:
            printed = time.monotonic()
            click.echo(summary_line(snapshot.tracker, time.time()))


def _snapshots(take: Callable[[], Snapshot]) -> Iterator[Snapshot]:
    """Yield snapshots while an apply runs, at intervals of POLL_SECONDS or longer."""
    while True:
        began = time.thread_time()
        snapshot = take()
        if not snapshot.live:
            return
        yield snapshot
        time.sleep(max(POLL_SECONDS, IDLE_FACTOR * (time.thread_time() - began)))
