"""What a dead runner left at a cluster: recorded as succeeded only if it certainly read the inputs of its id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.apply.leftover_inputs import LeftoverInputs
from runner.events import AttemptSubmitted
from runner.model import AttemptEnd, Outcome
from runner.plan.plan import Plan
from runner.state import State, open_for_writing
from runner.state.rows import OpenAttempt
from tests.facts import apply_started

PlanText = Callable[[str], Plan]

SUCCEEDED = AttemptEnd(outcome=Outcome.SUCCEEDED, exit_code=0)

LIVE = "exec: [cat, data]\nfiles: [data]\nsnapshot: false\n"
COPIED = "exec: [cat, data]\nfiles: [data]\n"

LONG_AGO, LATER = 0.0, time.time() + 1e9
"""When the attempt began: before every change of its inputs, or after."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    (tmp_path / "data").write_text("1")
    with open_for_writing(tmp_path, "s") as opened:
        yield opened


def leave(state: State, plan: Plan, backend: str = "slurm") -> OpenAttempt:
    """Record an apply of the plan that died while its session was at a backend."""
    [session] = plan
    started = replace(apply_started(), text=plan.sweep.source.text, recipe=plan.recipe)
    state.journal.record(started)
    state.journal.record(AttemptSubmitted(2.0, session, 1, "name", backend))
    [left] = state.journal.open_attempts()
    return left


def outcome(plan: Plan, state: State, left: OpenAttempt, began: float | None, end: AttemptEnd = SUCCEEDED) -> Outcome:
    return LeftoverInputs(plan, state).verified(left, end, began).outcome


def test_same_content_counts_if_it_was_written_before_the_beginning(state: State, plan_text: PlanText) -> None:
    left = leave(state, plan_text(LIVE))
    for began, expected in ((LATER, Outcome.SUCCEEDED), (LONG_AGO, Outcome.STALE), (None, Outcome.STALE)):
        assert outcome(plan_text(LIVE), state, left, began) is expected


def test_other_content_is_stale(state: State, plan_text: PlanText, tmp_path: Path) -> None:
    left = leave(state, plan_text(LIVE))
    (tmp_path / "data").write_text("2")
    end = LeftoverInputs(plan_text(LIVE), state).verified(left, SUCCEEDED, LATER)
    assert (end.outcome, end.exit_code) == (Outcome.STALE, 0)
    assert end.reason is not None
    assert end.reason.detail == "`data` may have changed while it ran"


def test_edit_after_the_plan_was_made_is_stale(state: State, plan_text: PlanText, tmp_path: Path) -> None:
    left, plan = leave(state, plan_text(LIVE)), plan_text(LIVE)
    (tmp_path / "data").write_text("2")
    assert outcome(plan, state, left, LATER) is Outcome.STALE


def test_snapshot_counts_whatever_became_of_the_original(state: State, plan_text: PlanText, tmp_path: Path) -> None:
    plan = plan_text(COPIED)
    state.snapshots.make(tmp_path, plan.recipe.parts["files"])
    left = leave(state, plan)
    (tmp_path / "data").write_text("2")
    assert outcome(plan_text(COPIED), state, left, LATER) is Outcome.SUCCEEDED


def test_snapshot_that_was_changed_is_stale(state: State, plan_text: PlanText, tmp_path: Path) -> None:
    plan = plan_text(COPIED)
    copy = state.snapshots.make(tmp_path, plan.recipe.parts["files"]) / "data"
    left = leave(state, plan)
    copy.chmod(0o600)
    copy.write_text("2")
    assert outcome(plan_text(COPIED), state, left, LATER) is Outcome.STALE


def test_snapshot_that_it_did_not_run_in_proves_nothing(state: State, plan_text: PlanText, tmp_path: Path) -> None:
    plan = plan_text(LIVE)
    state.snapshots.make(tmp_path, plan.recipe.parts["files"])
    left = leave(state, plan)
    (tmp_path / "data").write_text("2")
    assert outcome(plan_text(LIVE), state, left, LATER) is Outcome.STALE


def test_uploaded_inputs_were_verified_before(state: State, plan_text: PlanText, tmp_path: Path) -> None:
    left = leave(state, plan_text(LIVE), "backend.ai")
    (tmp_path / "data").write_text("2")
    assert outcome(plan_text(LIVE), state, left, LONG_AGO) is Outcome.SUCCEEDED


@pytest.mark.parametrize("ended", [Outcome.CANCELLED, Outcome.LOST])
def test_end_that_says_nothing_of_the_program_stays(state: State, plan_text: PlanText, ended: Outcome) -> None:
    left = leave(state, plan_text(LIVE))
    assert outcome(plan_text(LIVE), state, left, LONG_AGO, AttemptEnd(outcome=ended)) is ended


def test_sweep_without_files_has_nothing_to_compare(state: State, plan_text: PlanText) -> None:
    plan = plan_text("exec: [cat, data]\n")
    assert outcome(plan, state, leave(state, plan), LONG_AGO) is Outcome.SUCCEEDED
