"""What starts when: order, room, backfill, laziness. All in simulated time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import count

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.events import ApplyWaiting, AttemptEnded, AttemptStarted, AttemptSubmitted, Event
from runner.executor.queue import PASSES, WINDOW
from runner.model import Amount, Outcome, PlannedAttempt, Session, metric_values
from tests.fake_backend import Script
from tests.simulation import Apply, apply, by_index, each, index_of, session, simulate, sweep

GIB = 1024**3


def test_starts_in_the_order_of_the_plan() -> None:
    run = Apply(each(Script(duration=1)), capacity={"cpu": 3})
    ended = apply(run, sweep(10))
    assert run.submitted() == list(range(10))
    assert ended.outcomes == {Outcome.SUCCEEDED: 10}
    assert ended.not_run == 0
    assert ended.at == 4
    assert run.events[-1] == ended


def test_three_events_for_a_session_that_starts_at_once() -> None:
    run = Apply(capacity={"cpu": 1}, devices=("a", "b"))
    apply(run, [session(7, gpu=1)])
    submitted, started, ended, _ = run.events
    assert isinstance(submitted, AttemptSubmitted)
    assert isinstance(started, AttemptStarted)
    assert isinstance(ended, AttemptEnded)
    assert submitted.name == f"state-{session(7).id}-1"
    assert submitted.backend == "fake"
    assert (started.job, started.host, started.devices) == ("fake-0", "fakehost", ("a",))
    assert metric_values(ended.metrics) == {"exit": 0}
    assert ended.duration == 1
    assert run.made == [(session(7).id, 1, ("a",))]


def test_an_empty_sweep_ends() -> None:
    run = Apply()
    assert apply(run, []).not_run == 0
    assert run.kinds() == ["ApplyEnded"]


def test_max_parallel_holds_and_is_used_up() -> None:
    run = Apply(each(Script(duration=2)), max_parallel=4)
    assert apply(run, sweep(16)).at == 8


def test_without_limits_everything_runs_at_once() -> None:
    run = Apply(each(Script(duration=2)))
    assert apply(run, sweep(1000)).at == 2


def test_a_later_session_starts_in_room_that_the_first_cannot_use() -> None:
    run = Apply(by_index({0: Script(duration=10)}), capacity={"cpu": 4})
    apply(run, [session(0, cpu=3), session(1, cpu=4), session(2, cpu=1), session(3, cpu=2), session(4, cpu=1)])
    assert run.submitted() == [0, 2, 4, 1, 3]
    assert run.starts() == [(0, 0), (2, 0), (4, 1), (1, 10), (3, 11)]


def test_a_big_session_is_passed_over_a_bounded_number_of_times() -> None:
    """Without a bound, a stream of small sessions would keep the big one waiting until the end."""
    small = 4 * PASSES
    run = Apply(lambda index, number: Script(duration=1 + index % 3), capacity={"cpu": 4})
    apply(run, [session(0), session(1, cpu=4), *(session(index) for index in range(2, small))])
    assert run.submitted().index(1) == PASSES + 1


def test_nothing_starts_before_what_was_passed_over_too_often_and_then_all_goes_on() -> None:
    run = Apply(lambda index, number: Script(duration=1 + index % 7), capacity={"cpu": 4})
    ended = apply(run, [session(index, cpu=4 if index % 100 == 1 else 1) for index in range(1000)])
    assert ended.outcomes == {Outcome.SUCCEEDED: 1000}


@pytest.mark.parametrize("memory", [64, 128, 1000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mixed_sessions_keep_the_machine_full(memory: int, seed: int) -> None:
    """1,000 sessions on 64 cores: within 5 % of what no order could beat."""
    dice = random.Random(seed)
    sessions = [session(i, cpu=dice.randint(1, 8), mem=dice.randint(1, 16) * GIB) for i in range(1000)]
    durations = [dice.uniform(1, 100) for _ in sessions]
    limits: dict[str, Amount] = {"cpu": 64, "mem": memory * GIB}
    run = Apply(lambda index, number: Script(duration=durations[index]), capacity=limits)
    ended = apply(run, sessions)
    assert ended.outcomes == {Outcome.SUCCEEDED: 1000}
    work = {
        name: sum(it.resources[name] * Fraction(long) for it, long in zip(sessions, durations, strict=True))
        for name in limits
    }
    bound = max(*(work[name] / limits[name] for name in limits), max(durations))
    assert ended.at <= 1.05 * float(bound)
    starts = [position for position, _ in sorted(enumerate(run.submitted()), key=lambda pair: pair[1])]
    assert max(at - index for index, at in enumerate(starts)) <= PASSES, "no session starves"


amounts = st.one_of(st.integers(0, 4), st.fractions(0, 4, max_denominator=4))
needs = st.fixed_dictionaries({}, optional={"cpu": amounts, "mem": amounts, "license": st.integers(0, 2)})
durations = st.integers(0, 5)


@settings(deadline=None)
@given(st.lists(st.tuples(needs, durations), max_size=30), st.none() | st.integers(1, 3))
def test_every_sweep_ends_and_never_exceeds_the_capacity(
    jobs: list[tuple[dict[str, Amount], int]], max_parallel: int | None
) -> None:
    sessions = [session(index, **resources) for index, (resources, _) in enumerate(jobs)]
    run = Apply(
        lambda index, number: Script(duration=jobs[index][1]),
        capacity={"cpu": 4, "mem": 4, "license": 2},
        max_parallel=max_parallel,
    )
    ended = apply(run, sessions)
    assert sum(ended.outcomes.values()) == len(sessions)
    assert sorted(run.submitted()) == list(range(len(sessions)))


def test_session_that_never_fits_is_rejected_and_others_run() -> None:
    run = Apply(capacity={"cpu": 4})
    apply(run, [session(0, cpu=5), session(1)])
    assert run.ends() == [(0, Outcome.REJECTED), (1, Outcome.SUCCEEDED)]
    assert run.end_of(0).reason == "needs 5 cpu, there are 4"


def test_devices_go_to_one_session_each() -> None:
    run = Apply(each(Script(duration=1)), devices=("a", "b"))
    apply(run, sweep(6, gpu=1))
    devices = [event.devices for event in run.events if isinstance(event, AttemptStarted)]
    assert sorted(devices) == [("a",)] * 3 + [("b",)] * 3


def test_a_device_of_another_runner_is_tried_again() -> None:
    """The wait is said once, counts as the bottleneck, and its end is said, too."""

    class Locks:
        def try_lock(self, device: str) -> bool:
            return trio.current_time() >= 2.5

        def unlock(self, device: str) -> None:
            pass

        def holder(self, device: str) -> str:
            return "pid 7"

    run = Apply(each(Script(duration=1)), devices=("a",), locks=Locks())
    ended = apply(run, [session(0, gpu=1), session(1)])
    assert run.starts() == [(1, 0), (0, 3)]
    waits = [event for event in run.events if isinstance(event, ApplyWaiting)]
    assert waits == [ApplyWaiting(0, "gpu a is in use by pid 7"), ApplyWaiting(3, None)]
    assert ended.usage.limited_by == {"gpu": 0.75}


def test_an_endless_plan_is_pulled_only_as_needed() -> None:
    pulled: list[int] = []

    def plan() -> Iterator[Session]:
        for index in count():
            pulled.append(index)
            yield session(index, cpu=2)

    run = Apply(each(Script(duration=1)), capacity={"cpu": 9})

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt_at, run, 100)
            ended = await run(plan(), to_run=10**6)
        assert ended.outcomes[Outcome.SUCCEEDED] == 400
        assert len(pulled) <= 404 + WINDOW

    simulate(main)


async def interrupt_at(run: Apply, when: float) -> None:
    await trio.sleep(when)
    run.executor.interrupt("interrupted")


def test_a_full_machine_pulls_just_one_session_ahead() -> None:
    ahead: list[int] = []
    run = Apply(each(Script(duration=1)), capacity={"cpu": 2})

    def plan() -> Iterator[Session]:
        for index in range(50):
            ahead.append(index - len(run.submitted()))
            yield session(index)

    apply(run, plan(), to_run=50)
    assert max(ahead) <= 1


def test_the_plan_does_not_hold_up_what_runs() -> None:
    """Room for all: the running ones still get their turn while the plan is read."""
    seen: list[Event] = []

    def plan() -> Iterator[Session]:
        for index in range(1000):
            if index == 500:
                seen.extend(run.events)
            yield session(index)

    run = Apply(each(Script(duration=0)))
    apply(run, plan(), to_run=1000)
    assert any(isinstance(event, AttemptEnded) for event in seen)


def test_the_snapshot_shows_what_runs_and_waits() -> None:
    run = Apply(by_index({1: Script(queued=5, why="Priority")}, Script(duration=3)), capacity={"cpu": 2})

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, sweep(3))
            await trio.sleep(1)
            shot = run.executor.snapshot()
            assert [(it.session.index, it.attempt, it.waiting) for it in shot.running] == [
                (0, 1, None),
                (1, 1, "Priority"),
            ]
            first, second = shot.running
            assert first.started is not None
            assert first.started.at == 0
            assert second.started is None
            assert shot.queued == 1
            assert shot.in_use == {"cpu": 2}

    simulate(main)
    assert run.kinds().count("AttemptWaiting") == 1


def test_todo_numbers_go_on_where_the_past_ended() -> None:
    run = Apply()
    apply(run, [PlannedAttempt(session(0), 4)])
    assert run.made == [(session(0).id, 4, ())]
    assert index_of(session(0).id) == 0
