"""When events are committed."""

from __future__ import annotations

import pytest

from runner.events import AttemptSubmitted
from runner.model import Policy, Retry
from tests.fake_backend import Cluster, Script
from tests.simulation import Apply, apply, sweep


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("prefetch_limit", [0, 4])
def test_intent_is_committed_before_submission(remote: bool, prefetch_limit: int) -> None:
    submitted = 0

    def script(index: int, number: int) -> Script:
        """Called by the backend when an attempt is submitted."""
        nonlocal submitted
        submitted += 1
        committed = [event for event in run.events[: run.committed] if isinstance(event, AttemptSubmitted)]
        assert (index, number) in [(event.session.index, event.attempt) for event in committed]
        return Script(0.01, exit_code=1 if number == 1 and index % 3 == 0 else 0)

    policy = Policy(retry=Retry(1, 0.5))
    run = Apply(
        script, max_parallel=2, policy=policy, cluster=Cluster() if remote else None, prefetch_limit=prefetch_limit
    )
    apply(run, sweep(9))
    assert submitted == 12


def test_all_events_are_committed_at_the_end() -> None:
    run = Apply(max_parallel=2)
    apply(run, sweep(3))
    assert run.committed == len(run.events)
