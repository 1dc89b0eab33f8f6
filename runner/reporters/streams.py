"""Streams that are written while sessions run: their output, whole or live, or every event as a line of JSON.

Threads write them, so that a full pipe or a stopped terminal does not delay signals and timeouts.
"""

from __future__ import annotations

import json
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from runner.events import ApplyEnded, AttemptEnded, AttemptStarted, Event, to_json
from runner.state import State
from runner.state.folders import open_file
from runner.text.escape import printable_lines
from runner.text.filters import Filter, filtered
from runner.units import format_duration, format_memory

CHUNK = 1024 * 1024


class Writer:
    """Writes to a descriptor, in order, from a thread of its own; for its caller it neither blocks nor fails.

    At most `limit` pieces are queued. With `gaps`, further pieces are dropped; otherwise the stream is lost. A stream that
    is lost, also by a write error, drops everything; `on_lost` gets the error, once, in any thread.
    """

    def __init__(
        self,
        descriptor: int,
        limit: int,
        *,
        encoding: str = "utf-8",
        gaps: bool = False,
        on_lost: Callable[[OSError], None] = lambda _: None,
        escape: Callable[[str], str] = printable_lines,
        make_filter: Callable[[], Filter] | None = None,
    ) -> None:
        """`escape` is applied to text, and a filter of `make_filter` to the logs of sessions."""
        self.lost: OSError | None = None
        self.descriptor = descriptor
        self.make_filter = make_filter
        self._limit = limit
        self._escape = escape
        self.encoding = encoding
        self._gaps = gaps
        self._on_lost = on_lost
        self._queue: deque[Iterable[bytes]] = deque()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"writer-{descriptor}", daemon=True)

    @property
    def idle(self) -> bool:
        """Whether everything has been written, or the stream is lost."""
        return not self._queue

    def isatty(self) -> bool:
        return os.isatty(self.descriptor)

    def write(self, text: str) -> None:
        self.write_escaped(self._escape(text))

    def write_escaped(self, text: str) -> None:
        """Write text that has control sequences or workflow commands of runner's own, and no others."""
        self.put((text.encode(self.encoding, "backslashreplace"),))

    def put(self, piece: Iterable[bytes]) -> None:
        """Write what `piece` yields; the other thread iterates over it when it is due."""
        with self._changed:
            if self.lost is not None or (self._gaps and len(self._queue) >= self._limit):
                return
            full = len(self._queue) >= self._limit
            if not full:
                self._queue.append(piece)
                self._changed.notify_all()
                self._start()
        if full:
            self._lose(OSError(None, "its reader does not read"))

    def drain(self, seconds: float | None) -> None:
        """Wait until the stream is idle, `seconds` at most; an exception from a signal handler ends the wait."""
        with self._changed:
            if self.idle or self._start():
                self._changed.wait_for(lambda: self.idle, seconds)
                return
        self._run(last=True)

    def _start(self) -> bool:
        """Start the thread unless it runs. False while that is not possible: what is queued is written later."""
        if self._thread.ident is None:
            with suppress(RuntimeError):  # no thread is left for this user or container
                self._thread.start()
        return self._thread.ident is not None

    def _run(self, *, last: bool = False) -> None:
        while self.lost is None and not (last and self.idle):
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                piece = self._queue[0]
            try:
                for chunk in piece:
                    self._write(chunk)
            except OSError as error:
                self._lose(error)
                return
            with self._changed:
                if self.lost is None:
                    self._queue.popleft()
                self._changed.notify_all()

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BlockingIOError:  # another process has made the shared descriptor non-blocking
                select.select([], [self.descriptor], [])

    def _lose(self, error: OSError) -> None:
        with self._changed:
            if self.lost is not None:
                return
            self.lost = error
            self._on_lost(error)
            self._queue.clear()
            self._changed.notify_all()


