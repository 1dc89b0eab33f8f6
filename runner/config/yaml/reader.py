"""The bytes of a sweep file as text, or a clear word on why they are none."""

from __future__ import annotations

import codecs
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from runner.diagnostics import InvalidSweep, Problem, Source, Span, nearest

LARGEST = 64 * 1024 * 1024
"""Bytes of a sweep file."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SUFFIXES = (".yaml", ".yml", ".json")


def read(path: str | os.PathLike[str]) -> Source:
    """The text of a sweep file; `-` is standard input. Raises InvalidSweep if there is none to be had."""
    name = os.fspath(path)
    if name == "-":
        return decode("<stdin>", sys.stdin.buffer.read(LARGEST + 1))
    try:
        with open(name, "rb") as file:
            return decode(name, file.read(LARGEST + 1))
    except FileNotFoundError:
        _refuse(name, "no such file", _did_you_mean(Path(name)))
    except IsADirectoryError:
        _refuse(name, "a directory, not a sweep file", _name_the_file(Path(name)))
    except OSError as error:
        _refuse(name, f"cannot be read: {(error.strerror or str(error)).lower()}")
    except ValueError:
        _refuse(name, "a file name cannot hold a NUL character")


def decode(name: str, data: bytes) -> Source:
    """UTF-8, with or without a byte order mark, as a Source. Raises InvalidSweep."""
    if len(data) > LARGEST:
        _refuse(name, f"larger than {LARGEST // 1024**2} MiB")
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
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(_SUFFIXES))
    except OSError:
        return []


def _did_you_mean(path: Path) -> str:
    near = nearest(path.name, _sweep_files(path.parent))
    return f"did you mean `{path.with_name(near)}`?" if near else "`runner init` writes a first sweep file"


def _name_the_file(folder: Path) -> str | None:
    names = _sweep_files(folder)
    return f"name a file in it: `{folder / names[0]}`" if names else None
