"""What survives: errors anywhere, cancellation at every step, dead runners, jobs left behind. All in simulated time.

The invariants: nothing recorded as succeeded runs again; no job runs on that nothing recorded leads to; one plain
exception comes out; nothing hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

import pytest
import trio

from runner.errors import EnvironmentFailed
from runner.events import (
    AttemptAccepted,
    AttemptAdopted,
    AttemptEnded,
    AttemptSubmitted,
    Event,
)
from runner.model import Attempt, AttemptEnd, Metrics, Outcome, PlannedAttempt, Policy, Retry, Session
from tests.fake_backend import Cluster, FakeBackend, Script
from tests.simulation import Apply, apply, by_index, each, session, simulate, sweep

SCRIPTS = by_index(
    {
        0: Script(duration=3, leaving=None),
        1: Script(queued=2, accepting=1),
        3: Script(exit_code=1, duration=0),
        4: Script(accepting=3, duration=9, leaving=2),
    }
)
POLICY = Policy(timeout=20, grace=4, retry=Retry(limit=1, backoff=3))


def todo_after(
    events: Iterable[Event], sessions: list[Session], cluster: Cluster | None = None
) -> list[PlannedAttempt]:
    """What the next apply has to do, by what was recorded; live jobs of a cluster are adopted, found by name."""
    last: dict[str, int] = {}
    names: dict[str, str] = {}
    done: set[str] = set()
    for event in events:
        if isinstance(event, AttemptSubmitted):
            last[event.session.id] = event.attempt
            names[event.session.id] = event.name
        elif isinstance(event, AttemptEnded):
            names.pop(event.session, None)
            if event.outcome is Outcome.SUCCEEDED:
                done.add(event.session)
    todo = []
    for it in sessions:
        job = cluster.names.get(names.get(it.id, "")) if cluster else None
        if job is not None:
            todo.append(PlannedAttempt(it, last[it.id], job.id))
        elif it.id not in done:
            todo.append(PlannedAttempt(it, last.get(it.id, 0) + 1))
    return sorted(todo, key=lambda it: it.adopt is None)


def test_an_emit_that_fails_at_any_event_loses_nothing() -> None:
    """Cut the journal after every event and resume: all succeed, none again after its success was recorded."""
    sessions = sweep(6)
    whole = Apply(SCRIPTS, capacity={"cpu": 2}, policy=POLICY)
    apply(whole, sessions)
    for cut in range(len(whole.events)):
        recorded: list[Event] = []
        run = Apply(SCRIPTS, capacity={"cpu": 2}, policy=POLICY, fail_after=cut)
        with pytest.raises(OSError, match="No space left"):
            apply(run, sessions)
        recorded += run.events
        again = Apply(each(Script()), capacity={"cpu": 2}, policy=POLICY)
        todo = todo_after(recorded, sessions)
        done = {event.session for event in recorded if isinstance(event, AttemptEnded) and event.outcome == "succeeded"}
        apply(again, todo)
        assert not {event.session.id for event in again.events if isinstance(event, AttemptSubmitted)} & done
        ends = {
            event.session
            for event in recorded + again.events
            if isinstance(event, AttemptEnded) and event.outcome == "succeeded"
        }
        assert len(ends) == 6


def test_an_emit_that_fails_just_once_still_records_the_other_ends() -> None:
    """A disk that has room again: what can be said is said, and the first error is the one that comes out."""
    run = Apply(each(Script(duration=5)))
    emit = run.emit
    failures = {4: OSError("the first"), 5: OSError("the second")}
    events = count(1)

    def sometimes(event: Event) -> None:
        if error := failures.get(next(events)):
            raise error
        emit(event)

    run.emit = sometimes  # type: ignore[method-assign]
    with pytest.raises(OSError, match="the first"):
        apply(run, sweep(3))
    assert {outcome for _, outcome in run.ends()} == {Outcome.CANCELLED}
    assert len(run.ends()) == 2, "the second of the errors cost one"
    assert {event.reason for event in run.events if isinstance(event, AttemptEnded)} == {"runner stopped: the first"}
    assert "ApplyEnded" not in run.kinds()


@pytest.mark.parametrize(
    "script",
    [
        Script(submit_error=EnvironmentFailed("the cluster does not answer")),
        Script(duration=50, wait_error=EnvironmentFailed("the cluster does not answer")),
        Script(duration=50, wait_error=ExceptionGroup("", [EnvironmentFailed("the cluster does not answer")])),
    ],
)
def test_an_unreachable_backend_ends_the_apply(script: Script) -> None:
    run = Apply(by_index({1: script}, Script(duration=50, leaving=None)), policy=Policy(grace=5))

    async def main() -> None:
        with pytest.raises(EnvironmentFailed, match="does not answer"):
            await run(sweep(3))
        assert trio.current_time() <= 6
        assert not run.left

    simulate(main)
    assert run.end_of(0).outcome is Outcome.CANCELLED
    assert run.end_of(0).reason == "runner stopped: the cluster does not answer"


@pytest.mark.parametrize("part", ["make_attempt", "metrics", "plan"])
def test_an_error_of_a_part_ends_the_apply(part: str) -> None:
    run = Apply(by_index({0: Script(duration=50)}), capacity={"cpu": 2})

    make_attempt = run.make_attempt

    def bad_make_attempt(
        session: Session, number: int, devices: tuple[str, ...], start_when_below: int | None = None
    ) -> Attempt:
        if session.index == 1:
            raise ZeroDivisionError(part)
        return make_attempt(session, number, devices, start_when_below)

    def bad_metrics(end: AttemptEnd) -> Metrics:
        raise ZeroDivisionError(part)

    def plan() -> Iterable[Session]:
        yield from sweep(2)
        if part == "plan":
            raise ZeroDivisionError(part)

    if part == "make_attempt":
        run.make_attempt = bad_make_attempt  # type: ignore[method-assign]
    if part == "metrics":
        run.metrics = bad_metrics  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError, match=part):
        apply(run, plan(), to_run=2)
    assert run.end_of(0).outcome is Outcome.CANCELLED


def test_ctrl_c_raised_in_the_middle_ends_everything_and_comes_out_plain() -> None:
    run = Apply(by_index({0: Script(duration=50)}), capacity={"cpu": 2})

    def plan() -> Iterable[Session]:
        yield session(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(run, plan(), to_run=2)
    assert run.end_of(0).outcome is Outcome.CANCELLED


def test_cancellation_ends_everything_within_the_grace() -> None:
    run = Apply(each(Script(duration=500, leaving=None)), policy=Policy(grace=7))

    async def main() -> None:
        with trio.move_on_after(10) as scope:
            await run(sweep(3))
        assert scope.cancelled_caught
        assert trio.current_time() == 17.125
        assert not run.left

    simulate(main)
    assert sorted(run.ends()) == [(index, Outcome.CANCELLED) for index in range(3)]
    assert run.end_of(0).reason == "runner was cancelled"


def test_cancellation_waits_for_the_metrics_of_what_has_ended() -> None:
    """Also for the lease of one that was prefetched and has ended, which the first one holds until it is recorded."""
    run = Apply(each(Script(duration=0.01)), max_parallel=1, prefetch_limit=2, collecting=lambda index: 2.0)

    async def main() -> None:
        with trio.move_on_after(3) as scope:
            await run(sweep(9))
        assert scope.cancelled_caught

    simulate(main)
    assert_all_ended(run)
    assert run.end_of(0).outcome is run.end_of(1).outcome is Outcome.SUCCEEDED
    assert run.end_of(1).metrics == run.end_of(0).metrics != {}


@pytest.mark.parametrize("remote", [False, True])
def test_cancelling_at_any_time_leaves_nothing_behind(remote: bool) -> None:
    """Invariant: no job is left running, and every attempt submitted has its end; jobs that can do without us run on,
    and what was recorded leads to each of them.
    """
    for eighth in range(8 * 14):
        run = Apply(SCRIPTS, capacity={"cpu": 2}, policy=POLICY, cluster=Cluster() if remote else None)

        async def main(run: Apply = run, when: float = eighth / 8) -> None:
            with trio.move_on_after(when):
                await run(sweep(6))
            assert not (run.unaccounted() if remote else run.left)

        simulate(main)
        if not remote:
            assert_all_ended(run)


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("way", ["cancelled from outside", "interrupted", "interrupted twice", "cancelled on request"])
def test_an_end_at_any_step_leaves_nothing_behind(way: str, remote: bool) -> None:
    """The same, at every single step of the event loop instead of every moment in time, in every way."""
    left = remote and way == "cancelled from outside"
    for step in count(1):
        run = Apply(SCRIPTS, capacity={"cpu": 2}, policy=POLICY, cluster=Cluster() if remote else None)
        scope = trio.CancelScope()

        def end(run: Apply = run, scope: trio.CancelScope = scope) -> None:
            if way == "cancelled from outside":
                scope.cancel()
            elif way == "cancelled on request":
                run.executor.cancel([session(index).id for index in range(5)])
            else:
                run.executor.interrupt("interrupted")
                if way == "interrupted twice":
                    run.executor.interrupt("interrupted")

        at_step = AtStep(step, end)

        async def main(run: Apply = run, scope: trio.CancelScope = scope, at_step: AtStep = at_step) -> None:
            with scope:
                trio.lowlevel.add_instrument(at_step)
                await run(sweep(6))
            assert not (run.unaccounted() if left else run.left)
            assert run.capacity.in_use == {"cpu": 0}

        simulate(main)
        if not left:
            assert_all_ended(run)
        if not at_step.reached:
            break
    assert step > 40


class AtStep(trio.abc.Instrument):
    """Does something before the n-th step of any task."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self._left = step
        self._act = act

    @property
    def reached(self) -> bool:
        return self._left <= 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._act()


