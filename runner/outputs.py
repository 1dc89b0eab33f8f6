"""What goes to stdout while sessions run: their output whole or live, or every event as a line of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from runner.events import ApplyEnded, AttemptEnded, AttemptStarted, Event, to_json
from runner.state import State
from runner.units import format_duration, format_memory

CHUNK = 1024 * 1024


class EventLines:
    """Each event as one line of JSON; the shape is `schemas/events.schema.json`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._encode = json.JSONEncoder(ensure_ascii=False).encode

    def __call__(self, event: Event) -> None:
        self._out.write(self._encode(to_json(event)) + "\n")
        self._out.flush()


class SessionOutputs:
    """Each session's output whole, when it has ended for good. Lines of two sessions never mix."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __call__(self, event: Event) -> None:
        if isinstance(event, AttemptEnded) and event.retry_in is None:
            places = self._state.places(event.session, event.attempt)
            _copy(places.stderr, sys.stderr.buffer)
            _copy(places.stdout, sys.stdout.buffer)

    def tick(self) -> None:
        """Nothing to do between events."""


class LiveOutput:
    """The output of the one session there is, as it is written, byte for byte."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._follows: list[tuple[Path, BinaryIO]] = []
        self._offsets: dict[Path, int] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, AttemptStarted):
            places = self._state.places(event.session, event.attempt)
            self._follows = [(places.stderr, sys.stderr.buffer), (places.stdout, sys.stdout.buffer)]
        elif isinstance(event, AttemptEnded):
            self.tick()

    def tick(self) -> None:
        for path, out in self._follows:
            self._offsets[path] = copy_from(path, self._offsets.get(path, 0), out)


class Statistics:
    """What each session used, a line each, once everything has ended."""

    def __init__(self) -> None:
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
            self._lines.append(f"{event.session}: {', '.join(used) or 'nothing is known'}")
        elif isinstance(event, ApplyEnded):
            sys.stdout.flush()
            sys.stderr.write("".join(f"{line}\n" for line in self._lines))


def copy_from(path: Path, offset: int, out: BinaryIO) -> int:
    """Write what the file holds from `offset` on, and return where it ends now."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                out.write(chunk)
                offset += len(chunk)
    except FileNotFoundError:
        return offset
    out.flush()
    return offset


def _copy(path: Path, out: BinaryIO) -> None:
    """The whole file, ended by a line end if it lacks one."""
    last = b"\n"
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                out.write(chunk)
                last = chunk[-1:]
    except FileNotFoundError:
        return
    if last != b"\n":
        out.write(b"\n")
    out.flush()


def _or_none(form: Callable[[Any], str], number: float | None) -> str | None:
    return None if number is None else form(number)
