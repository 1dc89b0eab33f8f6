"""The supervisor's end of the stream to the backend."""

from __future__ import annotations

import os
import select
from time import monotonic

from runner.backends.local.protocol import Frames, decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DELAY = 0.002
"""Seconds that a message which is not urgent waits for others. Many sessions are shorter: their start and end go together."""


class Channel:
    """Messages both ways over `stream`, a blocking file descriptor. Create it while runner is the parent of this process."""

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.open = True
        """False once the backend has closed its end or has died."""
        self.due: float | None = None
        """When `flush` sends next, on the monotonic clock; None if there is nothing to send."""
        self._runner = os.getppid()
        self._unread = select.poll()
        self._unread.register(stream, select.POLLIN)
        self._frames = Frames()
        self._out: list[bytes] = []

    def receive(self) -> list[Any]:
        """The messages that have arrived; blocks until there is one. Empty with `open` False at the end of the stream."""
        try:
            data = os.read(self.stream, 65536)
        except ConnectionError:
            data = b""
        if not data:
            self.open = False
        return [decode(content) for content in self._frames.feed(data)]

    def up_to_date(self) -> bool:
        """True if runner is alive and every message that it has sent so far was read."""
        return os.getppid() == self._runner and not self._unread.poll(0)

    def send(self, message: object) -> None:
        """Send the message with the next `flush`."""
        self._out.append(encode(message))
        self.due = 0.0

    def send_later(self, message: object) -> None:
        """Send the message together with the next one, at most `DELAY` seconds later.

        One wake-up of the backend's process costs more than all the messages that it reads then.
        """
        self._out.append(encode(message))
        if self.due is None:
            self.due = monotonic() + DELAY

    def flush(self) -> None:
        """Send everything if something is due."""
        if self.due is None or (self.due and monotonic() < self.due):
            return
        self.due = None
        data = b"".join(self._out)
        self._out.clear()
        while data and self.open:
            try:
                data = data[os.write(self.stream, data) :]
            except OSError:  # the backend is gone: `receive` finds the end of the stream, too
                return
