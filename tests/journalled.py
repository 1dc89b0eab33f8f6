"""Record an apply in a real state, without running processes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.config.metrics import digests
from runner.events import ApplyStarted, AttemptEnded, AttemptStarted, AttemptSubmitted
from runner.model import Outcome, Resources, Scalar, Session, Usage
from runner.plan.plan import Plan
from runner.scalars import metric_from
from runner.state import open_for_writing
from tests.facts import IDLE, apply_ended

BEGIN = 1_790_000_000.0


@dataclass(frozen=True)
class Ending:
    """How a recorded session ends."""

    outcome: Outcome = Outcome.SUCCEEDED
    exit_code: int | None = 0
    reason: str | None = None
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    stderr: str = ""
    duration: float = 1.5
    max_rss: int = 40 << 20


def record_apply(
    plan: Plan,
    folder: Path,
    ending_of: Callable[[Session], Ending | None],
    *,
    slots: int = 4,
    capacity: Resources | None = None,
    host: str = "node1",
    usage: Usage = IDLE,
    begin: float = BEGIN,
) -> None:
    """Record an apply of the plan, `slots` sessions at a time. Sessions for which `ending_of` returns None did not start."""
    with open_for_writing(folder, plan.sweep.name) as state:
        record = state.journal.record
        text, recipe = plan.sweep.source.text, plan.recipe
        limits = {"cpu": slots} if capacity is None else capacity
        about = (limits, None, host, "ada", 4711, "0.1.0", "c0ffee" * 6, True)
        record(
            ApplyStarted(
                begin,
                plan.sweep.name,
                plan.count,
                plan.count,
                "local",
                *about,
                text,
                recipe,
                definitions=digests(plan.sweep.metrics),
            )
        )
        free = [begin] * slots
        outcomes: dict[Outcome, int] = {}
        for session in plan:
            ending = ending_of(session)
            if ending is None:
                continue
            begun = heapq.heappop(free)
            over = begun + ending.duration
            heapq.heappush(free, over + 0.01)
            record(AttemptSubmitted(begun, session, 1, f"{state.id}-{session.id}-1", "local"))
            record(AttemptStarted(begun, session.id, 1, "1:1", host, ()))
            how = (
                ending.outcome,
                ending.exit_code,
                ending.reason,
                ending.duration,
                ending.duration / 2,
                ending.max_rss,
            )
            metrics = {name: metric_from(data) for name, data in ending.metrics.items()}
            record(AttemptEnded(over, session.id, 1, *how, metrics, None))
            outcomes[ending.outcome] = outcomes.get(ending.outcome, 0) + 1
            if ending.stderr:
                state.paths(session.id, 1).stderr.write_text(ending.stderr)
        record(apply_ended(max(free), outcomes, plan.count - sum(outcomes.values()), usage))
