"""Filters for the bytes of a log on their way to a terminal or to the log of a CI job. Elsewhere the bytes stay as they are."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

from runner.text import workflow
from runner.text.escape import cell

LONGEST_LINE = 65_536
"""Bytes of a line that are held back until its end is known."""

_KEPT = re.compile(r"(\x1b\[[0-9;:]*[mK]|[\n\r\t\b])")
"""What a log may do to a terminal: colours, erasing the rest of a line, and moving within it, as `less -R` does."""
_INCOMPLETE = re.compile(r"\x1b(?:\[[0-9;:]{0,40})?\Z")
_RESET = b"\x1b[0m"


class TerminalFilter:
    """Shows control characters and escape sequences other than colours instead of obeying them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._coloured = False

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be shown so far."""
        text = self._rest + self._decoder.decode(chunk)
        held = _INCOMPLETE.search(text)
        self._rest = held[0] if held else ""
        return self._shown(text.removesuffix(self._rest))

    def end(self) -> bytes:
        """Return what was held back, and the end of any colour."""
        rest = self._shown(self._rest + self._decoder.decode(b"", True))
        return rest + (_RESET if self._coloured else b"")

    def _shown(self, text: str) -> bytes:
        parts = _KEPT.split(text)
        self._coloured = self._coloured or any(part.startswith("\x1b") for part in parts[1::2])
        parts[::2] = ("".join(map(cell, part)) for part in parts[::2])
        return "".join(parts).encode("utf-8", "replace")


class WorkflowFilter:
    """Keeps lines from being workflow commands of GitHub; all other bytes stay as they are."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return all lines that are complete."""
        data = self._rest + chunk
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not cut and len(data) > LONGEST_LINE:
            cut = len(data) - 2  # `##` may be followed by `[`
        self._rest = data[cut:]
        return _inert(data[:cut])

    def end(self) -> bytes:
        """Return the line that has no end."""
        rest, self._rest = self._rest, b""
        return _inert(rest)


def _inert(data: bytes) -> bytes:
    if b"::" not in data and b"##[" not in data:
        return data
    return workflow.inert(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


Filter = TerminalFilter | WorkflowFilter


def filtered(chunks: Iterable[bytes], make: Callable[[], Filter] | None) -> Iterator[bytes]:
    """The chunks of a whole log through a new filter, if there is one."""
    if make is None:
        yield from chunks
        return
    filter_ = make()
    for chunk in chunks:
        yield filter_.feed(chunk)
    yield filter_.end()
