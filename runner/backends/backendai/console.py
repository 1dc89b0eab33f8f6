"""Reading a container's console: the wrapper's lines between everybody else's noise. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_CPU = re.compile(r"(\d+)m([\d.,]+)s")


@dataclass
class Stream:
    """Pieces of bytes by where they belong. `size` is how many there were in all, None until it is known."""

    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int | None = None

    def join(self) -> tuple[bytes, int]:
        """What there is, in order, and how many bytes are missing."""
        parts: list[bytes] = []
        at = missing = 0
        for start, piece in sorted(self.pieces.items()):
            if start > at:
                missing += start - at
            elif start < at:
                piece = piece[at - start :]
            at = max(at, start + len(piece)) if start >= at else at + len(piece)
            parts.append(piece)
        if self.size is not None and self.size > at:
            missing += self.size - at
        return b"".join(parts), missing


@dataclass(frozen=True)
class File:
    path: str
    executable: bool
    stream: Stream


@dataclass(frozen=True)
class End:
    """How the wrapper saw it end. Times in seconds, `peak` in bytes; None where unknown."""

    code: int
    why: str
    ran: float
    cpu: float | None
    peak: int | None
    out_of_memory: bool
    left_out: int


@dataclass
class Console:
    """`begun` says that the program was started; `end` is None while, or where, nothing was heard of it.

    `links` are targets by path, `folders` those with nothing in them. Paths are below the output folder, as the job says.
    """

    begun: bool = False
    out: Stream = field(default_factory=Stream)
    err: Stream = field(default_factory=Stream)
    files: dict[str, File] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    end: End | None = None
    oom_noticed: bool = False


def read(log: str, mark: str) -> Console:
    """What the lines that begin with `mark` say. A line that is cut off or broken counts as missing."""
    console = Console()
    lines = log.split("\n")
    for line in lines[:-1]:  # what comes after the last line end is not whole yet
        at = line.find(mark)
        if at < 0:
            console.oom_noticed = console.oom_noticed or "Out-of-memory detected" in line
            continue
        kind, _, rest = line[at + len(mark) + 1 :].rstrip("\r").partition(":")
        if kind == "begin":
            console.begun = True
        elif kind == "end":
            _end(console, rest)
        elif kind == "file":
            _file(console, rest)
        elif kind == "link":
            _link(console, rest)
        elif kind == "dir":
            _folder(console, rest)
        else:
            stream = {"o": console.out, "e": console.err}.get(kind)
            if stream is None and kind in console.files:
                stream = console.files[kind].stream
            if stream is not None:
                _piece(stream, rest)
    return console


def _piece(stream: Stream, text: str) -> None:
    start, _, encoded = text.partition(":")
    try:
        piece = base64.b64decode(encoded, validate=True)
        offset = int(start)
    except (binascii.Error, ValueError):
        return
    if len(piece) > len(stream.pieces.get(offset, b"")):
        stream.pieces[offset] = piece


def _file(console: Console, text: str) -> None:
    try:
        number, size, mode, path = text.split(":")
        console.files[f"f{number}"] = File(_path(path), mode == "x", Stream(size=int(size)))
    except (binascii.Error, ValueError):
        return


def _link(console: Console, text: str) -> None:
    try:
        path, target = text.split(":")
        console.links[_path(path)] = _path(target)
    except (binascii.Error, ValueError):
        return


def _folder(console: Console, text: str) -> None:
    try:
        console.folders.add(_path(text))
    except (binascii.Error, ValueError):
        return


def _path(encoded: str) -> str:
    return base64.b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")


def _end(console: Console, text: str) -> None:
    found: Mapping[str, str] = dict(part.split("=", 1) for part in text.split(":") if "=" in part)
    try:
        console.out.size, console.err.size = int(found["out"]), int(found["err"])
        console.end = End(
            code=int(found["code"]),
            why=found["why"],
            ran=int(found["ran"]) / 100,
            cpu=_cpu(found["cpu"]),
            peak=int(found["peak"]) * 1024 or None,
            out_of_memory=int(found["oom"]) > 0,
            left_out=int(found["left"]),
        )
    except (KeyError, ValueError):
        return


def _cpu(text: str) -> float | None:
    """User and system time, as `times` of sh prints them."""
    times = [int(minutes) * 60 + float(seconds.replace(",", ".")) for minutes, seconds in _CPU.findall(text)]
    return round(sum(times), 6) if times else None
