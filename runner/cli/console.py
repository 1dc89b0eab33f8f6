"""Stdout and stderr of the process. Imports nothing heavy.

Any text can be printed: control characters of other people's texts are shown, not obeyed, and in GitHub Actions no line that
they have made is a command. A lost stream is noticed.
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Callable, Iterable
from typing import Literal, TextIO, TypeAlias

from runner.text import workflow
from runner.text.escape import json_text, printable_lines

Escape: TypeAlias = Callable[[str], str]


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


class _Text(io.TextIOWrapper):
    """A text stream that escapes what is written to it."""

    escape: Escape = staticmethod(printable_lines)

    def write(self, text: str, /) -> int:
        return super().write(self.escape(text))


_mask: Escape = printable_lines


def hide(secrets: Iterable[str]) -> None:
    """Mask these values in all text for people from now on; in GitHub Actions tell it to do so in the whole log of the job."""
    from runner.text.masks import Masks, maskable

    global _mask
    found = list(secrets)
    masks = Masks(found)
    if masks:
        _mask = lambda text: printable_lines(masks.text(text))  # noqa: E731
    if workflow.in_workflow(os.environ):
        for part in dict.fromkeys(part for secret in found for part in maskable(secret) if "\n" not in part):
            say_command(workflow.add_mask(part))


def for_people() -> Escape:
    """Return the function that escapes text for a terminal, and in GitHub Actions for the log of the job."""
    return _inert_lines if workflow.in_workflow(os.environ) else _masked_lines


def _masked_lines(text: str) -> str:
    return _mask(text)  # which may be known later than the stream


def _inert_lines(text: str) -> str:
    return workflow.inert(_mask(text))


def for_json() -> Escape:
    """Return the function that escapes JSON, whose data stays the same."""
    return _inert_json if workflow.in_workflow(os.environ) else json_text


def _inert_json(text: str) -> str:
    return workflow.inert_json(json_text(text))


def _unchanged(text: str) -> str:
    return text  # not `str`, which accepts bytes: click writes b"" to find out whether a stream is binary


def _for_csv() -> Escape:
    """Return the function that escapes CSV, which has no escapes: it is shown on a terminal, and exact in a file or a pipe.

    In GitHub Actions only a file is exact, because a pipe may be the log of the job.
    """
    if os.isatty(1):
        return for_people()
    logged = workflow.in_workflow(os.environ) and not stat.S_ISREG(os.fstat(1).st_mode)
    return workflow.inert if logged else _unchanged


def install() -> None:
    """Make a lost stdout raise OutputLost, and both streams print any text in every locale."""
    buffer = io.BufferedWriter(_Stdout())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout = stdout = _Text(buffer, encoding, "backslashreplace", line_buffering=os.isatty(1))
    stdout.escape = for_people()
    _tolerant(sys.stderr)


def _tolerant(stream: TextIO) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def machine_readable(form: Literal["json", "jsonl", "csv", "raw"]) -> None:
    """Make stdout UTF-8 in every locale, escaped as the format allows; `raw` is escaped already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stdout, _Text):
        escapes: dict[str, Escape] = {"csv": _for_csv(), "raw": _unchanged}
        sys.stdout.escape = escapes.get(form) or for_json()


def say(text: str) -> None:
    """Print a message for people on stderr. A lost stderr is ignored."""
    _print_error(for_people()(text))


def say_command(line: str) -> None:
    """Print a workflow command on stderr."""
    _print_error(line)


def _print_error(text: str) -> None:
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
