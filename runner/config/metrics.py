"""Metrics: values that a session writes to its output folder or to stdout, read after it has ended.

A missing value is None; text that is not a number is kept as text. Reading never fails, and uses bounded memory.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from runner.model import Scalar
from runner.scalars import resolve_number

MAX_JSON_SIZE = 16 * 1024 * 1024
"""Bytes of a JSON file; a larger file counts as missing."""

MAX_TEXT_LENGTH = 1000
"""Characters kept of a value that is not a number."""

_BLOCK = 1024 * 1024
_LINE_END = re.compile(rb"[\r\n]")


@dataclass(frozen=True, slots=True)
class JsonMetric:
    """The value at `key` (names and list indexes, joined by dots) in the JSON file `file` of the output folder."""

    file: str
    key: str


@dataclass(frozen=True, slots=True)
class RegexMetric:
    """The last match on stdout: its group 1, or the whole match if the pattern has no group.

    `^` and `$` match at line ends, a carriage return ends a line, too, and a match cannot contain a line end.
    """

    pattern: str


@dataclass(frozen=True, slots=True)
class LastLineMetric:
    """The value at `key` in the last line of stdout (of its last MiB) that is a JSON object."""

    key: str


Metric: TypeAlias = JsonMetric | RegexMetric | LastLineMetric


def collect(metrics: Mapping[str, Metric], output: Path, stdout: Path) -> dict[str, Scalar]:
    """Return the value of each metric, in their order. Blocks for large logs: not for the event loop."""
    document = cache(_document)
    last_line = cache(_last_object)
    patterns = {name: re.compile(one.pattern, re.M) for name, one in metrics.items() if isinstance(one, RegexMetric)}
    matched = _last_matches(patterns, stdout)
    found: dict[str, Scalar] = {}
    for name, metric in metrics.items():
        match metric:
            case JsonMetric():
                found[name] = _scalar(_dig(document(output / metric.file), metric.key))
            case LastLineMetric():
                found[name] = _scalar(_dig(last_line(stdout), metric.key))
            case RegexMetric():
                found[name] = matched.get(name)
    return found


def _last_matches(patterns: Mapping[str, re.Pattern[str]], path: Path) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    wanted = dict(patterns)
    for block in _blocks_backwards(path) if wanted else ():
        for name, pattern in list(wanted.items()):
            if matches := deque(pattern.finditer(block), maxlen=1):
                last = matches.pop()
                text = last[1] if pattern.groups else last[0]
                found[name] = None if text is None else _number_or_text(text)
                del wanted[name]
        if not wanted:
            break
    return found


def _blocks_backwards(path: Path) -> Iterator[str]:
    """Yield the lines of a file in blocks of about a MiB, the last block first; longer lines are cut."""
    try:
        with open(_open_regular(path), "rb") as file:
            end = os.fstat(file.fileno()).st_size
            while end > 0:
                start = max(0, end - _BLOCK)
                file.seek(start)
                block = file.read(end - start)
                if start:
                    # The first line may be incomplete: it belongs to the previous block.
                    first_end = _LINE_END.search(block, 0, len(block) - 1)
                    skip = first_end.end() if first_end else 0
                    start, block = start + skip, block[skip:]
                end = start
                yield block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("utf-8", "replace")
    except OSError:
        return


def _last_object(path: Path) -> Any:
    for block in _blocks_backwards(path):
        for line in reversed(block.splitlines()):
            if line.lstrip().startswith("{") and isinstance(parsed := _parse(line), dict):
                return parsed
        return None
    return None


def _document(path: Path) -> Any:
    try:
        with open(_open_regular(path), "rb") as file:
            content = file.read(MAX_JSON_SIZE + 1)
    except (OSError, ValueError):
        return None
    return None if len(content) > MAX_JSON_SIZE else _parse(content)


def _open_regular(path: Path) -> int:
    # Opening a FIFO without a writer would block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return descriptor


def _parse(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_float=_number_or_text, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _dig(document: Any, key: str) -> Any:
    """Follow a dotted key; a name that contains dots is found if the rest of the key is that name."""
    if isinstance(document, dict) and key in document:
        return document[key]
    first, dot, rest = key.partition(".")
    if isinstance(document, dict):
        below = document.get(first)
    elif isinstance(document, list) and re.fullmatch("-?[0-9]{1,9}", first):
        index = int(first)
        below = document[index] if -len(document) <= index < len(document) else None
    else:
        return None
    return _dig(below, rest) if dot else below


def _scalar(data: Any) -> Scalar:
    if data is None or (isinstance(data, int | float) and not isinstance(data, bool)):
        return data
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return text[:MAX_TEXT_LENGTH]


def _number_or_text(text: str) -> Scalar:
    number = resolve_number(text.strip())
    return number if number is not None and math.isfinite(number) else text[:MAX_TEXT_LENGTH]
