"""Reads metrics: values that a session has written to its output folder or to stdout, after it has ended.

Nothing here raises for what a session has written. Memory is bounded, time is not: see `metrics_worker`.
"""

from __future__ import annotations

import json
import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from runner import regular
from runner.config.metrics import JsonMetric, LastLineMetric, Metric, RegexMetric
from runner.model import Missing, Value
from runner.scalars import MAX_DIGITS, is_number, resolve_number, within_float

MAX_JSON_SIZE = 16 * 1024 * 1024
"""Bytes of a JSON file."""

CACHED_SIZE = 1024 * 1024
"""Bytes of a JSON file whose document is kept for the next metric."""

MAX_TEXT_LENGTH = 1000
"""Characters kept of a value that is not a number."""

MOST_KEYS = 5
"""Keys of a JSON object that are listed where a key is missing."""

MOST_FILES = 1000
"""File names of the output folder that are looked at to find a misplaced file."""

_BLOCK = 1024 * 1024
_LINE_END = re.compile(rb"[\r\n]")
_WHITE = " \t\r\n"

Signature: TypeAlias = tuple[int, int, int, int]
"""Inode, size, and the times of the last change of content and of inode. Equal: the file was not written to."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where an attempt has left its metrics.

    workdir: only looked at to say where a missing file was found.
    left: the signatures of the metrics files that were in the output folder before the attempt.
    since: Unix time of the attempt's submission; a file that was not changed since then was left by an earlier attempt.
        None: only `left` decides.
    """

    output: str
    stdout: str
    stderr: str
    workdir: str
    left: dict[str, Signature] = field(default_factory=dict)
    since: float | None = None


def signature(about: os.stat_result) -> Signature:
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def signatures(files: set[str], output: str) -> dict[str, Signature]:
    """The signatures of those of the `files` that are in the output folder."""
    found = {}
    for name in files:
        try:
            found[name] = signature(os.stat(os.path.join(output, name)))
        except (OSError, ValueError):
            continue
    return found


def read_metric(metric: Metric, sources: Sources) -> Value | Missing:
    """The value of a metric, or why it has none."""
    try:
        try:
            return _read(metric, sources)
        except OSError:  # perhaps only for a moment: an I/O error of a network disk, no descriptor left
            return _read(metric, sources)
    except OSError as error:
        name = metric.file if isinstance(metric, JsonMetric) else os.path.basename(error.filename or sources.stdout)
        return Missing(f"`{name}` cannot be read: {error.strerror or error}", unread=True)
    except MemoryError:
        return Missing("reading it takes too much memory")
    except RecursionError:
        return Missing("it is nested too deeply")


def _read(metric: Metric, sources: Sources) -> Value | Missing:
    match metric:
        case JsonMetric():
            return _in_file(metric, sources)
        case RegexMetric():
            return _last_match(metric, sources)
        case LastLineMetric():
            return _in_last_line(metric, sources)


