"""`python -m runner` and the `runner` script."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

ENDED_BY_SIGNAL = {128 + number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
"""The exit codes that mean: a signal has ended runner."""


def main() -> None:
    """Prepare the process before anything else is imported, then run the command line."""
    _own_streams()
    _own_signals()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until `cli.main.run` handles it, Ctrl-C ends the process without a traceback of imports.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if not sys.platform.startswith(("linux", "darwin")):
        sys.stderr.write(f"error: runner runs on Linux and macOS, not on `{sys.platform}`\n")
        raise SystemExit(2)
    try:
        from runner.cli.main import run

        code = run(sys.argv[1:])
    except (MemoryError, OSError) as error:  # while it is loaded; `run` raises nothing
        os.write(2, f"error: runner cannot be loaded: {error or 'no memory is left'}\n".encode())
        code = 3
    if code in ENDED_BY_SIGNAL:
        _end_by_signal(code - 128)
    raise SystemExit(code)


def _own_streams() -> None:
    """Open /dev/null for closed descriptors 0 to 2. Otherwise a file would get such a number, and messages be written to it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _end_by_signal(number: int) -> None:
    """Die by the signal, so that a shell script stops at Ctrl-C, too. Returns where that is impossible: in a container's init."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _own_signals() -> None:
    """Undo what a parent has left to this process: blocked signals, and an ignored SIGCHLD, which loses exit statuses.

    Other signals that are ignored stay so: `nohup` and a shell's `&` mean that.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


if __name__ == "__main__":
    main()
