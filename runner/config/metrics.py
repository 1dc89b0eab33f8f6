"""The metrics of a sweep, as its file defines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeAlias


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

KINDS: Mapping[str, type[Metric]] = {"json": JsonMetric, "regex": RegexMetric, "last_line": LastLineMetric}


def plain(metric: Metric) -> dict[str, Any]:
    """The definition as JSON data. Fields with their default value are left out."""
    kind = next(name for name, kind in KINDS.items() if isinstance(metric, kind))
    given = ((field.name, getattr(metric, field.name), field.default) for field in fields(metric))
    return {"kind": kind, **{name: value for name, value, default in given if default is MISSING or value != default}}


def from_plain(data: Mapping[str, Any]) -> Metric:
    """The definition of which `plain` made this."""
    return KINDS[data["kind"]](**{name: value for name, value in data.items() if name != "kind"})


def digests(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """The digest of each definition, 8 hex digits: a value is of the definition with the same digest."""
    texts = {name: json.dumps(plain(metric), sort_keys=True) for name, metric in metrics.items()}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:8] for name, text in texts.items()}
