"""What progress is shown on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol


class Terminal(Protocol):
    """A terminal, or whatever stands in its place. For its caller it neither blocks nor fails."""

    descriptor: int
    encoding: str

    @property
    def idle(self) -> bool:
        """Whether all that was written is there, or never will be."""
        ...

    def write(self, text: str) -> None: ...

    def drain(self, seconds: float | None) -> None:
        """Wait until it is idle, for so long at most; None: as long as it takes."""
        ...


def redraws(out: Terminal, environ: Mapping[str, str]) -> bool:
    """Whether to draw on `out`: a terminal that can move its cursor, and no CI system's."""
    dumb = environ.get("TERM", "dumb") in ("", "dumb", "unknown")
    ci = environ.get("CI", "").lower() not in ("", "0", "false", "no")
    return os.isatty(out.descriptor) and not dumb and not ci