def _in_file(metric: JsonMetric, sources: Sources) -> Value | Missing:
    name = metric.file
    path = os.path.join(sources.output, name)
    try:
        descriptor = regular.opener(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return Missing(f"no `{name}` in the output folder{_elsewhere(name, sources)}")
    except regular.NotRegularError:
        return Missing(f"`{name}` is not a regular file")
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if sources.left.get(name) == signature(about) or about.st_ctime < (sources.since or 0.0):
            return Missing(f"`{name}` was left by an earlier attempt")
        content = file.read(MAX_JSON_SIZE + 1)
    if len(content) > MAX_JSON_SIZE:
        return Missing(f"`{name}` is larger than {MAX_JSON_SIZE >> 20} MiB")
    if not content.strip():
        return Missing(f"`{name}` is empty")
    try:
        document = _document(content) if len(content) <= CACHED_SIZE else _parse(content)
    except json.JSONDecodeError as error:
        return Missing(f"`{name}` is not JSON: {error.msg} at line {error.lineno}")
    except UnicodeDecodeError:
        return Missing(f"`{name}` is not JSON: it is not UTF-8")
    return _at(metric.key, document, f"`{name}`")


def _elsewhere(name: str, sources: Sources) -> str:
    """The end of the sentence about a missing file: where one of this name was found instead."""
    if os.path.isfile(os.path.join(sources.workdir, name)):
        return "; there is one in the working directory: write it to `$RUNNER_OUTPUT_DIR`"
    looked_at = 0
    for folder, folders, files in os.walk(sources.output):
        folders.sort()
        if os.path.basename(name) in files:
            found = os.path.relpath(os.path.join(folder, os.path.basename(name)), sources.output)
            return f"; there is `{found}`: write `json: {found}`"
        looked_at += len(files) + len(folders)
        if looked_at > MOST_FILES:
            break
    return ""


def _in_last_line(metric: LastLineMetric, sources: Sources) -> Value | Missing:
    for block in _blocks_backwards(sources.stdout):
        for line in reversed(block.split("\n")):
            if line.lstrip(_WHITE).startswith("{"):
                try:
                    document = _parse(line)
                except (ValueError, RecursionError):
                    continue
                return _at(metric.key, document, "the last JSON object on stdout")
        return Missing("no line of stdout is a JSON object")
    return Missing("nothing was written to stdout")


def _at(key: str, document: Any, place: str) -> Value | Missing:
    try:
        data = _dig(document, key)
    except LookupError:
        return Missing(f"{place} has no `{key}`{_keys(document)}")
    return Missing(f"`{key}` is null in {place}") if data is None else _value(data)


def _keys(document: Any) -> str:
    names = [f"`{name[:40]}`" for name in document if name.isprintable()] if isinstance(document, dict) else []
    if len(names) > MOST_KEYS:
        names[MOST_KEYS:] = ["…"]
    return f", but {', '.join(names)}" if names else ""


def _dig(document: Any, key: str) -> Any:
    """Follow a dotted key; a name that contains dots is found if the rest of the key is that name. Raises LookupError."""
    if isinstance(document, dict) and key in document:
        return document[key]
    first, dot, rest = key.partition(".")
    if isinstance(document, dict):
        below = document[first]
    elif isinstance(document, list) and re.fullmatch("-?[0-9]{1,9}", first, re.ASCII):
        below = document[int(first)]
    else:
        raise LookupError(first)
    return _dig(below, rest) if dot else below


def _last_match(metric: RegexMetric, sources: Sources) -> Value | Missing:
    pattern = re.compile(metric.pattern, re.MULTILINE)
    empty = True
    for block in _blocks_backwards(sources.stdout):
        empty = False
        if (last := _last_in(pattern, block)) is not None:
            text = last[1] if pattern.groups else last[0]
            return Missing("the group of the pattern took no part in the last match") if text is None else _typed(text)
    for block in _blocks_backwards(sources.stderr):
        if _last_in(pattern, block) is not None:
            return Missing("no match on stdout; there is one on stderr: write it to stdout")
        break
    return Missing("nothing was written to stdout" if empty else "no match on stdout")


def _last_in(pattern: re.Pattern[str], block: str) -> re.Match[str] | None:
    matches = deque(pattern.finditer(block), maxlen=1)
    return matches.pop() if matches else None


def _blocks_backwards(path: str) -> Iterator[str]:
    """Yield the lines of a file in blocks of about a MiB, the last block first; longer lines are cut. Lines end at `\\n`."""
    try:
        descriptor = regular.opener(path, os.O_NOFOLLOW)  # others may be able to write to the folder of logs
    except (FileNotFoundError, regular.NotRegularError):
        return
    with open(descriptor, "rb") as file:
        end = os.fstat(descriptor).st_size
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


@lru_cache(maxsize=1)
def _document(content: bytes) -> Any:
    """The document; metrics that follow each other are mostly of one file."""
    return _parse(content)


def _parse(text: str | bytes) -> Any:
    return json.loads(text, parse_float=_float_or_text, parse_int=_int_or_text, parse_constant=str)


def _float_or_text(text: str) -> float | str:
    number = float(text)
    return number if within_float(number) else text


def _int_or_text(text: str) -> int | str:
    # Python does not convert longer ones, and raises a ValueError.
    number = int(text) if len(text) <= MAX_DIGITS else text
    return number if isinstance(number, int) and within_float(number) else text


def _value(data: Any) -> Value:
    """A value of a JSON document; what is not a number is text."""
    if is_number(data):
        return Value(str(data), data)
    return _text(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False))


def _typed(text: str) -> Value:
    """A text that a session has written: a number, with its text kept, if it is one."""
    bare = text.strip(_WHITE)
    number = resolve_number(bare)
    return Value(bare, number) if number is not None and within_float(number) else _text(text)


def _text(text: str) -> Value:
    # A lone surrogate could not be written anywhere.
    text = text.encode("utf-8", "backslashreplace").decode()
    cut = text if len(text) <= MAX_TEXT_LENGTH else text[: MAX_TEXT_LENGTH - 1] + "…"
    return Value(cut, cut)
