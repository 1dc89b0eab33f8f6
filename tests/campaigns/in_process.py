"""Run commands of runner in this process, thousands of them: their output elsewhere, their time limited."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 20.0
"""How long a command may take for one file."""


class Hang(BaseException):
    """A command took longer than SECONDS. Not an Exception, which the command line would report as a bug."""


@contextmanager
def redirected(out: int, err: int) -> Iterator[None]:
    """Send file descriptors 1 and 2 elsewhere, and restore `sys.stdout`, which the command line replaces."""
    sys.stdout.flush()
    sys.stderr.flush()
    before, streams = (os.dup(1), os.dup(2)), (sys.stdout, sys.stderr)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # not the stream of pytest
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for number, descriptor in enumerate(before, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)


@contextmanager
def limited() -> Iterator[None]:
    def hang(_: int, __: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
