"""Collects metrics again whose definition has changed, or that could not be read, from the logs and outputs that are kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from runner.apply.collector import Collector
from runner.apply.metric_reader import Sources
from runner.config.metrics import JsonMetric, Metric, digests
from runner.events import Emit, MetricsCollected
from runner.model import Metrics, Missing
from runner.state import State
from runner.state.rows import AttemptRow, definitions_text, outdated


async def recollect(
    state: State, metrics: Mapping[str, Metric], collector: Collector, workdir: str, record: Emit
) -> None:
    """Collect what the last attempts of succeeded sessions lack, and `record` it.

    What cannot be read is tried again by the next apply.
    """
    present = digests(metrics)
    text = definitions_text(present)
    unread = False
    for row in state.journal.outdated(text):
        if not (wanted := outdated(row.metrics, row.definitions, present)):
            continue
        sources = _sources(state, row, workdir)
        found = {**row.metrics, **await collector.collect(sources, wanted)}
        if not state.kept(row.session, row.number).stdout:
            found |= _without_log(metrics, found, wanted)
        unread = unread or any(isinstance(metric, Missing) and metric.unread for metric in found.values())
        ordered = {name: found[name] for name in (*present, *found)}
        record(MetricsCollected(time.time(), row.session, row.number, ordered))
    if not unread:
        state.journal.all_collected(text)


def _sources(state: State, row: AttemptRow, workdir: str) -> Sources:
    paths = state.paths(row.session, row.number)
    sources = Sources(paths.output_name, paths.stdout_name, paths.stderr_name, workdir)
    return replace(sources, since=row.submitted) if row.number > 1 else sources


def _without_log(metrics: Mapping[str, Metric], found: Metrics, wanted: frozenset[str]) -> Metrics:
    """The metrics of a log that is not there: nothing was written to it, or it was pruned."""
    missing = Missing("there is no log to look in")
    return {
        name: missing
        for name in wanted
        if isinstance(found[name], Missing) and not isinstance(metrics[name], JsonMetric)
    }
