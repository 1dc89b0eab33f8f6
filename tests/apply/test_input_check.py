"""One check for many ends: never one that began before an end was known."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import trio
import trio.lowlevel
import trio.testing

from runner.apply.input_check import INLINE, InputCheck
from runner.config.inputs import Change, Inputs
from runner.config.sweep import Sweep
from runner.model import AttemptEnd, Outcome

LoadText = Callable[[str], Sweep]


class SlowInputs:
    """Inputs whose checks end when the test lets them; counts those that began."""

    size, bytes, moves = INLINE + 1, 0, 0

    def __init__(self) -> None:
        self.change: Change | None = None
        self.begun = 0
        self.goes_on = threading.Semaphore(0)

    def check(self) -> None:
        self.begun += 1
        self.goes_on.acquire()

    def verdict(self, since: int | None, began: float | None) -> Change | None:
        return self.change


async def ends(check: InputCheck, count: int, results: list[Outcome]) -> None:
    async def one() -> None:
        results.append((await check.verified(AttemptEnd(outcome=Outcome.SUCCEEDED), 0, None)).outcome)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)


def test_ends_during_a_check_wait_for_the_next_one_and_share_it() -> None:
    async def main() -> None:
        inputs, results = SlowInputs(), list[Outcome]()
        check = InputCheck(queued=False)
        check.watch(inputs)  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends, check, 1, results)
            while inputs.begun < 1:
                await trio.lowlevel.checkpoint()
            nursery.start_soon(ends, check, 50, results)
            await trio.testing.wait_all_tasks_blocked(0.01)
            inputs.change = Change("x", "changed")  # after the first check began, which may have missed it
            inputs.goes_on.release()
            while inputs.begun < 2:
                await trio.lowlevel.checkpoint()
            inputs.goes_on.release()
        assert inputs.begun == 2
        assert results[1:] == [Outcome.STALE] * 50

    trio.run(main)


def test_inputs_of_many_files_are_checked(tmp_path: Path, load_text: LoadText) -> None:
    for number in range(INLINE + 1):
        (tmp_path / f"{number}.txt").write_text("")
    inputs = Inputs.read(load_text("exec: [true]\nfiles: ['*.txt']\n"))
    check = InputCheck(queued=False)
    check.watch(inputs)

    async def main() -> None:
        assert await check.before_start() is None
        (tmp_path / "7.txt").write_text("new")
        results = list[Outcome]()
        await ends(check, 3, results)
        assert results == [Outcome.STALE] * 3
        assert (await check.before_start() or "").startswith("`7.txt` changed since this apply read it")

    trio.run(main)
