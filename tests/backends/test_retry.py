"""`Backoff`: pauses and the length of an outage."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from runner.backends.retry import Backoff


def test_pauses_double_up_to_the_longest(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)

    async def main() -> list[float]:
        backoff = Backoff(first=1, longest=5)
        ends = []
        for _ in range(4):
            begin = trio.current_time()
            await backoff.pause()
            ends.append(trio.current_time() - begin)
        backoff.succeeded()
        begin = trio.current_time()
        await backoff.pause(at_least=3)
        return [*ends, trio.current_time() - begin]

    assert trio.run(main, clock=autojump_clock) == pytest.approx([1, 2, 4, 5, 3])


def test_outage_counts_from_first_failure_after_success(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> list[float]:
        backoff = Backoff(first=1, longest=1)
        await trio.sleep(100)
        seconds = [backoff.failed()]
        await trio.sleep(7)
        seconds.append(backoff.failed())
        backoff.succeeded()
        await trio.sleep(7)
        return [*seconds, backoff.failed()]

    assert trio.run(main, clock=autojump_clock) == pytest.approx([0, 7, 0])


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)
