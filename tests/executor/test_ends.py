"""How attempts end, and what follows from it: timeout, retry, stop, cancel, interrupt. All in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
import trio

from runner.errors import InputsChanged
from runner.events import ApplyEnded, ApplyInterrupted, AttemptEnded, AttemptSubmitted, Event, StopReached
from runner.executor.policy import MOST_RESTARTS
from runner.model import Outcome, Policy, Retry, Stop, metric_values
from tests.fake_backend import Cluster, Script
from tests.simulation import Apply, apply, by_index, each, session, simulate, sweep


def apply_with(run: Apply, count: int, *actions: tuple[float, Callable[[], object]]) -> ApplyEnded:
    """Simulate an apply, and do something to it at these times."""
    ended: list[ApplyEnded] = []

    async def act(when: float, what: Callable[[], object]) -> None:
        await trio.sleep(when)
        what()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for when, what in actions:
                nursery.start_soon(act, when, what)
            ended.append(await run(sweep(count)))
            nursery.cancel_scope.cancel()

    simulate(main)
    return ended[0]


def test_goes_on_after_a_failure() -> None:
    run = Apply(by_index({1: Script(exit_code=3)}), capacity={"cpu": 1})
    ended = apply(run, sweep(3))
    assert ended.outcomes == {Outcome.SUCCEEDED: 2, Outcome.FAILED: 1}
    assert run.end_of(1).exit_code == 3
    assert metric_values(run.end_of(1).metrics) == {"exit": 3}


def test_the_backend_refuses() -> None:
    run = Apply(by_index({0: Script(refuse="no such image")}))
    apply(run, sweep(2))
    assert run.end_of(0).outcome is Outcome.REJECTED
    assert run.end_of(0).reason == "no such image"
    assert run.end_of(0).metrics == {}
    assert run.end_of(1).outcome is Outcome.SUCCEEDED


# Timeout.


def test_a_timeout_ends_the_job() -> None:
    run = Apply(each(Script(duration=1000)), policy=Policy(timeout=600))
    assert apply(run, sweep(1)).at == 600.25
    end = run.end_of(0)
    assert (end.outcome, end.reason, end.exit_code) == (Outcome.TIMED_OUT, "ran longer than 10m", 143)
    assert end.metrics == {}


def test_a_job_that_ignores_term_is_killed_after_its_grace() -> None:
    run = Apply(each(Script(duration=1000, leaving=None)), policy=Policy(timeout=7, grace=5))
    assert apply(run, sweep(1)).at == 12.125
    assert run.end_of(0).exit_code == 137
    assert run.end_of(0).reason == "ran longer than 7s"


def test_leaving_politely_after_a_timeout_is_no_success() -> None:
    run = Apply(each(Script(duration=1000, leaving=1, exit_on_term=0)), policy=Policy(timeout=7))
    apply(run, sweep(1))
    assert run.end_of(0).outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("exit_code", [0, 1])
def test_an_own_end_at_the_moment_of_the_timeout_wins(exit_code: int) -> None:
    run = Apply(each(Script(duration=7, exit_code=exit_code)), policy=Policy(timeout=7))
    apply(run, sweep(1))
    assert run.end_of(0).outcome is (Outcome.FAILED if exit_code else Outcome.SUCCEEDED)
    assert metric_values(run.end_of(0).metrics) == {"exit": exit_code}


def test_time_queued_is_not_charged() -> None:
    run = Apply(each(Script(queued=100, duration=5)), policy=Policy(timeout=7))
    apply(run, sweep(1))
    assert run.end_of(0).outcome is Outcome.SUCCEEDED


def test_the_timeout_travels_with_a_job_that_outlives_the_client() -> None:
    run = Apply(each(Script(duration=1000)), policy=Policy(timeout=7), cluster=Cluster())
    assert apply(run, sweep(1)).at == 7.25
    assert run.end_of(0).outcome is Outcome.TIMED_OUT
    assert run.backend.graces == [], "not by us"


# Retry.


def failing(times: int, outcome: Outcome = Outcome.FAILED) -> Callable[[int, int], Script]:
    return lambda index, number: Script(outcome=outcome, exit_code=1) if number <= times else Script()


def test_a_retry_waits_twice_as_long_each_time() -> None:
    run = Apply(failing(3), policy=Policy(retry=Retry(limit=5, backoff=2)))
    ended = apply(run, sweep(1))
    assert run.starts() == [(0, 0), (0, 3), (0, 8), (0, 17)]
    pauses = [event.retry_in for event in run.events if isinstance(event, AttemptEnded)]
    assert pauses == [2, 4, 8, None]
    assert [number for _, number, _ in run.made] == [1, 2, 3, 4]
    assert ended.outcomes == {Outcome.SUCCEEDED: 1}


def test_what_never_began_is_submitted_again_and_no_retry() -> None:
    """The backend has lost the job before its command began: nothing is repeated, so the retry limit does not count it."""
    run = Apply(lambda index, number: Script(begins=number == 3))
    assert apply(run, sweep(1)).outcomes == {Outcome.SUCCEEDED: 1}
    assert run.ends() == [(0, Outcome.LOST), (0, Outcome.LOST), (0, Outcome.SUCCEEDED)]


def test_what_never_begins_is_given_up_in_the_end() -> None:
    """Its retries are counted from there on."""
    run = Apply(each(Script(begins=False)), policy=Policy(retry=Retry(limit=1)))
    assert apply(run, sweep(1)).outcomes == {Outcome.LOST: 1}
    assert len(run.ends()) == 1 + MOST_RESTARTS + 1


def test_retries_have_a_limit() -> None:
    run = Apply(failing(99), policy=Policy(retry=Retry(limit=2)))
    assert apply(run, sweep(1)).outcomes == {Outcome.FAILED: 1}
    assert run.ends() == [(0, Outcome.FAILED)] * 3


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.SUCCEEDED])
def test_only_what_on_names_is_tried_again(outcome: Outcome) -> None:
    run = Apply(failing(1, outcome), policy=Policy(retry=Retry(limit=1)))
    apply(run, sweep(1))
    retried = outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST)
    assert len(run.ends()) == (2 if retried else 1)


def test_a_refusal_is_tried_again_if_on_names_it() -> None:
    run = Apply(
        lambda index, number: Script(refuse="quota" if number == 1 else None),
        policy=Policy(retry=Retry(limit=1, on=frozenset((Outcome.REJECTED,)))),
    )
    apply(run, sweep(1))
    assert run.ends() == [(0, Outcome.REJECTED), (0, Outcome.SUCCEEDED)]


def test_a_timeout_is_tried_again() -> None:
    run = Apply(
        lambda index, number: Script(duration=99 if number == 1 else 1),
        policy=Policy(timeout=5, retry=Retry(limit=1, backoff=0)),
    )
    apply(run, sweep(1))
    assert run.ends() == [(0, Outcome.TIMED_OUT), (0, Outcome.SUCCEEDED)]


def test_a_retry_that_waits_holds_no_capacity_and_goes_first_when_due() -> None:
    run = Apply(
        lambda index, number: Script(exit_code=1 if (index, number) == (0, 1) else 0),
        capacity={"cpu": 1},
        policy=Policy(retry=Retry(limit=1, backoff=1.5)),
    )
    apply(run, sweep(5))
    assert run.submitted() == [0, 1, 2, 0, 3, 4]
    assert [when for _, when in run.starts()] == [0, 1, 2, 3, 4, 5]


# Stop.


def test_the_stop_rule_starts_nothing_more_and_lets_the_running_end() -> None:
    scripts = by_index({0: Script(exit_code=1), 1: Script(duration=9)})
    run = Apply(scripts, capacity={"cpu": 2}, policy=Policy(stop=Stop(failures=1)))
    ended = apply(run, sweep(5))
    assert run.submitted() == [0, 1]
    assert run.end_of(1).outcome is Outcome.SUCCEEDED
    assert ended.not_run == 3
    stops = [event for event in run.events if isinstance(event, StopReached)]
    assert [stop.reason for stop in stops] == ["1 session failed"]


def test_the_stop_rule_counts_a_share_of_what_is_to_run() -> None:
    run = Apply(
        lambda index, number: Script(exit_code=index % 2),
        capacity={"cpu": 1},
        policy=Policy(stop=Stop(share=Fraction(5, 100))),
    )
    ended = apply(run, sweep(60))
    assert ended.outcomes == {Outcome.SUCCEEDED: 3, Outcome.FAILED: 3}
    assert [event.reason for event in run.events if isinstance(event, StopReached)] == ["3 of 60 sessions failed"]


def test_the_stop_rule_counts_only_what_failed_for_good() -> None:
    run = Apply(failing(1), capacity={"cpu": 1}, policy=Policy(retry=Retry(limit=1, backoff=0), stop=Stop(failures=1)))
    assert apply(run, sweep(5)).outcomes == {Outcome.SUCCEEDED: 5}


def test_after_the_stop_there_are_no_retries() -> None:
    scripts = by_index({0: Script(refuse="no"), 1: Script(exit_code=1), 2: Script(exit_code=1, duration=3)})
    policy = Policy(retry=Retry(limit=3, backoff=100), stop=Stop(failures=1))
    run = Apply(by_index({0: Script(duration=2, outcome=Outcome.OUT_OF_MEMORY)}, Script(exit_code=1)), policy=policy)
    ended = apply(run, sweep(2))
    assert ended.outcomes == {Outcome.OUT_OF_MEMORY: 1, Outcome.FAILED: 1}, "the pending retry is dropped"
    assert ended.at == 2
    run = Apply(scripts, policy=policy)
    apply(run, sweep(3))
    assert run.end_of(2).retry_in is None


def test_ten_failures_at_once_stop_once() -> None:
    run = Apply(each(Script(exit_code=1)), capacity={"cpu": 10}, policy=Policy(stop=Stop(failures=3)))
    apply(run, sweep(30))
    assert run.kinds().count("StopReached") == 1
    assert len(run.submitted()) == 10


# Interrupt.


def test_an_interrupt_ends_what_runs_and_starts_nothing_more() -> None:
    run = Apply(each(Script(duration=50)), capacity={"cpu": 2})
    ended = apply_with(run, 5, (10, lambda: run.executor.interrupt("interrupted")))
    assert ended.outcomes == {Outcome.CANCELLED: 2}
    assert ended.not_run == 3
    assert ended.at == 10.25
    assert not run.left
    assert run.end_of(0).reason == "interrupted"
    assert [e for e in run.events if isinstance(e, ApplyInterrupted)] == [ApplyInterrupted(10, "interrupted", False)]


def test_the_first_interrupt_gives_grace_and_the_second_none() -> None:
    run = Apply(each(Script(duration=500, leaving=None)), policy=Policy(grace=60))
    ended = apply_with(
        run,
        2,
        (10, lambda: run.executor.interrupt("interrupted")),
        (15, lambda: run.executor.interrupt("interrupted")),
        (15, lambda: run.executor.interrupt("interrupted")),
    )
    assert ended.at == 15.125
    assert run.backend.graces == [60, 60, 0, 0]
    assert [event.now for event in run.events if isinstance(event, ApplyInterrupted)] == [False, True]


def test_one_interrupt_waits_for_the_grace() -> None:
    run = Apply(each(Script(duration=500, leaving=None)), policy=Policy(grace=60))
    assert apply_with(run, 2, (10, lambda: run.executor.interrupt("interrupted"))).at == 70.125


def test_an_own_end_at_the_moment_of_the_interrupt_wins() -> None:
    run = Apply(each(Script(duration=10)))
    ended = apply_with(run, 1, (10, lambda: run.executor.interrupt("interrupted")))
    assert ended.outcomes == {Outcome.SUCCEEDED: 1}


def test_a_job_that_a_timeout_is_ending_is_hurried_up_too() -> None:
    run = Apply(each(Script(duration=500, leaving=None)), policy=Policy(timeout=5, grace=100))
    ended = apply_with(
        run,
        1,
        (10, lambda: run.executor.interrupt("interrupted")),
        (20, lambda: run.executor.interrupt("interrupted")),
    )
    assert ended.at == 20.125
    assert ended.outcomes == {Outcome.TIMED_OUT: 1}


def test_an_interrupt_drops_retries_and_keeps_their_last_outcome() -> None:
    run = Apply(failing(9), policy=Policy(retry=Retry(limit=3, backoff=100)))
    ended = apply_with(run, 1, (10, lambda: run.executor.interrupt("interrupted")))
    assert ended.at == 10
    assert ended.outcomes == {Outcome.FAILED: 1}


def test_an_interrupt_while_queued_at_the_backend() -> None:
    run = Apply(each(Script(queued=100)))
    ended = apply_with(run, 1, (10, lambda: run.executor.interrupt("interrupted")))
    assert ended.at == 10
    assert ended.outcomes == {Outcome.CANCELLED: 1}


@pytest.mark.parametrize(
    ("cluster", "twice", "at"),
    [(Cluster(), False, 100.25), (Cluster(), True, 20.125), (None, False, 10.25), (None, True, 10.25)],
)
def test_an_interrupt_while_the_backend_is_accepting(cluster: Cluster | None, twice: bool, at: float) -> None:
    """A submission to a cluster is let through, or cut and looked for; here it is cut at once: it might begin for nothing. The
    job is gone in all cases.
    """
    run = Apply(each(Script(accepting=100, duration=500)), policy=Policy(grace=200), cluster=cluster)
    actions = [(10.0, lambda: run.executor.interrupt("interrupted"))]
    if twice:
        actions.append((20.0, lambda: run.executor.interrupt("interrupted")))
    ended = apply_with(run, 1, *actions)
    assert ended.at == at
    assert ended.outcomes == {Outcome.CANCELLED: 1}
    assert not run.left


def test_an_interrupt_between_intent_and_submission_keeps_it_from_the_backend() -> None:
    run = Apply(max_parallel=1)
    emit = run.emit

    def interrupting(event: Event) -> None:
        emit(event)
        if isinstance(event, AttemptSubmitted):
            run.executor.interrupt("interrupted")

    run.emit = interrupting  # type: ignore[method-assign]
    ended = apply(run, sweep(2))
    assert ended.outcomes == {Outcome.CANCELLED: 1}
    assert run.end_of(0).reason == "interrupted"
    assert run.backend.submitted == []


def test_a_job_that_will_not_go_does_not_hold_runner_for_ever() -> None:
    run = Apply(each(Script(duration=500)), policy=Policy(grace=5))

    async def cancel(job: str, grace: float) -> None:
        await trio.sleep_forever()

    run.backend.cancel = cancel  # type: ignore[method-assign]
    ended = apply_with(run, 1, (10, lambda: run.executor.interrupt("interrupted")))
    assert [job.attempt.session for job in run.left] == [session(0).id]
    assert ended.at == 45
    assert ended.outcomes == {}
    assert ended.not_run == 1
    assert "AttemptEnded" not in run.kinds(), "it is open, the next apply looks for it"


# Cancel.


def test_a_running_session_is_cancelled_alone_and_not_tried_again() -> None:
    retry = Retry(limit=3, on=frozenset((Outcome.CANCELLED, Outcome.FAILED)))
    run = Apply(each(Script(duration=50)), capacity={"cpu": 2}, policy=Policy(retry=retry))
    ended = apply_with(run, 4, (10, lambda: run.executor.cancel([session(1).id])))
    assert ended.outcomes == {Outcome.SUCCEEDED: 3, Outcome.CANCELLED: 1}
    assert run.end_of(1).reason == "cancelled on request"
    assert run.starts() == [(0, 0), (1, 0), (2, 10.25), (3, 50)]
    assert len(run.ends()) == 4


def test_a_waiting_session_is_cancelled() -> None:
    run = Apply(each(Script(duration=50)), capacity={"cpu": 1})
    ended = apply_with(run, 3, (10, lambda: run.executor.cancel([session(1).id, session(2).id])))
    assert ended.outcomes == {Outcome.SUCCEEDED: 1, Outcome.CANCELLED: 2}
    assert run.end_of(1).at == 10
    assert ended.at == 50
    assert len(run.backend.submitted) == 1


def test_a_session_that_backs_off_is_cancelled() -> None:
    run = Apply(failing(9), policy=Policy(retry=Retry(limit=3, backoff=100)))
    ended = apply_with(run, 1, (10, lambda: run.executor.cancel([session(0).id])))
    assert ended.at == 10
    assert run.ends() == [(0, Outcome.FAILED), (0, Outcome.CANCELLED)]
    assert ended.outcomes == {Outcome.CANCELLED: 1}


def test_a_session_that_fails_as_it_is_cancelled_is_not_tried_again() -> None:
    run = Apply(each(Script(duration=10, exit_code=1)), policy=Policy(retry=Retry(limit=3)))
    apply_with(run, 1, (10, lambda: run.executor.cancel([session(0).id])))
    assert len(run.backend.submitted) == 1


def test_cancelling_what_is_not_there_is_no_error() -> None:
    run = Apply(each(Script(duration=50)))
    ended = apply_with(run, 1, (10, lambda: run.executor.cancel(["feedfeedfeedfeed"])))
    assert ended.outcomes == {Outcome.SUCCEEDED: 1}


def test_every_attempt_submitted_is_ended_once() -> None:
    """Under random interrupts, cancellations and failures."""
    run = Apply(failing(2), capacity={"cpu": 3}, policy=Policy(timeout=3, retry=Retry(limit=2)))
    apply_with(
        run,
        30,
        (3, lambda: run.executor.cancel([session(index).id for index in range(0, 30, 4)])),
        (11.5, lambda: run.executor.interrupt("interrupted")),
    )
    begun = [(e.session.id, e.attempt) for e in run.events if isinstance(e, AttemptSubmitted)]
    ended = [(e.session, e.attempt) for e in run.events if isinstance(e, AttemptEnded)]
    assert sorted(begun) == sorted(ended)
    assert len(set(begun)) == len(begun)


# Inputs.


def test_stale_end_starts_nothing_more() -> None:
    run = Apply(capacity={"cpu": 1}, policy=Policy(retry=Retry(limit=3, on=frozenset(Outcome))))
    run.stale = {1}
    ended = apply(run, [session(index, cpu=1) for index in range(4)])
    assert ended.outcomes == {Outcome.SUCCEEDED: 1, Outcome.STALE: 1}
    assert ended.not_run == 2
    assert (run.end_of(1).exit_code, run.end_of(1).reason) == (0, "`x` changed while it ran")
    assert run.end_of(1).metrics == {}
    assert [event.reason for event in run.events if isinstance(event, StopReached)] == ["`x` changed"]


def test_failure_with_other_inputs_is_stale_and_no_failure() -> None:
    run = Apply(each(Script(exit_code=3)), policy=Policy(stop=Stop(failures=2), retry=Retry(limit=2)))
    run.stale = {0}
    apply(run, sweep(1))
    assert (run.end_of(0).outcome, run.end_of(0).exit_code, run.end_of(0).attempt) == (Outcome.STALE, 3, 1)


def test_changed_inputs_start_nothing() -> None:
    run = Apply()
    run.inputs_changed = "`x` changed"
    ended = apply(run, sweep(2))
    assert (run.submitted(), ended.not_run, ended.outcomes) == ([], 2, {})


def test_inputs_that_differ_at_the_submission_start_nothing_more() -> None:
    refuse = Script(submit_error=InputsChanged("`x` changed"))
    run = Apply(by_index({0: refuse}), capacity={"cpu": 1})
    ended = apply(run, [session(index, cpu=1) for index in range(3)])
    assert ended.outcomes == {Outcome.STALE: 1}
    assert ended.not_run == 2
