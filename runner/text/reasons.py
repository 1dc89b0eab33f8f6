"""The sentence for people that says why an attempt ended: made here, from data, and nowhere else."""

from __future__ import annotations

import signal

from runner.model import AttemptEnd, Cause, Reason

LEFT_BEHIND = "the processes that it left running were ended"


def describe(end: AttemptEnd) -> str | None:
    """Why it ended so, without a full stop; None where the outcome says all: it succeeded, or nothing more is known."""
    if end.reason is not None:
        return reason_text(end.reason)
    if end.signal is not None:
        return f"killed by {signal_name(end.signal)}"
    return exit_text(end.exit_code) if end.exit_code else None


def reason_text(reason: Reason) -> str:
    """`ran longer than 10m`, `used 12 MiB of its 10 MiB of memory`, `build failed: exit code 3`."""
    detail = reason.detail
    match reason.cause:
        case Cause.TIMEOUT:
            return detail or f"ran longer than {'allowed' if reason.limit is None else duration_text(reason.limit)}"
        case Cause.MEMORY if reason.used is not None and reason.limit is not None:
            return f"used {_mebibytes(reason.used)} of its {_mebibytes(reason.limit)} of memory"
        case Cause.MEMORY:
            return detail or "ran out of memory"
        case Cause.REQUEST:
            return detail or "ended on request"
        case Cause.BUILD:
            return f"build failed: {detail}"
        case Cause.LEFT_BEHIND:
            return LEFT_BEHIND
        case Cause.RUNNER_DIED:
            return f"runner died before it ended; {detail}"
        case _:
            return detail or reason.cause.value.replace("-", " ")


def exit_text(code: int) -> str:
    """A shell's exit code in words: `exit code 3`, `exit code 137 (SIGKILL)`."""
    known = code - 128 in signal.valid_signals()
    return f"exit code {code} ({signal_name(code - 128)})" if known else f"exit code {code}"


def signal_name(number: int) -> str:
    """`SIGKILL`; `signal 64` where the number has no name on this machine."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def duration_text(seconds: float) -> str:
    """In the largest unit that gives a whole number: `10m`, `90s`, `0.5s`."""
    for unit, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:g}{letter}"
    return f"{seconds:g}s"


def _mebibytes(amount: float) -> str:
    return f"{amount / (1 << 20):.4g} MiB"
