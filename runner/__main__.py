"""`python -m runner` and the `runner` script."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Prepare the process before anything else is imported, then run the command line."""
    _own_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until `cli.main.run` handles it, Ctrl-C ends the process without a traceback of imports.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if not sys.platform.startswith(("linux", "darwin")):
        sys.stderr.write(f"error: runner runs on Linux and macOS, not on `{sys.platform}`\n")
        raise SystemExit(2)
    from runner.cli.main import run

    raise SystemExit(run(sys.argv[1:]))


def _own_streams() -> None:
    """Open /dev/null for closed descriptors 0 to 2. Otherwise a file would get such a number, and messages be written to it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115


if __name__ == "__main__":
    main()
