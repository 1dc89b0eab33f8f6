"""The texts of progress."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.events import Event
from runner.reporters.progress.wording import in_use
from tests import facts
from tests.reporters.progress_events import session, started, tracker_of


@pytest.mark.parametrize(("submitted", "expected"), [(3, "3/4"), (9, "2/4")])
def test_max_parallel_counts_started_attempts_beyond_limit(submitted: int, expected: str) -> None:
    """A backend that enforces `max_parallel` itself gets more attempts than may run at once."""
    events: list[Event] = [replace(facts.apply_started(0.0), capacity={}, max_parallel=4)]
    for number in range(submitted):
        events += started(number, 0.0) if number < 2 else [facts.submitted(session(number))]
    assert in_use(tracker_of(*events)) == [f"max_parallel {expected}"]
