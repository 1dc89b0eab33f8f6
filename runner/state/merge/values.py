"""What runner writes into each column of a journal, to check one that somebody else may have written.

A value that passes can be read by every command: texts are UTF-8, numbers are finite, JSON has the shape that its reader expects.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from runner.model import Outcome

SqlValue: TypeAlias = int | float | str | bytes | None
Check: TypeAlias = Callable[[SqlValue], bool]

LATEST = 253_402_300_800
"""The year 10000 as Unix time."""

MOST_ATTEMPTS = 1_000_000
"""Attempts at one session."""

LONGEST_NAME = 10_000
"""Characters of a name, such as that of a job or a host."""

_ROW = range(1, 1 << 53)
_COUNT = range(1 << 53)
_DIGESTS = re.compile("[0-9a-f -]*")
_BUILD = re.compile("[0-9a-f]{16}")


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _integer(allowed: range) -> Check:
    return lambda value: isinstance(value, int) and value in allowed


def _number(most: float) -> Check:
    return lambda value: isinstance(value, int | float) and 0 <= value <= most


def _text(value: SqlValue) -> bool:
    return isinstance(value, str)


def _name(value: SqlValue) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME


def plain(value: SqlValue) -> bool:
    """Any value but an infinite number: the check of a column that has none of its own."""
    return not isinstance(value, float) or math.isfinite(value)


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _id(value: SqlValue) -> bool:
    return isinstance(value, bytes) and len(value) == 8


def _outcome(value: SqlValue) -> bool:
    return isinstance(value, str) and value in _OUTCOMES


_OUTCOMES = frozenset(outcome.value for outcome in Outcome)


def _json(is_valid: Callable[[Any], bool]) -> Check:
    def check(value: SqlValue) -> bool:
        try:
            return isinstance(value, str) and is_valid(json.loads(value, parse_constant=_refuse))
        except (ValueError, RecursionError):
            return False

    return check


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _scalar(data: Any) -> bool:
    return data is None or isinstance(data, str | bool | int) or _finite(data)


def _metric(data: Any) -> bool:
    """As `scalars.metric_data` writes it."""
    if isinstance(data, dict):
        return len(data) == 1 and all(
            key in ("missing", "unread") and isinstance(why, str) for key, why in data.items()
        )
    if isinstance(data, list):
        return len(data) == 2 and isinstance(data[0], str) and _scalar(data[1])
    return _scalar(data)


def _finite(data: Any) -> bool:
    return isinstance(data, int | float) and not isinstance(data, bool) and math.isfinite(data)


def _mapping_of(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda data: isinstance(data, dict) and all(map(is_valid, data.values()))


def _texts(data: Any) -> bool:
    return isinstance(data, list) and all(isinstance(one, str) for one in data)


def _params(data: Any) -> bool:
    return isinstance(data, list) and all(
        isinstance(one, list)
        and len(one) == 3
        and isinstance(one[0], str)
        and isinstance(one[1], str)
        and _scalar(one[2])
        for one in data
    )


def _exec(data: Any) -> bool:
    return data is None or isinstance(data, str) or _texts(data)


def _parts(data: Any) -> bool:
    files = data.get("files", {}) if isinstance(data, dict) else None
    return _mapping_of(lambda digest: isinstance(digest, str))(files)


def _amount(data: Any) -> bool:
    if not isinstance(data, str) or len(data) > 100 or "e" in data.lower():
        return False
    try:
        return math.isfinite(float(Fraction(data)))
    except (ValueError, ZeroDivisionError, OverflowError):
        return False


def _counts(data: Any) -> bool:
    return isinstance(data, dict) and all(key in _OUTCOMES and type(count) is int for key, count in data.items())


def _usage(data: Any) -> bool:
    shares = _mapping_of(_finite)
    return (
        isinstance(data, dict)
        and data.keys() == {"seconds", "busy", "limited_by"}
        and (_finite(data["seconds"]) and shares(data["busy"]) and shares(data["limited_by"]))
    )


_TIME = _number(LATEST)
_SECONDS = _number(1e12)
_INTEGER = _integer(range(-(1 << 53), 1 << 53))

TABLES: Mapping[str, Mapping[str, Check]] = {
    "meta": {
        "state": _matches(re.compile("[0-9a-f]{12}")),
        "created": _TIME,
        "home": _optional(_name),
        "version": _optional(_name),
        "lock": _optional(_name),
    },
    "recipes": {
        "n": _integer(_ROW),
        "digest": _name,
        "sans_files": _name,
        "parts": _json(_parts),
        "crc": _optional(_integer(range(1 << 32))),
    },
    "applies": {
        "n": _integer(_ROW),
        "started": _TIME,
        "ended": _optional(_TIME),
        "sweep": _name,
        "total": _integer(_COUNT),
        "to_run": _integer(_COUNT),
        "backend": _name,
        "capacity": _json(_mapping_of(_amount)),
        "max_parallel": _optional(_integer(_COUNT)),
        "host": _name,
        "boot": _optional(_name),
        "pids": _optional(_name),
        "user": _name,
        "pid": _integer(_COUNT),
        "version": _name,
        "revision": _optional(_name),
        "dirty": _optional(_integer(range(2))),
        "text": _text,
        "recipe": _integer(_ROW),
        "stopped": _optional(_text),
        "interrupted": _optional(_text),
        "waiting": _optional(_text),
        "outcomes": _optional(_json(_counts)),
        "not_run": _optional(_integer(_COUNT)),
        "usage": _optional(_json(_usage)),
        "file": _optional(_name),
        "definitions": _optional(_matches(_DIGESTS)),
        "crc": _optional(_integer(range(1 << 32))),
    },
    "builds": {
        "build": _matches(_BUILD),
        "apply": _integer(_COUNT),
        "command": _text,
        "name": _name,
        "backend": _name,
        "started": _TIME,
        "ended": _optional(_TIME),
        "outcome": _optional(_outcome),
        "exit_code": _optional(_INTEGER),
        "reason": _optional(_text),
        "duration": _optional(_SECONDS),
        "crc": _optional(_integer(range(1 << 32))),
    },
    "sessions": {
        "n": _integer(_ROW),
        "id": _id,
        "point": _id,
        "recipe": _integer(_ROW),
        "attempts": _integer(range(1, MOST_ATTEMPTS)),
        "outcome": _optional(_outcome),
        "crc": _optional(_integer(range(1 << 32))),
    },
    "texts": {
        "session": _integer(_ROW),
        "repeat": _integer(_COUNT),
        "params": _json(_params),
        "exec": _json(_exec),
        "crc": _optional(_integer(range(1 << 32))),
    },
    "attempts": {
        "session": _integer(_ROW),
        "number": _integer(range(1, MOST_ATTEMPTS)),
        "apply": _integer(_COUNT),
        "name": _name,
        "backend": _name,
        "job": _optional(_name),
        "host": _optional(_name),
        "devices": _optional(_json(_texts)),
        "submitted": _TIME,
        "started": _optional(_TIME),
        "ended": _optional(_TIME),
        "outcome": _optional(_outcome),
        "exit_code": _optional(_INTEGER),
        "reason": _optional(_text),
        "duration": _optional(_SECONDS),
        "cpu_time": _optional(_SECONDS),
        "max_rss": _optional(_integer(_COUNT)),
        "metrics": _optional(_json(_mapping_of(_metric))),
        "retry_at": _optional(_TIME),
        "definitions": _optional(_matches(_DIGESTS)),
        "crc": _optional(_integer(range(1 << 32))),
    },
    "merges": {"token": _name},
    "joined": {"apply": _integer(_ROW)},
}
"""A check for each column; the constraints of the new journal's tables check the rest."""

