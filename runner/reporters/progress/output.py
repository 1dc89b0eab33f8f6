"""The stream that progress is written to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol


class Output(Protocol):
    """A stream that neither blocks nor fails for its caller; `runner.reporters.streams.Writer` is one."""

    descriptor: int
    encoding: str

    @property
    def idle(self) -> bool:
        """Whether everything has been written, or the stream is lost."""
        ...

    def write(self, text: str) -> None:
        """Write lines; control characters in them are shown, not obeyed."""
        ...

    def write_escaped(self, text: str) -> None:
        """Write text with control sequences of runner's own."""
        ...

    def drain(self, seconds: float | None) -> None:
        """Wait until the stream is idle, `seconds` at most; None has no limit."""
        ...


def supports_redraw(out: Output, environ: Mapping[str, str]) -> bool:
    """Whether `out` is a terminal that can move its cursor, and not the log of a CI system."""
    dumb = environ.get("TERM", "dumb") in ("", "dumb", "unknown")
    ci = environ.get("CI", "").lower() not in ("", "0", "false", "no")
    return os.isatty(out.descriptor) and not dumb and not ci
