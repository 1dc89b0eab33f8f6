"""Stdout and stderr of the process: any text can be printed, and a lost stream is noticed. Imports nothing heavy."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TextIO


class OutputLost(OSError):
    """Stdout cannot be written any more: a closed pipe, a full disk."""


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
    """Make a lost stdout raise OutputLost, and both streams print any text in every locale."""
    buffer = io.BufferedWriter(_Stdout())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout = io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=os.isatty(1))
    _tolerant(sys.stderr)


def _tolerant(stream: TextIO) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def machine_readable() -> None:
    """Make stdout UTF-8 in every locale; a lone surrogate is escaped as in JSON."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def say(text: str) -> None:
    """Print a message for people on stderr. A lost stderr is ignored."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        silence(2)


def silence(number: int) -> None:
    """Discard what is still buffered for a lost stream, at exit too."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


def error_text(error: OSError) -> str:
    """Return the system's message for an error, in lower case."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
