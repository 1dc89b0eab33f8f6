"""Parsing of a container's console: the wrapper's lines between other output. Pure.

Each line of the wrapper begins with the attempt's marker and one of
`begin`, `o:OFFSET:BASE64` (stdout), `e:OFFSET:BASE64` (stderr), `file:NUMBER:SIZE:MODE:PATH`, `fNUMBER:OFFSET:BASE64`,
`link:PATH:TARGET`, `dir:PATH`, `end:NAME=VALUE:…`. Paths are base64, relative to the output folder.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_CPU = re.compile(r"(\d+)m([\d.,]+)s")


def marker(name: str) -> str:
    """Return what each line of the attempt `name` begins with. A later runner can compute it from the name alone."""
    return "@runner-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def has_lines(log: str, name: str) -> bool:
    """Return whether the attempt's wrapper has printed anything. The manager truncates long logs, but not to nothing."""
    return marker(name) in log


def has_end(log: str, name: str) -> bool:
    """Return whether the wrapper's last line is in the log, and therefore all its others."""
    return f"{marker(name)}:end:" in log


@dataclass
class Fragments:
    """Pieces of a stream or a file by offset. `size` is the number of bytes in all, None until it is known."""

    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int | None = None

    def join(self) -> tuple[bytes, int]:
        """Return the pieces in order, and the number of bytes that are missing between and after them."""
        parts: list[bytes] = []
        end = missing = 0
        for start, piece in sorted(self.pieces.items()):
            if start > end:
                missing += start - end
            elif start < end:
                piece = piece[end - start :]
            end = max(end, start + len(piece)) if start >= end else end + len(piece)
            parts.append(piece)
        if self.size is not None and self.size > end:
            missing += self.size - end
        return b"".join(parts), missing


@dataclass(frozen=True)
class OutputFile:
    path: str
    executable: bool
    content: Fragments


@dataclass(frozen=True, kw_only=True)
class WrapperEnd:
    """The wrapper's record of the attempt's end."""

    exit_code: int
    cause: str
    """Empty for an end of its own; `timeout`; `asked` after SIGINT; `broken` if the inputs could not be created."""
    duration: float
    """Seconds."""
    cpu_time: float | None
    """Seconds of user and system time."""
    max_rss: int | None
    """Bytes."""
    out_of_memory: bool
    omitted: int
    """Output files, links and folders for which the console had no room."""


@dataclass
class ConsoleLog:
    """All that the wrapper has printed."""

    started: bool = False
    """The wrapper has printed its first line."""
    stdout: Fragments = field(default_factory=Fragments)
    stderr: Fragments = field(default_factory=Fragments)
    files: dict[str, OutputFile] = field(default_factory=dict)
    """By their number on the console, such as `f1`."""
    links: dict[str, str] = field(default_factory=dict)
    """Targets of symbolic links by path."""
    folders: set[str] = field(default_factory=set)
    """Empty folders."""
    end: WrapperEnd | None = None
    oom_noticed: bool = False
    """The agent has printed that the container ran out of memory."""


def parse(log: str, mark: str) -> ConsoleLog:
    """Parse the lines that contain `mark`. A truncated or malformed line counts as missing."""
    console = ConsoleLog()
    lines = log.split("\n")
    for line in lines[:-1]:  # the last one has no line end: it may be incomplete
        at = line.find(mark)
        if at < 0:
            console.oom_noticed = console.oom_noticed or "Out-of-memory detected" in line
            continue
        kind, _, rest = line[at + len(mark) + 1 :].rstrip("\r").partition(":")
        try:
            _parse_line(console, kind, rest)
        except (binascii.Error, ValueError, KeyError):
            continue
    return console


def _parse_line(console: ConsoleLog, kind: str, rest: str) -> None:
    """Add one line to `console`. Raises ValueError or KeyError if it is malformed.

    The names on the wire are fixed: a session may have been created by an older version of runner.
    """
    match kind:
        case "begin":
            console.started = True
        case "end":
            _parse_end(console, rest)
        case "file":
            number, size, mode, path = rest.split(":")
            console.files[f"f{number}"] = OutputFile(_path(path), mode == "x", Fragments(size=int(size)))
        case "link":
            path, target = rest.split(":")
            console.links[_path(path)] = _path(target)
        case "dir":
            console.folders.add(_path(rest))
        case "o":
            _parse_piece(console.stdout, rest)
        case "e":
            _parse_piece(console.stderr, rest)
        case _ if kind in console.files:
            _parse_piece(console.files[kind].content, rest)


def _parse_piece(fragments: Fragments, text: str) -> None:
    start, _, encoded = text.partition(":")
    piece, offset = base64.b64decode(encoded, validate=True), int(start)
    if len(piece) > len(fragments.pieces.get(offset, b"")):
        fragments.pieces[offset] = piece


def _parse_end(console: ConsoleLog, text: str) -> None:
    fields: Mapping[str, str] = dict(part.split("=", 1) for part in text.split(":") if "=" in part)
    end = WrapperEnd(
        exit_code=int(fields["code"]),
        cause=fields["why"],
        duration=int(fields["ran"]) / 100,
        cpu_time=_cpu_time(fields["cpu"]),
        max_rss=int(fields["peak"]) * 1024 or None,
        out_of_memory=int(fields["oom"]) > 0,
        omitted=int(fields["left"]),
    )
    console.stdout.size, console.stderr.size = int(fields["out"]), int(fields["err"])
    console.end = end


def _path(encoded: str) -> str:
    return base64.b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")


def _cpu_time(text: str) -> float | None:
    """Return user plus system time from the output of the shell's `times`."""
    times = [int(minutes) * 60 + float(seconds.replace(",", ".")) for minutes, seconds in _CPU.findall(text)]
    return round(sum(times), 6) if times else None
