"""The estimate of the time that is left."""

from __future__ import annotations

import pytest

from runner.model import Outcome
from tests.reporters.progress_events import apply_began, ended, started, tracker_of


def test_eta_uses_durations_and_concurrency() -> None:
    """Four at a time, 10 s each, 40 in all: after 4 have ended, and 4 have run for 5 s, there are 35 s to go."""
    tracker = tracker_of(apply_began(40))
    assert tracker.eta(5.0) is None
    for number in range(4):
        for event in started(number, 0.0):
            tracker.take(event)
    assert tracker.eta(5.0) is None
    for number in range(4):
        tracker.take(ended(number, 10.0, duration=10.0))
        for event in started(number + 4, 10.0):
            tracker.take(event)
    assert tracker.eta(15.0) == pytest.approx(85.0)


def test_eta_includes_retries_and_pauses() -> None:
    """Each session takes two tries of 1 s, one at a time, with a second between any two: 4 s a session."""
    tracker = tracker_of(
        apply_began(3),
        *(*started(0, 0.0), ended(0, 1.0, Outcome.FAILED, 1.0, retry_in=1.0)),
        *(*started(0, 2.0, attempt=2), ended(0, 3.0, duration=1.0, attempt=2)),
    )
    assert tracker.eta(4.0) == pytest.approx(8.0)