class EventLines:
    """Each event as one line of JSON; the shape is `schemas/events.schema.json`."""

    def __init__(self, out: Writer) -> None:
        self._out = out
        self._encode = json.JSONEncoder(ensure_ascii=False).encode

    def __call__(self, event: Event) -> None:
        self._out.write(self._encode(to_json(event)) + "\n")  # the outlet escapes JSON


class SessionOutputs:
    """The whole output of each session when it ends without a retry. Lines of two sessions never mix."""

    def __init__(self, state: State, out: Writer, err: Writer) -> None:
        self._state = state
        self._out = out
        self._err = err

    def __call__(self, event: Event) -> None:
        if isinstance(event, AttemptEnded) and event.retry_in is None:
            places = self._state.paths(event.session, event.attempt)
            self._err.put(filtered(_whole(places.stderr), self._err.make_filter))
            self._out.put(filtered(_whole(places.stdout), self._out.make_filter))

    def tick(self) -> None:
        """Nothing to do between events."""


class LiveOutput:
    """The output of a single session, as it is written, byte for byte."""

    def __init__(self, state: State, out: Writer, err: Writer) -> None:
        self._state = state
        self._out = out
        self._err = err
        self._follows: list[tuple[Path, Writer, Filter | None]] = []
        self._offsets: dict[Path, int] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, AttemptStarted):
            places = self._state.paths(event.session, event.attempt)
            self._follows = [
                (path, out, out.make_filter() if out.make_filter else None)
                for path, out in ((places.stderr, self._err), (places.stdout, self._out))
            ]
        elif isinstance(event, AttemptEnded):
            for path, out, filter_ in self._follows:
                out.put(self._rest(path, filter_))
                if filter_:
                    out.put(filter_.end() for _ in (0,))  # after all that was fed before

    def tick(self) -> None:
        for path, out, filter_ in self._follows:
            if out.idle:
                out.put(self._rest(path, filter_))

    def _rest(self, path: Path, filter_: Filter | None) -> Iterator[bytes]:
        """What has been added to the file since the last call."""
        for chunk in _chunks(path, self._offsets.get(path, 0)):
            self._offsets[path] = self._offsets.get(path, 0) + len(chunk)
            yield filter_.feed(chunk) if filter_ else chunk


class Statistics:
    """A line for each session with what it used, at the end of the apply."""

    def __init__(self, err: Writer) -> None:
        self._err = err
        self._lines: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, AttemptEnded):
            used = [
                f"{name} {text}"
                for name, text in (
                    ("ran", _or_none(format_duration, event.duration)),
                    ("cpu", _or_none(format_duration, event.cpu_time)),
                    ("peak memory", _or_none(format_memory, event.max_rss)),
                )
                if text is not None
            ]
            self._lines.append(f"{event.session}: {', '.join(used) or 'unknown'}\n")
        elif isinstance(event, ApplyEnded):
            self._err.write("".join(self._lines))


def copy_from(path: Path, offset: int, out: BinaryIO, filter_: Filter | None = None) -> int:
    """Write the file from `offset`, and return the offset of its end."""
    for chunk in _chunks(path, offset):
        out.write(filter_.feed(chunk) if filter_ else chunk)
        offset += len(chunk)
    out.flush()
    return offset


def _whole(path: Path) -> Iterator[bytes]:
    """The whole file, with a newline at its end."""
    last = b"\n"
    for chunk in _chunks(path, 0):
        yield chunk
        last = chunk[-1:]
    if last != b"\n":
        yield b"\n"


def _chunks(path: Path, offset: int) -> Iterator[bytes]:
    """The file from `offset`; nothing once the path belongs to another file: an empty log is reused by other attempts."""
    try:
        with open(open_file(path), "rb") as file:
            file.seek(offset)
            while (chunk := file.read(CHUNK)) and os.path.samestat(os.fstat(file.fileno()), path.lstat()):
                yield chunk
    except FileNotFoundError:
        return


def _or_none(form: Callable[[Any], str], number: float | None) -> str | None:
    return None if number is None else form(number)