def assert_all_ended(run: Apply) -> None:
    begun = [(e.session.id, e.attempt) for e in run.events if isinstance(e, AttemptSubmitted)]
    ended = [(e.session, e.attempt) for e in run.events if isinstance(e, AttemptEnded)]
    assert sorted(begun) == sorted(ended)


# Jobs that outlive the runner.


def test_a_live_job_of_a_dead_runner_is_adopted_and_takes_its_room() -> None:
    cluster = Cluster()

    async def main() -> None:
        dead = FakeBackend(lambda attempt: Script(duration=10), cluster)
        before = Apply(cluster=cluster)
        job = await dead.submit(before.make_attempt(session(5), 3, ()))
        await trio.sleep(4)
        run = Apply(capacity={"cpu": 1}, cluster=cluster)
        ended = await run([PlannedAttempt(session(5), 3, job), PlannedAttempt(session(0), 1)], to_run=2)
        assert ended.outcomes == {Outcome.SUCCEEDED: 2}
        assert run.events[0] == AttemptAdopted(4, session(5), 3, job)
        assert run.submitted() == [0]
        assert run.end_of(5).attempt == 3
        assert run.end_of(5).at == 10
        assert run.starts()[-1] == (0, 10), "no room before"

    simulate(main)


def test_more_adopted_jobs_than_there_is_room_for_are_all_watched() -> None:
    cluster = Cluster()

    async def main() -> None:
        dead = FakeBackend(lambda attempt: Script(duration=10 + int(attempt.session, 16)), cluster)
        before = Apply(cluster=cluster)
        jobs = [await dead.submit(before.make_attempt(session(index), 1, ())) for index in range(4)]
        run = Apply(capacity={"cpu": 2}, cluster=cluster)
        run.check_capacity = lambda: None  # type: ignore[method-assign]
        adopted = [PlannedAttempt(session(index), 1, job) for index, job in enumerate(jobs)]
        ended = await run([*adopted, PlannedAttempt(session(9), 1)], to_run=5)
        assert ended.outcomes == {Outcome.SUCCEEDED: 5}
        assert run.kinds()[:4] == ["AttemptAdopted"] * 4
        assert run.starts()[-1] == (9, 12), "the third end makes room"

    simulate(main)


