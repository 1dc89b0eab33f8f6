"""Unix time that never goes back or jumps within one process: the time of its start plus what has passed since.

The clock of a machine may be set while an apply runs. Times of one process differ by what has really passed, so that durations
and the order of its events hold. Between two applies nothing follows from times: the journal orders them by number.
"""

from __future__ import annotations

import time


def _elapsed() -> float:
    """Seconds since the machine was started, with those in which it slept where the kernel counts them (Linux)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


_START = time.time() - _elapsed()


def now() -> float:
    """Unix time in seconds."""
    return _START + _elapsed()
