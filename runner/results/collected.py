"""The metrics of an attempt as the present sweep file defines them, and which of them are missing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.config.metrics import Metric, digests
from runner.model import Metrics, Missing, Value
from runner.state.rows import definitions_text, metrics_of, outdated

_decode = json.JSONDecoder().raw_decode
_PLAIN = frozenset((float, int, str))
"""The types of stored values whose text is the one that `csv.writer` writes."""

NOT_COLLECTED = Missing("not collected by its present definition: the next `runner apply` does it", unread=True)


class Definitions:
    """The definitions of a sweep's metrics, to compare stored values with.

    text: as the journal stores them.
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._digests = digests(metrics)
        self.text = definitions_text(self._digests)

    def metrics(self, stored: str | None, definitions: str | None) -> Metrics:
        """The metrics of an attempt, from its columns in the journal. One of another definition has no value."""
        return self.present(metrics_of(stored), definitions)

    def cells(
        self, stored: str | None, definitions: str | None, names: Sequence[str], missing: MissingMetrics | None
    ) -> list[Any]:
        """The values of these metrics for `csv.writer`. What is missing is added to `missing`."""
        if stored and definitions == self.text:
            data, _ = _decode(stored)
            values = [data.get(name) for name in names]
            if _PLAIN.issuperset(map(type, values)):
                if missing is not None:
                    missing.sessions += 1
                return values
        metrics = self.metrics(stored, definitions)
        if missing is not None:
            missing.add(metrics)
        found = [metrics.get(name) for name in names]
        return [metric.text if isinstance(metric, Value) else None for metric in found]

    def present(self, metrics: Metrics, definitions: str | None) -> Metrics:
        """The same, if they were read before."""
        if definitions == self.text:
            return metrics
        names = outdated(metrics, definitions, self._digests)
        return {**metrics, **{name: NOT_COLLECTED for name in names if isinstance(metrics.get(name), Value)}} | {
            name: NOT_COLLECTED for name in names if name not in metrics and definitions is not None
        }


@dataclass
class MissingMetrics:
    """The metrics that succeeded sessions lack."""

    sessions: int = 0
    """Succeeded sessions."""
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    """How many sessions lack a metric for each reason, by metric."""
    which: str = "succeeded sessions"
    """What the sessions are called in a sentence."""

    def add(self, metrics: Metrics) -> None:
        """Count a succeeded session."""
        self.sessions += 1
        self.add_missing(metrics)

    def add_missing(self, metrics: Metrics) -> None:
        """Count what a session lacks; the session itself is counted elsewhere."""
        for name, metric in metrics.items():
            if isinstance(metric, Missing):
                self.reasons.setdefault(name, Counter())[metric.reason] += 1

    def lines(self) -> Iterator[str]:
        """A sentence for each metric, with its most frequent reason."""
        for name, reasons in self.reasons.items():
            [(reason, count)] = reasons.most_common(1)
            total = reasons.total()
            more = (
                f" (and {len(reasons) - 1:,} other {'reason' if len(reasons) == 2 else 'reasons'})"
                if total > count
                else ""
            )
            yield f"warning: `{name}` is missing in {total:,} of {self.sessions:,} {self.which}: {reason}{more}"

    def to_json(self) -> list[dict[str, Any]]:
        """As `schemas/status.schema.json` has it."""
        return [
            {"metric": name, "sessions": reasons.total(), "reason": reasons.most_common(1)[0][0]}
            for name, reasons in self.reasons.items()
        ]