RELATIONS: Mapping[str, str] = {
    "an apply without a recipe": "SELECT 1 FROM applies WHERE recipe NOT IN (SELECT n FROM recipes) LIMIT 1",
    "a session without a recipe": "SELECT 1 FROM sessions WHERE recipe NOT IN (SELECT n FROM recipes) LIMIT 1",
    "a session without its texts": "SELECT 1 FROM sessions WHERE n NOT IN (SELECT session FROM texts) LIMIT 1",
    "texts without a session": "SELECT 1 FROM texts WHERE session NOT IN (SELECT n FROM sessions) LIMIT 1",
    "an attempt without a session": "SELECT 1 FROM attempts WHERE session NOT IN (SELECT n FROM sessions) LIMIT 1",
    "a session whose last attempt is missing or differs": """
        SELECT 1 FROM sessions s LEFT JOIN attempts a ON a.session = s.n AND a.number = s.attempts
        WHERE a.session IS NULL OR a.outcome IS NOT s.outcome LIMIT 1""",
    "an attempt after the last one": """
        SELECT 1 FROM attempts a JOIN sessions s ON s.n = a.session WHERE a.number > s.attempts LIMIT 1""",
    "a journal without an id": "SELECT 1 WHERE (SELECT count(*) FROM meta) != 1",
}
"""A query for each fault between rows; it finds something if the fault is there."""
