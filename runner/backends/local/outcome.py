"""How an attempt ended, from the supervisor's report. Pure."""

from __future__ import annotations

import signal

from runner.backends.local.protocol import Ended
from runner.model import AttemptEnd, Outcome


def attempt_end(ended: Ended, mem: int | None) -> AttemptEnd:
    """`mem` is the attempt's memory limit in bytes."""
    if ended.lost is not None:
        return AttemptEnd(Outcome.LOST, None, ended.lost)
    exit_code, reason = ended.code, ended.reason
    if exit_code is not None and exit_code < 0:
        exit_code, reason = 128 - exit_code, f"killed by {_signal(-exit_code)}"
    elif exit_code and reason is None:
        reason = f"exit code {exit_code}"
    if ended.out_of_memory and not ended.cancelled:
        reason = f"used {_mib(ended.max_rss or 0)} of its {_mib(mem or 0)} of memory"
    return AttemptEnd(
        _outcome(ended),
        exit_code,
        reason,
        _microseconds(ended.duration),
        _microseconds(ended.cpu_time),
        ended.max_rss,
        drained=ended.drained,
    )


def _outcome(ended: Ended) -> Outcome:
    if ended.cancelled:
        return Outcome.CANCELLED
    if ended.out_of_memory:
        return Outcome.OUT_OF_MEMORY
    return Outcome.FAILED if ended.code else Outcome.SUCCEEDED


def _microseconds(seconds: float | None) -> float | None:
    """Rounded to the resolution of the clocks."""
    return None if seconds is None else round(seconds, 6)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def _mib(amount: int) -> str:
    return f"{amount / (1 << 20):.4g} MiB"
