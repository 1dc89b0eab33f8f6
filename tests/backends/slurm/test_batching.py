"""`Batcher`: which attempts are submitted together, and what each of them hears."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing

from runner.backends.base import Rejected
from runner.backends.slurm.batching import Batcher, BatchTooLarge
from runner.model import Attempt
from tests.fake_slurm import make_attempt


@dataclass
class Batches:
    """A cluster that takes batches of at most `limit` attempts."""

    limit: int = 1000
    accepted: list[list[str]] = field(default_factory=list)
    refused: int = 0

    async def submit(self, attempts: Sequence[Attempt]) -> None:
        await trio.sleep(0.01)
        if len(attempts) > self.limit:
            self.refused += 1
            raise BatchTooLarge
        self.accepted.append([attempt.session for attempt in attempts])


def run(batcher: Batcher, body: Callable[[trio.Nursery], Awaitable[None]]) -> None:
    """Run `body` beside the batcher, with a clock that jumps over every wait."""

    async def main() -> None:
        async with trio.open_nursery() as running:
            running.start_soon(batcher.run)
            async with trio.open_nursery() as nursery:
                await body(nursery)
            running.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def numbered(number: int, folder: Path) -> Attempt:
    return make_attempt(str(number), folder, RUNNER_INDEX=str(number))


def test_attempts_of_one_key_go_together_in_order(tmp_path: Path) -> None:
    batches = Batches()
    batcher = Batcher(batches.submit, max_batch=4)

    async def body(nursery: trio.Nursery) -> None:
        for number in range(9):
            nursery.start_soon(batcher.add, numbered(number, tmp_path), ("a",))
        nursery.start_soon(batcher.add, make_attempt("other", tmp_path), ("b",))

    run(batcher, body)
    assert sorted(batches.accepted) == [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"], ["other"]]


def test_attempts_that_arrive_before_room_join_the_batch(tmp_path: Path) -> None:
    batches = Batches()
    begin = 0.0

    async def has_room(attempts: Sequence[Attempt]) -> bool:
        return trio.current_time() - begin > 100

    batcher = Batcher(batches.submit, max_batch=10, has_room=has_room)

    async def body(nursery: trio.Nursery) -> None:
        nonlocal begin
        begin = trio.current_time()
        for number in range(5):
            nursery.start_soon(batcher.add, numbered(number, tmp_path), ("a",))
            await trio.sleep(10)

    run(batcher, body)
    assert batches.accepted == [["0", "1", "2", "3", "4"]]


def test_batch_that_is_too_large_is_submitted_in_parts(tmp_path: Path) -> None:
    batches = Batches(limit=3)
    batcher = Batcher(batches.submit, max_batch=1000)

    async def body(nursery: trio.Nursery) -> None:
        for number in range(20):
            nursery.start_soon(batcher.add, numbered(number, tmp_path), ("a",))

    run(batcher, body)
    assert sorted(int(name) for batch in batches.accepted for name in batch) == list(range(20))
    assert len(batches.accepted) <= 12
    assert batches.refused <= 12


def test_each_attempt_of_a_refused_batch_is_rejected(tmp_path: Path) -> None:
    async def refuse(attempts: Sequence[Attempt]) -> None:
        raise Rejected("no")

    batcher = Batcher(refuse, max_batch=4)
    rejected: list[str] = []

    async def add(name: str) -> None:
        with pytest.raises(Rejected):
            await batcher.add(make_attempt(name, tmp_path), ("a",))
        rejected.append(name)

    async def body(nursery: trio.Nursery) -> None:
        nursery.start_soon(add, "a")
        nursery.start_soon(add, "b")

    run(batcher, body)
    assert sorted(rejected) == ["a", "b"]


def test_withdrawn_attempt_is_not_submitted(tmp_path: Path) -> None:
    batches = Batches()
    batcher = Batcher(batches.submit, max_batch=4)

    async def body(nursery: trio.Nursery) -> None:
        with trio.move_on_after(0.01):
            await batcher.add(make_attempt("a", tmp_path), ("a",))
        await batcher.withdraw(make_attempt("a", tmp_path).name)
        await batcher.add(make_attempt("b", tmp_path), ("a",))

    run(batcher, body)
    assert batches.accepted == [["b"]]


def test_withdrawal_during_submission_waits_for_its_result(tmp_path: Path) -> None:
    accepted: list[str] = []

    async def submit(attempts: Sequence[Attempt]) -> None:
        await trio.sleep(10)
        accepted.extend(attempt.session for attempt in attempts)

    batcher = Batcher(submit, max_batch=4)

    async def body(nursery: trio.Nursery) -> None:
        with trio.move_on_after(5):
            await batcher.add(make_attempt("a", tmp_path), ("a",))
        await batcher.withdraw(make_attempt("a", tmp_path).name)
        assert accepted == ["a"]

    run(batcher, body)
