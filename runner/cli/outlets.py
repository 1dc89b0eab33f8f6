"""Stdout and stderr of `apply` and `run`, which do not stop when a reader is slow or gone."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runner.cli.console import error_text, for_json, for_people
from runner.reporters.streams import Writer
from runner.text.filters import WorkflowFilter
from runner.text.workflow import in_workflow

MAX_BUFFERED = 100_000
"""The largest number of lines or session outputs that are kept for a slow reader: some tens of megabytes."""

INTERRUPTED_SECONDS = 1.0
"""Seconds to wait for a slow reader after an interrupt."""


class Outlets:
    """Stdout and stderr of a command that continues when one of them is lost."""

    def __init__(self) -> None:
        self.patience: float | None = None
        """Seconds to wait for each reader at the end; None for no limit."""
        logged = WorkflowFilter if in_workflow(os.environ) else None
        self.err = Writer(
            2, MAX_BUFFERED, encoding=sys.stderr.encoding, gaps=True, escape=for_people(), make_filter=logged
        )
        self.out = Writer(1, MAX_BUFFERED, on_lost=self._warn, escape=for_json(), make_filter=logged)

    def _warn(self, error: OSError) -> None:
        if error.errno != errno.EPIPE:
            self.err.write(f"warning: the output is cut off: {error_text(error)}\n")

    def drain(self) -> None:
        """Wait until what was written has been read, stdout first."""
        for writer in (self.out, self.err):
            writer.drain(self.patience)


@contextmanager
def outlets() -> Iterator[Outlets]:
    """Open the outlets for the body; after an exception wait at most INTERRUPTED_SECONDS for their readers."""
    sys.stdout.flush()
    opened = Outlets()
    try:
        yield opened
    except BaseException:
        opened.patience = INTERRUPTED_SECONDS
        raise
    finally:
        opened.drain()
