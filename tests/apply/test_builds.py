"""The private copies that builds run in: complete, and with the content that the plan was made from."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.apply.builds import Builds
from runner.config.fields import BackendChoice
from runner.errors import EnvironmentFailed, InputsChanged
from runner.events import BuildEnded, BuildStarted
from runner.model import AttemptEnd, Outcome, Session
from runner.plan.builds import build_key
from runner.plan.plan import Plan
from runner.state import State, open_for_writing

SWEEP = """\
exec: [cat, a.txt]
build: make O=$O
files: [a.txt, sub/tool]
timeout: 90s
ranges: {O: [1, 2]}
"""


@pytest.fixture
def plan(tmp_path: Path, plan_text: Callable[[str], Plan]) -> Plan:
    (tmp_path / "a.txt").write_text("one")
    os.utime(tmp_path / "a.txt", (1e9, 1e9))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "sub" / "tool").chmod(0o755)
    return plan_text(SWEEP)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_for_writing(tmp_path, "sweep") as opened:
        yield opened


def builds(plan: Plan, state: State) -> Builds:
    return Builds(plan.sweep, plan.recipe, state, {})


def first(plan: Plan) -> Session:
    return next(iter(plan))


def test_a_build_runs_in_a_copy_with_modes_and_times(plan: Plan, state: State) -> None:
    attempt = builds(plan, state).attempt(first(plan))
    copy = Path(attempt.workdir)
    assert (copy / "a.txt").read_text() == "one"
    assert (copy / "a.txt").stat().st_mtime == 1e9
    assert os.access(copy / "sub" / "tool", os.X_OK)
    assert builds(plan, state).root(first(plan)) == str(copy)


def test_a_build_may_take_as_long_as_a_session(plan: Plan, state: State) -> None:
    assert builds(plan, state).attempt(first(plan)).timeout == 90


def test_a_copy_is_made_anew(plan: Plan, state: State) -> None:
    """What an earlier build left behind is gone, its logs too, even where it closed its folders."""
    copy = Path(builds(plan, state).attempt(first(plan)).workdir)
    (copy / "made").mkdir()
    (copy / "made" / "product").touch()
    (copy / "made").chmod(0o500)
    copy.with_suffix(".out").write_text("said")
    builds(plan, state).attempt(first(plan))
    assert not (copy / "made").exists()
    assert not copy.with_suffix(".out").exists()


def test_files_that_changed_since_the_plan_are_not_built(plan: Plan, state: State, tmp_path: Path) -> None:
    """They would be built under the digest of what they were."""
    (tmp_path / "a.txt").write_text("two")
    with pytest.raises(InputsChanged, match=r"`a.txt` changed since this apply read it; the next apply runs"):
        builds(plan, state).attempt(first(plan))
    assert not Path(builds(plan, state).root(first(plan))).exists()


def test_a_file_that_is_gone(plan: Plan, state: State, tmp_path: Path) -> None:
    (tmp_path / "sub" / "tool").unlink()
    with pytest.raises(InputsChanged, match="`sub/tool` changed since"):
        builds(plan, state).attempt(first(plan))


def test_a_copy_that_the_disk_refuses(plan: Plan, state: State) -> None:
    """It is reported as an environment error, and an incomplete copy is not used."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2, hard))
    try:
        with pytest.raises(EnvironmentFailed, match="file too large"):
            builds(plan, state).attempt(first(plan))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not Path(builds(plan, state).root(first(plan))).exists()


def test_no_copy_where_an_old_build_may_still_run(plan: Plan, state: State) -> None:
    key = builds(plan, state).key(first(plan))
    assert key is not None
    copy = Path(builds(plan, state).attempt(first(plan)).workdir)
    (copy / "half").touch()
    state.journal.record(BuildStarted(time.time(), key, "make", "old", "slurm"))
    with pytest.raises(EnvironmentFailed, match="may still run at backend `slurm`"):
        builds(plan, state).attempt(first(plan))
    assert (copy / "half").exists()
    state.journal.record(BuildEnded(time.time(), key, Outcome.LOST, None, "runner died", None))
    builds(plan, state).attempt(first(plan))
    assert not (copy / "half").exists()


def test_what_has_succeeded_is_there_for_the_next_apply(plan: Plan, state: State) -> None:
    one = builds(plan, state)
    key = one.key(first(plan))
    assert key == build_key(first(plan), plan.recipe, "local")
    one.attempt(first(plan))
    state.journal.record(BuildStarted(time.time(), key, "make", "name", "local"))
    state.journal.record(BuildEnded(time.time(), key, Outcome.SUCCEEDED, 0, None, 1.0))
    one.finished(key, AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0))
    assert one.key(first(plan)) is None
    assert builds(plan, state).key(first(plan)) is None
    state.remove_build(key)
    assert builds(plan, state).key(first(plan)) == key


def test_a_cluster_builds_for_itself_with_what_a_session_asks_for(plan: Plan, state: State) -> None:
    """What this machine, or another image, has built need not run there; and it gives no more than is asked for."""
    session = first(plan)._replace(image="a", resources={"cpu": 2, "mem": 1 << 30})
    there = replace(plan.sweep, backend=BackendChoice("backend.ai", {}))
    one = Builds(there, plan.recipe, state, {})
    keys = {builds(plan, state).key(session), one.key(session), one.key(session._replace(image="b"))}
    assert len(keys) == 3
    assert one.attempt(session).resources == session.resources
    assert builds(plan, state).attempt(session).resources == {}