def test_an_adopted_job_can_be_cancelled_and_retried() -> None:
    cluster = Cluster()

    async def main() -> None:
        dead = FakeBackend(lambda attempt: Script(duration=10, exit_code=1), cluster)
        before = Apply(cluster=cluster)
        jobs = [await dead.submit(before.make_attempt(session(index), 1, ())) for index in range(2)]
        run = Apply(cluster=cluster, policy=Policy(retry=Retry(limit=1)))
        run.executor.cancel([session(0).id])
        await run([PlannedAttempt(session(index), 1, job) for index, job in enumerate(jobs)], to_run=2)
        assert run.ends() == [(0, Outcome.CANCELLED), (1, Outcome.FAILED), (1, Outcome.SUCCEEDED)]

    simulate(main)


def test_detach_returns_when_all_is_submitted_and_leaves_the_jobs() -> None:
    cluster = Cluster()
    run = Apply(each(Script(duration=100, queued=5, accepting=1)), cluster=cluster)

    async def main() -> None:
        ended = await run(sweep(3), detach=True)
        assert trio.current_time() == 1
        assert ended.outcomes == {}
        assert len(cluster.alive) == 3
        accepted = [event.job for event in run.events if isinstance(event, AttemptAccepted)]
        assert sorted(accepted) == sorted(cluster.jobs)
        assert not run.unaccounted()
        later = Apply(cluster=cluster)
        assert (await later(todo_after(run.events, sweep(3), cluster), 3)).outcomes == {Outcome.SUCCEEDED: 3}
        assert later.submitted() == []

    simulate(main)


