"""The process's own stdout and stderr: what can be printed, and what it means when one of them is lost."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from runner.reporters.streams import Writer

MOST_WAITING = 100_000
"""Lines, or outputs of sessions, that may wait for a slow reader; some tens of megabytes."""

HURRIED_SECONDS = 1.0
"""How long whoever was told to end still waits for a reader."""


class OutputLost(OSError):
    """Stdout takes no more; no other failure of a write is one of these."""


class _Stdout(io.RawIOBase):
    def fileno(self) -> int:
        return 1

    def isatty(self) -> bool:
        return os.isatty(1)

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def]  # (any buffer, and 3.11 has no name for that)
        while True:
            try:
                return os.write(1, data)
            except BlockingIOError:
                select.select([], [1], [])
            except OSError as error:
                raise OutputLost(error.errno, error.strerror) from None


def install() -> None:
    """Make stdout say when it is lost, and both streams print any text whatever the locale."""
    buffer = io.BufferedWriter(_Stdout())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout = io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=os.isatty(1))
    _tolerant(sys.stderr)


def _tolerant(stream: TextIO) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def machine_readable() -> None:
    """From here on stdout is UTF-8, whatever the locale; half a surrogate pair is escaped as JSON has it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def say(text: str) -> None:
    """A message for people, on stderr. Never raises: that nobody can read it changes nothing."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        silence(2)


def silence(number: int) -> None:
    """Let what is still buffered for a lost stream go nowhere, also at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


class Outlets:
    """Stdout and stderr of a command that goes on without them."""

    def __init__(self) -> None:
        self.patience: float | None = None
        """Seconds for which each reader is waited for; None: as long as it takes."""
        self.err = Writer(2, MOST_WAITING, encoding=sys.stderr.encoding, gaps=True)
        self.out = Writer(1, MOST_WAITING, on_lost=self._warn)

    def _warn(self, error: OSError) -> None:
        if error.errno != errno.EPIPE:
            self.err.write(f"warning: the output is cut off: {fault(error)}\n")

    def drain(self) -> None:
        """Wait for the readers, of stdout first."""
        for writer in (self.out, self.err):
            writer.drain(self.patience)


@contextmanager
def outlets() -> Iterator[Outlets]:
    """Outlets for the length of the body; where that fails, their readers are hardly waited for."""
    sys.stdout.flush()
    opened = Outlets()
    try:
        yield opened
    except BaseException:
        opened.patience = HURRIED_SECONDS
        raise
    finally:
        opened.drain()


def fault(error: OSError) -> str:
    """What the system says, as our messages say it."""
    said = error.strerror or str(error)
    return said[:1].lower() + said[1:]
