"""What is handed over before there is room: it changes when short sessions begin, and nothing else. All in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.events import AttemptSubmitted
from runner.executor.prefetch import SHORT
from runner.model import Amount, Outcome, Policy, Retry, Session, Stop
from tests.fake_backend import Script
from tests.simulation import Apply, Scripts, apply, each, session, simulate, sweep

BRIEF = Script(duration=SHORT / 4)
LONG = Script(duration=100)


def brief_then(script: Script, briefs: int) -> Scripts:
    """The first ones are over soon, so that runner expects that of all."""
    return lambda index, number: BRIEF if index < briefs else script


async def until_submitted(run: Apply, count: int) -> None:
    while len(run.submitted()) < count:  # noqa: ASYNC110
        await trio.sleep(SHORT / 8)


def test_short_sessions_go_ahead_in_the_order_of_the_plan() -> None:
    most = 0

    def scripts(index: int, number: int) -> Script:
        nonlocal most
        most = max(most, len(run.submitted()) - len(run.ends()))
        return BRIEF

    run = Apply(scripts, max_parallel=4, prefetch_limit=2)
    ended = apply(run, sweep(40))
    assert ended.outcomes == {Outcome.SUCCEEDED: 40}
    assert ended.at == pytest.approx(10 * BRIEF.duration)
    assert run.submitted() == list(range(40))
    assert most == 6


def test_long_sessions_wait_for_their_room() -> None:
    run = Apply(each(LONG), max_parallel=4, prefetch_limit=2)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, sweep(20))
            await trio.sleep(150)
            assert len(run.submitted()) == 8
            run.executor.interrupt("enough")

    simulate(main)


def submitted_after(seconds: float, run: Apply) -> int:
    """How many have been handed over by then."""
    found = 0

    async def main() -> None:
        nonlocal found
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, sweep(40))
            await trio.sleep(seconds)
            found = len(run.submitted())
            run.executor.interrupt("enough")

    simulate(main)
    return found


@pytest.mark.parametrize("briefs", [1, 2, 3])
def test_no_more_go_ahead_than_were_short_in_a_row(briefs: int) -> None:
    run = Apply(brief_then(LONG, briefs), max_parallel=4, prefetch_limit=8)
    assert submitted_after(50, run) == briefs + 4 + briefs


def test_a_failure_that_is_tried_again_does_not_promise_that_others_are_short() -> None:
    """They may be long: then it would wait behind all of them."""

    def scripts(index: int, number: int) -> Script:
        return Script(duration=SHORT / 4, exit_code=1) if index < 4 and number == 1 else LONG

    run = Apply(scripts, max_parallel=4, policy=Policy(retry=Retry(1, 0.5)), prefetch_limit=8)
    assert submitted_after(50, run) == 8


def test_those_ahead_wait_as_all_others_do() -> None:
    """They are shown as waiting, and take no room that is not there."""
    run = Apply(brief_then(LONG, 4), max_parallel=4, prefetch_limit=2)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, sweep(20))
            await trio.sleep(50)
            shot = run.executor.snapshot()
            assert len(shot.running) == 4
            assert shot.queued >= 2
            assert len(run.submitted()) == 10
            assert len(run.backend.submitted) == 8
            run.executor.interrupt("enough")

    simulate(main)
    assert len(run.backend.submitted) == 8, "nothing begins after an interruption"


def test_one_that_is_cancelled_ahead_never_begins() -> None:
    run = Apply(brief_then(LONG, 4), max_parallel=4, prefetch_limit=2)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, sweep(12))
            await until_submitted(run, 10)
            run.executor.cancel([session(8).id])
            await trio.sleep(1)
            assert run.end_of(8).outcome is Outcome.CANCELLED

    simulate(main)
    assert session(8).id not in {name.split("-")[1] for name in run.backend.submitted}
    assert len(run.ends()) == 12
    assert run.events[-1].at == pytest.approx(2 * LONG.duration, abs=1)


def test_no_prefetch_with_a_limit_on_failures() -> None:
    """Whether the next one may begin at all depends on how this one ends."""
    scripts = brief_then(Script(duration=SHORT / 4, exit_code=1), 3)
    run = Apply(scripts, max_parallel=1, policy=Policy(stop=Stop(1)), prefetch_limit=2)
    ended = apply(run, sweep(10))
    assert run.submitted() == [0, 1, 2, 3]
    assert ended.outcomes == {Outcome.SUCCEEDED: 3, Outcome.FAILED: 1}


def test_sessions_of_another_size_do_not_go_ahead() -> None:
    """What frees their room is not for the backend to know."""
    run = Apply(each(BRIEF), capacity={"cpu": 4}, prefetch_limit=2)
    apply(run, [session(index, cpu=1 + index % 2) for index in range(30)])
    assert len(run.ends()) == 30


def test_devices_are_named_when_they_are_free() -> None:
    run = Apply(each(BRIEF), devices=("a", "b"), prefetch_limit=2)
    apply(run, sweep(20, gpu=1))
    assert all(len(devices) == 1 for _, _, devices in run.made)


def test_a_retry_comes_after_its_pause() -> None:
    def scripts(index: int, number: int) -> Script:
        return Script(duration=SHORT / 4, exit_code=int(number == 1))

    run = Apply(scripts, max_parallel=2, policy=Policy(retry=Retry(1, 0.5)), prefetch_limit=2)
    ended = apply(run, sweep(20))
    assert ended.outcomes == {Outcome.SUCCEEDED: 20}
    assert sum(isinstance(event, AttemptSubmitted) for event in run.events) == 40


def test_what_limits_an_apply_is_known_to_its_end() -> None:
    """Sessions that are ahead have left the queue, but lack room all the same."""
    limited = []
    for prefetch_limit in (0, 2):
        run = Apply(brief_then(LONG, 1), max_parallel=1, prefetch_limit=prefetch_limit)
        apply(run, sweep(4))
        limited.append(run.executor.usage.limited_by["max_parallel"])
    assert limited[0] == pytest.approx(2 / 3, abs=0.01)
    assert limited[1] == pytest.approx(limited[0], abs=0.01)


def test_a_beginning_is_told_after_the_end_that_made_room_for_it() -> None:
    """However long the metrics of the one before take to be collected."""
    run = Apply(each(BRIEF), max_parallel=2, prefetch_limit=2, collecting=lambda index: 5.0 if index % 3 == 1 else 0.0)
    apply(run, sweep(12))
    assert [index for index, _ in sorted(run.starts())] == list(range(12))


amounts = st.sampled_from([0, 1, 1, 1, 2, 4])
needs = st.fixed_dictionaries({"cpu": amounts}, optional={"gpu": st.integers(0, 2)})
durations = st.sampled_from([0.0, SHORT / 8, SHORT / 4, SHORT / 2, 1.0])
alike = st.just({"cpu": 1})
"""Attempts are prefetched only while all need the same resources."""


class Trouble(NamedTuple):
    """What happens to a session: how it ends, how long its metrics take, and when it is cancelled, if at all."""

    exit_code: int
    collecting: float
    cancelled: float | None


quiet = st.just(Trouble(0, 0.0, None))
trouble = st.builds(Trouble, st.integers(0, 1), st.sampled_from([0.0, 0.03, 2.0]), st.none() | st.floats(0, 2))


@settings(deadline=None, max_examples=300)
@given(
    (alike | needs).flatmap(
        lambda one: st.lists(st.tuples(st.just(one) | needs, durations, quiet | trouble), max_size=30)
    ),
    st.none() | st.integers(1, 4),
    st.integers(1, 8),
    st.none() | st.floats(0.001, 2),
    st.integers(0, 1),
)
def test_capacity_holds_with_any_mix_of_prefetched_attempts(
    jobs: list[tuple[dict[str, Amount], float, Trouble]],
    max_parallel: int | None,
    prefetch_limit: int,
    interrupted: float | None,
    retries: int,
) -> None:
    sessions: list[Session] = [session(index, **resources) for index, (resources, _, _) in enumerate(jobs)]
    run = Apply(
        lambda index, number: Script(duration=jobs[index][1], exit_code=jobs[index][2].exit_code),
        capacity={"cpu": 4},
        devices=("a", "b"),
        max_parallel=max_parallel,
        policy=Policy(retry=Retry(retries, 0.01)),
        prefetch_limit=prefetch_limit,
        collecting=lambda index: jobs[index][2].collecting,
    )

    async def at(when: float, call: Callable[[], None]) -> None:
        await trio.sleep(when)
        call()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            if interrupted is not None:
                nursery.start_soon(at, interrupted, lambda: run.executor.interrupt("enough"))
            for one, (_, _, what) in zip(sessions, jobs, strict=True):
                if what.cancelled is not None:
                    nursery.start_soon(at, what.cancelled, partial(run.executor.cancel, [one.id]))
            ended = await run(sessions)
            nursery.cancel_scope.cancel()
        assert sum(ended.outcomes.values()) + ended.not_run == len(sessions)

    simulate(main)
    assert run.capacity.in_use == dict.fromkeys(run.capacity.limits, 0)
    assert not run.left
    assert not run.executor.snapshot().running
