"""How full the capacity is kept, and what is said of it. All in simulated time."""

from __future__ import annotations

import random

import pytest
import trio

from runner.backends.base import FOR_MAX_PARALLEL
from runner.executor.queue import PASSES
from runner.model import Attempt, PlannedAttempt, Session
from runner.reporters.progress.wording import usage_line
from tests.fake_backend import Cluster, FakeBackend, Script
from tests.simulation import Apply, apply, by_index, each, session, simulate, sweep

GIB = 1024**3
CORES = 64


def mixed(count: int, chance: random.Random) -> tuple[list[Session], dict[int, Script]]:
    sessions = [session(n, cpu=chance.randint(1, 8), mem=chance.randint(1, 16) * GIB) for n in range(count)]
    return sessions, {n: Script(duration=chance.uniform(1, 100)) for n in range(count)}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("memory", [1024, 136])
def test_a_thousand_mixed_sessions_take_hardly_longer_than_they_must(seed: int, memory: int) -> None:
    """136 GiB are as scarce as 64 cores here, 1024 are plenty. No session is overtaken without a bound."""
    sessions, scripts = mixed(1000, random.Random(seed))
    run = Apply(by_index(scripts), capacity={"cpu": CORES, "mem": memory * GIB})
    took = apply(run, sessions).at
    durations = [scripts[n].duration for n in range(1000)]
    areas = (
        sum(one.resources[name] * seconds for one, seconds in zip(sessions, durations, strict=True)) / limit
        for name, limit in (("cpu", CORES), ("mem", memory * GIB))
    )
    assert took <= 1.05 * max(*areas, *durations)
    order = run.submitted()
    started = {index: place for place, index in enumerate(order)}
    overtaken = [sum(later > index for later in order[: started[index]]) for index in range(1000)]
    assert max(overtaken) <= PASSES


def test_usage_is_the_part_of_the_time_in_which_something_is_taken() -> None:
    run = Apply(each(Script(duration=10)), capacity={"cpu": 4})
    apply(run, sweep(6, cpu=1))
    usage = run.executor.usage
    assert usage.seconds == pytest.approx(20)
    assert usage.busy == pytest.approx({"cpu": 0.75})
    assert usage.limited_by == pytest.approx({"cpu": 0.5})


@pytest.mark.parametrize(
    ("capacity", "parallel", "needs", "bottleneck"),
    [
        ({"cpu": 8, "mem": 8 * GIB}, None, {"cpu": 1, "mem": 4 * GIB}, "mem"),
        ({"cpu": 2, "mem": 8 * GIB}, None, {"cpu": 1, "mem": GIB}, "cpu"),
        ({"cpu": 8}, 3, {}, "max_parallel"),
        ({"license": 1, "cpu": 8}, None, {"license": 1}, "license"),
        ({"cpu": 100}, None, {"cpu": 1}, None),
    ],
)
def test_the_bottleneck_is_what_the_next_one_lacked(
    capacity: dict[str, int], parallel: int | None, needs: dict[str, int], bottleneck: str | None
) -> None:
    run = Apply(each(Script(duration=10)), capacity=capacity, max_parallel=parallel)
    apply(run, sweep(20, **needs))
    assert run.executor.usage.bottleneck == bottleneck


def test_devices_limit_too() -> None:
    run = Apply(each(Script(duration=10)), capacity={"cpu": 8}, devices=("a", "b"))
    apply(run, sweep(6, gpu=1))
    assert run.executor.usage.bottleneck == "gpu"
    assert run.executor.usage.busy["gpu"] == pytest.approx(1)


@pytest.mark.parametrize(("why", "limited"), [(FOR_MAX_PARALLEL, {"max_parallel": 24 / 34}), ("for resources", {})])
def test_a_limit_that_the_backend_keeps(why: str, limited: dict[str, float]) -> None:
    """Two run at once there, and the next two begin at 12 and 24 s: it limits while any waits for it, and for nothing else."""
    scripts = {index: Script(duration=10, queued=index // 2 * 12, why=why) for index in range(6)}
    run = Apply(by_index(scripts), kept_there=2, cluster=Cluster())
    apply(run, sweep(6))
    assert run.executor.usage.seconds == pytest.approx(34)
    assert run.executor.usage.busy == pytest.approx({"max_parallel": 30 / 34})
    assert run.executor.usage.limited_by == pytest.approx(limited)


def test_what_ran_before_this_apply_is_no_use_of_it() -> None:
    """Of 20 jobs that a dead runner left, one runs on for 10 s; the others had ended before, of which is heard late."""
    cluster = Cluster()

    async def main() -> None:
        dead = FakeBackend(by_attempt, cluster)
        before = Apply(cluster=cluster)
        jobs = [await dead.submit(before.make_attempt(session(index), 1, ())) for index in range(20)]
        await trio.sleep(100)
        run = Apply(kept_there=2, cluster=cluster)
        await run([PlannedAttempt(session(index), 1, job) for index, job in enumerate(jobs)], to_run=20)
        assert run.executor.usage.seconds == pytest.approx(15)
        assert run.executor.usage.busy == pytest.approx({"max_parallel": 10 / 30})

    def by_attempt(attempt: Attempt) -> Script:
        return Script(duration=110 if attempt.session == session(0).id else 50, telling=5)

    simulate(main)


def test_what_people_are_told() -> None:
    run = Apply(each(Script(duration=10)), capacity={"cpu": 4, "mem": 10 * GIB})
    apply(run, sweep(10, cpu=1, mem=GIB))
    assert usage_line(run.executor.usage) == "in use: cpu 83%, mem 33%; limited by cpu 67% of the time"
    idle = Apply(each(Script(duration=10)), capacity={"cpu": 4})
    apply(idle, sweep(1, cpu=1))
    assert usage_line(idle.executor.usage) == "in use: cpu 25%; no resource was a bottleneck"
