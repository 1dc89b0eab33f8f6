"""`Poller`: when it asks, about which jobs, and what its waiters see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from runner.backends.poller import PolledJob, Poller


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` with a clock that jumps over every wait."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_intervals_grow_up_to_what_ask_returns() -> None:
    asked: list[float] = []
    begin = 0.0
    job = PolledJob()

    async def ask(jobs: list[PolledJob]) -> float:
        assert jobs == [job]
        asked.append(trio.current_time() - begin)
        if len(asked) == 5:
            job.notify()
        return 5.0

    async def main() -> None:
        nonlocal begin
        begin = trio.current_time()
        poller = Poller(ask, shortest=1.0, growth=2.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poller.run)
            await poller.until(job, lambda: len(asked) == 5)
            nursery.cancel_scope.cancel()

    run(main)
    assert asked == pytest.approx([1, 3, 7, 12, 17])


def test_ask_soon_returns_to_short_intervals() -> None:
    asked: list[float] = []
    job = PolledJob()

    async def ask(jobs: list[PolledJob]) -> float:
        asked.append(trio.current_time())
        job.notify()
        return 100.0

    async def main() -> None:
        poller = Poller(ask, shortest=1.0, growth=10.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poller.run)
            await poller.until(job, lambda: len(asked) == 3)
            begin = trio.current_time()
            poller.ask_soon(0.5)
            await poller.until(job, lambda: len(asked) == 4)
            assert trio.current_time() - begin == pytest.approx(0.5)
            nursery.cancel_scope.cancel()

    run(main)


def test_nothing_is_asked_while_no_task_waits() -> None:
    asked = 0
    job = PolledJob()

    async def ask(jobs: list[PolledJob]) -> float:
        nonlocal asked
        asked += 1
        job.notify()
        return 1.0

    async def main() -> None:
        poller = Poller(ask, shortest=1.0, growth=1.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poller.run)
            await poller.until(job, lambda: asked == 1)
            assert not poller.waits_for(job)
            await trio.sleep(100)
            assert asked == 1
            nursery.cancel_scope.cancel()

    run(main)


def test_error_reaches_waiters_and_later_ones() -> None:
    async def ask(jobs: list[PolledJob]) -> float:
        raise OSError("no more")

    async def main() -> None:
        poller = Poller(ask, shortest=1.0, growth=1.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poller.run)
            for _ in range(2):
                with pytest.raises(OSError, match="no more"):
                    await poller.until(PolledJob(), lambda: False)

    run(main)
