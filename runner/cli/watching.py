"""`status --watch`: a look at the state again and again, until nobody holds it any more."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from runner.cli.streams import say
from runner.outputs import Writer
from runner.progress import redraws
from runner.progress.plain import QUIET_SECONDS
from runner.progress.standing import Standing
from runner.progress.words import summary_line
from runner.state import open_for_reading
from runner.sweep import Sweep

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


def follow(look: Callable[[], Standing]) -> None:
    """Draw what `look` finds on stdout: a block on a terminal, else a line now and then. Returns when no apply runs."""
    out = Writer(1, 100, encoding=sys.stdout.encoding, gaps=True)
    if redraws(out, os.environ):
        _draw(look, out)
    else:
        _sum_up(look)


def _draw(look: Callable[[], Standing], out: Writer) -> None:
    from runner.progress.block import render
    from runner.progress.screen import Screen

    screen = Screen(out)
    before = signal.signal(signal.SIGCONT, lambda *_: screen.forget())
    try:
        for now in _while_live(look):
            if out.idle and screen.ours:
                screen.draw([], render(now.tally, time.time(), screen.size.columns - 1, out.encoding))
    finally:
        signal.signal(signal.SIGCONT, before)
        screen.clear()
        out.drain(LOOK_SECONDS)


def _sum_up(look: Callable[[], Standing]) -> None:
    said = -QUIET_SECONDS
    for now in _while_live(look):
        if time.monotonic() - said >= QUIET_SECONDS:
            said = time.monotonic()
            click.echo(summary_line(now.tally, time.time()))


def _while_live(look: Callable[[], Standing]) -> Iterator[Standing]:
    """What it finds, as often as is cheap, while an apply runs."""
    while True:
        began = time.thread_time()
        now = look()
        if not now.live:
            return
        yield now
        time.sleep(max(LOOK_SECONDS, RESTS * (time.thread_time() - began)))
