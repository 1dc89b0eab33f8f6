"""How a job ended, from what the spawner says of it. Pure."""

from __future__ import annotations

import signal

from runner.model import AttemptEnd, Outcome


def ended(
    mem: int | None,
    code: int | None,
    reason: str | None,
    asked: bool,
    out_of_memory: bool,
    duration: float | None,
    cpu_time: float | None,
    max_rss: int | None,
    over: bool,
) -> AttemptEnd:
    """`mem` is its limit in bytes; the others are what follows the key in ENDED."""
    outcome = Outcome.CANCELLED if asked else Outcome.FAILED if code else Outcome.SUCCEEDED
    if code is not None and code < 0:
        reason, code = f"killed by {_signal(-code)}", 128 - code
    elif code and reason is None:
        reason = f"exit code {code}"
    if out_of_memory and not asked:
        outcome = Outcome.OUT_OF_MEMORY
        reason = f"used {_mib(max_rss or 0)} of its {_mib(mem or 0)} of memory"
    return AttemptEnd(outcome, code, reason, _microseconds(duration), _microseconds(cpu_time), max_rss, drained=over)


def _microseconds(seconds: float | None) -> float | None:
    """No clock here is better than that; the digits beyond are noise."""
    return None if seconds is None else round(seconds, 6)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has a number only
        return f"signal {number}"


def _mib(amount: int) -> str:
    return f"{amount / (1 << 20):.4g} MiB"
