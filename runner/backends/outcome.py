"""Words for exit codes and signals, the same for all backends."""

from __future__ import annotations

import signal


def exit_text(code: int) -> str:
    """A shell's exit code in words: `exit code 3`, `exit code 137 (SIGKILL)`."""
    return f"exit code {code} ({signal_name(code - 128)})" if code > 128 else f"exit code {code}"


def signal_name(number: int) -> str:
    """`SIGKILL`; `signal 64` where the number has no name on this machine."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
