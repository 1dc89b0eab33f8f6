"""The text of a sweep file, from its bytes."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from runner.diagnostics import InvalidSweep, Problem, Source, Span, nearest

MAX_SIZE = 64 * 1024 * 1024
"""Largest sweep file, in bytes."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_COMMAND = re.compile(rb'^[{\s]*"?(exec|code)"?\s*:', re.MULTILINE)
_SUFFIXES = (".yaml", ".yml", ".json")


def read(path: str | os.PathLike[str]) -> Source:
    """Return the text of a sweep file; `-` is standard input. Raises InvalidSweep if it cannot be read."""
    name = os.fspath(path)
    if name == "-":
        return decode("<stdin>", sys.stdin.buffer.read(MAX_SIZE + 1))
    try:
        with open(name, "rb") as file:
            return decode(name, file.read(MAX_SIZE + 1))
    except FileNotFoundError:
        _refuse(name, "no such file", _missing_hint(Path(name)))
    except IsADirectoryError:
        _refuse(name, "a directory, not a sweep file", _directory_hint(Path(name)))
    except OSError as error:
        _refuse(name, f"cannot be read: {(error.strerror or str(error)).lower()}")
    except ValueError:
        _refuse(name, "a file name cannot contain a NUL character")


def decode(name: str, data: bytes) -> Source:
    """Return UTF-8, with or without a byte order mark, as a Source. Raises InvalidSweep."""
    if len(data) > MAX_SIZE:
        _refuse(name, f"larger than {MAX_SIZE // 1024**2} MiB")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        _refuse(name, "encoded as UTF-16, not UTF-8", "save the file as UTF-8")
    if b"\0" in data:
        _refuse(name, "a binary file, not text")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return Source(name, data.decode())
    except UnicodeDecodeError as error:
        if _CONTROL.search(data):
            _refuse(name, "a binary file, not text")
        source = Source(name, data.decode(errors="replace"))
        before = Source(name, data[: error.start].decode()).lines
        line, column = len(before) - 1, len(before[-1])
        problem = Problem(
            f"not UTF-8: byte 0x{data[error.start]:02X} at offset {error.start}",
            Span(line, column, line, column + 1),
            "save the file as UTF-8",
        )
        raise InvalidSweep(source, [problem]) from None


def _refuse(name: str, message: str, hint: str | None = None) -> NoReturn:
    raise InvalidSweep(Source(name, ""), [Problem(message, None, hint)]) from None


def _sweep_files(folder: Path) -> list[str]:
    """Return the names of up to 20 files of the folder that look like sweep files, sorted."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name.endswith(_SUFFIXES) and len(found) < 20 and _has_command(entry.path):
                found.append(entry.name)
    return found


def _has_command(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return _COMMAND.search(file.read(4096)) is not None
    except OSError:
        return False


def _missing_hint(path: Path) -> str:
    names = _sweep_files(path.parent)
    if len(names) == 1:
        return f"did you mean `{path.with_name(names[0])}`?"
    if near := nearest(path.name, names):
        return f"did you mean `{path.with_name(near)}`?"
    if names:
        return "sweep files here: " + ", ".join(f"`{path.with_name(name)}`" for name in names[:5])
    return "`runner init` writes a first sweep file"


def _directory_hint(folder: Path) -> str | None:
    names = _sweep_files(folder)
    return f"name a file in it: `{folder / names[0]}`" if names else None
