"""The ends of logs, from which causes and excerpts are made, with secrets masked.

A log stays as the session wrote it. If its end has a secret, the apply that knows the value writes a masked copy of the end
beside it, `LOG.masked`, before the end of the attempt is recorded. Later commands, which may not know the value, read that copy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runner.state.folders import open_file
from runner.state.fs import replacing
from runner.text.masks import Masks

TAIL = 16384
"""Bytes read from the end of a log."""

SUFFIX = ".masked"

_CHUNK = 1 << 20


def read_tail(log: Path) -> tuple[bytes, bool]:
    """The last TAIL bytes of a log, masked, and whether these are all of it. Raises OSError."""
    try:
        descriptor = open_file(f"{log}{SUFFIX}")
    except OSError:
        descriptor = open_file(log)
    return _last(descriptor, TAIL)


def mask_tail(log: Path, masks: Masks) -> None:
    """Write the masked copy of a log's end if that has a secret. A log that cannot be read stays without one. Raises OSError."""
    copy = Path(f"{log}{SUFFIX}")
    with suppress(FileNotFoundError):
        os.unlink(copy)
    try:
        content, complete = _last(open_file(log), TAIL + 2 * masks.longest)
    except OSError:
        return
    text = content.decode("utf-8", "surrogateescape")
    masked = masks.text(text)
    if masked == text:
        return
    if not complete:  # the end of a secret that begins before the text is not found
        masked = masked[masks.longest :]
        masked = masked.partition("\n")[2] or masked
    with replacing(copy) as file:
        file.write(masked.encode("utf-8", "surrogateescape"))


def mask_log(log: Path, masks: Masks) -> None:
    """Replace a log by itself with secrets masked, if it has any. Takes a second for some 10 MB. Raises OSError."""
    try:
        found = masks.found_in(_chunks(log))
    except FileNotFoundError:
        return
    if found:
        with replacing(log) as file:
            file.writelines(masks.chunks(_chunks(log)))


def _chunks(log: Path) -> Iterator[bytes]:
    with open(open_file(log), "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _last(descriptor: int, most: int) -> tuple[bytes, bool]:
    with open(descriptor, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(), size <= most
