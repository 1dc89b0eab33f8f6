"""Builds: once each, before their sessions, in the same capacity. All in simulated time."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from runner.events import ApplyEnded, BuildEnded, BuildStarted
from runner.model import Attempt, AttemptEnd, Outcome, PlannedAttempt, Policy, Retry, Session, Stop
from tests.fake_backend import Script
from tests.simulation import Apply, apply, attempt_of, session, simulate

BUILD = 10**6
"""Added to the number of a build's letter, this is its index for the scripts."""


class Workshop:
    """Builds are letters; those in `there` need not be made."""

    def __init__(self, there: str = "") -> None:
        self.there = set(there)
        self.finished_with: list[tuple[str, Outcome]] = []

    def key(self, session: Session) -> str | None:
        return None if session.build is None or session.build in self.there else session.build

    def attempt(self, session: Session) -> Attempt:
        assert session.build is not None
        made = session._replace(id=f"{BUILD + ord(session.build):016x}", exec=f"make {session.build}")
        return attempt_of(made, 1, Policy())

    def finished(self, key: str, ended: AttemptEnd) -> None:
        self.finished_with.append((key, ended.outcome))
        if ended.outcome is Outcome.SUCCEEDED:
            self.there.add(key)


def made(
    builds: Mapping[str, Script], workshop: Workshop | None = None, policy: Policy | None = None, cpu: int = 2
) -> Apply:
    """An apply whose sessions take a second, and whose builds do what is said."""
    scripts = {BUILD + ord(letter): script for letter, script in builds.items()}
    return Apply(
        lambda index, number: scripts.get(index, Script()),
        capacity={"cpu": cpu},
        builds=workshop or Workshop(),
        policy=policy or Policy(),
    )


def sessions(builds: str) -> list[Session | PlannedAttempt]:
    """One session a letter; a dot needs no build."""
    return [session(i)._replace(build=None if letter == "." else letter) for i, letter in enumerate(builds)]


def built(run: Apply) -> list[str]:
    return [event.build for event in run.events if isinstance(event, BuildStarted)]


def test_each_distinct_build_runs_once_before_its_sessions() -> None:
    run = made({"a": Script(duration=5), "b": Script(duration=3)})
    ended = apply(run, sessions("abab"))
    assert built(run) == ["a", "b"]
    assert run.starts() == [(1, 3), (3, 4), (0, 5), (2, 5)]
    assert ended.outcomes == {Outcome.SUCCEEDED: 4}
    first, second = (event for event in run.events if isinstance(event, BuildEnded))
    assert (first.build, first.outcome, first.duration) == ("b", Outcome.SUCCEEDED, 3)
    assert second.build == "a"


def test_a_build_has_a_command() -> None:
    run = made({})
    apply(run, sessions("a"))
    assert [e.command for e in run.events if isinstance(e, BuildStarted)] == ["make a"]


def test_others_run_while_it_builds() -> None:
    run = made({"a": Script(duration=5)})
    apply(run, sessions("a..."))
    assert run.starts() == [(1, 0), (2, 1), (3, 2), (0, 5)]


def test_what_is_built_is_not_built_again() -> None:
    run = made({}, Workshop(there="a"))
    apply(run, sessions("aa"))
    assert built(run) == []
    assert run.starts() == [(0, 0), (1, 0)]


def test_a_build_takes_one_cpu() -> None:
    run = made({"a": Script(duration=5), "b": Script(duration=5)}, cpu=1)
    apply(run, sessions("ab"))
    assert run.starts() == [(0, 5), (1, 11)]


def test_a_failed_build_fails_its_sessions_and_no_others() -> None:
    run = made({"a": Script(duration=5, exit_code=2)}, policy=Policy(retry=Retry(limit=3)))
    ended = apply(run, sessions("a.a"))
    assert ended.outcomes == {Outcome.FAILED: 2, Outcome.SUCCEEDED: 1}
    for index in (0, 2):
        end = run.end_of(index)
        assert (end.outcome, end.reason, end.retry_in) == (Outcome.FAILED, "build failed: exit code 2", None)
    assert len(run.submitted()) == 3


def test_a_build_that_failed_is_not_tried_for_later_sessions() -> None:
    run = made({"a": Script(duration=1, exit_code=2)}, cpu=1)
    ended = apply(run, sessions("a" + "." * 400 + "a"))
    assert built(run) == ["a"]
    assert ended.outcomes == {Outcome.FAILED: 2, Outcome.SUCCEEDED: 400}


def test_a_refused_build_says_why() -> None:
    run = made({"a": Script(refuse="no such image")})
    apply(run, sessions("a"))
    assert run.end_of(0).reason == "build failed: no such image"


def test_the_sessions_of_a_failed_build_count_for_the_stop_rule() -> None:
    run = made({"a": Script(duration=2.5, exit_code=2)}, policy=Policy(stop=Stop(failures=2)))
    ended = apply(run, sessions("aa......"))
    assert ended.outcomes == {Outcome.FAILED: 2, Outcome.SUCCEEDED: 3}
    assert ended.not_run == 3


def test_sessions_that_wait_for_a_build_are_not_passed_over() -> None:
    """Sessions without a build start while a build runs, and a build does not wait for them."""
    run = made({"a": Script(duration=2000)})
    ended = apply(run, [*sessions("a"), *(session(index) for index in range(1, 1501))])
    assert run.starts()[-1] == (0, 2000)
    assert len([when for _, when in run.starts() if when < 1501]) == 1500
    assert ended.at == 2001


def test_more_waiting_for_builds_than_the_window_holds() -> None:
    run = made({"a": Script(duration=50)})
    assert apply(run, sessions("a" * 1000)).outcomes == {Outcome.SUCCEEDED: 1000}


def test_interrupt_ends_builds_without_failing_sessions() -> None:
    workshop = Workshop()
    run = made({"a": Script(duration=50)}, workshop)
    ended: list[ApplyEnded] = []

    async def apply_to_the_end() -> None:
        ended.append(await run(sessions("aa")))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(apply_to_the_end)
            await trio.sleep(10)
            run.executor.interrupt("interrupted")
        assert not run.left

    simulate(main)
    assert workshop.finished_with == [("a", Outcome.CANCELLED)]
    assert ended[0].outcomes == {}
    assert ended[0].not_run == 2
    assert run.kinds() == ["BuildStarted", "ApplyInterrupted", "BuildEnded", "ApplyEnded"]


def test_sessions_waiting_for_a_build_can_be_cancelled() -> None:
    run = made({"a": Script(duration=50)})

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, sessions("a.aa"))
            await trio.sleep(10)
            run.executor.cancel([session(0).id, session(2).id])

    simulate(main)
    assert run.ends() == [
        (1, Outcome.SUCCEEDED),
        (0, Outcome.CANCELLED),
        (2, Outcome.CANCELLED),
        (3, Outcome.SUCCEEDED),
    ]
    assert built(run) == ["a"]