def test_detach_still_keeps_to_the_capacity() -> None:
    cluster = Cluster()
    run = Apply(each(Script(duration=100)), capacity={"cpu": 2}, cluster=cluster)

    async def main() -> None:
        ended = await run(sweep(5), detach=True)
        assert trio.current_time() == 200
        assert ended.outcomes == {Outcome.SUCCEEDED: 4}
        assert len(cluster.alive) == 1

    simulate(main)


def test_jobs_that_do_not_outlive_the_client_cannot_be_left() -> None:
    run = Apply(each(Script(duration=100)))

    async def main() -> None:
        ended = await run(sweep(2), detach=True)
        assert ended.outcomes == {Outcome.SUCCEEDED: 2}

    simulate(main)


def test_an_interrupt_ends_remote_jobs_too() -> None:
    cluster = Cluster()
    run = Apply(each(Script(duration=100)), cluster=cluster)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, sweep(2))
            await trio.sleep(10)
            run.executor.interrupt("interrupted")
        assert not cluster.alive

    simulate(main)
    assert sorted(run.ends()) == [(0, Outcome.CANCELLED), (1, Outcome.CANCELLED)]


def test_a_runner_that_vanishes_at_any_event_leaves_only_jobs_that_are_found() -> None:
    """No clean-up at all, as after `kill -9`: the next apply adopts what lives and repeats nothing."""
    scripts = by_index({1: Script(queued=2, accepting=1), 3: Script(duration=8)}, Script(duration=3))
    whole = Apply(scripts, capacity={"cpu": 2}, cluster=Cluster())
    apply(whole, sweep(5))
    for cut in range(1, len(whole.events)):
        cluster = Cluster()
        run = Apply(scripts, capacity={"cpu": 2}, cluster=cluster)

        async def main(run: Apply = run, cluster: Cluster = cluster, cut: int = cut) -> None:
            await vanish(run, cut)
            recorded = list(run.events)
            assert not run.unaccounted()
            again = Apply(scripts, capacity={"cpu": 2}, cluster=cluster)
            again.check_capacity = lambda: None  # type: ignore[method-assign]
            await again(todo_after(recorded, sweep(5), cluster), 5)
            assert len(cluster.jobs) == 5, "each session had one job in the end"
            ends = {event.session for event in recorded + again.events if isinstance(event, AttemptEnded)}
            assert len(ends) == 5

        simulate(main)


async def vanish(run: Apply, after: int) -> None:
    """Take the runner away after so many events, its backend with it, and leave the cluster alone."""
    gone = trio.Event()
    emit = run.emit

    def record(event: Event) -> None:
        if len(run.events) < after:
            emit(event)
        if len(run.events) >= after:
            run.backend.submit = never  # type: ignore[method-assign]  # the dead submit nothing more
            gone.set()

    async def never(attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        await trio.sleep_forever()

    async def nothing(job: str, grace: float) -> None:
        await trio.lowlevel.checkpoint()

    run.emit = record  # type: ignore[method-assign]
    run.backend.cancel = nothing  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, sweep(5))
        await gone.wait()
        nursery.cancel_scope.cancel()
