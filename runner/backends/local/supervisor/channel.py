"""The spawner's end of the stream between it and runner."""

from __future__ import annotations

import os
import select
from time import monotonic

from runner.backends.local.protocol import Frames, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


MOMENT = 0.002
"""Seconds: most short sessions are over by then, and their beginning and end are told as one."""


class Line:
    """Frames both ways over `stream`, a blocking descriptor. To be made while runner is this process's parent."""

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.open = True
        self._runner = os.getppid()
        self._unheard = select.poll()
        self._unheard.register(stream, select.POLLIN)
        self._frames = Frames()
        self._out: list[bytes] = []
        self.due: float | None = None
        """When there is something to `flush` at the latest, on the monotonic clock."""

    def hear(self) -> list[tuple[Any, ...]] | None:
        """What runner says next; None once it has hung up or died."""
        try:
            data = os.read(self.stream, 65536)
        except ConnectionError:
            data = b""
        if not data:
            self.open = False
            return None
        return list(self._frames.feed(data))

    def up_to_date(self) -> bool:
        """Whether runner lives, and all that it has said so far has been heard."""
        return os.getppid() == self._runner and not self._unheard.poll(0)

    def say(self, *message: object) -> None:
        """To be sent by the next `flush`."""
        self._out.append(frame(message))
        self.due = 0.0

    def mention(self, *message: object) -> None:
        """To be sent along with what is said next, or in a moment: to wake runner costs more than all that it is told."""
        self._out.append(frame(message))
        if self.due is None:
            self.due = monotonic() + MOMENT

    def flush(self) -> None:
        """Send what is due."""
        if self.due is None or (self.due and monotonic() < self.due):
            return
        self.due = None
        data = b"".join(self._out)
        self._out.clear()
        while data and self.open:
            try:
                data = data[os.write(self.stream, data) :]
            except OSError:  # runner has died; reading will say so too
                return
